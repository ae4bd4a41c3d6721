/** Identifiers and references of a copy: our systems, our tokens, nothing else. */
import { sweepToken } from '../sweep.ts';
import type { Fields, Hit, Scope } from './scope.ts';

/** A type in two or three letters, and 32 consonants. */
const TOKEN = /^[a-z]{2,3}_[bcdfghjkmpqrtvwx]{32}$/;

const STUBS: Readonly<Record<string, string>> = { prc: 'Practitioner', org: 'Organization', loc: 'Location' };

/**
 * A conditional reference: to the patient, to an encounter, or to a stub.
 *
 * @param text - The value of `reference`.
 * @param scope - The systems; remembers what was found clean, since the encounters of a patient come again and again.
 * @returns What was found.
 */
export function checkReference(text: string, { systems, facts, hasStubs }: Scope): Hit | undefined {
  if (facts.references.has(text)) return undefined;
  const bar = text.indexOf('|');
  const token = text.slice(bar + 1);
  const expected = token.startsWith('pt_')
    ? `Patient?identifier=${systems.patientToken}`
    : `${(hasStubs && STUBS[token.slice(0, 3)]) || 'Encounter'}?identifier=${systems.resourceToken}`;
  if (text.slice(0, bar) !== expected || !TOKEN.test(token)) return 'residue-reference';
  if (sweepToken(token, facts)) return 'residue-sweep';
  facts.references.add(text);
  return undefined;
}

/**
 * The identifier of a resource is a list of one, that of a reference is one.
 *
 * @param value - The value of `identifier`.
 * @param scope - The systems.
 * @param depth - 0 for the resource itself.
 * @returns What was found.
 */
export function checkIdentifier(value: unknown, { systems, facts }: Scope, depth: number): Hit | undefined {
  const one: unknown = depth === 0 ? (Array.isArray(value) && value.length === 1 ? value[0] : undefined) : value;
  if (typeof one !== 'object' || one === null || Object.keys(one).length !== 2) return 'residue-reference';
  const { system, value: token } = one as Fields;
  if (typeof token !== 'string' || !TOKEN.test(token)) return 'residue-reference';
  if (system !== (token.startsWith('pt_') ? systems.patientToken : systems.resourceToken)) return 'residue-reference';
  return sweepToken(token, facts) ? 'residue-sweep' : undefined;
}

/**
 * The extension that says that the original is kept: under this very copy's token, and nothing more.
 *
 * @param value - The value of `extension`.
 * @param parent - The copy.
 * @param scope - The namespace.
 * @returns Whether it is that.
 */
export function isPointer(value: unknown, { identifier }: Fields, { systems }: Scope): boolean {
  const own = Array.isArray(identifier) ? (identifier[0] as Fields | undefined)?.['value'] : undefined;
  const uri = `${systems.namespace}/payload/${String(own)}`;
  return (
    typeof own === 'string' &&
    JSON.stringify(value) === JSON.stringify([{ url: `${systems.namespace}/encrypted-payload`, valueUri: uri }])
  );
}

/**
 * Whether somebody is a reference: a resource has a list of identifiers, a reference one.
 *
 * @param parent - The element.
 * @returns True for a logical reference.
 */
export function isReference({ identifier }: Fields): boolean {
  return identifier !== undefined && !Array.isArray(identifier);
}
