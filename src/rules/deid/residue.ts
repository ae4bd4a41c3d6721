/**
 * The last look before a resource is sealed: a second checker that knows neither the keep-list nor the tables and asks only what a
 * replica resource may look like. Where the transform says what leaves, this says what may never be there.
 */
import { checkNamed } from './residue/elements.ts';
import type { Evidence, Fields, Hit, Scope } from './residue/scope.ts';
import { checkNumber, checkString } from './residue/strings.ts';

export type { Evidence } from './residue/scope.ts';

const MAX_DEPTH = 12;

/**
 * Checks an outgoing resource.
 *
 * @param output - The de-identified resource, before its meta is written.
 * @param evidence - The source side.
 * @returns What was found, or undefined when the resource may be sealed.
 */
export function residue(output: Fields, evidence: Evidence): Hit | undefined {
  const { keys, systems, profile, at, source, facts, hasStubs = false } = evidence;
  const isPatient = output['resourceType'] === 'Patient';
  return checkObject(output, { keys, systems, profile, at, source, facts, hasStubs, isPatient, path: [] }, 0);
}

function checkObject(object: Fields, scope: Scope, depth: number): Hit | undefined {
  if (depth > MAX_DEPTH) return 'residue-element';
  const { system, code } = object;
  // The same codings come again and again; what was found clean of this patient's names is clean.
  const isCoding = typeof system === 'string' && typeof code === 'string' && isPair(object);
  if (!isCoding) return checkMembers(object, scope, depth);
  if (scope.facts.clean.get(system)?.has(code)) return undefined;
  const hit = checkMembers(object, scope, depth);
  if (!hit) scope.facts.remember(system, code);
  return hit;
}

/** Whether there are two members and no more. */
function isPair(object: Fields): boolean {
  let members = 0;
  for (const _ in object) if ((members += 1) > 2) return false;
  return members === 2;
}

function checkMembers(object: Fields, scope: Scope, depth: number): Hit | undefined {
  for (const name of Object.keys(object)) {
    const value = object[name];
    const check = checkNamed(name, value, scope);
    const found = check ? check(value, object, scope, depth) : 'look-inside';
    const hit = found === 'look-inside' ? checkValue(name, value, object, scope, depth) : found;
    if (hit) return hit;
  }
  return undefined;
}

function checkValue(name: string, value: unknown, parent: Fields, scope: Scope, depth: number): Hit | undefined {
  if (typeof value === 'string') return checkString(name, value, parent, scope);
  if (typeof value === 'number') return checkNumber(value, scope);
  if (typeof value === 'boolean') return undefined;
  if (Array.isArray(value)) return checkList(name, value, parent, scope, depth);
  if (typeof value !== 'object' || value === null) return 'residue-element';
  scope.path.push(name);
  const hit = checkObject(value as Fields, scope, depth + 1);
  scope.path.pop();
  return hit;
}

function checkList(
  name: string,
  list: readonly unknown[],
  parent: Fields,
  scope: Scope,
  depth: number
): Hit | undefined {
  if (list.length === 0) return 'residue-element';
  for (const each of list) {
    const hit = Array.isArray(each) ? 'residue-element' : checkValue(name, each, parent, scope, depth);
    if (hit) return hit;
  }
  return undefined;
}
