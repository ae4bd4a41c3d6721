/** Cohorts for research: asked for by a RESEARCHER or an ADMIN, made over as many runs as it takes, every ask in the trail. */
import type { Binary, PractitionerRole } from '@medplum/fhirtypes';
import { Buffer } from 'node:buffer';
import { exportEventOf } from '../../observability/export-trail.ts';
import { Fault, faultCodeOf } from '../../observability/fault.ts';
import { mayResearch, RESEARCH } from '../../rules/access/research.ts';
import type { Role } from '../../rules/access/role.ts';
import { readAll } from '../read-all.io.ts';
import { requesterOf } from '../standing.ts';
import { rolesSearch } from '../standing.io.ts';
import { advance, ended, moved, open } from './advance.io.ts';
import type { ResearchDeps } from './advance.io.ts';
import type { Standing } from './gather.io.ts';
import { readResearch } from './input.ts';
import type { ResearchAsk } from './input.ts';
import { listedOf, manifestOf, progressOf } from './present.ts';
import { isOpen, NO_COUNTS, studiesIn, studiesSearch, studyBasic } from './state.ts';
import type { SavedStudy, Study } from './state.ts';

/** Somebody waits for the answer; the clock goes on with what takes longer. */
const PATIENCE_MS = 20_000;
/** A run of the bot that was killed holds its lease a little longer than it could have lived: bots have at most 300 s. */
const LEASE_MS = 315_000;

/** What a run comes to, before it is written down. */
interface Outcome {
  readonly refusal?: string;
  readonly role?: Role | undefined;
  readonly count?: number;
  readonly answer?: object;
}

/**
 * Answers one ask.
 *
 * @param deps - The run.
 * @param input - See `readResearch`.
 * @returns Progress; the manifest of a complete export (Bulk Data 2.0); a file as a Binary; or the list of exports.
 * @throws Fault `input-invalid`; `research-refused` with the reason as its detail; `source-*` or `replica-*`.
 */
export async function answerResearch(deps: ResearchDeps, input: unknown): Promise<object> {
  const asked = readResearch(input);
  if ('problems' in asked) {
    await record(deps, 'input', { refusal: 'input-invalid' });
    throw new Fault('input-invalid', asked.problems);
  }
  const outcome = await decide(deps, asked).catch(async (error: unknown) => {
    await record(
      deps,
      asked.action,
      { refusal: faultCodeOf(error) ?? 'unexpected' },
      faultCodeOf(error) !== 'research-refused'
    );
    throw error;
  });
  // What is not written down is not shown.
  if (outcome.refusal !== undefined || ['start', 'cancel', 'file'].includes(asked.action)) {
    await record(deps, asked.action, outcome);
  }
  if (!outcome.answer) {
    throw new Fault('research-refused', [outcome.refusal ?? 'no-role']);
  }
  return outcome.answer;
}

async function decide(deps: ResearchDeps, asked: ResearchAsk): Promise<Outcome> {
  const { requester = '' } = deps;
  const standing = await standingOf(deps, requester);
  const role = roleOf(deps, standing);
  if (!role) {
    return { refusal: 'no-role' };
  }
  const all = studiesIn(
    deps.config.systems,
    (await deps.source.search(studiesSearch(deps.config.systems))).entry?.flatMap(({ resource }) => resource ?? []) ??
      []
  );
  const own = all.filter(({ study }) => role === 'ADMIN' || study.requester === requester);
  if (asked.action === 'list') {
    return {
      role,
      answer: { success: true, exports: own.map(({ study }) => listedOf(study, deps.config.research.filesMs)) },
    };
  }
  if (asked.action === 'start') {
    return start(deps, role, asked, all);
  }
  const saved = own.find(({ study }) => study.id === asked.id);
  if (!saved) {
    return { role, refusal: 'unknown-export' };
  }
  switch (asked.action) {
    case 'cancel': {
      const over =
        isOpen(saved.study) || saved.study.phase === 'done'
          ? await end(deps, saved, 'cancelled', 'cancelled')
          : saved.study;
      return { role, answer: progressOf(over) };
    }
    case 'file':
      return file(deps, saved.study, asked.file, role);
    default:
      return { role, answer: answerOf(deps, await goOn(deps, saved, PATIENCE_MS)) };
  }
}

async function start(
  deps: ResearchDeps,
  role: Role,
  { cohort, types, k }: Extract<ResearchAsk, { readonly action: 'start' }>,
  all: readonly SavedStudy[]
): Promise<Outcome> {
  const { config, source, correlationId, clock, mint, requester = '' } = deps;
  if (k !== undefined && k < config.research.k) {
    return { role, refusal: 'k-too-small' };
  }
  if (all.some(({ study }) => study.requester === requester && isOpen(study))) {
    return { role, refusal: 'one-at-a-time' };
  }
  const study: Study = {
    id: correlationId,
    requester,
    role,
    cohort,
    types,
    k: k ?? config.research.k,
    secret: mint(),
    startedAt: clock.now(),
    phase: 'cohort',
    at: 0,
    parts: [],
    counts: NO_COUNTS,
    restarts: 0,
  };
  const [saved] = studiesIn(config.systems, [await source.ensure(studyBasic(config.systems, study, 0))]);
  return { role, answer: saved ? answerOf(deps, await goOn(deps, saved, PATIENCE_MS)) : progressOf(study) };
}

