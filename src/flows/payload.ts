/** Where the encrypted original of a record is: a Basic in the source, beside the patient's link. Pure. */
import type { Basic, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';

const CODE = 'payload';

/** What the Basic says. */
export interface Payload {
  /** `Type/id` of the record. */
  readonly record: string;
  readonly patientId: string;
  /** Under which it is encrypted. */
  readonly token: string;
  /** Under which it was, with former keys: whoever has written them down still finds it. */
  readonly formerTokens?: readonly string[];
  /** `Binary/id`; without it there is none now, but there was. */
  readonly binary?: string;
  /** The version of the record that is in it. */
  readonly version?: string;
  /** The key it is encrypted under. */
  readonly kid?: string;
}

/** A saved one. */
export interface Kept extends Payload {
  readonly id: string;
  readonly versionId: string;
}

/**
 * @param systems - Our systems.
 * @param token - The token of a record.
 * @returns The search term that finds what is known of its original.
 */
export function payloadTerm(systems: Systems, token: string): string {
  return `${systems.payload}|${token}`;
}

/**
 * @param systems - Our systems.
 * @param payload - Where an original is.
 * @returns The Basic to save. Only while there is an original does it refer to the patient, who may be gone afterwards.
 */
export function payloadBasic(systems: Systems, payload: Payload): Basic {
  const { record, patientId, token, formerTokens = [], binary, version, kid } = payload;
  const parts = { binary, version, kid };
  return {
    resourceType: 'Basic',
    ...(kid && { meta: { tag: [{ system: systems.payload, code: kid }] } }),
    identifier: [
      { system: systems.record, value: record },
      { system: systems.payload, value: token },
      ...formerTokens.map((value) => ({ use: 'old' as const, system: systems.payload, value })),
    ],
    code: { coding: [{ system: systems.control, code: 'payload' }] },
    ...(binary && { subject: { reference: `Patient/${patientId}` } }),
    ...(binary && {
      extension: [
        {
          url: systems.encryptedPayload,
          extension: Object.entries(parts).map(([url, value]) => ({ url, valueString: String(value) })),
        },
      ],
    }),
  };
}

/**
 * @param systems - Our systems.
 * @param record - `Type/id` of a record.
 * @returns The same, whatever the keys are.
 */
export function recordTerm(systems: Systems, record: string): string {
  return `${systems.record}|${record}`;
}

/**
 * @param systems - Our systems.
 * @param kid - Of a key.
 * @param count - How many to find.
 * @returns A FHIR-relative search for what lies under the key.
 */
export function underKeySearch(systems: Systems, kid: string, count: number): string {
  return `Basic?_tag=${encodeURIComponent(`${systems.payload}|${kid}`)}&_sort=_lastUpdated&_count=${count}`;
}

/** By which of its names an original is looked for. */
export type PayloadName = { readonly token: string } | { readonly record: string };

/**
 * @param systems - Our systems.
 * @param found - What a search found, if one was made.
 * @param name - Of a record.
 * @returns What is known of its original.
 */
export function keptOf(systems: Systems, found: readonly Resource[] | undefined, name: PayloadName): Kept | undefined {
  const [wanted, where] = 'token' in name ? [name.token, systems.payload] : [name.record, systems.record];
  const basic = found?.find(
    (one) => isOriginal(one) && one.identifier?.some(({ system, value }) => system === where && value === wanted)
  );
  return basic && originalIn(systems, basic);
}

/**
 * @param systems - Our systems.
 * @param basic - A resource that a search found.
 * @returns What it says of an original, if it is about one.
 */
export function originalIn(systems: Systems, basic: Resource): Kept | undefined {
  if (!isOriginal(basic)) {
    return undefined;
  }
  const { id = '', meta, identifier = [], subject } = basic;
  const extension = basic.extension?.find(({ url }) => url === systems.encryptedPayload)?.extension;
  const part = (name: string): string | undefined => extension?.find(({ url }) => url === name)?.valueString;
  const [binary, version, kid] = [part('binary'), part('version'), part('kid')];
  const tokens = identifier.filter(({ system }) => system === systems.payload);
  return {
    id,
    versionId: meta?.versionId ?? '',
    record: identifier.find(({ system }) => system === systems.record)?.value ?? '',
    patientId: subject?.reference?.split('/')[1] ?? '',
    token: tokens.find(({ use }) => use !== 'old')?.value ?? '',
    formerTokens: tokens.flatMap(({ use, value }) => (use === 'old' && value ? [value] : [])),
    ...(binary && { binary }),
    ...(version && { version }),
    ...(kid && { kid }),
  };
}

function isOriginal(resource: Resource): resource is Basic {
  return resource.resourceType === 'Basic' && resource.code.coding?.[0]?.code === CODE;
}
