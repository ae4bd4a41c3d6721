/** Why a resource is not sent. */

/** A closed list that names no value: it may be logged, stored in a Task and shown. */
export const DEID_REASONS = [
  /** No keep-list exists for the type. */
  'unsupported-type',
  /** Not a resource with an id. */
  'malformed',
  /** A modifierExtension, whose meaning we cannot carry over and may not drop (FHIR R4 §2.4.1.1). */
  'modifier-extension',
  /** implicitRules: the same argument. */
  'implicit-rules',
  /** An element that R4 requires did not survive and cannot be masked. */
  'required-element',
  /** The subject is another patient, or no patient. */
  'wrong-patient',
  /** The subject is missing or cannot be resolved. */
  'no-subject',
  /** `focus`: the content is about somebody or something else than the subject. */
  'other-focus',
  /** residue: an element that no replica resource has. */
  'residue-element',
  /** residue: a value with the shape of an identifier, an address or a contact. */
  'residue-shape',
  /** residue: a date that is no shifted date of the source, or finer than the profile allows. */
  'residue-date',
  /** residue: a reference or identifier outside the token space. */
  'residue-reference',
  /** residue: a name, identifier, address or contact of this very patient. */
  'residue-sweep',
] as const;

export type DeidReason = (typeof DEID_REASONS)[number];
