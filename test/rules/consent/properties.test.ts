/** What holds for all Consents and requests (docs/consent.md): a gate that breaks one of these can be talked into sharing. */
import type { Coding, Consent, ConsentProvision, Observation } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { V3_CONFIDENTIALITY } from '../../../src/fhir/systems.ts';
import type { Decision } from '../../../src/rules/consent/decision.ts';
import { evaluate } from '../../../src/rules/consent/evaluate.ts';
import { mayReplicate } from '../../../src/rules/consent/gate.ts';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';
import { consents, request } from './arbitraries.ts';
import { aConsent, aRequest, confidentiality } from './builders.ts';

type Gate = (consents: readonly Consent[], request: ConsentRequest) => Decision;
const runs = { numRuns: 1000 };
const permits = (decision: Decision): boolean => decision.decision === 'permit';
const observationOf = (asked: ConsentRequest): Observation => asked.resource as Observation;
const withSecurity = (asked: ConsentRequest, security: Coding[]): ConsentRequest => ({
  ...asked,
  resource: { ...observationOf(asked), meta: { security } },
});

/** Every instant at which a date of a Consent begins, ends, or has just ended, read without the evaluator. */
function instantsOf(given: readonly Consent[]): number[] {
  const dates = JSON.stringify(given).match(/"20\d\d[^"]*"/g) ?? [];
  return dates.flatMap((quoted) => {
    const text = quoted.slice(1, -1);
    const [year = 0, month, day] = text.slice(0, 10).split('-').map(Number);
    const start = Date.parse(text);
    const end = text.includes('T')
      ? start + 1000
      : Date.UTC(month ? year : year + 1, day ? month! - 1 : (month ?? 0), day ? day + 1 : 1);
    return [start, end - 1, end];
  });
}

test('the generators reach all three answers often', () => {
  const counts: Record<string, number> = {};
  fc.assert(
    fc.property(consents, request, (given, asked) => {
      const { decision } = evaluate(given, asked);
      counts[decision] = (counts[decision] ?? 0) + 1;
    }),
    { numRuns: 2000, seed: 1 }
  );
  expect(Math.min(counts.permit ?? 0, counts.deny ?? 0, counts['no-consent'] ?? 0)).toBeGreaterThan(200);
});

