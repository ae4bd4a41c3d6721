/** Why a path of the original is not in the copy: a closed list that names no value. */
export const DROP_REASONS = {
  'direct-identifier': 'a name, contact, address or picture, or a person close to the patient',
  identifier: 'an identifier or id; the copy has a token instead',
  'free-text': 'text that anything may have been written into',
  label: 'a label of a code or reference; the code is what counts',
  narrative: 'the generated text of the resource',
  metadata: 'versions, times, profiles and language of the original',
  extension: 'an extension; none leaves',
  contained: 'a contained resource; none leaves',
  attachment: 'a document, picture or recording',
  reference: 'a reference to somebody or something without a copy',
  'local-code-system': 'a code of a system that is not public',
  'unknown-code': 'a code that its public system does not have',
  'coding-detail': 'a version of a code system, or whether a user chose the code',
  'local-unit': 'a unit that is no UCUM code',
  generalised: 'replaced by something coarser, such as a band of years',
  'unsafe-value': 'a value that identifies, or whose meaning no public code tells',
  incomplete: 'an element that means nothing without the parts that were dropped',
  'invalid-value': 'a value that FHIR does not allow there',
  excluded: 'the policy leaves the element out',
  'unlisted-element': 'an element that FHIR R4 does not have; its name is not repeated',
} as const satisfies Readonly<Record<string, string>>;

export type DropReason = keyof typeof DROP_REASONS;
