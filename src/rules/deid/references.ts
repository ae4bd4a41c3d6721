/** References: a conditional or logical reference in the token space, or nothing. */
import type { Patient, Reference } from '@medplum/fhirtypes';
import type { DeidContext, Pass } from './pass.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What follows the type in `Type/id`, perhaps of one version (FHIR R4 §2.3.0.1): the form that names a resource of the source for certain. */
const ID = /^[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;
const URN_UUID = 'urn:uuid:';

/**
 * A reference of this patient's data to other data of this patient, under the patient's keys. A reference into another patient's data
 * therefore becomes a token that nothing in the replica has. Absolute, conditional, contained and canonical references are dropped:
 * what they name is not known here.
 *
 * @param value - A Reference of the source.
 * @param allowed - The types that the position may name.
 * @param pass - The run.
 * @returns A conditional reference to an Encounter that has a copy, else a logical one; undefined when it is dropped.
 */
export function clinicalReference(value: unknown, allowed: ReadonlySet<string>, pass: Pass): Reference | undefined {
  const target = targetOf(value, allowed);
  if (!target) return undefined;
  const { systems, keys, replicated } = pass.context;
  const token = keys.token(target.type, target.id);
  if (target.type === 'Encounter' && replicated.has(`Encounter/${target.id}`)) {
    return { reference: `Encounter?identifier=${systems.resourceToken}|${token}` };
  }
  return {
    type: target.type as NonNullable<Reference['type']>,
    identifier: { system: systems.resourceToken, value: token },
  };
}

/**
 * The reference to the patient: conditional when the patient's copy exists or goes along, else logical.
 *
 * @param context - The patient and the keys.
 * @returns The reference.
 */
export function patientReference({ systems, keys, replicated, patient }: DeidContext): Reference<Patient> {
  return replicated.has(`Patient/${String(patient.id)}`)
    ? { reference: `Patient?identifier=${systems.patientToken}|${keys.patientToken}` }
    : { type: 'Patient', identifier: { system: systems.patientToken, value: keys.patientToken } };
}

/**
 * Whom a subject names.
 *
 * @param value - The subject of the source resource.
 * @param pass - The run, for the patient whose data this is said to be.
 * @returns `same`, `other` (another patient, or no patient), or `unknown` when it cannot be told.
 */
export function subjectOf(value: unknown, { self, context }: Pass): 'same' | 'other' | 'unknown' {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'unknown';
  const { reference, identifier } = value as Fields;
  if (reference === self.path) return 'same';
  const { patient } = context;
  if (typeof reference === 'string') {
    if (reference.startsWith('#') || reference.includes('?')) return 'unknown';
    if (reference.startsWith(URN_UUID)) return reference.slice(URN_UUID.length) === patient.id ? 'same' : 'other';
    const version = reference.indexOf('/_history/');
    const path = version < 0 ? reference : reference.slice(0, version);
    return path === self.path || path.endsWith(`/${self.path}`) ? 'same' : 'other';
  }
  if (typeof identifier !== 'object' || identifier === null) return 'unknown';
  const { system, value: code } = identifier as Fields;
  if (typeof system !== 'string' || typeof code !== 'string' || !Array.isArray(patient.identifier)) return 'unknown';
  return patient.identifier.some((own) => own.system === system && own.value === code) ? 'same' : 'other';
}

function targetOf(
  value: unknown,
  allowed: ReadonlySet<string>
): { readonly type: string; readonly id: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const reference = (value as Fields)['reference'];
  if (typeof reference !== 'string' || reference.length > 200) return undefined;
  if (reference.startsWith(URN_UUID)) {
    // A urn names no type; where only one is possible, that is the type.
    if (allowed.size !== 1) return undefined;
    const [type] = allowed;
    const id = reference.slice(URN_UUID.length);
    return type !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(id) ? { type, id } : undefined;
  }
  const slash = reference.indexOf('/');
  const type = reference.slice(0, slash);
  const rest = reference.slice(slash + 1);
  if (!allowed.has(type) || !ID.test(rest)) return undefined;
  const version = rest.indexOf('/');
  return { type, id: version < 0 ? rest : rest.slice(0, version) };
}
