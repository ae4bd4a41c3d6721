/** `reconcile`: every difference is found and repaired, and when there is none it costs about what paging both sides does. */
import type { Bundle, Observation } from '@medplum/fhirtypes';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../deploy/manifest.ts';
import { samplePatients } from '../../samples/patients.ts';
import { consentToShare } from '../../story/consent.ts';
import { npmRun } from '../command.ts';
import { admit, ALL, consent, copiesOf, EVERYTHING, execute, holds, must, observation, unheard } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';

interface Run {
  readonly isComplete: boolean;
  readonly observations: Readonly<Record<string, number>>;
  readonly tampered: number;
  readonly walked: number;
  readonly errors: readonly string[];
}

const TYPES = ['Patient', 'Encounter', 'Observation'];

/** @returns How long it took, in milliseconds. */
async function pageBoth({ source, replica }: Ground): Promise<number> {
  const begin = performance.now();
  for (const [rest, fields] of [
    [source, ''],
    [replica, '&_fields=identifier,meta,subject,patient,encounter'],
  ] as const) {
    for (const type of EVERYTHING) {
      let url: string | undefined = `${type}?_sort=_lastUpdated&_count=1000${fields}`;
      while (url) {
        const page: Bundle = await rest.get<Bundle>(url);
        url = page.link?.find(({ relation }) => relation === 'next')?.url?.replace(/^.*\/fhir\/R4\//, '');
      }
    }
  }
  return performance.now() - begin;
}

/** Patients with some 26 records each: more than a page of Observations. */
const PATIENTS = 80;

async function load({ source }: Ground): Promise<number> {
  let records = 0;
  for (const bundle of samplePatients({ seed: 11, count: PATIENTS })) {
    const made = await source.send<Bundle>('POST', '', bundle);
    records += made.entry?.length ?? 0;
    const id = made.entry?.map(({ response }) => /Patient\/([^/]+)/.exec(response?.location ?? '')?.[1]).find(Boolean);
    await source.send('POST', 'Consent', consentToShare(`Patient/${id}`));
  }
  return records;
}

/** The command as in a terminal, ended by Ctrl-C after its first line. */
async function interrupted(ground: Ground): Promise<string> {
  const script = join(ROOT, 'scripts/bulk-sync.ts');
  const child = spawn(process.execPath, [script, '--seconds', '3'], {
    env: { ...process.env, ...environmentOf(ground) },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const isFirst = !output.includes(' patients ');
    output += String(chunk);
    if (isFirst && output.includes(' patients ')) {
      child.kill('SIGINT');
    }
  });
  child.stderr.on('data', (chunk: Buffer) => (output += String(chunk)));
  await new Promise((resolve) => child.once('close', resolve));
  return output;
}

function environmentOf({ source: { baseUrl }, project: { admin } }: Ground): Record<string, string> {
  return { MEDPLUM_BASE_URL: baseUrl, MEDPLUM_CLIENT_ID: admin.id, MEDPLUM_CLIENT_SECRET: admin.secret };
}

export const RECONCILE: readonly Check[] = [
  {
    bot: 'reconcile',
    promise: 'what is missing, stale, doubled, changed on the replica or without a source is found and repaired',
    async prove(ground) {
      const { source, replica } = ground;
      const one = await admit(ground);
      await consent(ground, one);
      await holds(ground, one, ALL);
      await execute(ground, 'reconcile', { types: TYPES } as never);
      await unheard(ground, EVERYTHING, async () => {
        await source.send('POST', 'Observation', observation(one.patient.id, one.encounter.id, 81));
        await source.send('PUT', `Observation/${one.pulse.id}`, { ...one.pulse, status: 'corrected' });
      });
      const [copy] = (await copiesOf(ground, one.patient.id)).filter(
        ({ resourceType }) => resourceType === 'Encounter'
      );
      const { id: _id, ...twin } = copy as Observation;
      await replica.send('POST', 'Encounter', twin);
      const found = await execute<Run>(ground, 'reconcile', { patient: one.patient.id });
      must(found.isComplete && found.errors.length === 0, JSON.stringify(found.errors));
      must(found.observations['notSynced'] === 1 && found.observations['stale'] === 1, JSON.stringify(found));
      await holds(ground, one, { ...ALL, Observation: 2, values: [72, 81] });
      const [pulse] = (await copiesOf(ground, one.patient.id)).filter(
        ({ resourceType }) => resourceType === 'Observation'
      );
      await replica.send('PUT', `Observation/${pulse?.id}`, { ...(pulse as Observation), status: 'entered-in-error' });
      const deep = await execute<Run>(ground, 'reconcile', { patient: one.patient.id, deep: true } as never);
      must(deep.tampered === 1, `tampered ${deep.tampered}`);
      const again = await execute<Run>(ground, 'reconcile', { patient: one.patient.id, deep: true } as never);
      must(again.tampered === 0 && again.observations['enqueued'] === 0, JSON.stringify(again));
      return 'notSynced 1, stale 1, a twin, tampered 1; then nothing';
    },
  },
  {
    bot: 'reconcile',
    promise: '`npm run bulk-sync` fills a replica; Ctrl-C stops it, the next call goes on',
    async prove(ground) {
      const records = await unheard(ground, EVERYTHING, () => load(ground));
      const stopped = await interrupted(ground);
      must(stopped.includes('stopped; the next call goes on from here'), stopped);
      const output = await npmRun('bulk-sync', ['--seconds', '5'], { env: environmentOf(ground) });
      const lines = output.trim().split('\n').filter(Boolean);
      must(lines.at(-1) === 'done', output);
      const rest = await execute<Run>(ground, 'reconcile');
      must(rest.isComplete && rest.observations['enqueued'] === 0, JSON.stringify(rest));
      return `${records} records; stopped at: ${stopped.split('\n')[0]}; then ${lines.at(-2)}`;
    },
  },
  {
    bot: 'reconcile',
    promise: 'everything, when nothing differs',
    async prove(ground) {
      const time = { floor: Infinity, run: Infinity };
      let run: Run | undefined;
      for (let round = 0; round < 3; round++) {
        time.floor = Math.min(time.floor, await pageBoth(ground));
        const begin = performance.now();
        run = await execute<Run>(ground, 'reconcile');
        time.run = Math.min(time.run, performance.now() - begin);
        must(run.isComplete && run.observations['enqueued'] === 0, JSON.stringify(run));
      }
      const { total = 0 } = run?.observations ?? {};
      return `${run?.walked} patients, ${total} Observations; ${(time.run / time.floor).toFixed(1)} × paging both sides`;
    },
  },
];
