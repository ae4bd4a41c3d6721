/** Draining the queue through `retry-jobs`, against the same writes as bare transactions through the same sandbox. */
import type { Bundle, BundleEntry, Resource, Subscription, Task } from '@medplum/fhirtypes';
import { isReplicated } from '../../src/config/policy.ts';
import type { Hint } from '../../src/flows/sync/facts.ts';
import { recordOrder } from '../../src/flows/sync/orders.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { jobsSearch, taskOf } from '../../src/queue/job.ts';
import type { Ratio } from '../bench.ts';
import { installBundle } from '../install.ts';
import { sampleStream } from '../samples/patients.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { WireEntry } from '../sandbox/wire.ts';
import { consentToShare } from '../story/consent.ts';
import { signIn } from '../story/rest.ts';
import type { Rest } from '../story/rest.ts';

/** Faster than any run is: the pace is a setting, not what is measured. */
const UNPACED = { QUEUE_JOBS_PER_SECOND: '1000000' };
/** Interactions that ask and change nothing. */
const ASKS = /^(token|read|vread|search|history|\$)/;

interface Write {
  readonly to: 'source' | 'replica';
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body: Resource | undefined;
}

/** What the jobs are about: one record each, or everything of one patient each, as when a period of a Consent begins. */
type Kind = 'record' | 'patient';

/**
 * @param size - Resources of the patients at least.
 * @param kind - Of the jobs.
 * @returns The share of the floor's throughput that the drain reaches, with requests and interaction units per job.
 * @throws Error when a job is not completed, or a record has no copy.
 */
export async function benchDrain(size: number, kind: Kind = 'record'): Promise<Ratio[]> {
  const sandbox = await createSandbox();
  // What the replica has already would answer a repeated write otherwise: two copies match where one did.
  const second = await createSandbox();
  try {
    const { source, replica } = sandbox;
    const enter = async (server: Sandbox['source']): Promise<Rest> =>
      signIn(server.baseUrl, await server.createClient('operator', { admin: true }));
    const [operator, reader, bare] = [await enter(source), await enter(replica), await enter(second.replica)];
    const bundles = [...sampleStream({ seed: 4, resources: size })];
    const patients = await admit(operator, bundles);
    // The patients are there before the bundle, the records after its Subscriptions: no event tells of either.
    const { bots } = await installBundle(sandbox, { isCronOff: true, settings: UNPACED });
    const bot = `Bot/${bots.get('retry-jobs')?.id}`;
    const entries: { readonly to: Write['to']; readonly entry: WireEntry }[] = [];
    const writesOf = (): Write[] => entries.flatMap(({ to, entry }) => writeOf(to, entry));
    const listen = (to: Write['to'], isMeant: (entry: WireEntry) => boolean): (() => void) =>
      sandbox[to].onRequest((entry) => {
        if (isMeant(entry)) {
          entries.push({ to, entry });
        }
      });
    listen('source', ({ caller }) => caller === bot);
    listen('replica', ({ interaction }) => interaction !== 'token');
    await drain(operator);
    await repeat(
      writesOf().filter(({ to }) => to === 'replica'),
      operator,
      bare
    );
    await silence(operator);
    const records = await fill(operator, bundles, patients, kind);
    const jobs = kind === 'record' ? records : patients.length;

    entries.length = 0;
    const unitsBefore = unitsOf(sandbox);
    const started = performance.now();
    await drain(operator);
    const drained = performance.now() - started;
    const units = unitsOf(sandbox) - unitsBefore;
    const requests = entries.length;
    const measured = writesOf();
    await check(operator, reader, patients.length + (kind === 'record' ? records : 0));

    const began = performance.now();
    await repeat(measured, operator, bare);
    const floor = performance.now() - began;
    const copying = measured.filter(({ to }) => to === 'replica').length;
    return [
      {
        what: `throughput of ${jobs} jobs, ${kind === 'record' ? 'each a record' : `each a patient with ${Math.round(records / jobs)} records`} to be copied for the first time`,
        against: 'the same writes as bare transactions, one after the other',
        ratio: floor / drained,
        note: `per record ${(requests / records).toFixed(2)} requests and ${(units / records).toFixed(0)} interaction units; ${measured.length} of the ${requests} requests write, ${copying} of them to the replica`,
      },
    ];
  } finally {
    await second.close();
    await sandbox.close();
  }
}

const isPatient = ({ resource }: BundleEntry): boolean => resource?.resourceType === 'Patient';

/** Patients with consent, and a job for each. */
async function admit(operator: Rest, bundles: readonly Bundle[]): Promise<string[]> {
  const ids: string[] = [];
  for (const bundle of bundles) {
    const entry = bundle.entry?.filter(isPatient) ?? [];
    const made = await operator.send<Bundle>('POST', '', { ...bundle, entry });
    const id = `${made.entry?.[0]?.resource?.id}`;
    await operator.send('POST', 'Consent', consentToShare(`Patient/${id}`));
    await enqueue(operator, id, [{ resourceType: 'Patient', id }]);
    ids.push(id);
  }
  return ids;
}

