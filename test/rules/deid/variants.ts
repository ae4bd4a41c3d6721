/** Records beside the rich ones, for the rows of the policy that those leave out: other members of choices, and what is seldom there. */
import type { Resource } from '@medplum/fhirtypes';
import { BASES, HL7, LOINC, SNOMED, UCUM } from './support.ts';

const sct = (code = '38341003'): object => ({
  coding: [{ system: SNOMED, code, display: 'Ottoline' }],
  text: 'Ottoline',
});
const to = (reference: string): object => ({ reference, display: 'Ottoline' });
const mg = (value: number): object => ({ value, unit: 'mg of Ottoline', system: UCUM, code: 'mg' });
const years = (value: number): object => ({ value, unit: 'years', system: UCUM, code: 'a' });
const range = { low: mg(1.5), high: mg(2.5) };
const ages = { low: years(40), high: years(95) };
const sampled = {
  origin: mg(2),
  period: 10,
  factor: 0.5,
  lowerLimit: -3,
  upperLimit: 3,
  dimensions: 1,
  data: '2 3 U 19710405',
};
const ratio = { numerator: mg(3), denominator: mg(4) };
const day = '2019-04-05';
const instant = '2019-04-05T06:07:08.900Z';
const period = { start: day, end: '2019-04-09' };
const timing = { event: [instant], repeat: { count: 3, boundsPeriod: period } };
const referenceRange = [{ low: mg(1), high: mg(2), type: sct(), appliesTo: [sct('248152002')] }];
const component = (rest: object): object => ({ code: { coding: [{ system: LOINC, code: '8480-6' }] }, ...rest });

/** What each variant has instead of, or beside, the elements of the base of its type. */
const CHANGES: Readonly<Record<string, readonly object[]>> = {
  Patient: [{ deceasedBoolean: true, deceasedDateTime: undefined }],
  Encounter: [
    {
      classHistory: [{ class: { system: `${HL7}v3-ActCode`, code: 'EMER' }, period }],
      serviceType: sct(),
      priority: sct('709122007'),
      episodeOfCare: [to('EpisodeOfCare/x')],
      basedOn: [to('ServiceRequest/x')],
      appointment: [to('Appointment/x')],
      reasonReference: [to('Condition/x')],
      diagnosis: [{ condition: to('Condition/y'), use: { coding: [{ system: `${HL7}diagnosis-role`, code: 'AD' }] } }],
      hospitalization: {
        admitSource: { coding: [{ system: `${HL7}admit-source`, code: 'emd' }] },
        reAdmission: { coding: [{ system: `${HL7}v2-0092`, code: 'R' }] },
      },
    },
  ],
  Observation: [
    {
      basedOn: [to('CarePlan/x')],
      partOf: [to('Procedure/x')],
      derivedFrom: [to('Observation/x')],
      specimen: to('Specimen/x'),
      bodySite: sct(),
      method: sct('37931006'),
      referenceRange,
      effectiveDateTime: undefined,
      effectivePeriod: period,
      component: [
        component({ valueRange: range, referenceRange, interpretation: [sct()] }),
        component({ valueCodeableConcept: sct() }),
        component({ valueBoolean: true }),
        component({ valueInteger: 7 }),
        component({ valueRatio: ratio }),
        component({ valueSampledData: sampled }),
        component({ valueDateTime: instant }),
        component({ valuePeriod: period }),
        component({ dataAbsentReason: { coding: [{ system: `${HL7}data-absent-reason`, code: 'asked-declined' }] } }),
      ],
    },
    ...[
      { valueCodeableConcept: sct() },
      { valueBoolean: true },
      { valueInteger: 7 },
      { valueRange: range },
      { valueRatio: ratio },
      { valueRatio: { numerator: mg(3) } },
      { valueSampledData: sampled },
      { valueSampledData: { origin: mg(0), data: '1 2 3' } },
      { valueDateTime: instant },
      { valuePeriod: period },
      { dataAbsentReason: { coding: [{ system: `${HL7}data-absent-reason`, code: 'not-performed' }] } },
      { effectiveDateTime: undefined, effectiveTiming: timing },
      { effectiveDateTime: undefined, effectiveInstant: instant },
    ].map((change) => ({ valueQuantity: undefined, ...change })),
  ],
  Condition: [
    { onsetDateTime: day, abatementDateTime: instant, stage: [{ type: sct(), summary: sct('258215001') }] },
    { onsetPeriod: period, abatementPeriod: period },
    { onsetRange: ages, abatementAge: years(93) },
  ],
  MedicationRequest: [
    {
      reportedBoolean: true,
      performerType: sct(),
      detectedIssue: [to('DetectedIssue/x')],
      dosageInstruction: [
        {
          asNeededCodeableConcept: sct(),
          site: sct('368208006'),
          method: sct('421521009'),
          maxDosePerAdministration: mg(9),
          maxDosePerLifetime: mg(99),
          doseAndRate: [{ doseRange: range, rateRange: range }, { rateQuantity: mg(5) }],
        },
      ],
      dispenseRequest: { dispenseInterval: { value: 3, system: UCUM, code: 'd' } },
      substitution: { allowedCodeableConcept: sct(), reason: sct() },
    },
    { medicationCodeableConcept: undefined, medicationReference: to('Medication/x') },
  ],
  AllergyIntolerance: [{ onsetDateTime: day }, { onsetAge: years(41) }, { onsetRange: ages }],
  Procedure: [
    { performedDateTime: instant, statusReason: sct(), complication: [sct('95653008')] },
    { performedAge: years(90) },
    { performedRange: ages },
  ],
  Immunization: [{ reportOrigin: sct() }],
  DiagnosticReport: [{ effectivePeriod: period }],
  DocumentReference: [
    {
      content: [{ attachment: { contentType: 'text/plain' }, format: { system: LOINC, code: '34133-9' } }],
      context: { practiceSetting: sct('394802001') },
    },
  ],
  CarePlan: [
    {
      replaces: [to('CarePlan/x')],
      partOf: [to('CarePlan/y')],
      activity: [
        {
          detail: {
            status: 'scheduled',
            reasonReference: [to('Condition/x')],
            statusReason: sct(),
            scheduledTiming: timing,
            productReference: to('Medication/x'),
            quantity: mg(7),
          },
        },
      ],
    },
  ],
  ServiceRequest: [
    { quantityRatio: ratio, occurrenceDateTime: instant, asNeededBoolean: true, reasonCode: [sct()] },
    { quantityRange: range, occurrencePeriod: period },
  ],
};

/**
 * @param type - A type of the policy.
 * @returns Its variants; none for a type whose rich record has every row.
 */
export function variantsOf(type: string): Resource[] {
  return (CHANGES[type] ?? []).map((change) => {
    const record: Record<string, unknown> = { ...BASES[type]?.(), ...change };
    return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as unknown as Resource;
  });
}
