/** Takes what another system sends: judged by who sends it, by R4 and US Core, and by consent; stored once; written down. */
import { Fault } from '../../observability/fault.ts';
import { ingressEventOf } from '../../observability/ingress-trail.ts';
import type { IngressEvent } from '../../observability/ingress-trail.ts';
import { bundleAnswerOf, entryAnswerOf, outcomeOfIssues, UNTOUCHED } from './answer.ts';
import type { BundleAnswer, EntryAnswer, Result } from './answer.ts';
import type { IngestDeps } from './deps.ts';
import { senderOf } from './gather.io.ts';
import { readRequest } from './received.ts';
import type { Request } from './received.ts';
import { begin, eventOf, takeEach, takeTogether } from './take.io.ts';
import type { Work } from './take.io.ts';

/**
 * Answers one call.
 *
 * @param deps - The run.
 * @param input - A resource or a Bundle, as the caller sent it.
 * @returns What became of each entry, in the order in which they were sent.
 * @throws Fault `ingest-refused` for whoever sends in no Organization's name, before anything else is looked at; `input-invalid` when nothing of
 *   it can be looked at; `ingest-throttled`; `ingest-invalid` with the issues, for a single resource that is not taken.
 */
export async function ingest(deps: IngestDeps, input: unknown): Promise<EntryAnswer | BundleAnswer> {
  const { source, config, requester } = deps;
  const startedAt = deps.clock.now();
  const sender = await senderOf(source, config.systems, requester);
  const nothing = { ...bare(deps, startedAt), organizationId: sender?.organizationId };
  if (!sender) {
    await record(deps, { ...nothing, refusal: 'no-organization' });
    throw new Fault('ingest-refused');
  }
  const request = readRequest(input, config.ingest.bounds);
  if ('problems' in request) {
    await record(deps, { ...nothing, refusal: 'input-invalid' });
    throw new Fault('input-invalid', request.problems);
  }
  const work = await begin(deps, sender, request).catch(async (error: unknown) => {
    await record(deps, { ...nothing, refusal: 'throttled', counts: { total: request.entries.length } });
    throw error;
  });
  await (request.kind === 'transaction' ? takeTogether(work) : takeEach(work));
  return close(work);
}

async function close(work: Work): Promise<EntryAnswer | BundleAnswer> {
  const { request, results } = work;
  await writeDown(work);
  if (request.kind !== 'single') {
    return bundleAnswerOf(request, results);
  }
  const [received] = request.entries;
  const result = results.get(0) ?? UNTOUCHED;
  if (!result.isTaken || !received) {
    throw new Fault('ingest-invalid', [], result.isTaken ? [] : outcomeOfIssues(result.issues).issue);
  }
  return entryAnswerOf(received, result);
}

/**
 * Tells trail and log what became of a request.
 *
 * @param work - The request, as far as it has come.
 */
export async function writeDown(work: Work): Promise<void> {
  const { deps, request, results } = work;
  const counts = countsOf(request, results);
  const { created = 0, updated = 0, total = 0, failed = 0 } = counts;
  // What was taken is in the trail with the transaction that took it.
  if (created + updated < total) {
    const first = request.entries.map(({ index }) => results.get(index) ?? UNTOUCHED).find(({ isTaken }) => !isTaken);
    const refusal = first && !first.isTaken ? first.issues[0]?.code : undefined;
    await record(deps, { ...eventOf(work), counts, refusal });
  }
  deps.log(failed > 0 ? 'warn' : 'info', 'ingest-answered', {
    put: created + updated,
    unchanged: total - failed - created - updated,
    failed,
    durationMs: deps.clock.now() - work.startedAt,
  });
}

function countsOf({ entries }: Request, results: ReadonlyMap<number, Result>): Record<string, number> {
  const counts: Record<string, number> = { total: entries.length };
  for (const { index } of entries) {
    const result = results.get(index) ?? UNTOUCHED;
    const names = result.isTaken ? [result.status] : ['failed', `failed-${result.issues[0]?.code}`];
    names.forEach((name) => (counts[name] = (counts[name] ?? 0) + 1));
  }
  return counts;
}

function bare({ correlationId, bot, requester, clock }: IngestDeps, startedAt: number): IngressEvent {
  const endedAt = clock.now();
  return { correlationId, bot, requester, organizationId: undefined, startedAt, endedAt, counts: {}, records: [] };
}

async function record({ source, config }: IngestDeps, event: IngressEvent): Promise<void> {
  await source.record(ingressEventOf(event, config.systems));
}
