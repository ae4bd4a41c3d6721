/** The keys of one patient: pseudonyms, date shift and content digest, all from one project secret. */
import { checkKey } from '../../config/key.ts';
import { hkdfExpand, hkdfExtract } from './hkdf.ts';
import { macOf } from './hmac.ts';
import { spell, tokenPrefix } from './tokens.ts';

/** The secret of a project (a setting), and its generation. */
export interface ProjectKey {
  /** Counts up on rotation; stands in every digest, so that what an old key made is found and renewed. */
  readonly version: number;
  /** At least 32 characters that nobody could guess: 32 random bytes as hex (64) or base64url (43). */
  readonly secret: string;
}

/** Everything keyed that de-identification of one patient needs. Immutable but for a memo of tokens. */
export interface PatientKeys {
  readonly version: number;
  /** `pt_…`: the patient's pseudonym. */
  readonly patientToken: string;
  /** The shift of values that are dates without a time: 3 … 367 whole days, the same for all of the patient's data. */
  readonly shiftDays: number;
  /** The shift of instants: `shiftDays` and a part of a day (± 12 h, in milliseconds) that moves the time of day. */
  readonly shiftMs: number;
  /** Instants already shifted: the events of a visit share a few. A memo of the caller's, not state of the module. */
  readonly shifted?: Map<string, string>;
  /** The pseudonym of a resource of this patient. The same id under another patient gives an unrelated token. */
  token(resourceType: string, id: string): string;
  /** A keyed digest (HMAC-SHA256, 128 bits) of canonical content. */
  digest(canonical: string): string;
}

const SALT = 'medplum-consent-sync/deid';
const STUB_SALT = 'medplum-consent-sync/stub';
const CROSSWALK_SALT = 'medplum-consent-sync/crosswalk';

const DAY_MS = 86_400_000;
const MEMO_SIZE = 20_000;
/** Three whole days less the half day of the time shift still clear any time zone: nothing after birth lands on the birth date. */
const MIN_SHIFT_DAYS = 3;
const SHIFT_RANGE_DAYS = 365;

/**
 * Derives the keys of one patient (RFC 5869; the purpose and the patient's id are the `info`). Make it once per patient.
 *
 * @param key - The project's key.
 * @param patientId - The logical id of the source Patient.
 * @returns The patient's keys.
 * @throws RangeError - With the constant message `deid key refused: <problem>` when the secret will not do.
 */
export function patientKeys(key: ProjectKey, patientId: string): PatientKeys {
  return keysFrom(SALT, key, patientId);
}

/**
 * The keys of one patient for `safe-harbor`, from a random number of the patient's own that only the source holds: its crosswalk.
 *
 * 45 CFR 164.514(c)(1) forbids a re-identification code that is "derived from or related to information about the individual", and (2)
 * forbids to disclose the mechanism. Under a project key all codes of all patients are a function of their record ids and one secret. Here
 * the secret is made by chance for this patient, says nothing about anybody, is never sent, and is all that makes a code what it is:
 * whoever does not hold it cannot tell the codes from random ones (HMAC is a pseudorandom function, RFC 2104), not even with every record
 * id at hand; deleting it is forgetting the crosswalk. The record's id only tells one code of the patient from the next, so that the source
 * need not write down a random number for each record.
 *
 * @param secret - 32 random bytes as hex, made once and kept in the patient's link.
 * @param patientId - The logical id of the source Patient.
 * @returns The patient's keys; their version is 0, since a crosswalk is renewed for one patient and not by generation.
 * @throws RangeError - With the constant message `deid key refused: <problem>` when the secret will not do.
 */
export function crosswalkKeys(secret: string, patientId: string): PatientKeys {
  return keysFrom(CROSSWALK_SALT, { version: 0, secret }, patientId);
}

/**
 * The keys of the project's stubs: of practitioners, organizations and places, which are nobody's record. Independent of every patient's.
 *
 * @param key - The project's key.
 * @returns The keys; shift and patient's token mean nothing in them.
 * @throws RangeError - With the constant message `deid key refused: <problem>` when the secret will not do.
 */
export function stubKeys(key: ProjectKey): PatientKeys {
  return keysFrom(STUB_SALT, key, '');
}

function keysFrom(salt: string, key: ProjectKey, patientId: string): PatientKeys {
  const problem = checkKey(key.secret);
  if (problem) throw new RangeError(`deid key refused: ${problem}`);
  const prk = hkdfExtract(salt, key.secret);
  // A NUL cannot occur in an id (FHIR R4 §2.24.0.1), so no two (purpose, patient) pairs share an info.
  const derive = (purpose: string): ReturnType<typeof hkdfExpand> => hkdfExpand(prk, `${purpose}\u0000${patientId}`);
  const tokenMac = macOf(derive('token').toString('hex'));
  const digestMac = macOf(derive('digest').toString('hex'));
  const shift = derive('date-shift');
  // 365 does not divide 2^32; the bias is below 1e-7.
  const shiftDays = MIN_SHIFT_DAYS + (shift.readUInt32BE(0) % SHIFT_RANGE_DAYS);
  const timeMs = (shift.readUInt32BE(4) % DAY_MS) - DAY_MS / 2;
  const memo = new Map<string, Map<string, string>>();

  return {
    version: key.version,
    patientToken: `${tokenPrefix('Patient')}_${spell(derive('patient').toString('hex'))}`,
    shiftDays,
    shiftMs: shiftDays * DAY_MS + timeMs,
    shifted: new Map(),
    token(resourceType, id) {
      let tokens = memo.get(resourceType);
      const known = tokens?.get(id);
      if (known !== undefined) return known;
      const token = `${tokenPrefix(resourceType)}_${spell(tokenMac(`${resourceType}/${id}`))}`;
      if (!tokens) memo.set(resourceType, (tokens = new Map<string, string>()));
      // A memo without an end would grow with the records of the patient.
      if (tokens.size >= MEMO_SIZE) tokens.clear();
      tokens.set(id, token);
      return token;
    },
    digest: (canonical) => spell(digestMac(canonical)),
  };
}
