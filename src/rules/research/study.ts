/** A copy as a research file shows it: under names of this export alone, and of the patient only what is counted for k-anonymity. Pure. */
import type { Patient, Resource } from '@medplum/fhirtypes';
import { canonical } from '../../fhir/canonical.ts';

/** Names things for one export. */
export type Rename = (name: string) => string;

/**
 * The quasi-identifiers of a patient, as far as the profile leaves them; nothing else of the Patient is shown. A death is told without its date: a
 * day is nearly a name.
 *
 * @param copy - The Patient on the replica.
 * @returns Birth date (a year, or the first of a band), sex, place, and whether they are alive.
 */
export function quasiIdentifiersOf(copy: Resource): Partial<Patient> {
  const { birthDate, gender, address, deceasedBoolean, deceasedDateTime } = copy as Patient;
  const places = (address ?? []).map(({ state, postalCode, country }) => ({
    ...(state && { state }),
    ...(postalCode && { postalCode }),
    ...(country && { country }),
  }));
  return {
    ...(gender && { gender }),
    ...(birthDate && { birthDate }),
    ...((deceasedBoolean === true || deceasedDateTime !== undefined) && { deceasedBoolean: true }),
    ...(places.length > 0 && { address: places }),
  };
}

/**
 * @param copy - The Patient on the replica.
 * @returns The cell that the patient is counted in: equal for two patients when nothing that is shown of them differs.
 */
export function cellOf(copy: Resource): string {
  return canonical(quasiIdentifiersOf(copy));
}

/**
 * @param copy - A copy, as the replica holds it.
 * @param rename - The names of the export.
 * @returns The resource of the file. When it was copied is not in it.
 */
export function studied(copy: Resource, rename: Rename): Resource {
  const { security } = copy.meta ?? {};
  const id = rename(`${copy.resourceType}/${copy.id}`);
  const meta = security && { meta: { security } };
  if (copy.resourceType === 'Patient') {
    return { resourceType: 'Patient', id, ...meta, ...quasiIdentifiersOf(copy) };
  }
  const { id: _id, meta: _meta, ...content } = copy;
  return { ...(renamed(content, rename) as Resource), id, ...meta };
}

/** A token of ours, wherever it stands. */
const TOKEN = /^[a-z]{2,4}_[bcdfghjkmpqrtvwx]{32}$/;

/** References by the new ids, tokens by names made of them. */
function renamed(value: unknown, rename: Rename): unknown {
  if (Array.isArray(value)) {
    return value.map((one) => renamed(one, rename));
  }
  if (typeof value === 'string') {
    return TOKEN.test(value) ? rename(value) : value;
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const { reference } = value as { readonly reference?: unknown };
  if (typeof reference === 'string') {
    // The server may have put a display or an identifier beside it.
    return { reference: `${reference.split('/')[0]}/${rename(reference)}` };
  }
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, renamed(one, rename)]));
}
