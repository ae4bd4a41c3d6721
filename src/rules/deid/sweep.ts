/** The patient's own names, identifiers, addresses and contacts, as a thing to search for. Part of the residue check; knows no table. */
import type { Patient } from '@medplum/fhirtypes';

/** What must not be found. Made once per patient. */
export interface PatientFacts {
  /** Single words: of names, maiden name, birthplace, street and city; folded. */
  readonly words: ReadonlySet<string>;
  /** Identifier values, telephone numbers, e-mail addresses, ids and postal codes, without punctuation; folded. */
  readonly values: ReadonlySet<string>;
  /** Those of the values that could stand in a token, which has sixteen consonants and nothing else: seldom any. */
  readonly spelt: readonly string[];
  /** Dates of the source and what they were found to have become; the events of a visit share a few. A memo of the caller's. */
  readonly shifted: Map<string, string>;
  /** Codings that were found clean, by system. The same kind of memo; its size is that of the vocabulary of one patient's record. */
  readonly clean: Map<string, Set<string>>;
}

/** Properties of a Patient that say what a value is, not whose. */
const STRUCTURE: ReadonlySet<string> = new Set(
  'resourceType|meta|div|status|url|system|use|code|coding|type|gender|language|communication|maritalStatus|prefix|suffix|period|rank|preferred|active'.split(
    '|'
  )
);

/** Below this length a number is no evidence: RxNorm and CPT are full of them. */
const MIN_VALUE_LENGTH = 6;

/**
 * Codes and fixed words of FHIR and HL7 that may stand in a copy whatever the patient is called: a patient named Male, Loc or Final is
 * not a leak. Said here again, and not taken from the tables, so that a code added there must be looked at here.
 */
const VOCABULARY: ReadonlySet<string> = new Set(
  (
    'male|female|other|unknown|arrived|cancelled|entered-in-error|finished|in-progress|onleave|planned|triaged|amended|corrected|final|preliminary|registered|' +
    'activity|exam|imaging|laboratory|procedure|social-history|survey|therapy|vital-signs|ACUTE|AMB|EMER|FLD|HH|IMP|NONAC|OBSENC|PRENC|SS|VR|' +
    'ADM|ALY|ATND|AUT|AUTHEN|BBY|BEN|CAGNT|CALLBCK|CAT|CON|COV|CSM|CST|DEV|DIR|DIS|DIST|DON|DST|ELOC|ENT|ESC|EXPAGNT|EXPART|EXPTRGT|EXSRC|GUAR|HLD|IND|INF|IRCP|LA|LOC|NOT|NRD|ORG|PART|PPRF|PRCP|PRD|PRF|RCT|RCV|RDV|REF|REFB|REFT|RESP|RML|SBJ|SPC|SPRF|TPA|TRANS|TRC|VIA|VRF|WIT|' +
    'AA|AC|CAR|Carrier|DET|EX|EXP|HM|HU|HX|IE|LL|LU|LX|MS|NCL|ND|NEG|NR|NS|OBX|ObservationInterpretationDetection|ObservationInterpretationExpectation|POS|QCF|RR|ReactivityObservationInterpretation|SDD|SYN-R|SYN-S|TOX|UNE|VS|WR|' +
    'as-text|asked-declined|asked-unknown|error|masked|negative-infinity|not-a-number|not-applicable|not-asked|not-performed|not-permitted|positive-infinity|temp-unknown|unsupported|' +
    'ASKU|DER|INV|MSK|NA|NASK|NAV|NAVU|NI|NINF|NP|OTH|PINF|QS|UNC|UNK|CR|CS|CSP|CSR|EL|EM|PRN|UD|UR|AD|CC|CM|DD|billing|post-op|pre-op|' +
    'born|emd|gp|hosp-trans|mp|nursing|outp|psych|rehab|aadvice|alt-home|exp|home|hosp|long|oth|other-hcf|psy|snf|emergency|translator|' +
    'endocrine|follicular|luteal|midcycle|normal|post|postmenopausal|pre|pre-puberty|recommended|therapeutic|treatment|type|' +
    'ar|bn|cs|da|de|el|en|es|fi|fr|fy|hi|hr|it|ja|ko|nl|no|pa|pl|pt|ru|sr|sv|te|zh|' +
    'min|wk|mo|MORN|MORN.early|MORN.late|NOON|AFT|AFT.early|AFT.late|EVE|EVE.early|EVE.late|NIGHT|PHS|HS|WAKE|CD|CV|ACM|ACD|ACV|PC|PCM|PCD|PCV|' +
    'active|inactive|recurrence|relapse|remission|resolved|confirmed|differential|provisional|refuted|unconfirmed|encounter-diagnosis|problem-list-item|' +
    'health-concern|AU|BG|BLB|CG|CH|CP|CT|CTH|CUS|EC|EN|GE|ICU|IMG|IMM|LAB|MB|MCB|MYC|NMR|NMS|NRS|OSL|OT|OUS|PAR|PAT|PF|PHR|PHY|PT|RAD|RC|RT|RUS|RX|SP|SR|' +
    'TX|URN|VUS|XRC|community|discharge|inpatient|outpatient|acute|continuous|seasonal|BC|TB|TE|TG|calculated|ordered|IMMUNE|MEDPREC|OSTOCK|PATOBJ|' +
    'coldchainbreak|partial|recall|assess-plan|clinical-note|bus|cg|crs|dept|edu|govt|ins|pay|prov|reli|team|area|bd|bu|ca|co|ho|jdn|lvl|rd|ro|si|ve|wa|wi|' +
    'CNM|CNP|CNS|DO|MD|PA|PharmD|RPH|completed|draft|on-hold|stopped|filler-order|instance-order|option|order|original-order|plan|proposal|reflex-order|' +
    'asap|routine|stat|urgent|allergy|intolerance|biologic|environment|food|medication|high|low|unable-to-assess|mild|moderate|severe|not-done|preparation|' +
    'appended|current|superseded|appends|replaces|signs|transforms|revoked|Appointment|CommunicationRequest|DeviceRequest|MedicationRequest|NutritionOrder|' +
    'ServiceRequest|Task|VisionPrescription|not-started|scheduled|directive|suspended|instance|kind|' +
    'PSEUDED'
  ).split('|')
);

