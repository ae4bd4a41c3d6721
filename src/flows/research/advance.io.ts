/** Takes an export on, a few patients at a time, from wherever it is: all that is known of it is in its state and its lists. */
import type { Inspected, Vault } from '../../ports.ts';
import { exportEventOf } from '../../observability/export-trail.ts';
import { Fault } from '../../observability/fault.ts';
import { RESEARCH } from '../../rules/access/research.ts';
import { suppress } from '../../rules/research/anonymity.ts';
import { studied } from '../../rules/research/study.ts';
import type { Deps } from '../deps.ts';
import { encodeQuery } from './cohort.ts';
import { ask, copiesFor } from './gather.io.ts';
import type { Standing } from './gather.io.ts';
import { renameBy } from './names.ts';
import { isOpen } from './state.ts';
import type { Member, Part, Study } from './state.ts';

export interface ResearchDeps extends Deps {
  /** Who asks, as the platform says; undefined for the clock. */
  readonly requester: string | undefined;
  /** Where this bot is called, for the links in the manifest. */
  readonly endpoint: string;
  readonly vaultOf: (secret: string) => Vault;
}

/** Patients of whom only the Patient and the Consents are read, and those of whom everything is. */
const MANY = 50;
const FEW = 10;
/** Characters of a file: it is sealed in memory, and handed out as one answer. */
const FILE = 4_000_000;
/** Consents in one event: Medplum takes a megabyte. */
const CONSENTS = 500;
/** Somebody who changes their mind once a run would keep it from ending. */
const MAX_RESTARTS = 3;
const NDJSON = 'application/fhir+ndjson';

/**
 * Goes on until the export is done or the time is over.
 *
 * @param deps - The run.
 * @param standing - Whose export it is, with the roles of now.
 * @param from - How far it is.
 * @param until - Milliseconds since the epoch.
 * @param save - Called whenever something is done that is not to be done again.
 * @returns How far it is now.
 * @throws Fault `source-*` or `replica-*`. What was saved stays.
 */
export async function advance(
  deps: ResearchDeps,
  standing: Standing,
  from: Study,
  until: number,
  save: (study: Study) => Promise<void>
): Promise<Study> {
  let study = from;
  while (isOpen(study) && deps.clock.now() < until) {
    study = await moved(deps, study, await step(deps, standing, study, until), save);
  }
  return study;
}

/**
 * Saves a state, and removes the Binaries that only the one before refers to: a run that dies between leaves a Binary too many, never one too few.
 *
 * @param deps - The run.
 * @param before - The state until now.
 * @param after - The new one.
 * @param save - Saves it.
 * @returns The new state.
 */
export async function moved(
  { source }: Pick<ResearchDeps, 'source'>,
  before: Study,
  after: Study,
  save: (study: Study) => Promise<void>
): Promise<Study> {
  await save(after);
  const kept = new Set(binariesOf(after));
  for (const binary of binariesOf(before)) {
    if (!kept.has(binary)) {
      await source.discard(binary);
    }
  }
  return after;
}

function binariesOf({ found, shown, parts }: Study): string[] {
  return [...[found, shown].flatMap((one) => one ?? []), ...parts.map(({ binary }) => binary)];
}

async function step(deps: ResearchDeps, standing: Standing, study: Study, until: number): Promise<Study> {
  switch (study.phase) {
    case 'cohort':
      return find(deps, study);
    case 'judge':
      return judge(deps, standing, study, until);
    case 'fetch':
      return fetchSome(deps, standing, study, until);
    case 'check':
      return check(deps, standing, study, until);
    default:
      return study;
  }
}

