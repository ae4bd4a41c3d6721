/** The single walk over a source resource: what the table names is transformed, all else is not there. */
import { publicAge, publicAgeRange } from './ages.ts';
import { masked, publicCoding, publicConcept } from './codings.ts';
import { shiftDate, shiftPeriod } from './dates.ts';
import type { DateKind } from './dates.ts';
import type { Pass } from './pass.ts';
import { publicNumber, publicQuantity, publicRange, publicRatio, publicSampling } from './quantities.ts';
import { clinicalReference, stubReference, subjectOf } from './references.ts';
import type { Kind } from './kinds.ts';
import type { Rule, Table } from './tables.ts';
import { publicTiming } from './timing.ts';

/** A JSON object of unknown content. */
export type Fields = Readonly<Record<string, unknown>>;
/** A resource or element under construction. */
export type Draft = Record<string, unknown>;
/** What becomes of one value, by the kind of its position. */
export type Transform = (value: unknown, pass: Pass) => unknown;

/**
 * Transforms a backbone element. What is required and did not survive is marked as masked, so that the rest can leave. Depth is that of the table, whatever the depth of the input.
 *
 * @param source - The element of the source.
 * @param table - What may leave of it.
 * @param pass - The run; `refused` is set when a modifierExtension or the subject forbids the resource.
 * @returns What leaves, or undefined when nothing does or something required does not.
 */
function walk(source: Fields, table: Table, pass: Pass): Draft | undefined {
  const draft: Draft = {};
  if (!walkInto(draft, source, table, pass)) return undefined;
  const { needs } = table;
  if (needs !== undefined && !hasOneOf(draft, needs)) {
    if (isAllMasked(draft, table)) return undefined;
    maskOne(draft, needs, table);
  }
  for (const names of table.required)
    if (!hasOneOf(draft, names) && !maskOne(draft, names, table) && !maskCode(draft, names, table)) return undefined;
  return draft;
}

/**
 * Transforms a whole resource into a draft.
 *
 * @param draft - Type and identifier; receives what leaves.
 * @param source - The source resource.
 * @param table - The table of its type.
 * @param pass - The run.
 * @returns False when a required element is missing and cannot be masked.
 */
export function walkResource(draft: Draft, source: Fields, table: Table, pass: Pass): boolean {
  walkInto(draft, source, table, pass);
  for (const names of table.required) if (!hasOneOf(draft, names) && !maskOne(draft, names, table)) return false;
  return true;
}

function hasOneOf(draft: Draft, names: readonly string[]): boolean {
  for (const name of names) if (draft[name] !== undefined) return true;
  return false;
}

/** Whether nothing is there but marks for whom or what it is about. */
function isAllMasked(draft: Draft, { rules }: Table): boolean {
  for (const name in draft) if (rules.get(name)?.kind !== 'mask') return false;
  return true;
}

/** Kinds whose absence is said by an element with nothing but the mark. */
const MASKABLE: ReadonlySet<Kind> = new Set(['coding', 'concept', 'mask', 'period', 'quantity', 'reference', 'stub']);

/** Of a choice, the member that can be marked. */
function maskOne(draft: Draft, names: readonly string[], { rules }: Table): boolean {
  for (const name of names) {
    const rule = rules.get(name);
    if (rule && MASKABLE.has(rule.kind)) draft[name] = rule.many ? [masked()] : masked();
    else if (rule?.kind === 'dateTime' || rule?.kind === 'positiveInt') draft[`_${name}`] = masked();
    else continue;
    return true;
  }
  return false;
}

/** The status of a part may be masked; that of a record is there, or the record does not leave. */
function maskCode(draft: Draft, [name = '']: readonly string[], { rules }: Table): boolean {
  if (rules.get(name)?.kind !== 'code') return false;
  draft[`_${name}`] = masked();
  return true;
}

