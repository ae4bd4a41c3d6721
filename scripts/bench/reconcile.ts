/** A reconciliation of everything when nothing differs, against paging both sides through the same sandbox; and how its cost grows. */
import type { Bundle } from '@medplum/fhirtypes';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Ratio } from '../bench.ts';
import { installBundle } from '../install.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { sampleStream } from '../samples/patients.ts';
import { consentToShare } from '../story/consent.ts';
import { signIn } from '../story/rest.ts';
import type { Rest } from '../story/rest.ts';
import { medians } from './median.ts';

const FIELDS = '_fields=identifier,meta,subject,patient,encounter';
const MB = 1_000_000;

interface Measured {
  readonly size: number;
  readonly perResource: number;
  readonly ratio: number;
  readonly requests: number;
  readonly floorRequests: number;
  readonly units: number;
  readonly floorUnits: number;
  readonly growth: number;
}

/**
 * @param sizes - Resources in the source; the first is what the others are compared with.
 * @returns Ratios.
 */
export async function benchReconcile(sizes: readonly number[]): Promise<Ratio[]> {
  // Both servers live in this process: 100,000 records and their copies, versions and events are 3.5 GB.
  setFlagsFromString('--max-old-space-size=12000');
  const all: Measured[] = [];
  for (const size of sizes) {
    all.push(await measure(size));
  }
  const [first] = all;
  return all.flatMap((one): Ratio[] => [
    {
      what: `everything compared, ${one.size} resources, nothing differs`,
      against: 'paging both sides',
      ratio: one.ratio,
      note: `${one.requests} requests against ${one.floorRequests}, ${one.units} units against ${one.floorUnits}, ${(one.growth / MB).toFixed(0)} MB of heap while it runs`,
    },
    ...(first && one !== first
      ? [
          {
            what: `a resource among ${one.size}`,
            against: `a resource among ${first.size}`,
            ratio: one.perResource / first.perResource,
          },
        ]
      : []),
  ]);
}

async function measure(resources: number): Promise<Measured> {
  // Medplum's own events are nothing that is measured here, and would be half of what is in memory.
  const sandbox = await createSandbox({ source: { saveAuditEvents: false }, replica: { saveAuditEvents: false } });
  try {
    const { source, replica } = sandbox;
    const enter = async (server: Sandbox['source']): Promise<Rest> => {
      await noticed();
      return wary(await signIn(server.baseUrl, await server.createClient('operator', { admin: true })));
    };
    const size = await load(await enter(source), resources);
    // The records are there before the bundle: no event tells of them.
    await installBundle(sandbox, { isCronOff: true });
    await finish(await enter(source));
    // What has changed lately is looked at twice; nights begin with what is old.
    await sandbox.clock.advance(3_600_000);
    const [operator, reader] = [await enter(source), await enter(replica)];
    await finish(operator);

    const costs = { requests: 0, units: 0 };
    let base = 0;
    let most = 0;
    let seen = 0;
    const meter = (server: Sandbox['source']): void => {
      server.onRequest(({ caller, interaction, body }) => {
        if (!caller?.startsWith('Bot/') && server === source) return;
        if (interaction === 'token') return;
        costs.requests++;
        costs.units += unitsOf(interaction, body);
        if (base > 0 && ++seen % 20 === 0) {
          collect();
          most = Math.max(most, process.memoryUsage().heapUsed - base);
        }
      });
    };
    meter(source);
    meter(replica);
    const floor = await page(operator, reader);
    const time = await medians(3, { floor: () => page(operator, reader), run: () => finish(operator) });
    collect();
    base = process.memoryUsage().heapUsed;
    costs.requests = 0;
    costs.units = 0;
    await finish(operator);
    return {
      size,
      perResource: time.run / size,
      ratio: time.run / time.floor,
      requests: costs.requests,
      floorRequests: floor,
      units: costs.units,
      floorUnits: floor * 20,
      growth: most,
    };
  } finally {
    await sandbox.close();
  }
}

/** Transactions as they are on the wire; each patient gives consent. */
async function load(operator: Rest, resources: number): Promise<number> {
  let size = 0;
  for (const bundle of sampleStream({ seed: 3, resources })) {
    const made = await operator.send<Bundle>('POST', '', bundle);
    size += bundle.entry?.length ?? 0;
    const patient = made.entry?.map(({ resource }) => resource).find((one) => one?.resourceType === 'Patient');
    const id = patient?.id ?? made.entry?.[0]?.response?.location?.split('/')[1];
    await operator.send('POST', 'Consent', consentToShare(`Patient/${id}`));
  }
  return size;
}

interface Answer {
  readonly isComplete: boolean;
  readonly errors: readonly string[];
}

/** What the schedule does each five minutes. */
async function finish(operator: Rest): Promise<void> {
  const path = `Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|reconcile`)}`;
  for (let failures = 0; ;) {
    let answer: Answer;
    try {
      answer = (await operator.send('POST', path, {} as never)) as unknown as Answer;
    } catch (error) {
      // While gigabytes are collected, a server does not answer in time; what is done is not done again.
      if (!String(error).includes('"transient"') || ++failures > 5) {
        throw error;
      }
      continue;
    }
    if (answer.errors.length > 0) {
      throw new Error(answer.errors.join());
    }
    if (answer.isComplete) {
      return;
    }
  }
}

async function page(operator: Rest, reader: Rest): Promise<number> {
  let requests = 0;
  for (const [rest, extra] of [
    [operator, ''],
    [reader, `&${FIELDS}`],
  ] as const) {
    for (const type of REPLICATED_TYPES) {
      let url: string | undefined = `${type}?_sort=_lastUpdated&_count=1000${extra}`;
      while (url) {
        const found: Bundle = await rest.get<Bundle>(url);
        requests++;
        url = found.link?.find(({ relation }) => relation === 'next')?.url?.replace(/^.*\/fhir\/R4\//, '');
      }
    }
  }
  return requests;
}

/** `platform.md` §5.1. */
function unitsOf(interaction: string, body: string): number {
  if (interaction.startsWith('search')) return 20;
  if (interaction === 'batch') return 20 * ((JSON.parse(body) as Bundle).entry?.length ?? 0);
  return interaction === 'read' ? 1 : 100;
}

/** Collecting gigabytes takes so long that sockets time out; a turn of the event loop, and they are noticed. */
function noticed(): Promise<unknown> {
  return new Promise((resolve) => setImmediate(resolve));
}

function wary(rest: Rest): Rest {
  return {
    ...rest,
    get: async (path) => (await noticed(), rest.get(path)),
    send: async (method, path, body) => (await noticed(), rest.send(method, path, body)),
  };
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
