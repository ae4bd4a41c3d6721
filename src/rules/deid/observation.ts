/** What an Observation's code says about its value: ages, identities, and values of unknown meaning. */
import type { CodeableConcept, Coding, Quantity, Range } from '@medplum/fhirtypes';
import { agedQuantity, agedRange } from './ages.ts';
import { LOINC } from '../../fhir/loinc.ts';
import { DATA_ABSENT_REASON } from './codings.ts';
import { UCUM } from './quantities.ts';
import { AGE_LOINC, IDENTITY_LOINC } from './tables.generated.ts';
import type { Draft, Fields } from './walk.ts';

const LETTER_V = 118;

type Meaning = 'age' | 'identity';

/** The codes of LOINC by which a value needs a closer look. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ...AGE_LOINC.split('|').map((code) => [code, 'age'] as const),
  ...IDENTITY_LOINC.split('|').map((code) => [code, 'identity'] as const),
]);

/**
 * Completes an Observation.
 *
 * @param draft - What the walk kept.
 * @param source - The source Observation.
 * @returns The draft: values judged by their code, and a reason where a value is missing.
 */
export function completeObservation(draft: Draft, source: Fields): Draft {
  const components = draft['component'];
  if (Array.isArray(components)) for (const component of components as Draft[]) judgeValue(component);
  judgeValue(draft);
  if (valueName(draft) !== undefined) {
    delete draft['dataAbsentReason']; // obs-6
  } else if (
    draft['dataAbsentReason'] === undefined &&
    (valueName(source) !== undefined || lostAll(source, components))
  ) {
    draft['dataAbsentReason'] = { coding: [{ system: DATA_ABSENT_REASON, code: 'masked' }] };
  }
  // A component needs no reason of its own unless it had a value; the walk does not know which one it was.
  if (Array.isArray(components)) for (const component of components as Draft[]) explain(component);
  return draft;
}

function lostAll(source: Fields, components: unknown): boolean {
  return source['component'] !== undefined && components === undefined;
}

function explain(component: Draft): void {
  if (valueName(component) !== undefined) delete component['dataAbsentReason'];
  else component['dataAbsentReason'] ??= { coding: [{ system: DATA_ABSENT_REASON, code: 'masked' }] };
}

function valueName(element: Fields): string | undefined {
  for (const name in element) if (name.charCodeAt(0) === LETTER_V && name.startsWith('value')) return name;
  return undefined;
}

/** A number of unknown meaning might be an age or a telephone number: without a public code no value leaves. */
function judgeValue(draft: Draft): void {
  const name = valueName(draft);
  if (name === undefined) return;
  const coding = (draft['code'] as CodeableConcept | undefined)?.coding;
  const meaning = coding && meaningOf(coding);
  if (!coding || meaning === 'identity') delete draft[name];
  else if (meaning === 'age' || isInYears(draft[name])) aggregateAge(draft, name);
}

/** Of several codes, one that asks for an identity decides. */
function meaningOf(coding: readonly Coding[]): Meaning | undefined {
  let found: Meaning | undefined;
  for (const { system, code } of coding) {
    const meaning = system === LOINC ? MEANINGS.get(String(code)) : undefined;
    if (meaning === 'identity') return meaning;
    found ??= meaning;
  }
  return found;
}

/** Ninety years and more are somebody's age, whatever the code. */
function isInYears(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Quantity).code === 'a' &&
    (value as Quantity).system === UCUM
  );
}

function aggregateAge(draft: Draft, name: string): void {
  const value = draft[name];
  if (name === 'valueQuantity') draft[name] = agedQuantity(value as Quantity);
  else if (name === 'valueInteger') draft[name] = Math.min(value as number, 90);
  else if (name === 'valueRange') draft[name] = agedRange(value as Range);
  else if (name !== 'valueCodeableConcept' && name !== 'valueBoolean') delete draft[name];
}
