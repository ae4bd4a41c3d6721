/** The letters of the generated tables. */

/** What the walker does with a value, by the letter in the generated tables. */
export const KINDS = {
  n: 'node',
  b: 'boolean',
  v: 'code',
  g: 'coding',
  c: 'concept',
  i: 'integer',
  p: 'positiveInt',
  u: 'unsignedInt',
  d: 'decimal',
  q: 'quantity',
  r: 'range',
  o: 'ratio',
  s: 'sampled',
  a: 'age',
  A: 'ageRange',
  D: 'date',
  T: 'dateTime',
  I: 'instant',
  P: 'period',
  M: 'timing',
  R: 'reference',
  S: 'subject',
  K: 'stub',
  x: 'mask',
} as const;

/** The FHIR type that a member of a choice is named by. */
export const TYPE_OF: Readonly<Partial<Record<string, string>>> = {
  b: 'Boolean',
  c: 'CodeableConcept',
  i: 'Integer',
  p: 'PositiveInt',
  q: 'Quantity',
  r: 'Range',
  o: 'Ratio',
  s: 'SampledData',
  a: 'Age',
  A: 'Range',
  T: 'DateTime',
  I: 'Instant',
  P: 'Period',
  M: 'Timing',
  R: 'Reference',
};

export type Kind = (typeof KINDS)[keyof typeof KINDS];
