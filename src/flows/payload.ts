/** Where the encrypted original of a record is: a Basic in the source, beside the patient's link. Pure. */
import type { Basic, Resource } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';

const CODE = 'payload';

/** What the Basic says. */
export interface Payload {
  /** `Type/id` of the record. */
  readonly record: string;
  readonly patientId: string;
  readonly token: string;
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
  const { record, patientId, token, binary, version, kid } = payload;
  const parts = { record, binary, version, kid };
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.payload, value: token }],
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
 * @param found - What a search found, if one was made.
 * @param token - The token of a record.
 * @returns What is known of its original.
 */
export function keptOf(systems: Systems, found: readonly Resource[] | undefined, token: string): Kept | undefined {
  const basic = found?.find(
    (one): one is Basic =>
      one.resourceType === 'Basic' &&
      one.code.coding?.[0]?.code === CODE &&
      one.identifier?.some(({ system, value }) => system === systems.payload && value === token) === true
  );
  const extension = basic?.extension?.find(({ url }) => url === systems.encryptedPayload)?.extension;
  const part = (name: string): string | undefined => extension?.find(({ url }) => url === name)?.valueString;
  const [binary, version, kid] = [part('binary'), part('version'), part('kid')];
  return (
    basic && {
      id: basic.id ?? '',
      versionId: basic.meta?.versionId ?? '',
      record: part('record') ?? '',
      patientId: basic.subject?.reference?.split('/')[1] ?? '',
      token,
      ...(binary && { binary }),
      ...(version && { version }),
      ...(kid && { kid }),
    }
  );
}
