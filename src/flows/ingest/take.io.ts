/** Stores what is planned: transactions behind the sender's fence, each record with its Provenance, or nothing of it. */
import type { Resource } from '@medplum/fhirtypes';
import { REPLICATED_TYPES } from '../../config/policy.ts';
import { Fault } from '../../observability/fault.ts';
import { ingressEventOf } from '../../observability/ingress-trail.ts';
import type { IngressEvent } from '../../observability/ingress-trail.ts';
import type { Result } from './answer.ts';
import type { IngestDeps } from './deps.ts';
import { entriesOf, provenanceOf } from './entries.ts';
import type { Write } from './entries.ts';
import { counted, fenceBasic, fenceOf } from './fence.ts';
import type { Fence } from './fence.ts';
import { gather } from './gather.io.ts';
import { settingOf, wantedOf } from './known.ts';
import type { Known, Sender } from './known.ts';
import { keyOf } from '../origin-key.ts';
import { plan } from './plan.ts';
import type { Placed, Planned } from './plan.ts';
import type { Received, Request } from './received.ts';
import { refusalOf } from './refusal.ts';

/** Records of one transaction of a batch: three writes a record at most, and half a second on a small server. */
const TOGETHER = 20;
/** Medplum takes 50 PUT in a transaction (`platform.md` §11.5); one is the fence. */
const MAX_UPDATES = 49;
/** Of a transaction's JSON text; Medplum takes a mebibyte, and each record brings its Provenance. */
const BYTES = 300_000;
/** How often others may come before us. */
const TRIES = 10;

/** A request that is being worked on. */
export interface Work {
  readonly deps: IngestDeps;
  readonly sender: Sender;
  readonly request: Request;
  readonly startedAt: number;
  readonly results: Map<number, Result>;
  readonly places: Map<number, Placed>;
  fence: Fence;
  /** Transactions so far: part of what each fence says. */
  turn: number;
}

/**
 * Opens the sender's fence and counts the request in it.
 *
 * @param deps - The run.
 * @param sender - Who sends.
 * @param request - What was sent.
 * @returns The work, of which nothing is done.
 * @throws Fault `ingest-throttled` with the seconds to wait; `contention`.
 */
export async function begin(deps: IngestDeps, sender: Sender, request: Request): Promise<Work> {
  const { source, config, clock } = deps;
  // What is fetched comes at our own pace.
  const limit = sender.fetchedBy === undefined ? config.ingest.perMinute : Number.MAX_SAFE_INTEGER;
  const now = clock.now();
  const empty = { since: now, count: 0, run: deps.correlationId };
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await source.ensure(fenceBasic(config.systems, sender.organizationId, empty));
    const fence = fenceOf(config.systems, found);
    const count = counted(fence, request.entries.length, limit, now);
    if ('retryAfterSeconds' in count) {
      throw new Fault('ingest-throttled', [`retry after ${count.retryAfterSeconds} seconds`]);
    }
    const work: Work = {
      deps,
      sender,
      request,
      startedAt: now,
      results: new Map(),
      places: new Map(),
      fence: { ...fence, ...count },
      turn: 0,
    };
    if ((await commit(work, [])).kind === 'stored') {
      return work;
    }
  }
  throw new Fault('contention');
}

/**
 * Takes the entries one by one, several in a transaction while nothing is refused. An entry that comes a second time comes after all others.
 *
 * @param work - The request.
 */
export async function takeEach(work: Work): Promise<void> {
  const rounds: Received[][] = [];
  for (const received of inOrder(work.request.entries)) {
    const round = rounds.find((one) => !one.some((each) => isSame(each, received)));
    if (round) {
      round.push(received);
    } else {
      rounds.push([received]);
    }
  }
  for (const round of rounds) {
    await takeRound(work, round);
  }
}

async function takeRound(work: Work, round: readonly Received[]): Promise<void> {
  const { deps, results } = work;
  const alone = new Set<number>();
  let left = round;
  for (let tries = 0; left.length > 0;) {
    let known = await look(work, left);
    while (left.length > 0) {
      if (deps.clock.now() > deps.deadlineAt) {
        return;
      }
      const lot = lotOf(left, alone);
      const outcome = await takeLot(work, lot, known);
      if (outcome === 'raced') {
        if (++tries >= TRIES) {
          lot.forEach(({ index }) => results.set(index, refused('transient', 'Others were faster; send it again.')));
          left = left.slice(lot.length);
        }
        await refresh(work);
        known = await look(work, left);
      } else if (outcome === 'apart') {
        lot.forEach(({ index }) => alone.add(index));
      } else {
        left = left.slice(lot.length);
      }
    }
  }
}

