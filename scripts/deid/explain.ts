/**
 * Which paths of an original are not in its copy, and why.
 *
 * Arrays shift when an element of them is dropped, so positions of original and copy cannot be compared. Instead each element is
 * asked for alone: the resource is transformed once more with only this element in the array, and either something is there or
 * nothing. So this knows nothing of how the transform works, only what comes out; the policy's tables are asked for the reason.
 */
import { tryGetDataType } from '@medplum/core';
import type { InternalSchemaElement } from '@medplum/core';
import type { Resource } from '@medplum/fhirtypes';
import { transform } from '../../src/rules/deid/deidentify.ts';
import type { DeidContext } from '../../src/rules/deid/deidentify.ts';
import { KEEP_LISTS } from '../../src/rules/deid/keep-list.ts';
import { CODE_SYSTEMS } from '../../src/rules/deid/tables.generated.ts';
import { loadDefinitions } from '../sandbox/definitions.ts';
import { isTree } from './read.ts';
import type { DropReason } from './reasons.ts';

/** One path of the original that is not in the copy. */
export interface Drop {
  /** Below the resource; `*` stands for a name that FHIR does not have, which may be anything. */
  readonly path: string;
  readonly reason: DropReason;
}

type Tree = Readonly<Record<string, unknown>>;
type Step = string | number;

/** Where a visit is. */
interface Place {
  /** The resource with one element in each array on the way here. */
  readonly root: Tree;
  readonly steps: readonly Step[];
  /** As shown: with the positions of the original. */
  readonly path: string;
  /** The path of elements, as the keep-list has it. */
  readonly element: string;
  /** The FHIR type of what is here; undefined below an element that FHIR does not have. */
  readonly type: string | undefined;
  /** The FHIR type of what it is in. */
  readonly inside: string | undefined;
}

/** A resource deeper than this was refused; what is deeper in an element was dropped further up. */
const MAX_DEPTH = 40;

/** Elements of the copy that are made anew, whatever was there. */
const MADE_ANEW: Readonly<Record<string, DropReason>> = {
  name: 'direct-identifier',
  identifier: 'identifier',
  birthDate: 'generalised',
};

/** What a type of FHIR says about an element that the policy drops. */
const BY_TYPE: Readonly<Record<string, DropReason>> = {
  Address: 'direct-identifier',
  Annotation: 'free-text',
  Attachment: 'attachment',
  CodeableReference: 'reference',
  ContactPoint: 'direct-identifier',
  Extension: 'extension',
  HumanName: 'direct-identifier',
  Identifier: 'identifier',
  Meta: 'metadata',
  Narrative: 'narrative',
  PatientContact: 'direct-identifier',
  PatientLink: 'reference',
  Reference: 'reference',
  base64Binary: 'attachment',
  markdown: 'free-text',
  string: 'free-text',
};

/**
 * Explains a copy.
 *
 * @param resource - The original; its copy was made.
 * @param context - What the copy was made with.
 * @returns Every topmost path that is not in the copy, in the order of the original.
 */
export function explain(resource: Resource, context: DeidContext): Drop[] {
  loadDefinitions();
  const drops: Drop[] = [];
  const root = resource as unknown as Tree;
  visit({ root, steps: [], path: '', element: '', type: resource.resourceType, inside: undefined });
  return drops;

  function visit(place: Place): void {
    const here = at(place.root, place.steps);
    const copy = copyOf(place);
    if (!isTree(here) || !isTree(copy) || place.steps.length > MAX_DEPTH) {
      return;
    }
    for (const [name, value] of Object.entries(here)) {
      const next = child(place, name);
      const anew = place.element === '' ? MADE_ANEW[name] : undefined;
      if (anew && (name !== 'identifier' || (value as unknown[]).length !== 0)) {
        drops.push({ path: next.path, reason: anew });
      } else if (name === 'id' && place.element === '') {
        drops.push({ path: 'id', reason: 'identifier' });
      } else if (name !== 'resourceType' && !isReplaced(name, copy)) {
        ask(next, value, here);
      }
    }
  }

  function ask(place: Place, value: unknown, parent: Tree): void {
    if (!Array.isArray(value) || isDroppedAsAWhole(place)) {
      follow(place, value, parent);
      return;
    }
    value.forEach((each: unknown, position) => {
      const alone = replaced(place.root, place.steps, [each]) as Tree;
      follow({ ...place, root: alone, steps: [...place.steps, 0], path: `${place.path}[${position}]` }, each, parent);
    });
  }

  function follow(place: Place, value: unknown, parent: Tree): void {
    if (copyOf(place) === undefined) {
      drops.push({ path: place.path, reason: reasonOf(place, value, parent) });
    } else {
      visit(place);
    }
  }

  function copyOf({ root: narrowed, steps }: Place): unknown {
    const copy = transform(narrowed as unknown as Resource, context);
    return typeof copy === 'string' ? undefined : at(copy, steps);
  }

  function isDroppedAsAWhole({ element }: Place): boolean {
    const row = KEEP_LISTS[resource.resourceType]?.[element];
    return row === 'drop' || (row === undefined && !element.includes('.'));
  }

  function reasonOf(place: Place, value: unknown, parent: Tree): DropReason {
    const name = String(place.steps.findLast((step) => typeof step === 'string'));
    const row = KEEP_LISTS[resource.resourceType]?.[place.element];
    const isRoot = !place.element.includes('.');
    if (name === 'modifierExtension' || name.startsWith('_')) {
      return 'extension';
    }
    if (name === 'contained' && isRoot) {
      return 'contained';
    }
    if (name === 'id' || ((name === 'language' || name === 'implicitRules') && isRoot)) {
      return 'metadata';
    }
    if (place.type === undefined) {
      return 'unlisted-element';
    }
    if (row !== undefined && row !== 'drop') {
      return row === 'derive' ? (BY_TYPE[place.type] ?? 'generalised') : keptByPolicy(row, value);
    }
    if (BY_TYPE[place.inside ?? ''] === 'direct-identifier') {
      return 'direct-identifier';
    }
    const inDatatype = row === undefined && !isRoot ? partOf(parent, name, value) : undefined;
    return inDatatype ?? BY_TYPE[place.type] ?? 'excluded';
  }
}

