/** One process of `npm run test:chaos`: lives its share of the histories, and tells of each. */
import fc from 'fast-check';
import { live } from './live.ts';
import type { Seen } from './live.ts';
import { Hangs } from './watchdog.ts';
import { history } from './step.ts';
import { WINDOWS } from './windows.ts';

/** What a worker is asked to do: random histories, or those of `windows.ts` from one number to another. */
export type Share = RandomShare | WindowShare;

export interface WindowShare {
  readonly from: number;
  readonly to: number;
}

export interface RandomShare {
  readonly seed: number;
  readonly runs: number;
  /** Of one history, as a failure gave it. */
  readonly path?: string | undefined;
}

/** What a worker tells. */
export type News =
  | { readonly kind: 'lived'; readonly seen: Seen }
  | {
      readonly kind: 'broken';
      /** The options that live it again. */
      readonly again: string;
      readonly why: string;
      readonly steps: string;
    }
  | { readonly kind: 'done' };

const tell = (news: News): void => {
  process.send?.(news);
};

process.once('message', (share: Share) => void work(share));

async function work(share: Share): Promise<void> {
  await ('from' in share ? liveWindows(share) : liveRandom(share));
  // A history that hung has left things behind that keep a process alive.
  process.send?.({ kind: 'done' } satisfies News, () => process.exit());
}

async function liveWindows({ from, to }: WindowShare): Promise<void> {
  for (const [index, { name, history: one }] of WINDOWS.slice(from, to).entries()) {
    try {
      tell({ kind: 'lived', seen: await live(one) });
    } catch (error) {
      tell({ kind: 'broken', again: `--window ${from + index}`, why: String(error), steps: name });
    }
  }
}

async function liveRandom({ seed, runs, path }: RandomShare): Promise<void> {
  let hasHung = false;
  const result = await fc.check(
    fc.asyncProperty(history, async (one) => {
      fc.pre(!hasHung);
      tell({
        kind: 'lived',
        seen: await live(one).catch((error: unknown) => {
          hasHung = error instanceof Hangs;
          throw error;
        }),
      });
    }),
    { seed, numRuns: runs, ...(path !== undefined && { path }) }
  );
  if (result.failed) {
    tell({
      kind: 'broken',
      again: `--seed ${seed} --path ${result.counterexamplePath}`,
      why: String(result.errorInstance),
      steps: JSON.stringify(result.counterexample?.[0]),
    });
  }
}
