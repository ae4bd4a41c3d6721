/** `npm run test:chaos`: each narrow moment once, then ten thousand random histories under random faults, over all cores. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { WINDOWS } from '../test/model/chaos/windows.ts';
import type { News, Share } from '../test/model/chaos/worker.ts';

/** Histories between two looks at whether anything has failed: a worker that finds a failure stops, and is replaced for the next share. */
const SHARE = 50;
const WORKER = new URL('../test/model/chaos/worker.ts', import.meta.url);

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    path: { type: 'string' },
    window: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});
const [runs, seed, workers] = [values.runs, values.seed, values.workers].map(Number) as [number, number, number];
if (![runs, seed, workers].every(Number.isSafeInteger) || runs < 1 || workers < 1) {
  console.error('Usage: npm run test:chaos -- [--runs 10000] [--seed N] [--path P] [--window N] [--workers N]');
  process.exit(2);
}

/** Each share has a seed of its own, so that a failure is found again without what came before it. */
function sharesOf({ path, window }: { path?: string | undefined; window?: string | undefined }): Share[] {
  if (path !== undefined) {
    return [{ seed, runs: 1, path }];
  }
  if (window !== undefined) {
    return [{ from: Number(window), to: Number(window) + 1 }];
  }
  const windows = Array.from({ length: Math.ceil(WINDOWS.length / SHARE) }, (_, index): Share => ({
    from: index * SHARE,
    to: (index + 1) * SHARE,
  }));
  const random = Array.from({ length: Math.ceil(runs / SHARE) }, (_, index): Share => ({
    seed: seed + index,
    runs: Math.min(SHARE, runs - index * SHARE),
  }));
  return [...windows, ...random];
}

const shares = sharesOf(values);
const total = shares.reduce((sum, share) => sum + ('from' in share ? share.to - share.from : share.runs), 0);
const startedAt = performance.now();
let lived = 0;
let broken = 0;
/** What the histories were worth. */
const seen = { jobs: 0, deadLetters: 0, outages: 0, requests: 0 };

function show(): void {
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${lived} of ${total} histories, ${broken} broken, ${(lived / seconds).toFixed(1)} a second, seed ${seed}; ` +
      `${seen.requests} requests to the replica, ${seen.jobs} jobs, ${seen.deadLetters} dead letters, breaker opened in ${seen.outages}`
  );
}

async function worker(): Promise<void> {
  for (let share = shares.shift(); share; share = shares.shift()) {
    await run(share);
  }
}

function run(share: Share): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(WORKER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let isDone = false;
    child.on('message', (news: News) => {
      switch (news.kind) {
        case 'lived':
          lived++;
          seen.jobs += news.seen.jobs;
          seen.deadLetters += news.seen.deadLetters;
          seen.requests += news.seen.requests;
          seen.outages += news.seen.hasOpened ? 1 : 0;
          return lived % 100 === 0 ? show() : undefined;
        case 'broken':
          broken++;
          console.log(`\nBROKEN: ${news.why}\n  ${news.steps}`);
          console.log(`  again: npm run test:chaos -- ${news.again}\n`);
          return;
        case 'done':
          isDone = true;
      }
    });
    child.once('error', reject);
    child.once('exit', (code) => (isDone ? resolve() : reject(new Error(`a worker ended with ${code}`))));
    child.send(share);
  });
}

await Promise.all(Array.from({ length: Math.min(workers, shares.length) }, worker));
show();
process.exitCode = broken > 0 ? 1 : 0;
