import { describe, expect, it } from 'vitest';
import { elementsOf, valueSetCodes } from '../../../scripts/build/deid-tables.ts';
import type { Deidentified, Profile } from '../../../src/rules/deid/deidentify.ts';
import { deidentify } from '../../../src/rules/deid/deidentify.ts';
import { open } from '../../../src/fhir/sealed.ts';
import { KEEP_LISTS, NO_REFERENCE_TO } from '../../../src/rules/deid/keep-list.ts';
import { canaries } from './canary.ts';
import { aContext, BASES, copyOf, LOINC, stringsOf, UCUM } from './support.ts';

/** Without these a resource is refused, which would prove nothing. */
const VALID: Readonly<Record<string, readonly string[]>> = {
  Patient: ['id'],
  Encounter: ['id', 'status', 'subject'],
  Observation: ['id', 'status', 'subject', 'code'],
  Condition: ['id', 'subject'],
  MedicationRequest: ['id', 'subject', 'status', 'intent'],
  AllergyIntolerance: ['id', 'patient'],
  Procedure: ['id', 'subject', 'status'],
  Immunization: ['id', 'patient', 'status'],
  DiagnosticReport: ['id', 'subject', 'status'],
  DocumentReference: ['id', 'subject', 'status'],
  CarePlan: ['id', 'subject', 'status', 'intent'],
  ServiceRequest: ['id', 'subject', 'status', 'intent'],
  Practitioner: ['id'],
  Organization: ['id'],
  Location: ['id'],
};
const MEDPLUM_META = {
  project: 'CanaryProject',
  author: { reference: 'Practitioner/CanaryAuthor', display: 'CanaryAuthorName' },
  account: { reference: 'Organization/CanaryAccount' },
  accounts: [{ reference: 'Organization/CanaryAccounts' }],
  compartment: [{ reference: 'Patient/CanaryCompartment' }],
  onBehalfOf: { reference: 'Patient/CanaryBehalf' },
};

function copy(resource: Record<string, unknown>, profile: Profile): Record<string, unknown> {
  const result = deidentify(resource as never, aContext({ profile })) as Deidentified;
  if (!result.ok) throw new Error(`refused: ${result.reason}`);
  return open(result.sealed) as unknown as Record<string, unknown>;
}

describe.each(Object.keys(KEEP_LISTS))('%s with a canary at every leaf', (type) => {
  const { resource, tokens } = canaries(type);
  const base = (BASES[type] as () => Record<string, unknown>)();
  const filled: Record<string, unknown> = {
    ...resource,
    ...Object.fromEntries((VALID[type] ?? []).map((name) => [name, base[name]])),
    meta: { ...(resource['meta'] as object), ...MEDPLUM_META },
    extension: [{ url: 'https://canary.example/ext', valueString: 'CanaryExtension' }],
    contained: [{ resourceType: 'Patient', id: 'c', name: [{ family: 'CanaryContained' }] }],
    _status: { extension: [{ url: 'https://canary.example/p', valueString: 'CanaryPrimitive' }] },
    fhir_comments: ['CanaryComment'],
    unknownProperty: { deep: ['CanaryUnknown'] },
  };
  delete filled['focus'];

  it('has hundreds of positions, so that the test says something', () => {
    expect(tokens.size).toBeGreaterThan(100);
  });

  it.each(['pseudonymised', 'safe-harbor'] as const)(
    'lets no string, date or URL of the input out under %s',
    (profile) => {
      const text = JSON.stringify(copy(filled, profile));
      expect(text).not.toMatch(/canary/i);
      expect([...tokens.keys()].filter((token) => text.includes(token))).toEqual([]);
    }
  );

  it('keeps exactly the codings, codes, numbers and dates that the keep-list declares', () => {
    const survivors = new Set<string>();
    for (const element of elementsOf(type)) {
      const value = valueFor(element);
      // What is only marked as masked is in the golden copies.
      if (KEEP_LISTS[type]?.[element.path] === 'mask') continue;
      if (value === undefined || VALID[type]?.includes(element.path)) continue;
      if (survives(type, element.path, value, elementsOf(type))) survivors.add(element.path);
    }
    const declared = Object.entries(KEEP_LISTS[type] ?? {})
      .filter(
        ([path, how]) =>
          ['code', 'number', 'age', 'shift', 'pseudonym', 'keep'].includes(how) && !VALID[type]?.includes(path)
      )
      .map(([path]) => path);
    expect([...survivors].sort()).toEqual(declared.sort());
  });
});

