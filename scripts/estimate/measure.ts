/** Measures what each flow costs: the built bots, between two servers, one thing after the other. */
import type { WithId } from '@medplum/core';
import type {
  AuditEvent,
  Basic,
  Bot,
  Bundle,
  Consent,
  Encounter,
  Observation,
  Patient,
  ProjectMembership,
  Resource,
} from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { recordOrder } from '../../src/flows/sync/orders.ts';
import { taskOf } from '../../src/queue/job.ts';
import { installBundle } from '../install.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { consentToShare } from '../story/consent.ts';
import { signIn } from '../story/rest.ts';
import type { Rest } from '../story/rest.ts';
import { costOf } from './costs.ts';
import type { Cost, Costs } from './costs.ts';

/** Two sizes, so that what is done once and what is done for each record can be told apart. */
const SMALL = 50;
const LARGE = 150;
/** Patients that make a night longer, and records in the pages of such a night. */
const MORE = 40;
const PER_PATIENT = 8;
const PAGE = 100;
const KEY = '3d'.repeat(16) + 'a7c1e05b'.repeat(4);

interface Bench {
  readonly sandbox: Sandbox;
  readonly operator: Rest;
  readonly reader: Rest;
  /** The one whose idle ticks only a schedule brings about. */
  readonly bot: WithId<Bot>;
  /** What everything costs so far. */
  readonly total: () => Promise<Cost>;
}

/** @returns What each flow costs, for one change, patient, record, event, tick or read. */
export async function measureCosts(): Promise<Costs> {
  const sandbox = await createSandbox();
  try {
    const bench = await prepare(sandbox);
    const { execute, spent } = toolsOf(bench);
    const silent = (): void => sandbox.source.faults.loseSubscriptionEvents(() => true, 100_000);

    // A first run of everything, so that tokens are there and no cost is of a first time.
    const first = await admit(bench, 3);
    await consent(bench, first);
    await execute('reconcile');
    await execute('sweep');
    const stranger = await admit(bench, 3);
    const { source } = sandbox;

    const [pulse] = first.records;
    const created = await spent(() =>
      bench.operator.send('POST', 'Observation', pulseOf(first.patient, first.encounter))
    );
    const updated = await spent(() =>
      bench.operator.send('PUT', `Observation/${pulse?.id}`, { ...pulse, status: 'amended' })
    );
    const refused = await spent(() =>
      bench.operator.send('POST', 'Observation', pulseOf(stranger.patient, stranger.encounter))
    );
    const deleted = await spent(() => bench.operator.send('DELETE', `Observation/${pulse?.id}`));

    const small = await admit(bench, SMALL);
    const large = await admit(bench, LARGE);
    const given = [await spent(() => consent(bench, small)), await spent(() => consent(bench, large))] as const;

    const token = `${await tokenOf(bench, large.patient)}`;
    const exported = await spent(() => execute('export', { patient: token, _count: 100 }));
    const passed = await spent(() =>
      execute('gateway', { method: 'GET', path: `Observation?patient=Patient/${token}&_count=10` })
    );
    const revealed = await spent(() => execute('reveal', { token, purpose: 'TREAT', reason: 'estimate' }));
    await execute('metrics');
    const scraped = await spent(() => execute('metrics'));

    await sandbox.clock.advance(10 * 60_000);
    await execute('sweep');
    await sandbox.clock.advance(10 * 60_000);
    const swept = await spent(() => execute('sweep'));
    // The event has copied it: the sweep finds it equal, as it does nearly always.
    const [one] = large.records;
    await bench.operator.send('PUT', `Observation/${one?.id}`, { ...one, status: 'amended' });
    await sandbox.source.idle({ timeoutMs: 60_000 });
    const sweptOne = await spent(() => execute('sweep'));

    await sandbox.clock.advance(20 * 60_000);
    silent();
    await execute('retry-jobs');
    const idle = await spent(() => execute('retry-jobs'));
    for (const record of large.records.slice(0, SMALL)) {
      await bench.operator.send('PUT', `Observation/${record.id}`, { ...record, status: 'corrected' });
      const now = sandbox.clock.now();
      const order = recordOrder(large.patient.id, { resourceType: 'Observation', id: record.id }, now);
      await bench.operator.send('POST', 'Task', taskOf(systemsOf(), order, now));
    }
    const drained = await spent(() => execute('retry-jobs'));
    const { bot } = bench;
    const scheduled = await source.repo.updateResource<Bot>({ ...bot, cronString: '*/5 * * * *' });
    const tick = await spent(() => sandbox.clock.advance(5 * 60_000));
    await source.repo.updateResource<Bot>({ ...bot, ...(scheduled.meta && { meta: scheduled.meta }) });
    await execute('reconcile');
    const night = await spent(() => execute('reconcile'));
    const nightOf = (): Promise<Cost> => spent(() => execute('reconcile', { batchSize: PAGE }));
    const shortNight = await nightOf();
    for (let more = 0; more < MORE; more++) {
      const { patient } = await admit(bench, PER_PATIENT);
      silent();
      await consent(bench, { patient });
    }
    await execute('reconcile');
    const longNight = await nightOf();

    await execute('mirror-audit');
    const mirrored = await spent(() => execute('mirror-audit'));
    const seen = await readCopies(bench);
    const mirroredMore = await spent(() => execute('mirror-audit'));

    source.faults.clear();
    const revoked = [await spent(() => revoke(bench, small)), await spent(() => revoke(bench, large))] as const;

    const over = (cost: Cost, base: Cost, by: number): Cost =>
      costOf((name) => Math.max(0, (cost[name] - base[name]) / by));
    const slope = ([a, b]: readonly [Cost, Cost]): Cost => over(b, a, LARGE - SMALL);
    const rest = ([a, b]: readonly [Cost, Cost]): Cost => {
      const each = slope([a, b]);
      return costOf((name) => Math.max(0, a[name] - each[name] * SMALL));
    };
    // A night reads pages of 1000: so many that differ too little to be seen here.
    const perNight = over(longNight, shortNight, MORE * (PER_PATIENT + 2) * (1000 / PAGE));
    return {
      'change-created': created,
      'change-updated': updated,
      'change-deleted': deleted,
      'change-refused': refused,
      'consent-given': rest(given),
      'consent-given-record': slope(given),
      'consent-revoked': rest(revoked),
      'consent-revoked-record': slope(revoked),
      'sweep-idle': swept,
      'sweep-change': over(sweptOne, swept, 1),
      'retry-idle': idle,
      'retry-job': over(drained, idle, SMALL),
      'reconcile-idle': tick,
      'reconcile-night': night,
      'reconcile-record': perNight,
      'mirror-night': mirrored,
      'mirror-event': over(mirroredMore, mirrored, seen),
      scrape: scraped,
      export: exported,
      gateway: passed,
      reveal: revealed,
    };
  } finally {
    await sandbox.close();
  }
}