describe.each([
  ['evaluate', evaluate],
  ['mayReplicate', mayReplicate],
] as [string, Gate][])('%s', (_, gate) => {
  test('order and repetition of Consents do not matter', () => {
    const shuffled = consents.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray([...given, ...given], { minLength: given.length * 2 }))
    );
    fc.assert(
      fc.property(shuffled, request, ([given, other], asked) => {
        expect(gate(other, asked)).toEqual(gate(given, asked));
      }),
      runs
    );
  });

  test('an active deny added never leaves a permit', () => {
    const deny = aConsent({ type: 'deny' }, { id: 'x', dateTime: '2020' });
    fc.assert(
      fc.property(consents, request, (given, asked) => !permits(gate([...given, deny], asked))),
      runs
    );
  });

  test('an inactive Consent, or one of another patient, changes nothing', () => {
    fc.assert(
      fc.property(consents, consents, request, (given, more, asked) => {
        const inactive = more.map((one) => ({ ...one, id: 'x', status: 'inactive' as const }));
        const foreign = more.map((one) => ({ ...one, id: 'y', patient: { reference: 'Patient/3' } }));
        const [before, after] = [gate(given, asked), gate([...given, ...inactive, ...foreign], asked)];
        expect({ ...after, considered: [], reason: '' }).toEqual({
          ...before,
          considered: [],
          reason: '',
          ...(after.consent && { consent: after.consent }),
        });
        expect(permits(before) ? after.consent : undefined).toEqual(permits(before) ? before.consent : undefined);
      }),
      runs
    );
  });

  test('an actor removed never turns a refusal into a permit', () => {
    fc.assert(
      fc.property(
        consents,
        request,
        (given, asked) => permits(gate(given, asked)) || !permits(gate(given, { ...asked, actor: undefined }))
      ),
      runs
    );
  });

  test('dates removed never turn a refusal into a permit', () => {
    fc.assert(
      fc.property(consents, request, (given, asked) => {
        const { effectiveDateTime: _removed, ...undated } = observationOf(asked);
        return permits(gate(given, asked)) || !permits(gate(given, { ...asked, resource: undated }));
      }),
      runs
    );
  });

  test('an author removed never turns a refusal into a permit', () => {
    fc.assert(
      fc.property(consents, request, (given, asked) => {
        const { performer: _removed, ...anonymous } = observationOf(asked);
        return permits(gate(given, asked)) || !permits(gate(given, { ...asked, resource: anonymous }));
      }),
      runs
    );
  });

  test('raised confidentiality never permits', () => {
    const levels = ['U', 'L', 'M', 'N', 'R', 'V'];
    const pairs = fc
      .shuffledSubarray(levels, { minLength: 2, maxLength: 2 })
      .map((two) => two.sort((a, b) => levels.indexOf(a) - levels.indexOf(b)));
    fc.assert(
      fc.property(consents, request, pairs, (given, asked, [low, high]) => {
        const rest = (observationOf(asked).meta?.security ?? []).filter((one) => one.system !== V3_CONFIDENTIALITY);
        const at = (level: string): boolean =>
          permits(gate(given, withSecurity(asked, [...rest, confidentiality(level)])));
        return at(low!) || !at(high!);
      }),
      runs
    );
  });

  test('with everything inactive nothing is permitted', () => {
    fc.assert(
      fc.property(
        consents,
        request,
        (given, asked) =>
          !permits(
            gate(
              given.map((one) => ({ ...one, status: 'inactive' as const })),
              asked
            )
          )
      ),
      runs
    );
  });

  test('before validUntil the answer is the same, and without it for ever', () => {
    fc.assert(
      fc.property(
        consents,
        request,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (given, asked, part) => {
          const now = gate(given, asked);
          const from = Date.parse(asked.at);
          const until = now.validUntil ? Date.parse(now.validUntil) : Date.parse('2100-01-01T00:00:00Z');
          for (const later of [from + Math.floor((until - from) * part), until - 1]) {
            const { decision, reason, path, validUntil } = gate(given, { ...asked, at: new Date(later).toISOString() });
            expect({ decision, reason, path, validUntil }).toEqual({
              decision: now.decision,
              reason: now.reason,
              path: now.path,
              validUntil: now.validUntil,
            });
          }
        }
      ),
      runs
    );
  });

  test('without any Consent nothing is permitted', () => {
    fc.assert(
      fc.property(request, (asked) => !permits(gate([], asked))),
      runs
    );
  });

  test('validUntil is the first instant at which anything changes, or earlier; a millisecond before, nothing has', () => {
    fc.assert(
      fc.property(consents, request, (given, asked) => {
        const answer = (at: number): string => {
          const { decision, reason, path } = gate(given, { ...asked, at: new Date(at).toISOString() });
          return `${decision} ${reason} ${path}`;
        };
        const now = Date.parse(asked.at);
        const { validUntil } = gate(given, asked);
        const changes = instantsOf(given).filter((at) => at > now && answer(at) !== answer(now));
        const first = Math.min(...changes);
        const until = validUntil ? Date.parse(validUntil) : Infinity;
        expect(until).toBeLessThanOrEqual(first);
        expect(answer(Math.min(until, 4e12) - 1)).toBe(answer(now));
      }),
      runs
    );
  });

  test('a permit names a Consent that was given, and its evidence holds', () => {
    fc.assert(
      fc.property(consents, request, (given, asked) => {
        const decision = gate(given, asked);
        if (decision.decision === 'permit' && decision.reason !== 'policy-rule') {
          expect(given.map((one) => one.id)).toContain(decision.consent.id);
          expect(decision.dimensions.every((one) => one.holds === 'true')).toBe(true);
        }
      }),
      runs
    );
  });
});

test.each([
  ['the last millisecond of a permit', { type: 'permit', period: { end: '2024-12-31' } }, 'permit', 'no-consent'],
  ['the first of a permit', { type: 'permit', period: { start: '2024-12-31T23:00:00-01:00' } }, 'no-consent', 'permit'],
  [
    'the last of a nested deny',
    { type: 'permit', provision: [{ type: 'deny', period: { end: '2024-12' } }] },
    'deny',
    'permit',
  ],
  [
    'the first of a nested deny',
    { type: 'permit', provision: [{ type: 'deny', period: { start: '2025' } }] },
    'permit',
    'deny',
  ],
  [
    'the first of an exception three levels down',
    {
      type: 'permit',
      provision: [{ type: 'deny', provision: [{ type: 'permit', period: { start: '2025-01-01T00:00:00Z' } }] }],
    },
    'deny',
    'permit',
  ],
] as [string, ConsentProvision, string, string][])('%s is where validUntil says', (_, provision, before, after) => {
  const given = [aConsent(provision)];
  const at = (time: number): Decision => evaluate(given, aRequest({ at: new Date(time).toISOString() }));
  const until = Date.parse(evaluate(given, aRequest()).validUntil ?? '');
  expect(new Date(until).toISOString()).toBe('2025-01-01T00:00:00.000Z');
  expect([at(until - 1), at(until), at(until + 1)].map(({ decision }) => decision)).toEqual([before, after, after]);
  expect(at(until - 1).validUntil).toBe('2025-01-01T00:00:00.000Z');
  expect(at(until).validUntil).toBeUndefined();
});

test('labels removed never turn a refusal of evaluate into a permit', () => {
  fc.assert(
    fc.property(
      consents,
      request,
      (given, asked) => permits(evaluate(given, asked)) || !permits(evaluate(given, withSecurity(asked, [])))
    ),
    runs
  );
});

test('the gate permits nothing that evaluate refuses', () => {
  fc.assert(
    fc.property(
      consents,
      request,
      (given, asked) => !permits(mayReplicate(given, asked)) || permits(evaluate(given, asked))
    ),
    runs
  );
});
