/** What can happen in a history, to records, Consents, servers and the way between them; and under which circumstances. */
import fc from 'fast-check';
import { MISHAPS } from '../../../scripts/sandbox/mishap.ts';
import type { MishapName } from '../../../scripts/sandbox/mishap.ts';

/** Chooses among what there is; the number wraps. */
const which = fc.nat(9);
const after = fc.nat(5);
const names = Object.keys(MISHAPS) as MishapName[];
/** What Medplum's own client, through which bots see the source, meets there. */
const sourceNames: readonly MishapName[] = [
  'throttled',
  'server-error',
  'unavailable',
  'conflict',
  'reset-before',
  'reset-after',
  'slow-request',
  'slow-answer',
  'truncated',
  'html-error',
];

function kind<const K extends string>(name: K): fc.Arbitrary<{ kind: K }> {
  return fc.record({ kind: fc.constant(name) });
}

const records = fc.oneof(
  { weight: 2, arbitrary: kind('admit') },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('observe' as const), which, value: fc.nat(200) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('correct' as const), which, value: fc.nat(200) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('erase' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mark' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropEncounter' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), which, to: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('merge' as const), which, into: which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unmerge' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropPatient' as const), which }) }
);

/** Hours from now; absent is open. */
const hours = fc.option(fc.constantFrom(1, 4, 30), { nil: undefined, freq: 2 });
const consents = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      which,
      isNarrow: fc.boolean(),
      start: hours,
      end: hours,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('narrow' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('revoke' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropConsent' as const), which }) }
);

const times = fc.integer({ min: 1, max: 6 });
const misfortunes = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('befall' as const), name: fc.constantFrom(...names), after, times }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('befallSource' as const),
      name: fc.constantFrom(...sourceNames),
      after,
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('kill' as const), after: fc.nat(12), isSent: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), times }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('double' as const), times }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('late' as const), times, seconds: fc.constantFrom(1, 30, 400) }),
  },
  { weight: 1, arbitrary: kind('revokeTokens') },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('quota' as const), units: fc.constantFrom(0, 300, 1500) }),
  },
  { weight: 1, arbitrary: kind('down') },
  { weight: 1, arbitrary: kind('up') },
  { weight: 1, arbitrary: kind('rotate') },
  { weight: 1, arbitrary: kind('pause') },
  { weight: 1, arbitrary: kind('resume') }
);

const pauses = fc.oneof(
  { weight: 4, arbitrary: kind('settle') },
  { weight: 2, arbitrary: kind('sweep') },
  { weight: 1, arbitrary: kind('sweepMeanwhile') },
  { weight: 2, arbitrary: kind('drain') },
  { weight: 1, arbitrary: kind('drainMeanwhile') },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('jump' as const), minutes: fc.constantFrom(1, 6, 11, 61, 300) }),
  }
);

const plain = fc.oneof(
  { weight: 5, arbitrary: records },
  { weight: 3, arbitrary: consents },
  { weight: 4, arbitrary: misfortunes },
  { weight: 3, arbitrary: pauses }
);
export type PlainStep = typeof plain extends fc.Arbitrary<infer T> ? T : never;

/** Something that happens at the very moment at which the bots send their n-th request to the replica. */
const meanwhile = fc.record({
  kind: fc.constant('meanwhile' as const),
  after: fc.nat(12),
  step: fc.oneof({ weight: 2, arbitrary: records }, { weight: 2, arbitrary: consents }),
});

const step = fc.oneof({ weight: 14, arbitrary: plain }, { weight: 1, arbitrary: meanwhile });
export type Step = PlainStep | { readonly kind: 'meanwhile'; readonly after: number; readonly step: PlainStep };

/** What is so from the beginning to the end of a history. */
export interface Circumstances {
  readonly profile: 'pseudonymised' | 'safe-harbor';
  /** Whether the bots have credentials with which they can expunge. */
  readonly hasEraser: boolean;
}

export interface History {
  readonly circumstances: Circumstances;
  readonly steps: readonly Step[];
}

/** All of them, the simplest first. */
export const CIRCUMSTANCES: readonly Circumstances[] = [
  { profile: 'pseudonymised', hasEraser: false },
  { profile: 'pseudonymised', hasEraser: true },
  { profile: 'safe-harbor', hasEraser: false },
  { profile: 'safe-harbor', hasEraser: true },
];

export const GRANT: Step = { kind: 'grant', which: 0, isNarrow: false, start: undefined, end: undefined };

/** Every history begins with somebody who is there and, mostly, has consented. */
const beginning = fc.constantFrom<readonly Step[]>(
  [{ kind: 'admit' }],
  [{ kind: 'admit' }, GRANT],
  [{ kind: 'admit' }, GRANT, { kind: 'settle' }]
);

export const history: fc.Arbitrary<History> = fc.record({
  circumstances: fc.constantFrom(...CIRCUMSTANCES),
  steps: fc
    .tuple(beginning, fc.array(step, { minLength: 3, maxLength: 22 }))
    .map(([first, rest]): readonly Step[] => [...first, ...rest]),
});