async function prepare(sandbox: Sandbox): Promise<Bench> {
  const { source, replica } = sandbox;
  const client = await source.createClient('operator', { admin: true });
  const { bots } = await installBundle(sandbox, {
    isCronOff: true,
    settings: {
      ADMIN_CLIENTS: client.reference,
      REVEAL_CLIENTS: client.reference,
      PAYLOAD_KEY: 'b4'.repeat(16) + '0f9d2c67'.repeat(4),
      AUDIT_SIGNING_KEY: KEY,
      EXPORT_CLASSES: 'NONE',
      METRICS_MAX_AGE_MS: '1',
      QUEUE_JOBS_PER_SECOND: '1000000',
    },
  });
  const written = { source: 0, replica: 0 };
  const requests = { source: 0, replica: 0 };
  for (const side of ['source', 'replica'] as const) {
    sandbox[side].onRequest(({ caller, interaction, method, body }) => {
      const isOurs = side === 'replica' ? interaction !== 'token' : caller?.startsWith('Bot/');
      if (isOurs) {
        requests[side]++;
        written[side] += method === 'POST' || method === 'PUT' ? Buffer.byteLength(body) : 0;
      }
    });
  }
  const operator = await signIn(source.baseUrl, client);
  const colleague = await replica.createClient('reader', { admin: true });
  const reader = await signIn(replica.baseUrl, colleague);
  const people = new Set([
    await membershipOf(source, client.reference),
    await membershipOf(replica, colleague.reference),
  ]);
  const unitsOf = (side: 'source' | 'replica'): number =>
    [...sandbox[side].quota.units].reduce((sum, [caller, units]) => sum + (people.has(caller) ? 0 : units), 0);
  return {
    sandbox,
    operator,
    reader,
    bot: bots.get('reconcile') as WithId<Bot>,
    async total() {
      const [own, other] = [await trailOf(sandbox, 'source'), await trailOf(sandbox, 'replica')];
      return {
        requests: requests.source,
        units: unitsOf('source'),
        replicaRequests: requests.replica,
        replicaUnits: unitsOf('replica'),
        events: own.count,
        replicaEvents: other.count,
        bytes: written.source + own.platformBytes,
        replicaBytes: written.replica + other.platformBytes,
      };
    },
  };
}

async function membershipOf({ repo }: Sandbox['source'], profile: string): Promise<string> {
  const found = await all<ProjectMembership>(repo, 'ProjectMembership');
  return `${found.find((one) => one.profile.reference === profile)?.id}`;
}

