import { expect, test } from 'vitest';
import { progressLine } from '../../scripts/bulk-sync/progress.ts';

const begin = { walked: 0, enqueued: 0, at: 0 };

test.each([
  [
    'a run of our own',
    [{ walked: 50, enqueued: 1000 }, 200, begin, 10_000],
    '████████░░░░░░░░░░░░░░░░░░░░░░  25 %  50 of 200 patients  1000 copies  100/s  30 s left',
  ],
  [
    'one that somebody else has begun: rate and time are of what was seen',
    [{ walked: 150, enqueued: 3000 }, 250, { walked: 100, enqueued: 2500, at: 5000 }, 10_000],
    '██████████████████░░░░░░░░░░░░  60 %  150 of 250 patients  3000 copies  100/s  10 s left',
  ],
  [
    'the first look at such a run',
    [{ walked: 100, enqueued: 2500 }, 250, { walked: 100, enqueued: 2500, at: 5000 }, 5000],
    '████████████░░░░░░░░░░░░░░░░░░  40 %  100 of 250 patients  2500 copies',
  ],
  [
    'hours',
    [{ walked: 1, enqueued: 26 }, 1001, begin, 10_000],
    '░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0 %  1 of 1001 patients  26 copies  3/s  2 h 46 min left',
  ],
  [
    'the end, with more patients than there were at the beginning',
    [{ walked: 201, enqueued: 10 }, 200, begin, 10_000],
    '██████████████████████████████  100 %  201 of 200 patients  10 copies  1/s  0 s left',
  ],
  [
    'nobody',
    [{ walked: 0, enqueued: 0 }, 0, begin, 1000],
    '██████████████████████████████  100 %  0 of 0 patients  0 copies  0/s',
  ],
] as const)('%s', (_what, [reached, total, since, now], line) => {
  expect(progressLine(reached, total, since, now)).toBe(line);
});
