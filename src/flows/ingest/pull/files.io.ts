/** Reads the files of an export, slice by slice: while one is taken, the next is fetched. What is done is saved with the place where it ends. */
import type { Slice, Wanted } from '../../../ports.ts';
import { Fault } from '../../../observability/fault.ts';
import { markDeleted } from './deleted.io.ts';
import { deletedIn, errorsIn } from './deleted.ts';
import type { Deleted } from './deleted.ts';
import type { PullDeps } from './deps.ts';
import { giveBack, keep, kept, renewed, restarted } from './export.io.ts';
import { split } from './lines.ts';
import type { Line, Split } from './lines.ts';
import { isSameExport } from './manifest.ts';
import type { FileRow, Manifest } from './manifest.ts';
import { takeLines } from './records.io.ts';
import { counted } from './state.ts';
import type { PullState } from './state.ts';

/** Bytes of one request, at least. */
const SLICE = 1_000_000;
/** Of one request to the flow of `ingest`: five transactions. */
const TOGETHER = { lines: 100, bytes: 400_000 };
/** How often links are renewed before a line comes. */
const MOST_RENEWALS = 2;
const MOST_REFUSED = 100;
/** How often a file that ends before it should is asked for the rest of it. */
const MOST_EARLY_ENDS = 3;

type Save = (state: PullState) => Promise<void>;

/** Reads the files of one export within one run of the bot. */
export class FileReader {
  readonly #deps: PullDeps;
  #manifest: Manifest | undefined;
  #ahead: { readonly wanted: Wanted; readonly slice: Promise<Slice> } | undefined;

  /** @param deps - The run. */
  constructor(deps: PullDeps) {
    this.#deps = deps;
  }

  /**
   * Reads a slice and takes its lines, or closes the export after the last.
   *
   * @param state - The pull, in phase `files`.
   * @param save - Called after each lot of lines.
   * @returns How far it is; the same as before when the time was over.
   * @throws Fault `partner-*`, `source-*`, `contention`. What was saved is not lost.
   */
  async step(state: PullState, save: Save): Promise<PullState> {
    const deps = this.#deps;
    this.#manifest ??= await kept(deps, state);
    const manifest = this.#manifest;
    if (!manifest) {
      return restarted(state);
    }
    const file = manifest.files[state.file];
    if (!file) {
      return this.#close(state);
    }
    const slice = await this.#fetch(this.#wanted(file, manifest, state));
    switch (slice.kind) {
      case 'expired':
        return this.#renew(state, manifest);
      case 'changed':
        return this.#again(state);
      case 'bytes':
        return this.#take(state, file, manifest, slice, save);
    }
  }

  #wanted({ url }: FileRow, { needsToken }: Manifest, { offset, etag }: PullState): Wanted {
    const length = Math.max(SLICE, this.#deps.config.ingest.bounds.bytes + 1);
    return { url, needsToken, offset, length, etag };
  }