/** One page of the search that makes the cohort. */
async function find(deps: ResearchDeps, study: Study): Promise<Study> {
  const { type, query } = study.cohort;
  const first = `${type}?${encodeQuery([...query, ['_sort', '_lastUpdated'], ['_count', '1000']])}`;
  const { copies, next } = await deps.replica.page(study.cursor ?? first);
  const members = new Map((await load(deps, study, 'found')).map((one) => [one.id, one]));
  copies.forEach((copy) => {
    const id = patientOf(copy);
    if (id !== undefined) {
      members.set(id, { id, token: '' });
    }
  });
  if (members.size > deps.config.research.maxPatients) {
    return ended(study, 'cohort-too-large');
  }
  const found = await keep(deps, study, 'found', [...members.values()]);
  const counts = { ...study.counts, found: members.size };
  return { ...study, found, counts, cursor: next, at: 0, phase: next === undefined ? 'judge' : 'cohort' };
}

function patientOf({ resourceType, id, references }: Inspected): string | undefined {
  return resourceType === 'Patient' ? id : references.find((one) => one.startsWith('Patient/'))?.split('/')[1];
}

/** Who may be shown at all, and with whom they share what is shown of them. */
async function judge(deps: ResearchDeps, standing: Standing, study: Study, until: number): Promise<Study> {
  const all = await load(deps, study, 'found');
  const consenting = [...(study.at === 0 ? [] : await load(deps, study, 'shown'))];
  let { at } = study;
  while (at < all.length && deps.clock.now() < until) {
    const asked = await ask(deps, standing, all.slice(at, at + MANY));
    consenting.push(...asked.map(({ member }) => member));
    at += MANY;
  }
  if (at < all.length) {
    return { ...study, at, shown: await keep(deps, study, 'shown', consenting) };
  }
  const cells = new Map(
    [...Map.groupBy(consenting, ({ cell = '' }) => cell)].map(([cell, { length }]) => [cell, length])
  );
  const { suppressed, ...rest } = suppress(cells, study.k);
  const shown = consenting.filter(({ cell = '' }) => !suppressed.has(cell));
  return {
    ...study,
    phase: 'fetch',
    at: 0,
    shown: await keep(deps, study, 'shown', shown),
    counts: { ...study.counts, consenting: consenting.length, ...rest },
  };
}

/** What of those who are shown may be shown: files, sealed, with the names of this export. */
async function fetchSome(deps: ResearchDeps, standing: Standing, study: Study, until: number): Promise<Study> {
  const shown = await load(deps, study, 'shown');
  const rename = renameBy(study.secret);
  const lines = new Map<string, string[]>();
  const consents = new Set<string>();
  let { at } = study;
  let size = 0;
  while (at < shown.length && size < FILE && deps.clock.now() < until) {
    const some = shown.slice(at, at + FEW);
    const asked = await ask(deps, standing, some);
    if (
      !areSame(
        some,
        asked.map(({ member }) => member)
      )
    ) {
      return restart(study);
    }
    const { copies, decisions } = await copiesFor(deps, asked, study.types);
    for (const copy of copies) {
      const line = JSON.stringify(studied(copy.content, rename));
      size += line.length;
      lines.set(copy.resourceType, [...(lines.get(copy.resourceType) ?? []), line]);
    }
    decisions.forEach(({ consent }) => consent && consents.add(`Consent/${consent.id}/_history/${consent.versionId}`));
    at += FEW;
  }
  const parts: Part[] = [...study.parts];
  for (const type of study.types) {
    const own = lines.get(type) ?? [];
    if (own.length > 0) {
      const binary = await seal(deps, study, fileName(parts.length), `${own.join('\n')}\n`);
      parts.push({ type, binary, count: own.length });
    }
  }
  await tell(deps, study, {
    consents: [...consents],
    count: parts.slice(study.parts.length).reduce((sum, one) => sum + one.count, 0),
  });
  return { ...study, parts, at, phase: at < shown.length ? 'fetch' : 'check', ...(at >= shown.length && { at: 0 }) };
}

/** A cell from which somebody has gone since may be too small now: then nothing of what was made is shown. */
async function check(deps: ResearchDeps, standing: Standing, study: Study, until: number): Promise<Study> {
  const shown = await load(deps, study, 'shown');
  let { at } = study;
  while (at < shown.length && deps.clock.now() < until) {
    const some = shown.slice(at, at + MANY);
    const asked = await ask(deps, standing, some);
    if (
      !areSame(
        some,
        asked.map(({ member }) => member)
      )
    ) {
      return restart(study);
    }
    at += MANY;
  }
  if (at < shown.length) {
    return { ...study, at };
  }
  const { found: _found, shown: _shown, cursor: _cursor, ...rest } = study;
  return { ...rest, at: 0, phase: 'done', completedAt: deps.clock.now() };
}

