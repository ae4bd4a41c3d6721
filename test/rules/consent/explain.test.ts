import type { Consent, Resource } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DENY_REASONS, PERMIT_REASONS, SILENCE_REASONS } from '../../../src/rules/consent/decision.ts';
import type { Decision } from '../../../src/rules/consent/decision.ts';
import { explain } from '../../../src/rules/consent/explain.ts';
import { mayReplicate } from '../../../src/rules/consent/gate.ts';
import { consents, request } from './arbitraries.ts';
import { aConsent, anObservation, aRequest, category, purpose } from './builders.ts';

const say = (given: Consent[], resource: Resource = anObservation()): string =>
  explain(mayReplicate(given, aRequest({ resource })));

test('says a permit with its source, its end and its duty', () => {
  const consent = aConsent({ type: 'permit', period: { end: '2024-12-31' } }, { category: [category('rsdid')] });
  expect(say([consent])).toBe(
    'Permitted for TREAT by Consent c1 version 1 (provision): its root provision permits, until 2025-01-01T00:00:00.000Z at the latest; obligations: no-crosswalk.'
  );
});

test('says a deny with its source', () => {
  const consent = aConsent({ type: 'permit', provision: [{ type: 'deny' }] });
  expect(say([consent])).toBe(
    'Refused for TREAT by Consent c1 version 1 (provision.provision[0]): a nested provision denies.'
  );
});

test('says a silence with the nearest Consent', () => {
  const consent = aConsent({ type: 'permit', purpose: [purpose('HPAYMT')] });
  expect(say([consent])).toBe(
    'Refused for TREAT because no Consent permits; the nearest is Consent c1 version 1 (provision): the purpose is not among those listed.'
  );
});

test('says what no Consent decided', () => {
  expect(say([])).toBe('Refused for TREAT: the patient has no Consent.');
});

test('does not repeat a purpose of another system', () => {
  const asked = aRequest({ purpose: { system: 'urn:x', code: 'trial of Jane Doe' } });
  expect(explain(mayReplicate([], asked))).toBe('Refused for other: the patient has no Consent.');
});

describe('every reason has a sentence', () => {
  const bare = {
    purpose: 'TREAT',
    obligations: [],
    considered: [],
    dimensions: [],
    consent: { id: 'c', versionId: '1' },
    path: 'p',
  };
  const all = [
    ...PERMIT_REASONS.map((reason) => ({ ...bare, decision: 'permit', reason })),
    ...DENY_REASONS.map((reason) => ({ ...bare, decision: 'deny', reason })),
    ...SILENCE_REASONS.map((reason) => ({ ...bare, decision: 'no-consent', reason })),
  ] as Decision[];
  test.each(all)('$decision $reason', (decision) => {
    const sentence = explain(decision);
    expect(sentence).toMatch(/^(Permitted|Refused) for TREAT .+: [a-z].+\.$/);
    expect(sentence).not.toContain('undefined');
    expect(sentence).not.toMatch(new RegExp(`: ${decision.reason}\\.`));
  });
});

/** Threat: the sentence is stored in an AuditEvent that leaves the source; whatever comes from a record could identify its subject. */
test('no string of the resource or of the request, and no reference of a Consent, appears in it', () => {
  const mark = 'Zq7';
  const marked = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value, (key, text: unknown) =>
        typeof text === 'string' &&
        ['id', 'reference', 'display', 'text', 'effectiveDateTime', 'value'].includes(key) &&
        text !== 'Patient/1'
          ? `${mark}${text}`
          : text
      )
    ) as T;
  fc.assert(
    fc.property(consents, request, (given, asked) => {
      const withoutIds = marked(given).map((one, i) => ({ ...one, id: `c${i}` }));
      const sentence = explain(
        mayReplicate(withoutIds, { ...asked, resource: marked(asked.resource), actor: [`${mark}/A`] })
      );
      return !sentence.includes(mark) && !sentence.includes('Patient/1');
    }),
    { numRuns: 500 }
  );
});
