/** Takes lines of a file as what `ingest` takes: judged by the same rules, stored by the same transactions, once. */
import { partnerLink } from '../../partner-link.ts';
import { isObject } from '../../../rules/ingest/elements.ts';
import type { Elements } from '../../../rules/ingest/elements.ts';
import { shapeProblem } from '../../../rules/ingest/shape.ts';
import { UNTOUCHED } from '../answer.ts';
import type { Result } from '../answer.ts';
import { writeDown } from '../ingest.io.ts';
import { readRequest } from '../received.ts';
import { begin, takeEach } from '../take.io.ts';
import { partnerSender } from './deps.ts';
import type { PullDeps } from './deps.ts';
import type { Line } from './lines.ts';
import type { RefusedLine } from './state.ts';

/** Refusals that pass: the lines come again. */
const PASSING = ['transient', 'timeout'];

/** What became of a lot of lines. */
export interface Taken {
  /** Names to count. */
  readonly counts: readonly string[];
  readonly refused: readonly RefusedLine[];
}

interface Read {
  readonly line: number;
  readonly resource?: Elements;
  readonly problem?: string;
}

/**
 * Takes lines.
 *
 * @param deps - The run.
 * @param type - What the manifest says that they are.
 * @param lines - As many as one request has room for.
 * @param first - The number of the first, from 1.
 * @returns What became of them; undefined when not all were come to, and then all of them come again: what was taken is taken once.
 * @throws Fault `source-*`, `contention`.
 */
export async function takeLines(
  deps: PullDeps,
  type: string,
  lines: readonly Line[],
  first: number
): Promise<Taken | undefined> {
  const read = lines.flatMap(({ text }, index): Read[] =>
    text === '' ? [] : [readLine(deps, type, text, first + index)]
  );
  const good = read.flatMap(({ resource, line }) => (resource ? [{ resource, line }] : []));
  const results = good.length > 0 ? await takeResources(deps, good) : [];
  if (!results) {
    return undefined;
  }
  const broken = read.flatMap(({ problem, line }): RefusedLine[] => (problem ? [{ type, line, code: problem }] : []));
  const refused = results.flatMap((result, index): RefusedLine[] => {
    const [issue] = result.isTaken ? [] : result.issues;
    const { code = 'invalid', expression } = issue ?? {};
    return result.isTaken ? [] : [{ type, line: good[index]?.line ?? 0, code, ...(expression && { expression }) }];
  });
  return {
    counts: [
      ...read.map(() => 'lines'),
      ...results.flatMap((result) => (result.isTaken ? [result.status] : [])),
      ...[...broken, ...refused].flatMap(({ code }) => ['refused', `refused-${code}`]),
    ],
    refused: [...broken, ...refused],
  };
}

/** A line is judged by itself first: one that cannot be looked at must not stop its neighbours. */
function readLine({ config }: PullDeps, type: string, text: string | undefined, line: number): Read {
  if (text === undefined) {
    return { line, problem: 'too-long' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { line, problem: 'structure' };
  }
  // Two levels are the Bundle's.
  if (!isObject(value) || shapeProblem(value, config.ingest.bounds.depth - 3) !== undefined) {
    return { line, problem: 'structure' };
  }
  return value['resourceType'] === type ? { line, resource: value } : { line, problem: 'invalid' };
}

async function takeResources(
  deps: PullDeps,
  good: readonly { readonly resource: Elements }[]
): Promise<Result[] | undefined> {
  const { bounds } = deps.config.ingest;
  const entry = good.map(({ resource }) => ({
    resource,
    request: { method: 'PUT', url: String(resource['resourceType']) },
  }));
  const request = readRequest(
    { resourceType: 'Bundle', type: 'batch', entry },
    // Lines and lots are bounded before; what the Bundle around them adds is ours.
    { ...bounds, entries: Math.max(bounds.entries, good.length), bytes: Number.MAX_SAFE_INTEGER }
  );
  if ('problems' in request) {
    return good.map((): Result => ({ isTaken: false, issues: [{ code: 'structure', text: 'cannot be looked at' }] }));
  }
  const work = await begin(deps, partnerSender(deps), request);
  await takeEach(work);
  const results = request.entries.map(({ index }) => work.results.get(index) ?? UNTOUCHED);
  const isPassing = results.some((result) => !result.isTaken && PASSING.includes(result.issues[0]?.code ?? ''));
  if (isPassing) {
    return undefined;
  }
  await writeDown(work);
  await linkKnown(deps, good, results);
  return results;
}

/** Records of a patient who was here before come in other files, and name them by the partner's id. */
async function linkKnown(
  { source, config, partner }: PullDeps,
  good: readonly { readonly resource: Elements }[],
  results: readonly Result[]
): Promise<void> {
  for (const [index, result] of results.entries()) {
    const { resourceType, id } = good[index]?.resource ?? {};
    if (result.isTaken && result.status === 'known' && resourceType === 'Patient' && typeof id === 'string') {
      await source.ensure(
        partnerLink(config.systems, partner.organizationId, id, { patientId: result.id, by: 'pull' })
      );
    }
  }
}