  async #fetch(wanted: Wanted): Promise<Slice> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const isIt = ahead?.wanted.url === wanted.url && ahead.wanted.offset === wanted.offset;
    return isIt ? ahead.slice : this.#deps.fhir.slice(wanted);
  }

  #fetchAhead(manifest: Manifest, state: PullState): void {
    const file = manifest.files[state.file];
    if (file && this.#deps.clock.now() < this.#deps.deadlineAt) {
      const wanted = this.#wanted(file, manifest, state);
      const slice = this.#deps.fhir.slice(wanted);
      // If nobody comes for it, its failure is nobody's.
      slice.catch(() => undefined);
      this.#ahead = { wanted, slice };
    }
  }

  async #take(
    from: PullState,
    file: FileRow,
    manifest: Manifest,
    { bytes, isEnd: hasEnded, etag }: Extract<Slice, { readonly kind: 'bytes' }>,
    save: Save
  ): Promise<PullState> {
    const most = this.#deps.config.ingest.bounds.bytes - 1000;
    const { isSkipping } = from;
    const whole = split(bytes, { isEnd: hasEnded, isSkipping, most });
    const isEarly = hasEnded && from.failures < MOST_EARLY_ENDS && endsEarly(whole.lines, file, from.line);
    const isEnd = hasEnded && !isEarly;
    const parts = isEarly ? split(bytes, { isEnd, isSkipping, most }) : whole;
    if (parts.used === 0 && !isEnd) {
      throw new Fault('partner-unavailable', ['a line did not come whole']);
    }
    const kept = etag ?? from.etag;
    let state: PullState = { ...from, renewals: 0, failures: 0, ...(kept !== undefined && { etag: kept }) };
    const after = settled(state, file, parts, isEnd);
    this.#fetchAhead(manifest, after);
    for (const lot of lotsOf(parts.lines)) {
      if (this.#deps.clock.now() >= this.#deps.deadlineAt) {
        return state;
      }
      const taken = await this.#takeLot(state, file, lot.lines);
      if (!taken) {
        return state;
      }
      state = { ...taken, offset: from.offset + lot.end, line: state.line + lot.lines.length, isSkipping: false };
      await save(state);
    }
    return settled({ ...state, offset: from.offset, line: from.line }, file, parts, isEnd);
  }

  /** Undefined when not all were come to. */
  async #takeLot(state: PullState, { role, type }: FileRow, lines: readonly Line[]): Promise<PullState | undefined> {
    if (role === 'error') {
      const issues = lines.flatMap(({ text }) => (text === '' ? [] : errorsIn(text ?? '')));
      return { ...state, errors: counted(state.errors, issues) };
    }
    if (role === 'deleted') {
      const read = lines.flatMap(({ text }) => (text === '' ? [] : [deletedIn(text ?? '')]));
      const list = read.flatMap((each): readonly Deleted[] => each ?? []);
      const unread = read.flatMap((each) => (each ? [] : ['unreadable']));
      return { ...state, deleted: counted(state.deleted, [...unread, ...(await markDeleted(this.#deps, list))]) };
    }
    const taken = await takeLines(this.#deps, type, lines, state.line + 1);
    return (
      taken && {
        ...state,
        counts: { ...state.counts, [type]: counted(state.counts[type] ?? {}, taken.counts) },
        refused: [...state.refused, ...taken.refused].slice(0, MOST_REFUSED),
      }
    );
  }

  async #renew(state: PullState, manifest: Manifest): Promise<PullState> {
    const fresh = state.renewals < MOST_RENEWALS ? await renewed(this.#deps, state) : undefined;
    this.#manifest = undefined;
    this.#ahead = undefined;
    if (!fresh || !isSameExport(fresh, manifest)) {
      return restarted(state);
    }
    return { ...state, renewals: state.renewals + 1, manifest: await keep(this.#deps, fresh) };
  }

  /** From its begin: what was taken is taken once. A file that never stays the same is none. */
  #again(state: PullState): PullState {
    if (state.renewals >= MOST_RENEWALS) {
      return restarted(state);
    }
    const { etag: _etag, ...rest } = state;
    return { ...rest, offset: 0, line: 0, isSkipping: false, renewals: state.renewals + 1 };
  }

  async #close(state: PullState): Promise<PullState> {
    await giveBack(this.#deps, state);
    const { scope, startedAt, transactionTime = '' } = state;
    const { manifest: _manifest, status: _status, etag: _etag, ...rest } = state;
    const last = { ...scope, startedAt, transactionTime };
    return { ...rest, phase: 'done', endedAt: this.#deps.clock.now(), last };
  }
}

/** A proxy that gives up ends a body as if it were whole: then lines are missing, or the last is torn. */
function endsEarly(lines: readonly Line[], { count }: FileRow, before: number): boolean {
  return count === undefined ? !isJson(lines.at(-1)?.text) : before + lines.length < count;
}

function isJson(text: string | undefined): boolean {
  try {
    return text === undefined || text === '' || JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

/** Where the slice ends: within the file, or at the begin of the next. */
function settled(state: PullState, file: FileRow, { lines, used, isSkipping }: Split, isEnd: boolean): PullState {
  const bytes = state.bytes + used;
  const line = state.line + lines.length;
  if (!isEnd) {
    return { ...state, offset: state.offset + used, line, isSkipping, bytes };
  }
  const { etag: _etag, ...rest } = state;
  const isShort = file.count !== undefined && file.count !== line;
  const short = isShort ? { short: counted(state.short, [file.type]) } : {};
  return { ...rest, ...short, file: state.file + 1, offset: 0, line: 0, isSkipping: false, bytes };
}

function lotsOf(lines: readonly Line[]): { readonly lines: readonly Line[]; readonly end: number }[] {
  const lots: { lines: Line[]; end: number; bytes: number }[] = [];
  for (const line of lines) {
    const last = lots.at(-1);
    const bytes = line.text?.length ?? 0;
    if (last && last.lines.length < TOGETHER.lines && last.bytes + bytes <= TOGETHER.bytes) {
      last.lines.push(line);
      last.end = line.end;
      last.bytes += bytes;
    } else {
      lots.push({ lines: [line], end: line.end, bytes });
    }
  }
  return lots;
}