/** Returns whether anything was added. */
function walkInto(draft: Draft, source: Fields, table: Table, pass: Pass): boolean {
  let choices = '';
  let any = false;
  for (const name of Object.keys(source)) {
    const rule = table.rules.get(name);
    const value = source[name];
    if (rule === undefined) {
      if (name === 'modifierExtension') refuseModifiers(value, pass);
      continue;
    }
    if (rule.choice !== undefined && choices.includes(rule.choice)) continue;
    const kept = rule.many
      ? transformEach(value, rule, pass)
      : Array.isArray(value)
        ? undefined
        : rule.transform(value, pass);
    if (kept === undefined) continue;
    draft[name] = kept;
    any = true;
    if (rule.choice !== undefined) choices += rule.choice;
  }
  return any;
}

/** Every modifierExtension is unknown to us, and its meaning may invert the element (FHIR R4 §2.4.1.1). */
function refuseModifiers(value: unknown, pass: Pass): void {
  if (!Array.isArray(value) || value.length > 0) pass.refused = 'modifier-extension';
}

function transformEach(value: unknown, rule: Rule, pass: Pass): unknown[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const kept: unknown[] = [];
  for (const each of value) {
    const one = Array.isArray(each) ? undefined : rule.transform(each, pass);
    if (one !== undefined) kept.push(one);
  }
  return kept.length > 0 ? kept : undefined;
}

const boolean: Transform = (value) => (typeof value === 'boolean' ? value : undefined);
const code =
  (allowed: ReadonlySet<string>): Transform =>
  (value) =>
    typeof value === 'string' && allowed.has(value) ? value : undefined;
const number =
  (least?: number): Transform =>
  (value) =>
    publicNumber(value, least);
const date =
  (kind: DateKind): Transform =>
  (value, { dates }) =>
    shiftDate(value, kind, dates);

/**
 * The transform of a position, made ready once per position.
 *
 * @param kind - What the position holds.
 * @param allowed - Its codes, or the types that it may refer to.
 * @param table - The children of a node; filled later.
 * @returns The transform of one value; the items of a list are given one by one.
 */
export function transformOf(kind: Kind, allowed: ReadonlySet<string>, table: Table): Transform {
  switch (kind) {
    case 'node':
      return (value, pass) => (isObject(value) ? walk(value, table, pass) : undefined);
    case 'boolean':
      return boolean;
    case 'code':
      return code(allowed);
    case 'coding':
      return publicCoding;
    case 'concept':
      return publicConcept;
    case 'integer':
      return number(-0x80000000);
    case 'positiveInt':
      return number(1);
    case 'unsignedInt':
      return number(0);
    case 'decimal':
      return number();
    case 'quantity':
      return publicQuantity;
    case 'range':
      return publicRange;
    case 'ratio':
      return publicRatio;
    case 'sampled':
      return publicSampling;
    case 'age':
      return publicAge;
    case 'ageRange':
      return publicAgeRange;
    case 'mask':
      return (value) => (isObject(value) ? masked() : undefined);
    case 'date':
    case 'dateTime':
    case 'instant':
      return date(kind);
    case 'period':
      return (value, pass) => (isObject(value) ? period(value, pass) : undefined);
    case 'timing':
      return timing;
    case 'reference':
      return (value, pass) => clinicalReference(value, allowed, pass);
    case 'stub':
      return (value, pass) => stubReference(value, allowed, pass);
    case 'subject':
      return subject;
  }
}

function timing(value: unknown, pass: Pass): unknown {
  if (isObject(value) && value['modifierExtension'] !== undefined) refuseModifiers(value['modifierExtension'], pass);
  return publicTiming(value, pass.dates);
}

function period(value: Fields, pass: Pass): Fields | undefined {
  const { start, end } = shiftPeriod(value['start'], value['end'], pass.dates);
  if (start === undefined) return end === undefined ? undefined : { end };
  return end === undefined ? { start } : { start, end };
}

function subject(value: unknown, pass: Pass): unknown {
  const who = subjectOf(value, pass);
  if (who === 'same') return pass.self.reference();
  pass.refused = who === 'other' ? 'wrong-patient' : 'no-subject';
  return undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