/** AuditEvents of one side, and the bytes of those that the platform wrote by itself: ours are among what bots write. */
async function trailOf(
  sandbox: Sandbox,
  side: 'source' | 'replica'
): Promise<{ count: number; platformBytes: number }> {
  const found = await all<AuditEvent>(sandbox[side].repo, 'AuditEvent');
  const { auditType } = systemsOf();
  const platform = found.filter(({ type }) => type.system !== auditType);
  return { count: found.length, platformBytes: platform.reduce((sum, one) => sum + JSON.stringify(one).length, 0) };
}

async function all<T extends Resource>(
  repo: Sandbox['source']['repo'],
  resourceType: T['resourceType']
): Promise<WithId<T>[]> {
  const found: WithId<T>[] = [];
  for (let offset = 0; ; offset += 1000) {
    const page: Bundle<WithId<T>> = await repo.search<T>({
      resourceType,
      count: 1000,
      offset,
      sortRules: [{ code: '_lastUpdated' }],
    });
    found.push(...(page.entry ?? []).map(({ resource }) => resource as WithId<T>));
    if ((page.entry?.length ?? 0) < 1000) {
      return found;
    }
  }
}

interface Tools {
  readonly execute: (bot: string, input?: object) => Promise<unknown>;
  /** What the work costs, with all that follows from it. */
  readonly spent: (work: () => Promise<unknown>) => Promise<Cost>;
}

function toolsOf({ sandbox, operator, total }: Bench): Tools {
  return {
    execute: async (bot, input = {}) =>
      operator.send(
        'POST',
        `Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|${bot}`)}`,
        input as Resource
      ),
    async spent(work) {
      const before = await total();
      await work();
      await sandbox.source.idle({ timeoutMs: 60_000 });
      const after = await total();
      return costOf((name) => after[name] - before[name]);
    },
  };
}

interface Admitted {
  readonly patient: WithId<Patient>;
  readonly encounter: WithId<Encounter>;
  readonly records: readonly WithId<Observation>[];
}

/** Nobody hears of them: what it costs to refuse a record without a Consent is measured by itself. */
async function admit({ sandbox, operator }: Bench, size: number): Promise<Admitted> {
  sandbox.source.faults.loseSubscriptionEvents(() => true, size + 2);
  const patient = (await operator.send<Patient>('POST', 'Patient', {
    resourceType: 'Patient',
    name: [{ family: 'Estimate', given: ['Ada'] }],
    gender: 'female',
    birthDate: '1971-03-04',
  })) as WithId<Patient>;
  const encounter = (await operator.send<Encounter>('POST', 'Encounter', {
    resourceType: 'Encounter',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${patient.id}` },
    period: { start: '2024-05-06T07:08:09Z', end: '2024-05-06T07:38:09Z' },
  })) as WithId<Encounter>;
  const entry = Array.from({ length: size }, () => ({
    resource: pulseOf(patient, encounter),
    request: { method: 'POST' as const, url: 'Observation' },
  }));
  const made = await operator.send<Bundle>('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
  const records = (made.entry ?? []).map(({ resource }) => resource as WithId<Observation>);
  await sandbox.source.idle({ timeoutMs: 60_000 });
  sandbox.source.faults.clear();
  return { patient, encounter, records };
}

function pulseOf(patient: WithId<Patient>, encounter: WithId<Encounter>): Observation {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }], text: 'Heart rate' },
    subject: { reference: `Patient/${patient.id}` },
    encounter: { reference: `Encounter/${encounter.id}` },
    effectiveDateTime: '2024-05-06T07:10:11Z',
    valueQuantity: { value: 72, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}

async function consent({ operator, sandbox }: Bench, { patient }: Pick<Admitted, 'patient'>): Promise<void> {
  await operator.send('POST', 'Consent', consentToShare(`Patient/${patient.id}`));
  await sandbox.source.idle({ timeoutMs: 60_000 });
}

async function revoke({ operator }: Bench, { patient }: Admitted): Promise<void> {
  const { entry = [] } = await operator.get<Bundle<Consent>>(`Consent?patient=Patient/${patient.id}`);
  for (const { resource } of entry) {
    await operator.send('PUT', `Consent/${resource?.id}`, { ...resource, status: 'inactive' } as Consent);
  }
}

/** The token of a patient's copy. */
async function tokenOf({ operator }: Bench, { id }: WithId<Patient>): Promise<string | undefined> {
  const { control, patientToken } = systemsOf();
  const search = `Basic?code=${encodeURIComponent(`${control}|patient-link`)}&subject=Patient/${id}`;
  const { entry = [] } = await operator.get<Bundle<Basic>>(search);
  return entry[0]?.resource?.identifier?.find(({ system }) => system === patientToken)?.value;
}

/** Somebody reads copies on the replica, one after the other. */
async function readCopies({ reader }: Bench): Promise<number> {
  const { entry = [] } = await reader.get<Bundle<Observation>>('Observation?_count=100');
  for (const { resource } of entry) {
    await reader.get(`Observation/${resource?.id}`);
  }
  return entry.length;
}
