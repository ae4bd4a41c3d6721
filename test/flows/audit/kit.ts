/** A source that is a real server of the sandbox, a replica's trail that shows its rows late, and crashes at will. */
import { MedplumClient } from '@medplum/core';
import type { AuditEvent, Basic } from '@medplum/fhirtypes';
import { createHash, randomUUID } from 'node:crypto';
import { createSandbox } from '../../../scripts/sandbox/sandbox.ts';
import type { Sandbox } from '../../../scripts/sandbox/sandbox.ts';
import { load } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/load.ts';
import type { MirrorDeps } from '../../../src/flows/audit/deps.ts';
import { systemClock } from '../../../src/observability/clock.io.ts';
import { signerOf } from '../../../src/observability/signer.ts';
import type { ReplicaFhir, ReplicaTrail, SourceFhir } from '../../../src/ports.ts';
import { sourceClient } from '../../../src/remote/source.io.ts';

export const SEED = createHash('sha256').update('a test of the trail').digest('hex');
export const SIGNER = signerOf(SEED);

export function configOf(settings: Readonly<Record<string, string>> = {}): Config {
  const secrets = {
    REPLICA_BASE_URL: 'http://127.0.0.1:1/',
    REPLICA_CLIENT_ID: 'sync-client',
    REPLICA_CLIENT_SECRET: 'a-client-key-of-the-test',
    PSEUDONYM_KEY: createHash('sha256').update('tokens of the test').digest('hex'),
    AUDIT_SIGNING_KEY: SEED,
    ...settings,
  };
  const loaded = load(
    Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, { valueString: value }]))
  );
  if ('problems' in loaded) {
    throw new Error(loaded.problems.join());
  }
  return loaded.config;
}

/** An event of the replica as Medplum writes it. */
export function replicaEvent(at: number, more: Partial<AuditEvent> = {}): AuditEvent & { id: string } {
  const instant = new Date(at).toISOString();
  return {
    resourceType: 'AuditEvent',
    id: randomUUID(),
    meta: { lastUpdated: instant },
    type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
    subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'read' }],
    action: 'R',
    recorded: instant,
    outcome: '0',
    agent: [{ who: { reference: 'Practitioner/p1', display: 'Dr. Jane Doe' }, requestor: true }],
    source: { observer: { identifier: { value: 'http://replica/' } } },
    entity: [{ what: { reference: 'Observation/o1', display: 'Jane Doe' } }],
    ...more,
  };
}

/** The trail of a replica whose rows become visible some time after their `lastUpdated`, as in `platform.md` §4.8. */
export class LateTrail implements ReplicaTrail {
  readonly rows: { readonly event: AuditEvent; readonly visibleAt: number }[] = [];
  now = 0;
  pages = 0;
  /** Throws instead of answering this page. */
  failAt = Infinity;
  /** Called before each page. */
  onPage: () => void = () => undefined;

  add(event: AuditEvent, visibleAt = Date.parse(event.meta?.lastUpdated ?? '')): void {
    this.rows.push({ event, visibleAt });
  }

  page(since: string | undefined, offset: number): Promise<readonly AuditEvent[]> {
    this.onPage();
    if (++this.pages >= this.failAt) {
      return Promise.reject(new Error('the replica is gone'));
    }
    const key = ({ meta, id }: AuditEvent): string => `${meta?.lastUpdated} ${id}`;
    const visible = this.rows
      .filter(({ visibleAt }) => visibleAt <= this.now)
      .map(({ event }) => event)
      .filter(({ meta }) => (meta?.lastUpdated ?? '') >= (since ?? ''))
      .sort((a, b) => (key(a) < key(b) ? -1 : 1));
    return Promise.resolve(visible.slice(offset, offset + 1000));
  }
}

export interface Bench {
  readonly sandbox: Sandbox;
  readonly source: SourceFhir;
  readonly trail: LateTrail;
  deps(more?: Partial<MirrorDeps>): MirrorDeps;
  /** Ids of the replica's events that are stored in the source, with repetitions. */
  mirrored(): Promise<string[]>;
  events(): Promise<AuditEvent[]>;
  state(): Promise<Basic | undefined>;
}

export async function createBench(config = configOf()): Promise<Bench> {
  const sandbox = await createSandbox();
  const { id, secret } = await sandbox.source.createClient('bot', { admin: true });
  const medplum = new MedplumClient({ baseUrl: sandbox.source.baseUrl });
  await medplum.startClientLogin(id, secret);
  const { clock } = sandbox;
  const time = { now: (): number => clock.now(), sleep: (ms: number): Promise<void> => systemClock.sleep(ms) };
  const parts = { clock: time, random: { unit: () => 0.5, uuid: randomUUID } };
  const source = sourceClient(medplum, parts);
  const trail = new LateTrail();
  const replica = { find: () => Promise.resolve([]) } as unknown as ReplicaFhir;
  const events = async (): Promise<AuditEvent[]> => {
    const found: AuditEvent[] = [];
    for (let offset = 0; ; offset += 1000) {
      const page = await sandbox.source.repo.search<AuditEvent>({ resourceType: 'AuditEvent', count: 1000, offset });
      found.push(...(page.entry ?? []).flatMap(({ resource }) => resource ?? []));
      if ((page.entry ?? []).length < 1000) {
        return found;
      }
    }
  };
  return {
    sandbox,
    source,
    trail,
    deps: (more = {}) => ({
      config,
      source,
      replica,
      trail,
      signer: SIGNER,
      clock: time,
      log: () => undefined,
      correlationId: randomUUID(),
      bot: 'Bot/b1',
      requester: undefined,
      deadlineAt: Infinity,
      ...more,
    }),
    events,
    async mirrored() {
      return (await events()).flatMap(({ meta }) =>
        (meta?.tag ?? []).flatMap(({ system, code }) => (system === config.systems.mirrored ? (code ?? '') : []))
      );
    },
    async state() {
      const page = await sandbox.source.repo.search<Basic>({ resourceType: 'Basic', count: 10 });
      return (page.entry ?? [])
        .map(({ resource }) => resource)
        .find((one) => one?.code.coding?.[0]?.code === 'audit-mirror');
    },
  };
}

/** A source that goes down at its nth request, before or after it was carried out. */
export function crashing(
  source: SourceFhir,
  at: number,
  when: 'before' | 'after'
): SourceFhir & { readonly asked: () => number } {
  let asked = 0;
  const wrap =
    <A extends readonly unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const isIt = ++asked === at;
      // What crashed does nothing more.
      if (asked > at || (isIt && when === 'before')) {
        throw new Error('crashed');
      }
      const answer = await work(...args);
      if (isIt) {
        throw new Error('crashed');
      }
      return answer;
    };
  const wrapped = Object.fromEntries(
    Object.entries(source).map(([name, work]) => [name, wrap(work as (...args: never[]) => Promise<unknown>)])
  ) as unknown as SourceFhir;
  return { ...wrapped, asked: () => asked };
}