function valueFor(element: Element): unknown {
  const isCode = element.type === 'code' && element.valueSet !== undefined;
  return isCode ? valueSetCodes(element.valueSet ?? '').at(-1) : sample(element.type, targetOf(element));
}

const MARK = 86.531;
/** A value of a datatype that is valid, public and recognisable. */
function sample(type: string, target: string | undefined): unknown {
  const coding = { system: LOINC, code: '39156-5', display: 'x' };
  const quantity = { value: MARK, system: UCUM, code: 'kg' };
  const period = { start: '2001-01-01T00:00:00Z' };
  const samples: Readonly<Record<string, unknown>> = {
    Coding: coding,
    CodeableConcept: { coding: [coding] },
    Quantity: quantity,
    Duration: quantity,
    Age: { value: MARK, system: UCUM, code: 'a' },
    Range: { low: quantity },
    Ratio: { numerator: quantity, denominator: quantity },
    SampledData: { origin: quantity, period: 10, dimensions: 1, data: '86.531 canary-waveform' },
    boolean: true,
    integer: 86531,
    positiveInt: 86531,
    unsignedInt: 86531,
    decimal: MARK,
    dateTime: '2001-01-01T00:00:00Z',
    instant: '2001-01-01T00:00:00Z',
    date: '2001-01-01',
    Period: period,
    Attachment: { title: 'Attachment.pdf' },
    Timing: { event: ['2001-01-01T00:00:00Z'] },
    Reference: { reference: `${target === undefined || target === 'Resource' ? 'Condition' : target}/x1` },
  };
  return samples[type];
}

/** A type that the position may name and that is not a person, a place or a thing. */
function targetOf({ targets }: Element): string | undefined {
  return targets.find((target) => !NO_REFERENCE_TO.includes(target)) ?? targets[0];
}

type Element = ReturnType<typeof elementsOf>[number];

/** Puts the value at the path, with valid siblings where a backbone element requires them, and looks for the path in the copy. */
function survives(type: string, path: string, value: unknown, elements: readonly Element[]): boolean {
  const resource = (BASES[type] as () => Record<string, unknown>)();
  if (path === 'dataAbsentReason') delete resource['valueQuantity']; // obs-6
  const names = path.split('.');
  const choice = elements.find((each) => each.path === path)?.choice;
  let node = resource;
  names.forEach((name, i) => {
    const at = names.slice(0, i + 1).join('.');
    const element = elements.find((each) => each.path === at);
    const isLast = i === names.length - 1;
    if (isLast && choice !== undefined)
      for (const key of Object.keys(node)) if (key.startsWith(choice)) delete node[key];
    const child: unknown = isLast ? value : siblings(at, elements);
    node[name] = element?.many ? [child] : child;
    node = (Array.isArray(node[name]) ? (node[name] as unknown[])[0] : node[name]) as Record<string, unknown>;
  });
  let found: unknown;
  try {
    found = copyOf(resource as never);
  } catch {
    return false;
  }
  for (const name of names) {
    const next = (found as Record<string, unknown> | undefined)?.[name];
    found = Array.isArray(next) ? next[0] : next;
  }
  if (found === undefined) return false;
  // `derive` positions exist in a copy, but not with what was in the source.
  const text = JSON.stringify(found);
  return (
    (typeof value === 'string' ||
      !stringsOf(value).some((each) => each.length > 8 && !each.startsWith('http') && text.includes(each))) &&
    !(type === 'Patient' && path.startsWith('communication')) &&
    path !== 'birthDate' &&
    path !== 'identifier'
  );
}

function siblings(parent: string, elements: readonly Element[]): Record<string, unknown> {
  const children = elements.filter(
    (each) => each.path.startsWith(`${parent}.`) && !each.path.slice(parent.length + 1).includes('.')
  );
  const node: Record<string, unknown> = {};
  const chosen = new Set<string>();
  for (const each of children) {
    const value = valueFor(each);
    const isChoice = each.choice !== undefined && each.isNeeded === true && !chosen.has(each.choice);
    if (value === undefined || !(each.required || isChoice)) continue;
    node[each.path.slice(parent.length + 1)] = each.many ? [value] : value;
    if (each.choice !== undefined) chosen.add(each.choice);
  }
  if (parent.endsWith('referenceRange')) node['low'] = { value: 1 };
  if (parent === 'stage') node['summary'] = sample('CodeableConcept', undefined);
  return node;
}
