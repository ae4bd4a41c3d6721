import type { Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { classify } from '../../../src/rules/consent/data-class.ts';
import { concept, sensitivity } from './builders.ts';

const T = 'http://terminology.hl7.org/CodeSystem/';
const coded = (...codes: string[]): object => ({ coding: codes.map((code) => ({ system: 'http://loinc.org', code })) });
const observation = (category: string | undefined, ...codes: string[]): object => ({
  resourceType: 'Observation',
  ...(category && { category: [concept(`${T}observation-category`, category)] }),
  code: coded(...codes),
});
const report = (...categories: string[]): object => ({
  resourceType: 'DiagnosticReport',
  category: categories.map((code) => concept(code.includes('LP') ? 'http://loinc.org' : `${T}v2-0074`, code)),
  code: coded('1-1'),
});
const of = (resourceType: string, more: object = {}): object => ({ resourceType, ...more });

const ROWS: [string, object, string][] = [
  ['a Patient', of('Patient'), 'DEMOGRAPHICS'],
  ['an Encounter', of('Encounter'), 'ENCOUNTERS'],
  ['a vital sign by category', observation('vital-signs', '1-1'), 'VITAL_SIGNS'],
  ['a vital sign by LOINC', observation(undefined, '8867-4'), 'VITAL_SIGNS'],
  ['a result by category', observation('laboratory', '1-1'), 'LAB_RESULTS'],
  ['a result by LOINC', observation(undefined, '4548-4'), 'LAB_RESULTS'],
  ['a vital sign measured in the laboratory', observation('laboratory', '8867-4'), 'VITAL_SIGNS,LAB_RESULTS'],
  ['an observation of a procedure', observation('imaging', '1-1'), 'PROCEDURES'],
  ['social history', observation('social-history', '72166-2'), 'CLINICAL_NOTES'],
  ['a survey', observation('survey', '72166-2'), 'CLINICAL_NOTES'],
  ['a vital sign in a survey', observation('survey', '8867-4'), 'VITAL_SIGNS,CLINICAL_NOTES'],
  ['a category that R4 does not know, whatever else it is', observation('mood', '8867-4'), ''],
  ['an uncategorised observation of an unknown code', observation(undefined, '1-1'), ''],
  [
    'a category of another system',
    { ...of('Observation'), category: [concept('urn:x', 'laboratory')], code: coded('1-1') },
    '',
  ],
  [
    'a LOINC code of another system',
    { ...of('Observation'), code: { coding: [{ system: 'urn:x', code: '8867-4' }] } },
    '',
  ],
  ['a laboratory report', report('LAB'), 'LAB_RESULTS'],
  ['a radiology report', report('LP29684-5'), 'CLINICAL_NOTES'],
  ['a report that is both', report('LAB', 'RAD'), 'LAB_RESULTS,CLINICAL_NOTES'],
  ['a report without category', report(), ''],
  ['a prescription', of('MedicationRequest'), 'MEDICATIONS'],
  ['a diagnosis', of('Condition'), 'CONDITIONS'],
  ['an allergy', of('AllergyIntolerance'), 'ALLERGIES'],
  ['a procedure', of('Procedure'), 'PROCEDURES'],
  ['a vaccination', of('Immunization'), 'IMMUNIZATIONS'],
  ['a document', of('DocumentReference'), 'CLINICAL_NOTES'],
  ['a plan', of('CarePlan'), 'CARE_PLANS'],
  ['an order', of('ServiceRequest'), 'CARE_PLANS'],
  ['a sequence', of('MolecularSequence'), 'GENETICS'],
  ['a family history', of('FamilyMemberHistory'), 'GENETICS'],
  ['a genetic report by category', report('GE'), 'GENETICS'],
  [
    'a result that holds a gene',
    { ...observation('laboratory', '1-1'), component: [{ code: coded('48018-6') }] },
    'LAB_RESULTS,GENETICS',
  ],
  ['an order of a genetic report', of('ServiceRequest', { code: coded('51969-4') }), 'CARE_PLANS,GENETICS'],
  [
    'genetics by label',
    { ...observation('laboratory', '1-1'), meta: { security: [sensitivity('GDIS')] } },
    'LAB_RESULTS,GENETICS',
  ],
  [
    'genetics by profile',
    {
      ...observation('laboratory', '1-1'),
      meta: { profile: ['http://hl7.org/fhir/uv/genomics-reporting/StructureDefinition/variant'] },
    },
    'LAB_RESULTS,GENETICS',
  ],
  [
    'a susceptibility',
    of('Condition', { code: concept('http://hl7.org/fhir/sid/icd-10-cm', 'Z15.01') }),
    'CONDITIONS,GENETICS',
  ],
  ['genetics in a social history', { ...observation('social-history', '48018-6') }, 'CLINICAL_NOTES,GENETICS'],
  ['a type that we do not know', of('QuestionnaireResponse'), ''],
  ['a bill', of('Claim'), ''],
];

describe('classes of data', () => {
  test.each(ROWS)('%s', (_, resource, expected) => {
    expect(classify(resource as Resource).join()).toBe(expected);
  });
});
