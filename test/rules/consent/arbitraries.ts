/** Consents, resources and requests of every shape that the rules tell apart, over few values so that they often meet. */
import type { Consent, ConsentProvision, Observation } from '@medplum/fhirtypes';
import fc from 'fast-check';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';
import {
  aConsent,
  action,
  actor,
  anObservation,
  aRequest,
  category,
  confidentiality,
  dataClass,
  loinc,
  ofType,
  policy,
  purpose,
  scope,
  sensitivity,
} from './builders.ts';

const few = <T>(...values: T[]): fc.Arbitrary<T[]> => fc.subarray(values, { minLength: 1, maxLength: 2 });
const day = fc.constantFrom('2021', '2022-06', '2022-06-13', '2023-01-01T10:00:00Z', '2024-06-01', '2025-03', '2026');
const period = fc.record({ start: day, end: day }, { requiredKeys: [] });
const label = [
  ...['L', 'N', 'R', 'V'].map(confidentiality),
  ...['HIV', 'SUD', 'ETHUD', 'ETH'].map(sensitivity),
  { system: 'urn:x', code: 'a' },
];

const conditions: fc.Arbitrary<ConsentProvision> = fc.record(
  {
    period,
    purpose: few(...['TREAT', 'ETREAT', 'BTG', 'HRESCH', 'BIORCH', 'HPAYMT'].map(purpose)),
    actor: few(
      actor('IRCP', 'Organization/A'),
      actor('CST', 'Organization/A'),
      actor('AUT', 'Practitioner/9'),
      actor('X', 'A/1')
    ),
    action: few(...['access', 'disclose', 'use'].map(action)),
    securityLabel: few(...label),
    class: few(ofType('Observation'), ofType('Encounter'), dataClass('LAB_RESULTS'), dataClass('VITAL_SIGNS')),
    code: few(loinc('2339-0'), loinc('8867-4')),
    dataPeriod: period,
    data: few(
      { meaning: 'instance' as const, reference: { reference: 'Observation/o1' } },
      { meaning: 'related' as const, reference: { reference: 'Encounter/e' } },
      { meaning: 'authoredby' as const, reference: { reference: 'Practitioner/9' } }
    ),
  },
  { requiredKeys: [] }
);
/** Most provisions state one or two conditions: with nine nothing would ever permit. */
const someConditions = fc
  .tuple(
    conditions,
    fc.subarray(
      ['period', 'purpose', 'actor', 'action', 'securityLabel', 'class', 'code', 'dataPeriod', 'data'] as const,
      { maxLength: 2 }
    )
  )
  .map(([all, kept]) => Object.fromEntries(Object.entries(all).filter(([name]) => kept.includes(name as never))));

const type = fc.constantFrom<('permit' | 'deny' | undefined)[]>('permit', 'permit', 'deny', undefined);

/** A tree of at most `depth` levels below its root. */
const tree = (depth: number): fc.Arbitrary<ConsentProvision> =>
  fc
    .tuple(
      type,
      someConditions,
      depth ? fc.array(tree(depth - 1), { maxLength: 2 }) : fc.constant<ConsentProvision[]>([])
    )
    .map(([kind, own, provision]) => ({ ...own, ...(kind && { type: kind }), ...(provision.length && { provision }) }));

export const provision = tree(3);

const changes: fc.Arbitrary<Partial<Consent>> = fc.record(
  {
    status: fc.constantFrom('active', 'active', 'active', 'inactive', 'rejected'),
    scope: fc.constantFrom(...['patient-privacy', 'patient-privacy', 'research', 'adr'].map(scope)),
    category: few(category('infa'), category('npp'), category('rsdid')),
    policyRule: fc.constantFrom(policy('OPTIN'), policy('OPTOUT')),
    dateTime: day,
    patient: fc.constantFrom({ reference: 'Patient/1' }, { reference: 'Patient/1' }, { reference: 'Patient/2' }),
    identifier: fc.constantFrom([{ system: 's', value: 'v' }]),
    verification: fc.constantFrom([{ verified: false }], [{ verified: true }]),
  },
  { requiredKeys: [] }
);

const simple = fc.constantFrom<Consent[]>(
  aConsent({ type: 'permit' }),
  aConsent({ type: 'permit', purpose: [purpose('HRESCH')] })
);
const complex = fc.tuple(provision, changes).map(([root, change]) => aConsent(root, change));
const plain = provision.map((root) => aConsent({ ...root, type: root.type ?? 'permit' }));

/** Up to four Consents with ids of their own. */
export const consents: fc.Arbitrary<Consent[]> = fc
  .array(fc.oneof(simple, plain, complex), { minLength: 1, maxLength: 4 })
  .map((list) => list.map((consent, i) => ({ ...consent, id: `c${i}` })));

export const resource: fc.Arbitrary<Observation> = fc
  .record(
    {
      labels: fc.subarray(label, { maxLength: 3 }),
      effectiveDateTime: day,
      performer: fc.constant([{ reference: 'Practitioner/9' }]),
      encounter: fc.constant({ reference: 'Encounter/e' }),
      code: fc.constantFrom(loinc('2339-0'), loinc('8867-4'), loinc('1-1')),
    },
    { requiredKeys: ['labels'] }
  )
  .map(({ labels, ...changed }) => {
    const { effectiveDateTime: _dropped, ...undated } = anObservation();
    return { ...undated, ...changed, meta: { security: labels } } as Observation;
  });

export const request: fc.Arbitrary<ConsentRequest> = fc
  .record(
    {
      resource,
      purpose: fc.constantFrom('TREAT', 'TREAT', 'ETREAT', 'BTG', 'HRESCH', 'HPAYMT'),
      at: fc.constantFrom(
        '2022-06-13T00:00:00Z',
        '2023-01-01T10:00:00Z',
        '2024-06-01T12:00:00Z',
        '2025-03-31T23:59:59Z'
      ),
      actor: fc.constantFrom(['Organization/A'], ['Practitioner/1', 'Organization/B']),
    },
    { requiredKeys: ['resource', 'purpose', 'at'] }
  )
  .map((changed) => aRequest(changed));
