/** One process of `npm run test:chaos`: lives its share of the histories, and tells of each. */
import fc from 'fast-check';
import { live } from './live.ts';
import type { Seen } from './live.ts';
import { history } from './step.ts';

/** What a worker is asked to do. */
export interface Share {
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
      readonly seed: number;
      readonly path: string;
      readonly why: string;
      readonly steps: string;
    }
  | { readonly kind: 'done' };

const tell = (news: News): void => {
  process.send?.(news);
};

process.once('message', (share: Share) => void work(share));

async function work({ seed, runs, path }: Share): Promise<void> {
  const result = await fc.check(
    fc.asyncProperty(history, async (one) => {
      tell({ kind: 'lived', seen: await live(one) });
    }),
    { seed, numRuns: runs, ...(path !== undefined && { path }) }
  );
  if (result.failed) {
    tell({
      kind: 'broken',
      seed,
      path: result.counterexamplePath ?? '',
      why: String(result.errorInstance),
      steps: JSON.stringify(result.counterexample?.[0]),
    });
  }
  tell({ kind: 'done' });
  process.disconnect?.();
}
