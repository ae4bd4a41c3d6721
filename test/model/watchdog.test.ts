/** The watchdog of the histories tells what goes on from what stands still. */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Hangs, watched } from './chaos/watchdog.ts';

const never = new Promise<never>(() => undefined);

test('what stands still fails, and says what it waits for', async () => {
  const stuck = watched(never, { beats: () => 1, describe: () => 'held by PUT Patient' }, 5);
  await expect(stuck).rejects.toThrow('it hangs: held by PUT Patient');
  await expect(stuck).rejects.toBeInstanceOf(Hangs);
});

test('what goes on is let go on, however long it takes', async () => {
  let beats = 0;
  const slow = wait(60).then(() => 'done');
  await expect(watched(slow, { beats: () => beats++, describe: () => '' }, 5)).resolves.toBe('done');
});

test('a failure is its own', async () => {
  await expect(watched(Promise.reject(new Error('so')), { beats: () => 1, describe: () => '' })).rejects.toThrow('so');
});
