/** A sandbox that lives what the dashboard shows and the alerts watch for: two rounds of ordinary work, then one fault after the other. */
import type { AuditEvent, Bot, Observation, Patient, Reference, Resource, Task } from '@medplum/fhirtypes';
import { accessEventOf } from '../../src/observability/access-trail.ts';
import { reconciliationEventOf } from '../../src/observability/reconciliation-trail.ts';
import { runEventOf } from '../../src/observability/run-trail.ts';
import { auditEventOf } from '../../src/observability/trail.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { stateOf, taskOf, withState } from '../../src/queue/job.ts';
import { installBundle } from '../install.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { consentToShare } from '../story/consent.ts';

const systems = systemsOf();
const HOUR_MS = 3_600_000;

export interface Scene {
  readonly sandbox: Sandbox;
  /** Who may ask the bot `metrics`, and nothing else. */
  readonly scraper: { readonly id: string; readonly secret: string };
  /** A round of everything that the dashboard shows. */
  work(): Promise<void>;
  /** What the alerts watch for, but for what ends the scene. */
  harm(): Promise<void>;
  /** The settings are lost: the bot answers no more. */
  end(): Promise<void>;
}

/** @returns The scene, with cron off: what runs is said here. */
export async function createScene(): Promise<Scene> {
  const sandbox = await createSandbox();
  const { source, replica } = sandbox;
  const { bots } = await installBundle(sandbox, { isCronOff: true, settings: { METRICS_MAX_AGE_MS: '1' } });
  const operator = await source.createClient('operator', { admin: true });
  const scraper = await source.createClient('prometheus', {
    accessPolicy: {
      name: 'MONITOR',
      resource: [
        { resourceType: 'Bot', interaction: ['read', 'search'], criteria: `Bot?identifier=${systems.bot}|metrics` },
        { resourceType: 'AuditEvent', interaction: ['create'] },
      ],
    },
  });
  const botOf = (name: string): string => `Bot/${bots.get(name)?.id}`;
  const store = async (...resources: readonly Resource[]): Promise<void> => {
    for (const resource of resources) {
      await source.repo.createResource(resource);
    }
  };
  const execute = async (bot: string, input: object = {}): Promise<void> => {
    const url = `${source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systems.bot}|${bot}`)}`;
    const authorization = `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;
    await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
  };
  const planted = plantsOf(sandbox, botOf);
  const settle = (): Promise<void> => source.idle({ timeoutMs: 60_000 });

  return {
    sandbox,
    scraper,
    async work() {
      const patient = await source.repo.createResource<Patient>({ resourceType: 'Patient', birthDate: '1971-03-04' });
      await settle();
      await store(consentToShare(`Patient/${patient.id}`));
      await settle();
      await store(pulseOf(patient.id));
      await settle();
      // One outage, so that there are a job, an error and a drain.
      replica.faults.down = 'unavailable';
      await store(pulseOf(patient.id));
      await settle();
      replica.faults.down = undefined;
      await sandbox.clock.advance(120_000);
      for (const bot of ['retry-jobs', 'sweep', 'mirror-audit']) {
        await execute(bot);
      }
      await execute('reconcile', { seconds: 8 });
      await execute('reveal', { token: 'pt_unknown', purpose: 'TREAT', reason: 'none' });
      await store(planted.shown(), planted.failedJob());
    },
    async harm() {
      await store(
        ...many(40, () => planted.refused()),
        ...many(60, () => planted.run('sync-change', 'source-refused'))
      );
      await store(planted.run('sweep', 'deadline'), planted.mirror('source-unavailable'), planted.reconciliation());
      await store(...many(40, () => planted.throttled()));
      await store(...many(5, () => planted.run('reveal', undefined, 2000)));
      await store(...many(5, () => planted.run('sync-change', undefined, 20_000)));
      await store(...many(12, (n) => planted.job(`dead-${n}`, { isDead: true })));
      await store(...many(101, (n) => planted.job(`late-${n}`, {})), ...many(5, (n) => planted.slowJob(`slow-${n}`)));
      replica.faults.down = 'unavailable';
    },
    end: () => source.setSecrets({}),
  };
}

/** Keeps what `many` makes apart from what an earlier call made. */
let made = 0;

