/** References: a conditional or logical reference in the token space, or nothing. */
import type { Patient, Reference } from '@medplum/fhirtypes';
import type { DeidContext, Pass } from './pass.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What follows the type in `Type/id`, perhaps of one version (FHIR R4 §2.3.0.1): the form that names a resource of the source for certain. */
const ID = /^[A-Za-z0-9\-.]{1,64}(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;
const URN_UUID = 'urn:uuid:';
const MAX_LENGTH = 200;

/** A reference that was read: what it becomes, and the type that it names; none for one that is dropped wherever it stands. */
export interface Target {
  readonly type?: string;
  readonly token?: string;
  /** The conditional reference, when the target has a copy. */
  readonly reference?: string;
}

const DROPPED: Target = {};

/** A memo without an end would grow with the records of the patient. */
const MEMO_SIZE = 5_000;

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
  if (typeof value !== 'object' || value === null) return undefined;
  const text = (value as Fields)['reference'];
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined;
  const { type, token, reference } = pass.targets.get(text) ?? read(text, allowed, pass);
  if (type === undefined || token === undefined || !allowed.has(type)) return undefined;
  if (reference !== undefined) return { reference };
  return {
    type: type as NonNullable<Reference['type']>,
    identifier: { system: pass.context.systems.resourceToken, value: token },
  };
}

function read(text: string, allowed: ReadonlySet<string>, { context, targets }: Pass): Target {
  if (text.startsWith(URN_UUID)) return targetOf(idOfUrn(text, allowed), context);
  const target = targetOf(idOfPath(text), context);
  if (targets.size >= MEMO_SIZE) targets.clear();
  targets.set(text, target);
  return target;
}

function targetOf(named: Named | undefined, { systems, keys, replicated }: DeidContext): Target {
  if (!named) return DROPPED;
  const { type, id } = named;
  const token = keys.token(type, id);
  return type === 'Encounter' && replicated.has(`Encounter/${id}`)
    ? { type, token, reference: `Encounter?identifier=${systems.resourceToken}|${token}` }
    : { type, token };
}

/**
 * A reference to a practitioner, an organization or a place, as one to its stub. All copies refer to the same one, under a key of the project:
 * it is of no patient.
 *
 * @param value - A Reference of the source.
 * @param allowed - The types that the position may name.
 * @param pass - The run; is told of the stub.
 * @returns A conditional reference; undefined when the reference is dropped, as it is where the type has no stubs.
 */
export function stubReference(value: unknown, allowed: ReadonlySet<string>, pass: Pass): Reference | undefined {
  const { stubs, systems } = pass.context;
  const text = typeof value === 'object' && value !== null ? (value as Fields)['reference'] : undefined;
  const named = typeof text === 'string' && text.length <= MAX_LENGTH ? idOfPath(text) : undefined;
  if (!stubs || !named || !allowed.has(named.type) || !stubs.types.has(named.type)) return undefined;
  const token = stubs.keys.token(named.type, named.id);
  pass.stubs.set(token, named);
  return { reference: `${named.type}?identifier=${systems.resourceToken}|${token}` };
}

/**
 * The reference to the patient: conditional when the patient's copy exists or goes along, else logical.
 *
 * @param context - The patient and the keys.
 * @returns Makes the reference, a new one each time.
 */
export function patientReference({ systems, keys, replicated, patient }: DeidContext): () => Reference<Patient> {
  const reference = `Patient?identifier=${systems.patientToken}|${keys.patientToken}`;
  return replicated.has(`Patient/${String(patient.id)}`)
    ? () => ({ reference })
    : () => ({ type: 'Patient', identifier: { system: systems.patientToken, value: keys.patientToken } });
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

interface Named {
  readonly type: string;
  readonly id: string;
}

/** A urn names no type; where only one is possible, that is the type. */
function idOfUrn(text: string, allowed: ReadonlySet<string>): Named | undefined {
  if (allowed.size !== 1) return undefined;
  const [type] = allowed;
  const id = text.slice(URN_UUID.length);
  return type !== undefined && /^[A-Za-z0-9-]{1,64}$/.test(id) ? { type, id } : undefined;
}

function idOfPath(text: string): Named | undefined {
  const slash = text.indexOf('/');
  const type = text.slice(0, slash);
  const rest = text.slice(slash + 1);
  if (!/^[A-Z][A-Za-z]{1,40}$/.test(type) || !ID.test(rest)) return undefined;
  const version = rest.indexOf('/');
  return { type, id: version < 0 ? rest : rest.slice(0, version) };
}
