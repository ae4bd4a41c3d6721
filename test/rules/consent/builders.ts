/** Consents and requests that are valid and permit, to override in the one fact that a test is about. */
import type { CodeableConcept, Coding, Consent, ConsentProvision, Observation } from '@medplum/fhirtypes';
import { systemsOf, V3_ACT_CODE, V3_ACT_REASON, V3_CONFIDENTIALITY } from '../../../src/fhir/systems.ts';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';

const T = 'http://terminology.hl7.org/CodeSystem/';

export const { dataClass: DATA_CLASS } = systemsOf();
export const purpose = (code: string): Coding => ({ system: V3_ACT_REASON, code });
export const confidentiality = (code: string): Coding => ({ system: V3_CONFIDENTIALITY, code });
export const sensitivity = (code: string): Coding => ({ system: V3_ACT_CODE, code });
export const dataClass = (code: string): Coding => ({ system: DATA_CLASS, code });
export const ofType = (code: string): Coding => ({ system: 'http://hl7.org/fhir/resource-types', code });
export const concept = (system: string, code: string): CodeableConcept => ({ coding: [{ system, code }] });
export const scope = (code: string): CodeableConcept => concept(`${T}consentscope`, code);
export const category = (code: string): CodeableConcept => concept(`${T}consentcategorycodes`, code);
export const action = (code: string): CodeableConcept => concept(`${T}consentaction`, code);
export const policy = (code: string): CodeableConcept => concept(V3_ACT_CODE, code);
export const loinc = (code: string): CodeableConcept => concept('http://loinc.org', code);

export const actor = (role: string, reference: string): NonNullable<ConsentProvision['actor']>[number] => ({
  role: concept(`${T}v3-ParticipationType`, role),
  reference: { reference },
});

/** Active, given, for privacy, of patient 1: what it says is the provision. */
export function aConsent(provision: ConsentProvision | undefined, changes: Partial<Consent> = {}): Consent {
  return {
    resourceType: 'Consent',
    id: 'c1',
    meta: { versionId: '1' },
    status: 'active',
    scope: scope('patient-privacy'),
    category: [category('infa')],
    patient: { reference: 'Patient/1' },
    dateTime: '2023-01-01',
    ...(provision && { provision }),
    ...changes,
  };
}

/** A normal laboratory result of patient 1, of June 2022. */
export function anObservation(changes: Partial<Observation> = {}): Observation {
  return {
    resourceType: 'Observation',
    id: 'o1',
    meta: { security: [confidentiality('N')] },
    status: 'final',
    category: [concept(`${T}observation-category`, 'laboratory')],
    code: loinc('2339-0'),
    subject: { reference: 'Patient/1' },
    effectiveDateTime: '2022-06-13',
    ...changes,
  };
}

export const labelled = (...security: Coding[]): Observation => anObservation({ meta: { security } });

/** Treatment, a copy, in June 2024. */
export function aRequest(changes: Partial<ConsentRequest> = {}): ConsentRequest {
  return {
    patient: 'Patient/1',
    purpose: 'TREAT',
    resource: anObservation(),
    at: '2024-06-01T12:00:00Z',
    dataClassSystem: DATA_CLASS,
    ...changes,
  };
}

/** A root permit with these conditions. */
export const permits = (conditions: ConsentProvision, changes?: Partial<Consent>): Consent =>
  aConsent({ type: 'permit', ...conditions }, changes);

/** A root permit with a nested deny under these conditions. */
export const denies = (conditions: ConsentProvision): Consent =>
  permits({ provision: [{ type: 'deny', ...conditions }] });

/** The same under another id. */
export const other = (consent: Consent, changes: Partial<Consent> = {}): Consent => ({
  ...consent,
  id: 'c2',
  ...changes,
});
