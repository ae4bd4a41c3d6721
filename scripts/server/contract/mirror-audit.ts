/** `mirror-audit`: who did what on the replica is known at the source, each event once, also while everybody is at work. */
import type { AuditEvent, Bundle, Observation } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Systems } from '../../../src/fhir/systems.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { MirrorResult } from '../../../src/flows/audit/mirror.io.ts';
import { MIRROR_TYPES } from '../../../src/flows/audit/map.ts';
import type { Rest } from '../../story/rest.ts';
import { admit, ALL, consent, copiesOf, eventually, execute, holds, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';

const WORKERS = 8;
const ROUNDS = 25;
const IN_A_BUNDLE = 20;

/**
 * @param rest - A server, as somebody who may see all.
 * @param query - A search for AuditEvents, without paging.
 * @returns All that it matches.
 */
export async function eventsOf(rest: Rest, query: string): Promise<AuditEvent[]> {
  const found: AuditEvent[] = [];
  for (let offset = 0; ; offset += 1000) {
    const page = await rest.get<Bundle<AuditEvent>>(
      `AuditEvent?${query}&_sort=_lastUpdated,_id&_count=1000&_offset=${offset}`
    );
    const rows = (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
    found.push(...rows);
    if (rows.length < 1000) {
      return found;
    }
  }
}

const mirrored = (systems: Systems): string =>
  Object.values(MIRROR_TYPES)
    .map((code) => encodeURIComponent(`${systems.auditType}|${code}`))
    .join(',');

/** Somebody who writes, reads and changes on the replica: single requests and transactions, whose rows become visible late. */
async function work({ replica }: Ground, worker: number): Promise<void> {
  const note = (n: number): Observation => ({
    resourceType: 'Observation',
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    valueInteger: 1000 * worker + n,
  });
  for (let n = 0; n < ROUNDS; n++) {
    const made = await replica.send<Observation>('POST', 'Observation', note(n));
    await replica.get(`Observation/${made.id}`);
    await replica.send('PUT', `Observation/${made.id}`, { ...made, status: 'amended' });
    if (n % 5 === 0) {
      const entry = Array.from({ length: IN_A_BUNDLE }, (_, i) => ({
        resource: note(100 + i),
        request: { method: 'POST' as const, url: 'Observation' },
      }));
      await replica.send('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
    }
  }
}

/** Two at a time, as cron and a person might, until told to stop. */
async function mirrorAgainAndAgain(ground: Ground, isOver: () => boolean): Promise<MirrorResult[]> {
  const results: MirrorResult[] = [];
  while (!isOver()) {
    results.push(
      ...(await Promise.all([
        execute<MirrorResult>(ground, 'mirror-audit'),
        execute<MirrorResult>(ground, 'mirror-audit'),
      ]))
    );
  }
  return results;
}

export const MIRROR_AUDIT: readonly Check[] = [
  {
    bot: 'mirror-audit',
    promise: 'hundreds of reads and writes while it runs, twice at once: none is lost, none comes twice',
    async prove(ground) {
      const { source, replica } = ground;
      const systems = systemsOf();
      const since = new Date().toISOString();
      let isOver = false;
      const [during] = await Promise.all([
        mirrorAgainAndAgain(ground, () => isOver),
        Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(ground, worker))).finally(() => {
          isOver = true;
        }),
      ]);
      // The last rows become visible (`platform.md` §4.8).
      await sleep(3000);
      const until = new Date().toISOString();
      await eventually(
        'a run to its end',
        () => execute<MirrorResult>(ground, 'mirror-audit'),
        ({ isComplete }) => isComplete
      );
      const there = (await eventsOf(replica, `_lastUpdated=ge${since}&_lastUpdated=lt${until}`)).map(
        ({ id }) => id ?? ''
      );
      const stored = await eventsOf(source, `type=${mirrored(systems)}&_lastUpdated=ge${since}`);
      const times = new Map<string, number>();
      for (const { meta } of stored) {
        for (const { system, code = '' } of meta?.tag ?? []) {
          if (system === systems.mirrored) {
            times.set(code, (times.get(code) ?? 0) + 1);
          }
        }
      }
      const least = WORKERS * (3 * ROUNDS + (ROUNDS / 5) * IN_A_BUNDLE);
      const lost = there.filter((id) => !times.has(id));
      const twice = [...times].filter(([, count]) => count > 1);
      must(
        there.length >= least,
        `the replica has ${there.length} events, less than the ${least} requests: does it save them?`
      );
      must(lost.length === 0, `${lost.length} of ${there.length} lost, such as AuditEvent/${lost[0]}`);
      must(twice.length === 0, `${twice.length} of ${there.length} stored more than once, such as ${twice[0]?.[0]}`);
      const busy = during.filter(({ isBusy }) => isBusy).length;
      return `${there.length} events, each once, by ${during.length - busy} runs meanwhile; ${busy} found the lease taken`;
    },
  },
  {
    bot: 'mirror-audit',
    promise: 'a read of a copy is found under the patient of the source, without a name',
    async prove(ground) {
      const { source, replica } = ground;
      const systems = systemsOf();
      const one = await admit(ground);
      await consent(ground, one);
      await holds(ground, one, ALL);
      const [pulse] = await copiesOf(ground, one.patient.id);
      await replica.get(`Observation/${pulse?.id}`);
      const type = encodeURIComponent(`${systems.auditType}|FHIR_READ`);
      const found = await eventually(
        'the read, mirrored',
        async () => {
          await execute(ground, 'mirror-audit');
          const events = await eventsOf(source, `type=${type}&entity=Patient/${one.patient.id}`);
          return events.filter((event) => JSON.stringify(event).includes(`Observation/${pulse?.id}`));
        },
        (events) => events.length > 0
      );
      must(found.length === 1, `${found.length} events`);
      const { meta: _meta, ...content } = found[0] as AuditEvent;
      await source.send('POST', 'AuditEvent/$validate', content);
      return `AuditEvent/${content.id}: FHIR_READ by ${content.agent[0]?.who?.identifier?.value}`;
    },
  },
];
