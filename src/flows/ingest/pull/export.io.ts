/** The partner's export: kicked off, asked about until it is complete, its links renewed, and given back when it is not needed any more. */
import { Fault } from '../../../observability/fault.ts';
import type { PartnerAnswer } from '../../../ports.ts';
import type { PullDeps } from './deps.ts';
import { kickOffUrl, pollWait } from './exports.ts';
import { readManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { UNREAD } from './state.ts';
import type { PullState } from './state.ts';

/** A crashed export is never marked as failed on some servers (`platform.md` §10.1). */
const OLDEST_MS = 3 * 86_400_000;
const GONE = [404, 410];

/** A fault that says how long to wait. */
export class PauseFault extends Fault {
  readonly waitMs: number | undefined;

  /**
   * @param status - The HTTP status.
   * @param waitMs - What the partner asks to wait, in milliseconds.
   */
  constructor(status: number, waitMs: number | undefined) {
    super('partner-unavailable', [`status ${status}`]);
    this.waitMs = waitMs;
  }
}

/**
 * Asks the partner to prepare an export.
 *
 * @param deps - The run.
 * @param state - The pull, in phase `start`.
 * @returns It, in phase `wait`.
 * @throws Fault `partner-*`.
 */
export async function kickOff(deps: PullDeps, state: PullState): Promise<PullState> {
  const url = kickOffUrl(state.scope, deps.partner.typeFilter);
  const answer = await deps.fhir.ask('GET', url, { headers: { Prefer: 'respond-async' } });
  if (answer.status !== 202 || answer.location === undefined) {
    throw faultOf(answer);
  }
  const status = new URL(answer.location, deps.partner.fhirUrl);
  if (status.origin !== new URL(deps.partner.fhirUrl).origin) {
    throw new Fault('partner-rejected', ['the status of the export is on another host']);
  }
  const now = deps.clock.now();
  return { ...state, phase: 'wait', status: deps.sealing.seal(status.href), nextAt: now + pollWait(answer.waitMs, 0) };
}

/**
 * Asks whether the export is complete.
 *
 * @param deps - The run.
 * @param state - The pull, in phase `wait`.
 * @returns It, in phase `files` when it is; in phase `start` when the partner does not know of it any more.
 * @throws Fault `partner-*`; `partner-rejected` for an export that has failed, or that does not end.
 */
export async function poll(deps: PullDeps, state: PullState): Promise<PullState> {
  const now = deps.clock.now();
  const place = placeOf(deps, state);
  if (place === undefined) {
    return restarted(state);
  }
  if (now - state.startedAt > OLDEST_MS) {
    throw new Fault('partner-rejected', ['the export was not complete after three days']);
  }
  const answer = await ask(deps, place);
  if (answer.status === 202) {
    const { percent = state.percent } = answer;
    const wait = pollWait(answer.waitMs, now - state.startedAt);
    return { ...state, nextAt: now + wait, ...(percent !== undefined && { percent }) };
  }
  if (GONE.includes(answer.status)) {
    return restarted(state);
  }
  if (answer.status !== 200) {
    throw faultOf(answer);
  }
  const manifest = manifestIn(deps, state, answer);
  const { transactionTime } = manifest;
  const files = manifest.files.length;
  return { ...state, phase: 'files', percent: 100, transactionTime, files, manifest: await keep(deps, manifest) };
}

/**
 * Fetches new links for the files of the same export.
 *
 * @param deps - The run.
 * @param state - The pull, in phase `files`.
 * @returns The manifest with them; undefined when there are none to be had.
 * @throws Fault `partner-*`.
 */
export async function renewed(deps: PullDeps, state: PullState): Promise<Manifest | undefined> {
  const place = placeOf(deps, state);
  const answer = place === undefined ? undefined : await ask(deps, place);
  if (answer === undefined || GONE.includes(answer.status)) {
    return undefined;
  }
  if (answer.status !== 200) {
    throw faultOf(answer);
  }
  return manifestIn(deps, state, answer);
}

/**
 * Begins the export anew: counts would tell of lines twice.
 *
 * @param state - The pull.
 * @returns It, in phase `start`.
 * @throws Fault `partner-rejected` when that was done too often.
 */
export function restarted(state: PullState): PullState {
  if (state.restarts >= 3) {
    throw new Fault('partner-rejected', ['the export was gone before it was read, four times']);
  }
  const { percent: _percent, status: _status, manifest: _manifest, etag: _etag, ...rest } = state;
  return {
    ...rest,
    phase: 'start',
    restarts: state.restarts + 1,
    ...UNREAD,
  };
}

/**
 * Tells the partner that the export is not needed any more ("Bulk Data Delete Request").
 *
 * @param deps - The run.
 * @param state - The pull.
 * @returns Whether it agreed. A server need not know DELETE, and then keeps its files as long as it says.
 */
export async function giveBack(deps: PullDeps, state: PullState): Promise<boolean> {
  const place = placeOf(deps, state);
  try {
    const answer = place === undefined ? undefined : await deps.fhir.ask('DELETE', place);
    return answer !== undefined && (answer.status === 202 || GONE.includes(answer.status));
  } catch {
    // Whatever stands in the way: nothing of ours hangs on it.
    return false;
  }
}

/**
 * @param deps - The run.
 * @param manifest - What is to be read.
 * @returns `Binary/id`, where it lies sealed.
 */
export async function keep({ source, sealing, bot }: PullDeps, manifest: Manifest): Promise<string> {
  return source.store(sealing.seal(JSON.stringify(manifest)), 'application/jose', bot);
}

/**
 * @param deps - The run.
 * @param state - The pull, in phase `files`.
 * @returns What is to be read; undefined when it cannot be found or opened any more.
 */
export async function kept({ source, sealing }: PullDeps, { manifest }: PullState): Promise<Manifest | undefined> {
  const sealed = manifest === undefined ? undefined : await source.load(manifest);
  const text = sealed === undefined ? undefined : sealing.open(sealed);
  return text === undefined ? undefined : (JSON.parse(text) as Manifest);
}

async function ask(deps: PullDeps, place: string): Promise<PartnerAnswer> {
  return deps.fhir.ask('GET', place, { headers: { Accept: 'application/json' } });
}

function placeOf({ sealing }: PullDeps, { status }: PullState): string | undefined {
  return status === undefined ? undefined : sealing.open(status);
}

function manifestIn({ config }: PullDeps, { scope }: PullState, { body }: PartnerAnswer): Manifest {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    throw new Fault('partner-unavailable', ['the manifest did not come whole']);
  }
  const manifest = readManifest(content, scope.types);
  if ('problem' in manifest) {
    throw new Fault('partner-rejected', [manifest.problem]);
  }
  if (config.production && manifest.files.some(({ url }) => !url.startsWith('https:'))) {
    throw new Fault('partner-rejected', ['a file that does not come by https']);
  }
  return manifest;
}

/** What is not what was asked for: to be asked again, or to be given up. */
function faultOf({ status, waitMs }: PartnerAnswer): Fault {
  if (status === 429 || status === 408 || status >= 500) {
    return new PauseFault(status, waitMs);
  }
  return new Fault(status === 401 || status === 403 ? 'partner-unauthorised' : 'partner-rejected', [
    `status ${status}`,
  ]);
}