function areSame(before: readonly Member[], now: readonly Member[]): boolean {
  const cells = new Map(now.map(({ id, cell }) => [id, cell]));
  return before.every(({ id, cell }) => cells.get(id) === cell);
}

function restart(study: Study): Study {
  if (study.restarts >= MAX_RESTARTS) {
    return ended(study, 'contention');
  }
  return { ...study, phase: 'judge', at: 0, parts: [], restarts: study.restarts + 1 };
}

/**
 * An export that has ended before its time, or whose time is over.
 *
 * @param study - The export.
 * @param reason - A code.
 * @param phase - How it ended.
 * @returns What is left of it: neither lists, nor files, nor the key that they were sealed under.
 */
export function ended(study: Study, reason: string, phase: 'failed' | 'cancelled' | 'expired' = 'failed'): Study {
  const { found: _found, shown: _shown, cursor: _cursor, ...rest } = study;
  return { ...rest, phase, reason, secret: '', parts: [], at: 0 };
}

/**
 * Reads a file.
 *
 * @param deps - The run.
 * @param study - A complete export.
 * @param index - Which file.
 * @returns NDJSON.
 * @throws Fault `research-refused` when it is gone or was changed.
 */
export async function open(deps: ResearchDeps, study: Study, index: number): Promise<string> {
  const text = await unseal(deps, study, fileName(index), study.parts[index]?.binary);
  if (text === undefined) {
    throw new Fault('research-refused', ['file-gone']);
  }
  return text;
}

const fileName = (index: number): string => `file-${index}`;

/** What a run hands on to the files is in the trail before anybody can have it. */
async function tell(
  deps: ResearchDeps,
  study: Study,
  { consents, count }: { readonly consents: readonly string[]; readonly count: number }
): Promise<void> {
  const now = deps.clock.now();
  for (let from = 0; from < consents.length; from += CONSENTS) {
    await deps.source.record(
      exportEventOf(
        {
          kind: 'research',
          correlationId: study.id,
          bot: deps.bot,
          requester: study.requester,
          role: study.role,
          purpose: RESEARCH,
          startedAt: study.startedAt,
          at: now,
          refusal: undefined,
          patientId: undefined,
          token: undefined,
          resourceCount: from === 0 ? count : 0,
          details: { k: String(study.k), type: study.cohort.type },
          consents: consents.slice(from, from + CONSENTS),
        },
        deps.config.systems
      )
    );
  }
}

async function load(deps: ResearchDeps, study: Study, name: 'found' | 'shown'): Promise<readonly Member[]> {
  const binary = study[name];
  if (binary === undefined) {
    return [];
  }
  const text = await unseal(deps, study, name, binary);
  if (text === undefined) {
    throw new Fault('source-incomplete', ['a list of this export is gone']);
  }
  return JSON.parse(text) as Member[];
}

async function keep(
  deps: ResearchDeps,
  study: Study,
  name: 'found' | 'shown',
  members: readonly Member[]
): Promise<string> {
  return seal(deps, study, name, JSON.stringify(members));
}

async function seal({ source, vaultOf }: ResearchDeps, study: Study, name: string, text: string): Promise<string> {
  const sealed = vaultOf(study.secret).seal(text, { token: study.id, version: name });
  return source.store(sealed, name.startsWith('file') ? NDJSON : 'application/jose', study.requester);
}

async function unseal(
  { source, vaultOf }: ResearchDeps,
  study: Study,
  name: string,
  binary: string | undefined
): Promise<string | undefined> {
  const sealed = binary === undefined ? undefined : await source.load(binary);
  return sealed === undefined ? undefined : vaultOf(study.secret).open(sealed, { token: study.id, version: name });
}
