/** Histories for narrow moments that random ones seldom meet: what happens at the n-th request of a run, for every n. */
import { CIRCUMSTANCES, GRANT } from './step.ts';
import type { History, PlainStep, Step } from './step.ts';

const ADMITTED: readonly Step[] = [{ kind: 'admit' }, { kind: 'observe', which: 0, value: 1 }, { kind: 'settle' }];
const COPIED: readonly Step[] = [...ADMITTED, GRANT, { kind: 'settle' }];
const REVOKE: PlainStep = { kind: 'revoke', which: 0 };
const CORRECT: PlainStep = { kind: 'correct', which: 0, value: 9 };
const SETTLE: Step = { kind: 'settle' };
const ENDING: Step = { kind: 'grant', which: 0, isNarrow: false, start: undefined, end: 1 };

const meanwhile = (after: number, step: PlainStep): Step => ({ kind: 'meanwhile', after, step });
/** A run dies at its n-th request, which still reaches the server or does not. */
const kills = (n: number): Step[] => [true, false].map((isSent) => ({ kind: 'kill', after: n, isSent }));

interface Family {
  /** How many requests there are at which it can happen, or a few more. */
  readonly moments: number;
  readonly at: (n: number) => readonly (readonly Step[])[];
}

const FAMILIES: Readonly<Record<string, Family>> = {
  'a run dies while it makes the first copies': {
    moments: 16,
    at: (n) => kills(n).map((kill) => [...ADMITTED, kill, GRANT, SETTLE]),
  },
  'a run dies while it erases': {
    moments: 16,
    at: (n) => kills(n).map((kill) => [...COPIED, kill, REVOKE, SETTLE]),
  },
  'a run dies while it copies a change': {
    moments: 7,
    at: (n) => kills(n).map((kill) => [...COPIED, kill, CORRECT, SETTLE]),
  },
  'retry-jobs dies while it drains': {
    moments: 16,
    at: (n) =>
      kills(n).map((kill) => [...COPIED, { kind: 'down' }, CORRECT, SETTLE, { kind: 'up' }, kill, { kind: 'drain' }]),
  },
  'a Consent is revoked while its copies are made': {
    moments: 8,
    at: (n) => [[...ADMITTED, meanwhile(n, REVOKE), GRANT, SETTLE]],
  },
  'a Consent is given while copies are erased': {
    moments: 8,
    at: (n) => [[...COPIED, meanwhile(n, GRANT as PlainStep), REVOKE, SETTLE]],
  },
  'an event, a sweep, a Consent and retry-jobs come at once': {
    moments: 8,
    at: (n) => [
      [
        ...COPIED,
        meanwhile(n, REVOKE),
        CORRECT,
        { kind: 'narrow', which: 0 },
        { kind: 'sweepMeanwhile' },
        { kind: 'drainMeanwhile' },
        { kind: 'observe', which: 0, value: 2 },
        SETTLE,
      ],
    ],
  },
  'tokens end while copies are erased': {
    moments: 8,
    at: (n) => [[...COPIED, meanwhile(n, { kind: 'revokeTokens' }), REVOKE, SETTLE]],
  },
  'the clock jumps over the end of a Consent': {
    moments: 8,
    at: (n) => [[...ADMITTED, meanwhile(n, { kind: 'jump', minutes: 61 }), ENDING, SETTLE, CORRECT, SETTLE]],
  },
  'a key is rotated in the middle': {
    moments: 8,
    at: (n) => [[...ADMITTED, meanwhile(n, { kind: 'rotate' }), GRANT, { kind: 'rotate' }, CORRECT, SETTLE]],
  },
};

/** A history with a name. */
export interface Window {
  readonly name: string;
  readonly history: History;
}

const moments: readonly { readonly name: string; readonly steps: readonly Step[] }[] = Object.entries(FAMILIES).flatMap(
  ([name, family]) =>
    Array.from({ length: family.moments }, (_, n) =>
      family.at(n).map((steps) => ({ name: `${name}, at request ${n}`, steps }))
    ).flat()
);

/** Each moment under each of the circumstances. */
export const WINDOWS: readonly Window[] = CIRCUMSTANCES.flatMap((circumstances) =>
  moments.map(({ name, steps }) => ({
    name: `${name}; ${circumstances.profile}, ${circumstances.hasEraser ? 'eraser' : 'no eraser'}`,
    history: { circumstances, steps },
  }))
);

/** Each moment once, the circumstances by turns. */
export const SOME_WINDOWS: readonly Window[] = WINDOWS.filter(
  (_, index) => Math.floor(index / moments.length) === index % CIRCUMSTANCES.length
);