/** The policy lets the element leave, this value of it did not. */
function keptByPolicy(row: string, value: unknown): DropReason {
  switch (row) {
    case 'code':
      return codeReason(value);
    case 'keep':
      return typeof value === 'string' ? 'unknown-code' : 'invalid-value';
    case 'number':
    case 'age':
      return isTree(value) || typeof value === 'number' ? 'unsafe-value' : 'invalid-value';
    case 'node':
      return 'incomplete';
    case 'pseudonym':
    case 'subject':
      return 'reference';
    case 'mask':
      return 'excluded';
    default:
      return 'invalid-value';
  }
}

function codeReason(value: unknown): DropReason {
  const coding = isTree(value) ? value['coding'] : undefined;
  const codings: readonly unknown[] = Array.isArray(coding) ? (coding as unknown[]) : [value];
  const isPublic = codings.some((each) => isTree(each) && Object.hasOwn(CODE_SYSTEMS, String(each['system'])));
  return isPublic ? 'unknown-code' : 'local-code-system';
}

/** Parts of data types, told by their neighbours: a label, a unit, a coding. */
function partOf(parent: Tree, name: string, value: unknown): DropReason | undefined {
  switch (name) {
    case 'display':
      return 'label';
    case 'text':
      return 'label';
    case 'userSelected':
    case 'version':
      return 'coding-detail';
    case 'coding':
      return codeReason(value);
    case 'unit':
    case 'code':
    case 'system':
      return typeof parent['value'] === 'number' ? 'local-unit' : 'unknown-code';
    case 'reference':
    case 'type':
      return 'reference';
    case 'identifier':
      return 'identifier';
    case 'start':
    case 'end':
      return 'invalid-value';
    default:
      return undefined;
  }
}

/** What the copy says in another way: a reference became an identifier, a death without a shiftable date a mere death. */
function isReplaced(name: string, copy: Tree): boolean {
  return name === 'reference' && copy['reference'] === undefined && isTree(copy['identifier']);
}

function child(place: Place, name: string): Place {
  const type = place.type === undefined ? undefined : typeOf(place.type, name);
  // An unknown name may be anything, also somebody's; a name that FHIR has is no value.
  const isKnown =
    type !== undefined ||
    name === 'id' ||
    (name.startsWith('_') && place.type !== undefined && typeOf(place.type, name.slice(1)) !== undefined);
  const shown = isKnown ? name : '*';
  return {
    root: place.root,
    steps: [...place.steps, name],
    path: place.path === '' ? shown : `${place.path}.${shown}`,
    element: place.element === '' ? name : `${place.element}.${name}`,
    type,
    inside: place.type,
  };
}

/** The type of an element of a FHIR type; a choice is named with its type (`valueQuantity`). */
function typeOf(parent: string, name: string): string | undefined {
  const elements = tryGetDataType(parent)?.elements ?? {};
  const own: InternalSchemaElement | undefined = Object.hasOwn(elements, name) ? elements[name] : undefined;
  if (own) {
    return own.type[0]?.code;
  }
  for (const [key, element] of Object.entries(elements)) {
    const base = key.endsWith('[x]') ? key.slice(0, -3) : undefined;
    if (base !== undefined && name.startsWith(base)) {
      const found = element.type.find(({ code }) => name === base + code.charAt(0).toUpperCase() + code.slice(1));
      if (found) {
        return found.code;
      }
    }
  }
  return undefined;
}

function at(value: unknown, steps: readonly Step[]): unknown {
  let here = value;
  for (const step of steps) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) {
      return undefined;
    }
    here = (here as Record<Step, unknown>)[step];
  }
  return here;
}

/** A copy with one value put in place of another. */
function replaced(value: unknown, [step, ...rest]: readonly Step[], by: unknown): unknown {
  if (step === undefined) {
    return by;
  }
  if (Array.isArray(value)) {
    return value.map((each: unknown, position) => (position === step ? replaced(each, rest, by) : each));
  }
  return Object.fromEntries(
    Object.entries(value as Tree).map(([name, each]) => [name, name === step ? replaced(each, rest, by) : each])
  );
}
