/** Codes of ours in words for somebody who sees them for the first time. Pure. */
import { FAULTS } from '../../src/observability/fault.ts';
import { DENY_REASONS, SILENCE_REASONS } from '../../src/rules/consent/decision.ts';
import { DEID_REASONS } from '../../src/rules/deid/reasons.ts';

/** Classes of data, as a patient would call them. */
export const CLASSES: Readonly<Record<string, string>> = {
  DEMOGRAPHICS: 'Person',
  ENCOUNTERS: 'Visits',
  VITAL_SIGNS: 'Vital signs',
  LAB_RESULTS: 'Lab results',
  MEDICATIONS: 'Medications',
  CONDITIONS: 'Diagnoses',
  ALLERGIES: 'Allergies',
  PROCEDURES: 'Procedures',
  IMMUNIZATIONS: 'Immunizations',
  CLINICAL_NOTES: 'Notes and documents',
  CARE_PLANS: 'Care plans and orders',
};

/** What each bot is there for. */
export const BOTS: Readonly<Record<string, string>> = {
  'sync-change': 'A record changed',
  'consent-changed': 'A consent changed',
  sweep: 'Sweep: looked for changes that were missed',
  'retry-jobs': 'Queue: did what was due',
  reconcile: 'Comparison: looked at everything on both sides',
  'mirror-audit': 'Audit mirror: took over what the replica recorded',
  'retain-audit': 'Retention: moved old days of the trail',
};

const REASONS: Readonly<Record<string, string>> = {
  'consent-no-consents': 'No consent.',
  'consent-status': 'The consent has ended.',
  'consent-class': 'The consent does not cover this kind of data.',
  'consent-period': 'The consent is not in force at this time.',
  'consent-root-deny': 'A consent forbids it.',
  'consent-nested-exception': 'A consent forbids this part.',
  'consent-genetics': 'Genetic data never leave.',
  'consent-unclassified': 'It belongs to no known kind of data, so no consent can cover it.',
  'consent-run-first': 'The new consent is being carried out.',
  'marked-no-sync': 'It is marked as not to be shared.',
  'patient-merged': 'The patient was merged into another.',
  'patient-deleted': 'The patient is gone.',
  'encounter-unfinished': 'It waits until the visit is finished.',
  'other-patient': 'It is about somebody else.',
  deleted: 'The record is gone.',
};

/** A consent of these is there, and says something else. */
const CONSENT_REASONS: readonly string[] = [...DENY_REASONS, ...SILENCE_REASONS];

/**
 * @param reason - Why a record has no copy.
 * @returns A sentence.
 */
export function whyOf(reason: string): string {
  const known = REASONS[reason];
  if (known !== undefined) {
    return known;
  }
  if (CONSENT_REASONS.includes(reason.replace(/^consent-/, ''))) {
    return 'No consent covers it.';
  }
  if (DEID_REASONS.some((one) => one === reason)) {
    return 'It could not be de-identified safely, so it stays.';
  }
  return Object.hasOwn(FAULTS, reason) ? FAULTS[reason as keyof typeof FAULTS].message : 'It stays for now.';
}

const COUNTS: readonly (readonly [name: string, text: (count: number) => string])[] = [
  ['put', (count) => `${count} sent`],
  ['withdrawn', (count) => `${count} taken back`],
  ['unchanged', (count) => `${count} already right`],
  ['skipped', (count) => `${count} stayed here`],
  ['quarantined', (count) => `${count} held back`],
  ['queued', (count) => (count === 1 ? 'not delivered, so it waits in the queue' : `${count} wait in the queue`)],
  ['failed', (count) => `${count} failed`],
  ['mirrored', (count) => `${count} events`],
];

/**
 * What a run of a bot did.
 *
 * @param bot - Its name.
 * @param answer - What it returned.
 * @returns A sentence.
 */
export function runText(bot: string, answer: unknown): string {
  const counts = (answer ?? {}) as Readonly<Record<string, unknown>>;
  const done = COUNTS.flatMap(([name, text]) => {
    const count = counts[name];
    return typeof count === 'number' && count > 0 ? [text(count)] : [];
  });
  const reasons = Object.keys(counts['reasons'] ?? {}).map((reason) => whyOf(reason).replace(/\.$/, '').toLowerCase());
  const why = reasons.length > 0 ? ` (${[...new Set(reasons)].join('; ')})` : '';
  return `${BOTS[bot] ?? bot}: ${done.length > 0 ? done.join(', ') : 'nothing to do'}${why}.`;
}

/** What a request to the replica was for, by what the server took it for. */
const REQUESTS: Readonly<Record<string, string>> = {
  token: 'Signed in',
  'search-type': 'Looked for copies by token',
  read: 'Read a copy',
  update: 'Sent one copy',
  create: 'Sent one copy',
  delete: 'Took one copy back',
  capabilities: 'Asked whether it is there',
};

const copies = (count: number): string => (count === 1 ? 'one copy' : `${count} copies`);

/**
 * @param interaction - What the server took the request for.
 * @param method - Its method.
 * @param body - Its body, when that is JSON.
 * @returns A sentence without its full stop.
 */
export function requestText(interaction: string, method: string, body: unknown): string {
  const entries = (body as { entry?: readonly { request?: { method?: string } }[] } | undefined)?.entry;
  if (!entries) {
    return REQUESTS[interaction] ?? (method === 'DELETE' ? 'Took one copy back' : method === 'GET' ? 'Asked' : 'Sent');
  }
  const count = (...methods: readonly string[]): number =>
    entries.filter(({ request }) => methods.includes(request?.method ?? '')).length;
  const [sent, removed, read] = [count('POST', 'PUT'), count('DELETE'), count('GET')];
  return [
    ...(sent > 0 ? [`Sent ${copies(sent)}`] : []),
    ...(removed > 0 ? [`Took ${copies(removed)} back`] : []),
    ...(read > 0 ? ['Looked what is there'] : []),
  ].join(', ');
}

/**
 * @param status - What was answered; undefined when the connection broke.
 * @returns What that means.
 */
export function statusText(status: number | undefined): string {
  if (status === undefined) {
    return 'no answer';
  }
  if (status === 429) {
    return 'refused as too much (429)';
  }
  return status < 400 ? 'done' : status === 404 || status === 410 ? 'not there' : `refused (${status})`;
}
