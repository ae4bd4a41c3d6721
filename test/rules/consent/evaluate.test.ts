/** What the evaluator answers, by rule, and the evidence that goes with it. */
import type { Consent, ConsentProvision } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../../src/rules/consent/evaluate.ts';
import { aConsent, actor, aRequest, category, dataClass, other, permits, purpose, sensitivity } from './builders.ts';
import { RULES } from './cases.ts';
import { JUDGED } from './judged.ts';

const deny: ConsentProvision = { type: 'deny' };

test('there are at least 250 own cases, and each of the 25 rules has some', () => {
  expect(Object.values(RULES).flat().length).toBeGreaterThanOrEqual(250);
  expect(Object.keys(RULES).map((name) => Number.parseInt(name, 10))).toEqual(
    Array.from({ length: 25 }, (_, i) => i + 1)
  );
});

describe.each([...Object.entries(RULES), ...Object.entries(JUDGED)])('rule %s', (_, rows) => {
  test.each(rows)('%s', (_sentence, consents, request, expected) => {
    const { decision, reason } = evaluate([consents].flat(), aRequest(request));
    expect(`${decision} ${reason}`).toBe(expected);
  });
});

test('an unset clock is a fault and no decision', () => {
  expect(() => evaluate([], aRequest({ at: '' }))).toThrow(RangeError);
});

describe('the evidence of a decision', () => {
  test('names the Consent, its version, the provision and each dimension with both values', () => {
    const consent = aConsent(
      { ...deny, provision: [{ type: 'permit', purpose: [purpose('TREAT')], class: [dataClass('LAB_RESULTS')] }] },
      { meta: { versionId: '7' } }
    );
    expect(evaluate([consent], aRequest())).toMatchObject({
      decision: 'permit',
      consent: { id: 'c1', versionId: '7' },
      path: 'provision.provision[0]',
      purpose: 'TREAT',
      dimensions: [
        { dimension: 'purpose', requested: ['TREAT'], listed: ['TREAT'], holds: 'true' },
        { dimension: 'class', requested: ['Observation', 'LAB_RESULTS'], listed: ['LAB_RESULTS'], holds: 'true' },
      ],
      considered: [{ id: 'c1', versionId: '7', decision: 'permit', reason: 'nested-exception' }],
    });
  });

  test('names the dimension that was unknown', () => {
    const consent = permits({ actor: [actor('IRCP', 'Organization/A')] });
    expect(evaluate([consent], aRequest()).dimensions).toMatchObject([
      { dimension: 'actor', requested: [], holds: 'unknown' },
    ]);
  });

  test('lists the policies that are only text', () => {
    const consent = permits({}, { policy: [{ uri: 'http://e.org/policy' }] });
    expect(evaluate([consent], aRequest()).considered[0]?.policies).toEqual(['http://e.org/policy']);
  });

  test.each([
    ['rsdid: no crosswalk entry', { category: [category('rsdid')] }, ['no-crosswalk']],
    ['rsreid', { category: [category('rsreid')] }, ['reidentify-only-as-consented']],
    ['no redisclosure', { meta: { security: [sensitivity('NORDSCLCD')] } }, ['no-redisclosure']],
    ['none', {}, []],
  ] as const)('obligations: %s', (_, changes, expected) => {
    expect(evaluate([permits({}, changes as Partial<Consent>)], aRequest()).obligations).toEqual(expected);
  });

  test('obligations of every permitting Consent hold together', () => {
    const both = [permits({}), other(permits({}), { category: [category('rsdid')] })];
    expect(evaluate(both, aRequest()).obligations).toEqual(['no-crosswalk']);
  });
});

describe('validUntil', () => {
  const validUntil = (...consents: Consent[]): string | undefined => evaluate(consents, aRequest()).validUntil;
  test.each([
    ['nothing ever changes by itself', [permits({})], undefined],
    [
      'the end of a permit, after its whole last day',
      [permits({ period: { end: '2024-12-31' } })],
      '2025-01-01T00:00:00.000Z',
    ],
    [
      'the start of a nested deny',
      [permits({ provision: [{ type: 'deny', period: { start: '2024-08-01' } }] })],
      '2024-08-01T00:00:00.000Z',
    ],
    [
      'a Consent of the future',
      [permits({}), other(aConsent(deny), { dateTime: '2024-09-01' })],
      '2024-09-01T00:00:00.000Z',
    ],
    [
      'the earliest of all',
      [permits({ period: { end: '2024-12-31' } }), other(permits({ period: { end: '2024-06' } }))],
      '2024-07-01T00:00:00.000Z',
    ],
    [
      'not of an inactive Consent',
      [permits({}), other(permits({ period: { end: '2024-12' } }), { status: 'inactive' })],
      undefined,
    ],
    ['a refusal has one as well', [permits({ period: { start: '2025' } })], '2025-01-01T00:00:00.000Z'],
  ] as const)('%s', (_, consents, expected) => {
    expect(validUntil(...consents)).toBe(expected);
  });
});
