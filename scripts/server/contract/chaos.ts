/** A large sync whose connections to the replica are killed at random points: it converges, and says what it cost. */
import type { Bundle, BundleEntry, Observation } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROBE_EVERY_MS } from '../../../src/queue/control.ts';
import { createClock } from '../../sandbox/clock.ts';
import type { MishapName } from '../../sandbox/mishap.ts';
import { createProxy } from '../../sandbox/proxy.ts';
import type { Passed } from '../../sandbox/proxy.ts';
import { admit, consent, copiesOf, eventually, execute, held, must, observation } from '../ground.ts';
import type { Admitted, Check, Ground } from '../ground.ts';

const OBSERVATIONS = 300;
const IN_ONE = 100;
/** While that goes on, every third request meets one of these. */
const CHAOS_MS = 30_000;
const KILLED = 0.33;
const FATES: readonly MishapName[] = ['reset-before', 'reset-after', 'truncated', 'html-error', 'unavailable'];

interface Compared {
  readonly isComplete: boolean;
  readonly observations: Readonly<Record<string, number>>;
  readonly tampered: number;
}

async function fill({ source }: Ground, { patient, encounter }: Admitted): Promise<void> {
  for (let from = 1; from < OBSERVATIONS; from += IN_ONE) {
    const values = Array.from({ length: Math.min(IN_ONE, OBSERVATIONS - from) }, (_, at) => from + at);
    const entry = values.map((value): BundleEntry<Observation> => ({
      resource: observation(patient.id, encounter.id, value),
      request: { method: 'POST', url: 'Observation' },
    }));
    await source.send<Bundle>('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
  }
}

/** Interaction units of what reached the replica: 100 a write, 20 a search, 1 a read (`platform.md` §5.1). */
function unitsOf({ method, url, body, status }: Passed): number {
  const path = url.split('/fhir/R4/')[1];
  if (path === undefined || status === undefined) {
    return 0;
  }
  const one = (by: string | undefined, where: string): number => (by === 'GET' ? (where.includes('?') ? 20 : 1) : 100);
  if (method !== 'POST' || path !== '') {
    return path.endsWith('_search') ? 20 : one(method, path);
  }
  const { entry = [] } = JSON.parse(body) as Bundle;
  return entry.reduce((sum, { request }) => sum + one(request?.method, request?.url ?? ''), 0);
}

export const CHAOS: readonly Check[] = [
  {
    bot: 'chaos',
    promise: 'connections killed at random points of a large sync: it converges by sweep and retry-jobs, byte for byte',
    async prove(ground) {
      const url = process.env['MEDPLUM_BASE_URL'] ?? '';
      const proxy = await createProxy(url, createClock());
      const passed: Passed[] = [];
      proxy.onRequest((request) => passed.push(request));
      try {
        await ground.configure({ REPLICA_BASE_URL: proxy.baseUrl });
        const admitted = await admit(ground);
        await fill(ground, admitted);
        proxy.fate = () => (Math.random() < KILLED ? FATES[Math.floor(Math.random() * FATES.length)] : undefined);
        await consent(ground, admitted);
        await sleep(CHAOS_MS);
        proxy.clear();
        await sleep(PROBE_EVERY_MS + 1000);
        const killed = passed.filter(({ mishap }) => mishap !== undefined).length;
        await execute(ground, 'sweep');
        await execute(ground, 'retry-jobs');
        const there = await eventually(
          'everything is copied',
          () => held(ground, admitted.patient.id),
          (found) => found.Observation === OBSERVATIONS && found.Encounter === 1 && found.Patient === 1
        );
        // The pulse of the admission has a value that another has as well.
        must(new Set(there.values).size === OBSERVATIONS - 1, 'values are missing');
        const deep = await execute<Compared>(ground, 'reconcile', {
          patient: admitted.patient.id,
          deep: true,
        } as never);
        must(deep.isComplete && deep.tampered === 0 && deep.observations['enqueued'] === 0, JSON.stringify(deep));
        const copied = (await copiesOf(ground, admitted.patient.id)).length;
        const units = passed.reduce((sum, request) => sum + unitsOf(request), 0);
        return (
          `${copied} copies, ${killed} of ${passed.length} requests killed; ` +
          `${(passed.length / copied).toFixed(2)} requests and ${(units / copied).toFixed(0)} units a resource`
        );
      } finally {
        await ground.configure({ REPLICA_BASE_URL: url });
        await proxy.close();
      }
    },
  },
];