async function file(deps: ResearchDeps, study: Study, index: number, role: Role): Promise<Outcome> {
  const part = study.parts[index];
  if (study.phase !== 'done' || isOver(deps, study)) {
    return { role, refusal: isOver(deps, study) ? 'expired' : 'not-complete' };
  }
  if (!part) {
    return { role, refusal: 'unknown-file' };
  }
  const data = Buffer.from(await open(deps, study, index), 'utf8').toString('base64');
  const binary: Binary = { resourceType: 'Binary', contentType: 'application/fhir+ndjson', data };
  return { role, count: part.count, answer: binary };
}

/**
 * Each few minutes: goes on with what is open and nobody works on, and ends what is over.
 *
 * @param deps - The run.
 * @returns How many are open, and how many were ended.
 * @throws Fault `source-*` or `replica-*`. The next tick goes on.
 */
export async function tickResearch(deps: ResearchDeps): Promise<{ readonly open: number; readonly expired: number }> {
  const { source, config, clock, deadlineAt } = deps;
  const page = await source.search(studiesSearch(config.systems));
  const all = studiesIn(
    config.systems,
    (page.entry ?? []).flatMap(({ resource }) => resource ?? [])
  );
  let [left, expired] = [0, 0];
  for (const saved of all) {
    if (isOver(deps, saved.study)) {
      await end(deps, saved, 'expired', 'expired');
      expired++;
    } else if (isOpen(saved.study) && clock.now() < deadlineAt) {
      left += isOpen(await goOn(deps, saved, deadlineAt - clock.now())) ? 1 : 0;
    }
  }
  return { open: left, expired };
}

const isOver = ({ clock, config }: ResearchDeps, { phase, completedAt = 0 }: Study): boolean =>
  phase === 'expired' || (phase === 'done' && clock.now() >= completedAt + config.research.filesMs);

/** The lease is taken with `If-Match`: of two runs of the bot one gets it. Whose role has ended has no export. */
async function goOn(deps: ResearchDeps, saved: SavedStudy, ms: number): Promise<Study> {
  const { source, config, clock, deadlineAt } = deps;
  if (!isOpen(saved.study) || saved.leasedUntil > clock.now()) {
    return saved.study;
  }
  const leasedUntil = clock.now() + LEASE_MS;
  const basic = (study: Study, until: number): ReturnType<typeof studyBasic> =>
    studyBasic(config.systems, study, until);
  if (!(await source.replace({ ...basic(saved.study, leasedUntil), id: saved.id }, saved.versionId))) {
    return saved.study;
  }
  let last = saved.study;
  const save = async (study: Study): Promise<void> => {
    await source.save(basic(study, isOpen(study) ? leasedUntil : 0));
    last = study;
  };
  try {
    const standing = await standingOf(deps, last.requester);
    const until = Math.min(deadlineAt, clock.now() + ms);
    const reached = roleOf(deps, standing)
      ? await advance(deps, standing, last, until, save)
      : await moved(deps, last, ended(last, 'no-role'), save);
    deps.log('info', 'research-answered', { action: reached.phase, fetched: reached.at, pages: reached.parts.length });
    return reached;
  } finally {
    // The next run need not wait for the lease to end. If this fails as well, it does.
    if (isOpen(last)) {
      await source.save(basic(last, 0)).catch(() => undefined);
    }
  }
}

async function end(
  deps: ResearchDeps,
  saved: SavedStudy,
  reason: string,
  phase: 'cancelled' | 'expired'
): Promise<Study> {
  const { source, config } = deps;
  if (saved.study.phase === phase) {
    return saved.study;
  }
  return moved(deps, saved.study, ended(saved.study, reason, phase), async (study) => {
    if (!(await source.replace({ ...studyBasic(config.systems, study, 0), id: saved.id }, saved.versionId))) {
      throw new Fault('contention');
    }
  });
}

async function standingOf({ source }: ResearchDeps, requester: string): Promise<Standing> {
  const searches = rolesSearch(requester);
  const [roles = []] = searches.length > 0 ? await readAll(source, searches) : [];
  return { requester, roles: roles as PractitionerRole[] };
}

function roleOf({ config, clock }: ResearchDeps, { requester, roles }: Standing): Role | undefined {
  const at = new Date(clock.now()).toISOString();
  return mayResearch(requesterOf({ roles, encounters: [] }, config, { requester, at }), {
    roleSystem: config.systems.role,
    at,
  });
}

function answerOf({ endpoint, config }: ResearchDeps, study: Study): object {
  return study.phase === 'done'
    ? manifestOf(study, { endpoint, systems: config.systems, filesMs: config.research.filesMs })
    : progressOf(study);
}

async function record(deps: ResearchDeps, action: string, outcome: Outcome, hasFailed = false): Promise<void> {
  const { source, config, clock, correlationId, bot, requester, log } = deps;
  const now = clock.now();
  await source.record(
    exportEventOf(
      {
        kind: action === 'file' ? 'research-file' : 'research',
        correlationId,
        bot,
        requester,
        role: outcome.role,
        purpose: RESEARCH,
        startedAt: now,
        at: now,
        refusal: outcome.refusal,
        hasFailed,
        patientId: undefined,
        token: undefined,
        resourceCount: outcome.count ?? 0,
        details: { action },
        consents: [],
      },
      config.systems
    )
  );
  log(outcome.refusal ? 'warn' : 'info', 'research-answered', {
    action,
    ...(outcome.refusal && { reason: outcome.refusal }),
    put: outcome.count ?? 0,
  });
}