/** As many as go together; one that was refused in company goes alone. */
function lotOf(left: readonly Received[], alone: ReadonlySet<number>): readonly Received[] {
  let bytes = 0;
  const end = left.findIndex((each, place) => {
    bytes += JSON.stringify(each.resource).length;
    return (
      place > 0 && (place >= TOGETHER || bytes > BYTES || alone.has(each.index) || alone.has(left[0]?.index ?? -1))
    );
  });
  return end < 0 ? left : left.slice(0, end);
}

async function takeLot(work: Work, lot: readonly Received[], known: Known): Promise<'done' | 'raced' | 'apart'> {
  const places = new Map(work.places);
  const planned = lot.map((received) => ({ received, planned: planOne(work, received, known, places) }));
  const writes = planned.filter((one): one is Write => one.planned.kind === 'write');
  const stored = writes.length > 0 ? await commit(work, writes) : undefined;
  if (stored?.kind === 'raced') {
    return 'raced';
  }
  if (stored?.kind === 'refused' && lot.length > 1) {
    return 'apart';
  }
  settle(work, planned, stored);
  return 'done';
}

/**
 * Takes all entries in one transaction, or none.
 *
 * @param work - The request.
 */
export async function takeTogether(work: Work): Promise<void> {
  const { results, request } = work;
  const entries = inOrder(request.entries);
  for (let tries = 0; tries < TRIES; tries++) {
    const known = await look(work, entries);
    const places = new Map<number, Placed>();
    // Entries may refer to later ones: once to learn where each is, once to say so.
    entries.forEach((received) => planOne(work, received, known, places));
    const planned = entries.map((received) => ({
      received,
      planned: isRepeated(received, entries)
        ? refusal('duplicate', 'Another entry of the transaction is the same record.')
        : planOne(work, received, known, places),
    }));
    const writes = planned.filter((one): one is Write => one.planned.kind === 'write');
    if (writes.filter((one) => one.planned.action === 'updated').length > MAX_UPDATES) {
      entries.forEach(({ index }) =>
        results.set(index, refused('too-costly', `A transaction may update ${MAX_UPDATES} records; send several.`))
      );
      return;
    }
    if (planned.some((one) => one.planned.kind === 'refuse')) {
      planned.forEach((one) =>
        results.set(
          one.received.index,
          one.planned.kind === 'refuse'
            ? { isTaken: false, issues: one.planned.issues }
            : refused('business-rule', 'Not stored: another entry of the transaction was refused.')
        )
      );
      return;
    }
    const stored = writes.length > 0 ? await commit(work, writes) : undefined;
    if (stored?.kind !== 'raced') {
      settle(work, planned, stored);
      return;
    }
    await refresh(work);
  }
  entries.forEach(({ index }) => results.set(index, refused('transient', 'Others were faster; send it again.')));
}

/** Parents first, otherwise as sent. */
function inOrder(entries: readonly Received[]): Received[] {
  const rank = ({ type }: Received): number => (REPLICATED_TYPES as readonly string[]).indexOf(type);
  return entries.toSorted((a, b) => rank(a) - rank(b) || a.index - b.index);
}

const isSame = (a: Received, b: Received): boolean => a.type === b.type && a.name === b.name;

function isRepeated(received: Received, entries: readonly Received[]): boolean {
  return entries.some((other) => other !== received && isSame(other, received));
}

async function look({ deps, sender, request }: Work, entries: readonly Received[]): Promise<Known> {
  const { config, source, clock } = deps;
  const setting = settingOf(config, sender, request.entries, new Date(clock.now()).toISOString());
  return gather(source, config.systems, sender, wantedOf(entries, setting));
}

function planOne(work: Work, received: Received, known: Known, places: Map<number, Placed>): Planned {
  const { deps, sender, request } = work;
  const setting = settingOf(deps.config, sender, request.entries, new Date(deps.clock.now()).toISOString());
  const planned = plan(received, known, setting, places, urnOf(sender, received));
  if (planned.kind === 'write') {
    places.set(received.index, { reference: planned.reference, patient: planned.patient });
  } else if (planned.kind === 'keep') {
    places.set(received.index, { reference: planned.reference, patient: planned.patient });
  }
  return planned;
}

