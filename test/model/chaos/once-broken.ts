/** Histories that `npm run test:chaos` has found broken, shrunk. */
import { CIRCUMSTANCES, GRANT } from './step.ts';
import type { History, Step } from './step.ts';

const [circumstances] = CIRCUMSTANCES as readonly [History['circumstances']];
const SETTLE: Step = { kind: 'settle' };

/** By what was left behind. */
export const ONCE_BROKEN: Readonly<Record<string, History>> = {
  'the copy of a deleted record, whose job was taken for done by a look at everything of a patient who was gone': {
    circumstances,
    steps: [
      { kind: 'admit' },
      GRANT,
      { kind: 'sweep' },
      { kind: 'observe', which: 0, value: 0 },
      { kind: 'befall', name: 'refused', after: 5, times: 2 },
      { kind: 'erase', which: 0 },
      SETTLE,
      { kind: 'jump', minutes: 61 },
      { kind: 'unmerge', which: 0 },
      { kind: 'dropPatient', which: 0 },
      { kind: 'erase', which: 0 },
    ],
  },
  'the same under a former key, the queue being paused': {
    circumstances,
    steps: [
      { kind: 'admit' },
      GRANT,
      SETTLE,
      { kind: 'dropConsent', which: 0 },
      { kind: 'pause' },
      { kind: 'rotate' },
      { kind: 'erase', which: 0 },
      { kind: 'grant', which: 0, isNarrow: false, start: 1, end: undefined },
      SETTLE,
      { kind: 'narrow', which: 0 },
    ],
  },
  'the copy of an Encounter whose run had died, because its Patient’s went first': {
    circumstances,
    steps: [
      { kind: 'admit' },
      GRANT,
      SETTLE,
      { kind: 'kill', after: 0, isSent: false },
      { kind: 'dropEncounter', which: 0 },
      { kind: 'kill', after: 0, isSent: false },
      { kind: 'revoke', which: 0 },
      { kind: 'meanwhile', after: 0, step: { kind: 'correct', which: 0, value: 0 } },
      { kind: 'rotate' },
      { kind: 'unmerge', which: 0 },
    ],
  },
};