/** Events are lost from here on: what is in the queue is all that a run knows. */
async function silence(operator: Rest): Promise<void> {
  const found = await operator.get<Bundle<Subscription>>('Subscription?_count=100');
  for (const { resource } of found.entry ?? []) {
    if (resource) {
      await operator.send('PUT', `Subscription/${resource.id}`, { ...resource, status: 'off' });
    }
  }
}

/** The patients' records, and the jobs. */
async function fill(
  operator: Rest,
  bundles: readonly Bundle[],
  patients: readonly string[],
  kind: Kind
): Promise<number> {
  let count = 0;
  for (const [index, bundle] of bundles.entries()) {
    const patient = patients[index] ?? '';
    const url = bundle.entry?.find(isPatient)?.fullUrl ?? '';
    const records = { ...bundle, entry: bundle.entry?.filter((entry) => !isPatient(entry)) ?? [] };
    const filed = JSON.parse(JSON.stringify(records).replaceAll(url, `Patient/${patient}`)) as Bundle;
    const made = await operator.send<Bundle>('POST', '', filed);
    const hints = (made.entry ?? []).flatMap(({ resource }) =>
      resource && isReplicated(resource) ? { resourceType: resource.resourceType, id: `${resource.id}` } : []
    );
    await (kind === 'record' ? enqueue(operator, patient, hints) : again(operator, patient));
    count += hints.length;
  }
  return count;
}

async function enqueue(operator: Rest, patientId: string, hints: readonly Hint[]): Promise<void> {
  const now = Date.now();
  const entry = hints.map((hint): BundleEntry<Task> => ({
    request: { method: 'POST', url: 'Task' },
    resource: taskOf(systemsOf(), recordOrder(patientId, hint, now), now),
  }));
  await operator.send('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
}

/** Opens the job of a patient that is done, as a newer event does. */
async function again(operator: Rest, patientId: string): Promise<void> {
  const order = recordOrder(patientId, { resourceType: 'Patient', id: patientId }, Date.now());
  const wanted = taskOf(systemsOf(), order, Date.now());
  const { system, value } = wanted.identifier?.[0] ?? {};
  await operator.send('PUT', `Task?identifier=${encodeURIComponent(`${system}|${value}`)}`, wanted);
}

async function repeat(writes: readonly Write[], operator: Rest, bare: Rest): Promise<void> {
  for (const { to, method, path, body } of writes) {
    await (to === 'source' ? operator : bare).send(method, path, body);
  }
}

async function drain(operator: Rest): Promise<void> {
  const path = `Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|retry-jobs`)}`;
  for (;;) {
    const answer = (await operator.send('POST', path, {} as never)) as unknown as {
      readonly isComplete: boolean;
      readonly held?: string;
    };
    if (answer.held !== undefined) {
      throw new Error(`deliveries are held: ${answer.held}`);
    }
    if (answer.isComplete) {
      return;
    }
  }
}

async function check(operator: Rest, reader: Rest, jobs: number): Promise<void> {
  const done = await operator.count(`${jobsSearch(systemsOf())}&status=completed`);
  const copied = await reader.count('Observation');
  const records = await operator.count('Observation');
  if (done !== jobs || copied !== records) {
    throw new Error(`${done} of ${jobs} jobs are completed, ${copied} of ${records} Observations copied`);
  }
}

/** A write as anybody can send it again: without the condition that it be the first. */
function writeOf(to: Write['to'], { method, url, body, interaction }: WireEntry): Write[] {
  if (ASKS.test(interaction) || (method !== 'POST' && method !== 'PUT' && method !== 'DELETE')) {
    return [];
  }
  const resource = body === '' ? undefined : (JSON.parse(body) as Resource);
  if (resource?.resourceType === 'Bundle' && resource.type !== 'transaction') {
    return [];
  }
  const path = url.replace(/^.*\/fhir\/R4\/?/, '');
  return [{ to, method, path, body: resource?.resourceType === 'Bundle' ? unconditional(resource) : resource }];
}

function unconditional(bundle: Bundle): Bundle {
  const entry = bundle.entry?.map(({ request, ...rest }): BundleEntry => {
    const { ifMatch: _ifMatch, ...bare } = request ?? { method: 'GET', url: '' };
    return { ...rest, request: bare };
  });
  return { ...bundle, ...(entry && { entry }) };
}

function unitsOf({ source, replica }: Sandbox): number {
  return [source, replica].flatMap(({ quota }) => [...quota.units.values()]).reduce((sum, units) => sum + units, 0);
}
