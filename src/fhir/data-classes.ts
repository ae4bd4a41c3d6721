/** What records are about, as consents (`Consent.provision.class`, `category`) and settings name it: a closed list. */

export const DATA_CLASSES = [
  'DEMOGRAPHICS',
  'ENCOUNTERS',
  'VITAL_SIGNS',
  'LAB_RESULTS',
  'MEDICATIONS',
  'CONDITIONS',
  'ALLERGIES',
  'PROCEDURES',
  'IMMUNIZATIONS',
  'CLINICAL_NOTES',
  'CARE_PLANS',
  'GENETICS',
] as const;
export type DataClass = (typeof DATA_CLASSES)[number];