/** A UUID of version 8 (RFC 9562) made of the key: the same for both looks at it. */
function urnOf({ organizationId }: Sender, { type, name }: Received): string {
  const hex = keyOf(organizationId, type, name);
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

type Stored = Awaited<ReturnType<typeof commit>>;

/** Writes down what became of the entries of a lot. */
function settle(
  { results, places }: Work,
  planned: readonly { readonly received: Received; readonly planned: Planned }[],
  stored: Stored | undefined
): void {
  let place = 0;
  for (const one of planned) {
    const { index, type } = one.received;
    if (one.planned.kind === 'refuse') {
      results.set(index, { isTaken: false, issues: one.planned.issues });
      continue;
    }
    const { warnings, patient } = one.planned;
    if (one.planned.kind === 'keep') {
      const { reference, status } = one.planned;
      results.set(index, { isTaken: true, id: reference.split('/')[1] ?? '', status, warnings });
      places.set(index, { reference, patient });
      continue;
    }
    if (stored?.kind !== 'stored') {
      results.set(index, { isTaken: false, issues: stored?.kind === 'refused' ? stored.issues : [] });
      continue;
    }
    const id = stored.resources[1 + 2 * place++]?.id ?? '';
    const reference = `${type}/${id}`;
    results.set(index, { isTaken: true, id, status: one.planned.action, warnings });
    places.set(index, {
      reference,
      patient: patient.startsWith('urn:') ? (patientIn(planned, stored, patient) ?? patient) : patient,
    });
  }
}

/** Whose a record is that was made in the same transaction as its patient. */
function patientIn(
  planned: readonly { readonly planned: Planned }[],
  { resources }: { readonly resources: readonly (Resource | undefined)[] },
  urn: string
): string | undefined {
  const writes = planned.filter((one) => one.planned.kind === 'write');
  const place = writes.findIndex((one) => one.planned.kind === 'write' && one.planned.reference === urn);
  const made = place < 0 ? undefined : resources[1 + 2 * place];
  return made && `Patient/${made.id}`;
}

/**
 * Reads the fence again, after somebody else has come through it.
 *
 * @param work - The request.
 */
export async function refresh(work: Work): Promise<void> {
  const { source, config } = work.deps;
  const { since, count } = work.fence;
  const basic = fenceBasic(config.systems, work.sender.organizationId, { since, count, run: work.deps.correlationId });
  work.fence = fenceOf(config.systems, await source.ensure(basic));
}

/**
 * Stores records behind the fence, each with its Provenance, and one AuditEvent of all.
 *
 * @param work - The request.
 * @param writes - The records; none to write the fence alone.
 * @returns What was stored, or why nothing was.
 */
export async function commit(
  work: Work,
  writes: readonly Write[]
): Promise<
  | { readonly kind: 'stored'; readonly resources: readonly (Resource | undefined)[] }
  | { readonly kind: 'raced' }
  | { readonly kind: 'refused'; readonly issues: ReturnType<typeof refusalOf> }
> {
  const { deps, sender, fence } = work;
  const { systems } = deps.config;
  const { since, count, id, versionId } = fence;
  const run = `${deps.correlationId}.${work.turn++}`;
  const basic = { ...fenceBasic(systems, sender.organizationId, { since, count, run }), id };
  const at = new Date(deps.clock.now()).toISOString();
  const records = writes.map(({ received, planned }) => ({
    key: planned.key,
    type: received.type,
    action: planned.action,
    digest: received.digest,
    patient: planned.patient,
    consent: planned.consent,
  }));
  const event = records.length > 0 ? ingressEventOf({ ...eventOf(work), records }, systems) : undefined;
  const answer = await deps.source.commit(
    entriesOf(writes, { basic, versionId }, event, (write) => provenanceOf(write, { sender, systems, at }))
  );
  if (answer.kind === 'stored') {
    work.fence = { ...fence, versionId: answer.resources[0]?.meta?.versionId ?? '' };
  }
  return answer.kind === 'refused' ? { kind: 'refused', issues: refusalOf(answer.issues) } : answer;
}

/**
 * @param work - The request.
 * @returns The event of it, without what was taken.
 */
export function eventOf({ deps, sender, startedAt }: Work): IngressEvent {
  return {
    correlationId: deps.correlationId,
    bot: deps.bot,
    requester: deps.requester,
    organizationId: sender.organizationId,
    startedAt,
    endedAt: deps.clock.now(),
    counts: {},
    records: [],
  };
}

function refusal(code: 'duplicate', text: string): Planned {
  return { kind: 'refuse', issues: [{ code, text }] };
}

function refused(code: 'transient' | 'too-costly' | 'business-rule', text: string): Result {
  return { isTaken: false, issues: [{ code, text }] };
}
