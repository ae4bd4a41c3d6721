/**
 * The public code systems whose codings may leave, as data for the table compiler (not in the bundle).
 *
 * A system has either a grammar (with a check digit where the system has one) or, when it is small, the list of its codes from the
 * R4 definitions. A local system, a site's `urn:oid:…` or a private extension of a public one is not here, so it does not leave.
 */

/** Grammars by which the codes of large systems are checked; `codings.ts` holds them. */
export type Grammar =
  | 'loinc'
  | 'sct'
  | 'rxnorm'
  | 'icd10'
  | 'icd9'
  | 'cpt'
  | 'hcpcs'
  | 'ndc'
  | 'nucc'
  | 'atc'
  | 'ucum'
  | 'two-digits'
  | 'three-digits';

export interface CodeSystemRow {
  readonly system: string;
  /** How the codes are known: a grammar, or codes said here, or those of the R4 definition (all, below some concepts, or those of a value set). */
  readonly grammar?: Grammar;
  readonly codes?: string;
  readonly below?: string;
  readonly valueSet?: string;
}

/** Where HL7 publishes its own code systems. */
export const HL7 = 'http://terminology.hl7.org/CodeSystem/';

export const CODE_SYSTEM_ROWS: readonly CodeSystemRow[] = [
  { system: 'http://loinc.org', grammar: 'loinc' },
  { system: 'http://snomed.info/sct', grammar: 'sct' },
  { system: 'http://www.nlm.nih.gov/research/umls/rxnorm', grammar: 'rxnorm' },
  { system: 'http://hl7.org/fhir/sid/cvx', grammar: 'three-digits' },
  { system: 'http://hl7.org/fhir/sid/icd-10', grammar: 'icd10' },
  { system: 'http://hl7.org/fhir/sid/icd-10-cm', grammar: 'icd10' },
  { system: 'http://hl7.org/fhir/sid/icd-9-cm', grammar: 'icd9' },
  { system: 'http://www.ama-assn.org/go/cpt', grammar: 'cpt' },
  { system: 'https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets', grammar: 'hcpcs' },
  { system: 'http://www.nubc.org/patient-discharge', grammar: 'two-digits' },
  { system: 'https://www.nubc.org/CodeSystem/PatDischargeStatus', grammar: 'two-digits' },
  { system: `${HL7}observation-category` },
  { system: `${HL7}v3-ActCode`, below: '_ActEncounterCode _InformationSensitivityPolicy' },
  { system: `${HL7}v3-Confidentiality` },
  { system: `${HL7}v3-ParticipationType` },
  { system: `${HL7}v3-ObservationInterpretation` },
  { system: `${HL7}v2-0078` },
  { system: `${HL7}data-absent-reason` },
  { system: `${HL7}v3-NullFlavor` },
  { system: `${HL7}v3-ActPriority` },
  { system: `${HL7}v3-MaritalStatus` },
  { system: `${HL7}diagnosis-role` },
  { system: `${HL7}admit-source` },
  { system: `${HL7}discharge-disposition` },
  { system: `${HL7}v2-0092` },
  { system: `${HL7}participant-type` },
  { system: `${HL7}referencerange-meaning` },
  { system: 'http://hl7.org/fhir/sid/ndc', grammar: 'ndc' },
  { system: `${HL7}condition-clinical` },
  { system: `${HL7}condition-ver-status` },
  { system: `${HL7}condition-category` },
  { system: 'http://hl7.org/fhir/us/core/CodeSystem/condition-category', codes: 'health-concern' },
  { system: `${HL7}allergyintolerance-clinical` },
  { system: `${HL7}allergyintolerance-verification` },
  { system: `${HL7}v2-0074` },
  { system: `${HL7}medicationrequest-category` },
  { system: `${HL7}medicationrequest-course-of-therapy` },
  { system: `${HL7}v3-substanceAdminSubstitution` },
  { system: `${HL7}dose-rate-type` },
  { system: `${HL7}v3-ActReason`, codes: 'IMMUNE|MEDPREC|OSTOCK|PATOBJ' },
  { system: `${HL7}immunization-subpotent-reason` },
  { system: 'http://hl7.org/fhir/us/core/CodeSystem/careplan-category', codes: 'assess-plan' },
  { system: 'http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category', codes: 'clinical-note' },
  { system: `${HL7}organization-type` },
  { system: `${HL7}location-physical-type` },
  { system: 'http://unitsofmeasure.org', grammar: 'ucum' },
  { system: 'http://www.whocc.no/atc', grammar: 'atc' },
  { system: 'urn:ietf:bcp:47', valueSet: 'http://hl7.org/fhir/ValueSet/languages' },
  { system: `${HL7}v2-0131` },
  { system: `${HL7}encounter-type` },
  { system: `${HL7}service-type`, grammar: 'three-digits' },
  { system: `${HL7}diet` },
  { system: `${HL7}v3-EncounterSpecialCourtesy` },
  { system: `${HL7}encounter-special-arrangements` },
  // Not the holidays, which are dates.
  { system: `${HL7}v3-GTSAbbreviation`, codes: 'AM|BED|BID|MO|PM|Q1H|Q2H|Q3H|Q4H|Q6H|Q8H|QD|QID|QOD|TID|WK' },
  { system: `${HL7}medicationrequest-status-reason` },
  { system: `${HL7}immunization-origin` },
  { system: `${HL7}v3-ActSite`, codes: 'LA|RA' },
  { system: `${HL7}v3-RouteOfAdministration`, codes: 'IDINJ|IM|IVINJ|NASINHLC|PO|SQ|TRNSDERM' },
  { system: `${HL7}v2-0443`, codes: 'AP|OP' },
  { system: `${HL7}immunization-program-eligibility` },
  { system: `${HL7}immunization-funding-source` },
  { system: `${HL7}v3-ObservationValue`, below: '_SECALTINTOBV' },
  { system: `${HL7}v3-RoleCode`, below: '_ServiceDeliveryLocationRoleType' },
  { system: `${HL7}contactentity-type` },
  { system: `${HL7}v2-0116` },
  { system: 'http://hl7.org/fhir/device-action' },
  {
    system: 'http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem',
    codes:
      'urn:ihe:iti:xds-sd:pdf:2008|urn:ihe:iti:xds-sd:text:2008|urn:ihe:iti:bppc:2007|urn:ihe:lab:xd-lab:2008|urn:ihe:pcc:xds-ms:2007|urn:ihe:pcc:xphr:2007|urn:ihe:pcc:edr:2007|urn:ihe:pcc:crc:2008|urn:ihe:pcc:ic:2009',
  },
  { system: `${HL7}v2-0360`, codes: 'CNM|CNP|CNS|DO|MD|NP|PA|PharmD|RPH' },
  { system: 'http://nucc.org/provider-taxonomy', grammar: 'nucc' },
];

/** Codes of LOINC that ask for an identifier, a name, an address, a contact or a birth date: their value never leaves. */
export const IDENTITY_LOINC: readonly string[] = [
  '45392-8', // first name
  '45393-6', // middle initial
  '52461-1', // middle name
  '45394-4', // last name
  '45395-1', // name suffix
  '54125-0', // patient name
  '21112-8', // birth date
  '56799-0', // address
  '45401-7', // ZIP code
  '42077-8', // telephone number
  '76458-9', // e-mail
  '45396-9', // social security number
  '45966-9', // social security and Medicare numbers
  '45397-7', // Medicare number
  '45400-9', // Medicaid number
  '76435-7', // patient identifier
  '21842-0', // birthplace
];

/** Codes of LOINC whose value is the age of a person: above 89 it is given as 90 or more (45 CFR 164.514(b)(2)(i)(C)). */
export const AGE_LOINC: readonly string[] = [
  '30525-0', // age
  '21612-7', // age, reported
  '29553-5', // age, calculated
  '30972-4', // age at onset of an adverse event
  '63900-5', // current age or age at death
  '39016-1', // age at diagnosis
  '21611-9', // age, estimated
  '43993-5', // age at delivery
];