function many<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, () => make(++made));
}

function pulseOf(patientId: string): Observation {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/${patientId}` },
    effectiveDateTime: '2024-05-06T07:10:11Z',
    valueQuantity: { value: 72, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}

interface Plants {
  job(key: string, more: { readonly isDead?: boolean }): Task;
  slowJob(key: string): Task;
  shown(): AuditEvent;
  refused(): AuditEvent;
  throttled(): AuditEvent;
  failedJob(): AuditEvent;
  mirror(fault: string): AuditEvent;
  reconciliation(): AuditEvent;
  /** The platform's own row of a run (`platform.md` §4.5). */
  run(bot: string, fault: string | undefined, ms?: number): AuditEvent;
}

/** Rows as bots, platform and queue write them: what would take minutes or a broken server to come about. */
function plantsOf({ clock }: Sandbox, botOf: (name: string) => string): Plants {
  const correlationId = 'planted';
  const access = (refusal: string | undefined): AuditEvent =>
    accessEventOf(
      {
        kind: 'reveal',
        correlationId,
        bot: botOf('reveal'),
        requester: 'ClientApplication/planted',
        role: 'ADMIN',
        purpose: 'TREAT',
        at: clock.now(),
        refusal,
        token: undefined,
        patientId: undefined,
        consent: undefined,
        path: undefined,
        sealedReason: undefined,
      },
      systems
    );
  const sync = (bot: string, fault: 'replica-throttled' | 'replica-unavailable'): AuditEvent =>
    auditEventOf(
      {
        correlationId,
        bot: botOf(bot),
        patientId: 'planted',
        purpose: 'TREAT',
        replica: 'https://replica.example/fhir/R4/',
        startedAt: clock.now(),
        endedAt: clock.now(),
        attempt: 1,
        fault,
        entities: [{ reference: 'Observation/planted', action: 'fail', reason: fault }],
      },
      systems
    );
  const job = (key: string, more: { readonly isDead?: boolean }): Task => {
    const at = clock.now() - 2 * HOUR_MS;
    return taskOf(systems, { type: 'observation-sync', key, patient: 'Patient/planted', at, ...more }, at);
  };
  return {
    job,
    shown: () => access(undefined),
    refused: () => access('not-permitted'),
    throttled: () => sync('sync-change', 'replica-throttled'),
    failedJob: () => sync('retry-jobs', 'replica-unavailable'),
    slowJob: (key: string): Task => {
      const task = job(key, {});
      return { ...withState(systems, task, { ...stateOf(systems, task), tookMs: 30_000 }), status: 'completed' };
    },
    mirror: (fault: string): AuditEvent =>
      runEventOf(
        {
          type: 'FHIR_AUDIT_MIRROR',
          action: 'mirror',
          correlationId,
          bot: botOf('mirror-audit'),
          startedAt: clock.now() - 1000,
          endedAt: clock.now(),
          fault,
          details: { fetched: 0, mirrored: 0, skipped: 0, errors: 0 },
        },
        systems
      ),
    reconciliation: (): AuditEvent =>
      reconciliationEventOf(
        {
          runId: correlationId,
          bot: botOf('reconcile'),
          startedAt: clock.now() - 1000,
          endedAt: clock.now(),
          result: JSON.stringify({ durationMs: 1000 }),
          hasErrors: true,
          removed: [],
        },
        systems
      ),
    run: (bot: string, fault: string | undefined, ms = 100): AuditEvent => {
      const end = clock.now();
      const self: Reference<Bot> = { reference: botOf(bot), display: bot };
      return {
        resourceType: 'AuditEvent',
        type: { system: 'https://medplum.com/CodeSystem/audit-event', code: 'execute' },
        period: { start: new Date(end - ms).toISOString(), end: new Date(end).toISOString() },
        recorded: new Date(end).toISOString(),
        agent: [
          { ...(bot === 'reveal' && { who: { reference: 'Practitioner/planted' } }), requestor: true },
          { who: self, requestor: false },
        ],
        source: { observer: self },
        entity: [{ what: { reference: 'Observation/planted' } }],
        outcome: fault ? '4' : '0',
        outcomeDesc: fault ? `{"event":"run-failed","bot":"${bot}","fault":"${fault}"}` : '',
      };
    },
  };
}
