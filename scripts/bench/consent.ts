/** Decisions under ten Consents of twenty provisions each, against parsing those Consents from JSON. */
import type { Consent, ConsentProvision, Observation } from '@medplum/fhirtypes';
import { systemsOf, V3_ACT_CODE, V3_ACT_REASON, V3_CONFIDENTIALITY } from '../../src/fhir/systems.ts';
import type { Decision } from '../../src/rules/consent/decision.ts';
import { mayReplicate } from '../../src/rules/consent/gate.ts';
import { consentOf } from '../../src/rules/consent/simple.ts';
import type { Ratio } from '../bench.ts';
import { fastest } from './median.ts';

const CONSENTS = 10;
const PROVISIONS = 20;
const DECISIONS = 100;
const AT = '2026-01-01T00:00:00Z';

/**
 * @returns The ratios of the first decision under Consents that were just read, and of those for further records.
 */
export async function benchConsent(): Promise<Ratio[]> {
  const { dataClass } = systemsOf();
  const consents = Array.from({ length: CONSENTS }, (_, i) => aConsent(`c${i}`, dataClass));
  const text = JSON.stringify(consents);
  const record: Observation = {
    resourceType: 'Observation',
    id: 'o',
    meta: { security: [{ system: V3_CONFIDENTIALITY, code: 'N' }] },
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: 'Patient/1' },
    encounter: { reference: 'Encounter/1' },
    effectiveDateTime: '2025-05-06T07:10:11Z',
    valueQuantity: { value: 72, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
  const decide = (under: readonly Consent[], resource: Observation): Decision =>
    mayReplicate(under, { patient: 'Patient/1', purpose: 'TREAT', resource, at: AT, dataClassSystem: dataClass });
  const { decision, reason, considered } = decide(consents, record);
  if (decision !== 'permit' || considered.length !== CONSENTS) {
    throw new Error(`the decision is ${reason}, not a permit of ${CONSENTS} Consents`);
  }
  const records = Array.from({ length: DECISIONS }, (_, i) => ({ ...record, id: `o${i}` }));
  let fresh: Consent[][] = [];
  const time = await fastest(40, {
    floor: () => (fresh = records.map(() => JSON.parse(text) as Consent[])),
    // The Consents that the floor has just parsed: nothing is known of them yet.
    first: () => records.forEach((each, i) => decide(fresh[i] ?? [], each)),
    further: () => records.forEach((each) => decide(consents, each)),
  });
  const row = (what: string, ms: number): Ratio => ({
    what: `${what} under ${CONSENTS} Consents of ${PROVISIONS} provisions each`,
    against: 'JSON parse of these Consents',
    ratio: ms / time.floor,
    note: `${((ms / DECISIONS) * 1000).toFixed(0)} µs`,
  });
  return [row('the first decision', time.first), row('one for a further record', time.further)];
}

/** A permit with nested denies of every kind, none of which applies: all of them have to be read. */
function aConsent(id: string, dataClass: string): Consent {
  const consent = consentOf({ patient: 'Patient/1', at: '2024-01-01' }, dataClass);
  const kinds: readonly ConsentProvision[] = [
    { class: [{ system: dataClass, code: 'LAB_RESULTS' }] },
    { securityLabel: [{ system: V3_CONFIDENTIALITY, code: 'R' }] },
    {
      securityLabel: [
        { system: V3_CONFIDENTIALITY, code: 'V' },
        { system: V3_ACT_CODE, code: 'HIV' },
      ],
    },
    { purpose: [{ system: V3_ACT_REASON, code: 'HMARKT' }] },
    { code: [{ coding: [{ system: 'http://loinc.org', code: '2339-0' }] }] },
    { period: { end: '2025-12-31' } },
    { dataPeriod: { start: '2020', end: '2021' } },
  ];
  const provision = Array.from({ length: PROVISIONS - 1 }, (_, i): ConsentProvision => ({
    type: 'deny',
    ...kinds[i % kinds.length],
  }));
  return { ...consent, id, meta: { versionId: '1' }, provision: { ...consent.provision, provision } };
}
