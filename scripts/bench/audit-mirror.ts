/** The audit mirror against the raw writes that it cannot do without: the same events in transactions of the same size, by the same sandbox. */
import type { AuditEvent, Bundle, Resource } from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { MirrorResult } from '../../src/flows/audit/mirror.io.ts';
import type { Ratio } from '../bench.ts';
import { installBundle } from '../install.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { signIn } from '../story/rest.ts';
import type { Rest } from '../story/rest.ts';

const IN_A_TRANSACTION = 200;
const IN_A_BURST = 1000;

interface Cost {
  requests: number;
  units: number;
}

/** An event as Medplum writes it of a read. */
function event(n: number): AuditEvent {
  return {
    resourceType: 'AuditEvent',
    type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
    subtype: [{ system: 'http://hl7.org/fhir/restful-interaction', code: 'read' }],
    action: 'R',
    recorded: '2026-01-02T03:04:05.678Z',
    outcome: '0',
    agent: [
      { who: { reference: `Practitioner/p${n % 50}` }, requestor: true, network: { address: '10.1.2.3', type: '2' } },
    ],
    source: { observer: { identifier: { value: 'https://replica.example/' } } },
    entity: [{ what: { reference: `ServiceRequest/s${n % 700}` } }],
  };
}

/**
 * @param events - How many events the replica holds, in bursts of 1,000 that share a millisecond; a tenth more come while it is mirrored.
 * @returns Ratios.
 */
export async function benchAuditMirror(events: number): Promise<Ratio[]> {
  const sandbox = await createSandbox();
  try {
    const { source, replica } = sandbox;
    const operator = await signIn(source.baseUrl, await source.createClient('operator', { admin: true }));
    const floorCost = meter(source, (caller) => !caller?.startsWith('Bot/'));
    const before = performance.now();
    await write(operator, events);
    const floorMs = performance.now() - before;
    floorCost.stop();
    await installBundle(sandbox, { isCronOff: true, settings: { AUDIT_SIGNING_KEY: randomBytes(32).toString('hex') } });
    await fill(replica, events);
    const own = meter(source, (caller) => caller?.startsWith('Bot/') === true);
    const theirs = meter(replica, () => true);
    const begin = performance.now();
    const late = fillMeanwhile(replica, events / 10);
    await mirrorAll(operator);
    await late;
    await mirrorAll(operator);
    const ms = performance.now() - begin;
    const total = events + events / 10;
    const mirrored = await mirroredIn(operator);
    if (mirrored.length !== new Set(mirrored).size || mirrored.length < total) {
      throw new Error(`${mirrored.length} mirrored, ${new Set(mirrored).size} different, of ${total}`);
    }
    const cost = { requests: own.cost.requests + theirs.cost.requests, units: own.cost.units + theirs.cost.units };
    const each = (one: Cost, of: number): string =>
      `${(one.units / of).toFixed(1)} units an event and ${((one.requests / of) * 1000).toFixed(1)} requests a thousand`;
    return [
      {
        what: `${total} events mirrored once, ${events / IN_A_BURST} bursts in one millisecond, a tenth written meanwhile`,
        against: 'the speed of raw transactions of 200',
        ratio: floorMs / events / (ms / total),
        note: `${each(cost, total)}; raw: ${each(floorCost.cost, events)}`,
      },
      {
        what: 'units',
        against: 'the units of raw transactions',
        ratio: cost.units / total / (floorCost.cost.units / events),
      },
    ];
  } finally {
    await sandbox.close();
  }
}

async function write(operator: Rest, events: number): Promise<void> {
  for (let from = 0; from < events; from += IN_A_TRANSACTION) {
    const entry = Array.from({ length: IN_A_TRANSACTION }, (_, n) => ({
      resource: event(from + n),
      request: { method: 'POST' as const, url: 'AuditEvent' },
    }));
    const bundle: Bundle = { resourceType: 'Bundle', type: 'transaction', entry };
    await operator.send<Resource>('POST', '', bundle);
  }
}

async function fill({ repo, clock }: Sandbox['replica'], events: number): Promise<void> {
  const now = clock.now.bind(clock);
  for (let from = 0; from < events; from += IN_A_BURST) {
    const at = now();
    Object.assign(clock, { now: () => at });
    for (let n = 0; n < IN_A_BURST; n++) {
      await repo.createResource(event(from + n));
    }
    Object.assign(clock, { now });
    // Sockets that have timed out meanwhile are noticed.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function fillMeanwhile({ repo }: Sandbox['replica'], events: number): Promise<void> {
  for (let n = 0; n < events; n++) {
    await repo.createResource(event(n));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function mirrorAll(operator: Rest): Promise<void> {
  const path = `Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|mirror-audit`)}`;
  for (;;) {
    const result = (await operator.send('POST', path, {} as never)) as unknown as MirrorResult;
    if (result.isComplete) {
      return;
    }
  }
}

async function mirroredIn(operator: Rest): Promise<string[]> {
  const { mirrored } = systemsOf();
  const found = new Map<string, string[]>();
  for (let url: string | undefined = 'AuditEvent?_sort=_lastUpdated&_count=1000'; url;) {
    const page: Bundle<AuditEvent> = await operator.get<Bundle<AuditEvent>>(url);
    for (const { resource } of page.entry ?? []) {
      const tags = resource?.meta?.tag ?? [];
      found.set(
        resource?.id ?? '',
        tags.flatMap(({ system, code }) => (system === mirrored && code ? [code] : []))
      );
    }
    url = page.link?.find(({ relation }) => relation === 'next')?.url?.replace(/^.*\/fhir\/R4\//, '');
  }
  return [...found.values()].flat();
}

/** Counts until it is stopped; units as in `platform.md` §5.1. */
function meter(
  server: Sandbox['source'],
  counts: (caller: string | undefined) => boolean
): { cost: Cost; stop(): void } {
  const cost = { requests: 0, units: 0 };
  let isOn = true;
  server.onRequest(({ caller, interaction, body }) => {
    if (isOn && interaction !== 'token' && counts(caller)) {
      cost.requests++;
      cost.units += unitsOf(interaction, body);
    }
  });
  return {
    cost,
    stop: () => {
      isOn = false;
    },
  };
}

function unitsOf(interaction: string, body: string): number {
  if (interaction.startsWith('search')) {
    return 20;
  }
  const { type, entry = [] } = (body ? JSON.parse(body) : {}) as Partial<Bundle>;
  if (type === 'batch' || type === 'transaction') {
    return (type === 'batch' ? 20 : 100) * entry.length;
  }
  return interaction === 'read' ? 1 : 100;
}