/**
 * Gathers what must not be found of a patient.
 *
 * @param patient - The source Patient.
 * @returns The facts.
 */
export function factsOf(patient: Patient): PatientFacts {
  const words = new Set<string>();
  const values = new Set<string>();
  const open: unknown[] = [patient];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node === 'string') learn(node, words, values);
    else if (Array.isArray(node)) for (const each of node) open.push(each);
    else if (typeof node === 'object' && node !== null) {
      for (const [name, value] of Object.entries(node)) if (!STRUCTURE.has(name)) open.push(value);
    }
  }
  return {
    words,
    values,
    spelt: [...values].filter((value) => /^[bcdfghjkmpqrtvwx]+$/.test(value)),
    shifted: new Map(),
    clean: new Map(),
  };
}

/**
 * Whether a string of the output gives the patient away. Words are compared whole, so that `Ng` is not found in `ng/mL`; what stands in
 * a code is compared whole or by its words of three letters and more.
 *
 * @param text - A string of the output that is neither a date, a token nor a system.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweep(text: string, facts: PatientFacts): boolean {
  if (isVocabulary(text)) return false;
  const folded = fold(text);
  if (facts.words.has(folded) || (folded.length >= MIN_VALUE_LENGTH && facts.values.has(squeeze(folded)))) return true;
  for (const word of folded.split(/[^\p{L}]+/u))
    if (word.length >= 3 && word !== folded && facts.words.has(word)) return true;
  return false;
}

/**
 * Whether a string is a fixed word of FHIR or HL7.
 *
 * @param text - A string of the output.
 * @returns True for exactly such a word.
 */
export function isVocabulary(text: string): boolean {
  return VOCABULARY.has(text);
}

/**
 * Whether a token was made from the patient's own identifiers in the clear.
 *
 * @param token - The value of an identifier of the output, known to have the shape of a token.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweepToken(token: string, facts: PatientFacts): boolean {
  return facts.spelt.some((value) => token.includes(value));
}

/**
 * Whether a code of digits is one of the patient's own numbers.
 *
 * @param code - A code of a system whose codes are numbers.
 * @param facts - What must not be found.
 * @returns True for a hit.
 */
export function sweepNumber(code: string, facts: PatientFacts): boolean {
  return code.length >= MIN_VALUE_LENGTH && facts.values.has(code);
}

function learn(text: string, words: Set<string>, values: Set<string>): void {
  if (text.length > 500) return;
  const folded = fold(text);
  const squeezed = squeeze(folded);
  if (squeezed.length >= MIN_VALUE_LENGTH) values.add(squeezed);
  for (const word of folded.split(/[^\p{L}]+/u)) if (word.length >= 2) words.add(word);
}

/** Lower case without accents. */
function fold(text: string): string {
  const lower = text.toLowerCase();
  return /^[\u0000-\u007f]*$/.test(lower) ? lower : lower.normalize('NFD').replace(/\p{M}+/gu, '');
}

/** Letters and digits only, so that 999-12-3456 is found as 999123456. */
function squeeze(folded: string): string {
  return folded.replace(/[^\p{L}\p{N}]+/gu, '');
}
