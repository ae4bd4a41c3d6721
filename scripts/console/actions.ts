/** What a person can do in the console, done to the sandbox. */
import type { WithId } from '@medplum/core';
import type { Consent, Observation } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { GRANTABLE, grantedBy } from '../../src/rules/consent/simple.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { consentToShare } from '../story/consent.ts';
import { search } from './patient.ts';
import { CONDITIONS } from './view.ts';
import type { Action, Condition } from './view.ts';
import { BOTS, CLASSES } from './words.ts';

/** What is done when a person lets five minutes pass. */
const TIME = 'time';
const MINUTE_MS = 60_000;
const FIVE_MINUTES_MS = 5 * MINUTE_MS;
const RUNS: Readonly<Record<string, object>> = {
  'retry-jobs': {},
  sweep: {},
  reconcile: { action: 'run' },
  'mirror-audit': {},
};
const SLOW_MS = 1500;

const ID = /^[A-Za-z0-9.-]{1,64}$/;

/**
 * Reads what the page sent.
 *
 * @param input - Anything.
 * @returns An action; undefined when it is none.
 */
export function actionIn(input: unknown): Action | undefined {
  const { action, patient, classes, record, value, isLost, condition, bot } = (input ?? {}) as Record<string, unknown>;
  const hasPatient = typeof patient === 'string' && ID.test(patient);
  switch (action) {
    case 'grant': {
      const chosen = Array.isArray(classes) ? GRANTABLE.filter((name) => classes.includes(name)) : [];
      return hasPatient && chosen.length > 0 ? { action, patient, classes: chosen } : undefined;
    }
    case 'revoke':
      return hasPatient ? { action, patient } : undefined;
    case 'edit':
      return typeof record === 'string' && /^Observation\/[A-Za-z0-9.-]{1,64}$/.test(record) && Number.isFinite(value)
        ? { action, record, value: value as number, isLost: isLost === true }
        : undefined;
    case 'condition':
      return CONDITIONS.some((one) => one === condition) ? { action, condition: condition as Condition } : undefined;
    case 'run':
      return bot === TIME || (typeof bot === 'string' && Object.hasOwn(RUNS, bot)) ? { action, bot } : undefined;
    default:
      return undefined;
  }
}

/** A sandbox, and somebody who may call its bots. */
export interface Stage {
  readonly sandbox: Sandbox;
  readonly operator: { readonly id: string; readonly secret: string };
}

/**
 * Does it. Bots that events of this set to work may still be at it afterwards.
 *
 * @param stage - The sandbox.
 * @param action - What is to be done.
 * @param tell - Is told in words, before it is done.
 */
export async function act(stage: Stage, action: Action, tell: (says: string) => void): Promise<void> {
  const { source, replica, clock } = stage.sandbox;
  switch (action.action) {
    case 'grant':
      return grant(stage.sandbox, action.patient, action.classes, tell);
    case 'revoke': {
      tell('You revoked the consent.');
      for (const consent of await activeConsents(stage.sandbox, action.patient)) {
        await source.repo.updateResource<Consent>({ ...consent, status: 'inactive' });
      }
      return;
    }
    case 'edit': {
      const id = action.record.slice('Observation/'.length);
      const before = await source.repo.readResource<Observation>('Observation', id);
      tell(
        `You changed ${before.valueQuantity?.value} to ${action.value}${action.isLost ? ', and the event of that was lost' : ''}.`
      );
      if (action.isLost) {
        source.faults.loseSubscriptionEvents((change) => change.type === 'Observation' && change.id === id);
      }
      await source.repo.updateResource<Observation>({
        ...before,
        valueQuantity: { ...before.valueQuantity, value: action.value },
      });
      return;
    }
    case 'condition':
      tell(CONDITION_WORDS[action.condition]);
      return setCondition(replica, action.condition);
    case 'run':
      tell(RUN_WORDS[action.bot] ?? `You started ${action.bot}.`);
      // A replica that was down is asked again a minute later, not before.
      await clock.advance(action.bot === TIME ? FIVE_MINUTES_MS : action.bot === 'retry-jobs' ? MINUTE_MS : 0);
      return action.bot === TIME ? undefined : execute(stage, action.bot);
  }
}

const RUN_WORDS: Readonly<Record<string, string>> = {
  [TIME]: 'You let five minutes pass.',
  'retry-jobs': 'You let a minute pass, and had the queue worked through.',
};

const CONDITION_WORDS: Readonly<Record<Condition, string>> = {
  up: 'You made the replica work again.',
  down: 'You cut the connection to the replica.',
  slow: 'You made the replica slow: a second and a half for each request.',
  throttled: 'You made the replica refuse everything as too much.',
};

async function grant(
  sandbox: Sandbox,
  patient: string,
  classes: readonly string[],
  tell: (says: string) => void
): Promise<void> {
  const { repo } = sandbox.source;
  const isAll = GRANTABLE.every((name) => classes.includes(name));
  tell(
    isAll
      ? 'You gave consent to share everything but genetic data.'
      : `You gave consent to share: ${classes.map((name) => CLASSES[name] ?? name).join(', ')}.`
  );
  const { dataClass } = systemsOf();
  const active = await activeConsents(sandbox, patient);
  const simple = active.find((consent) => grantedBy(consent, dataClass) !== undefined);
  const wanted = consentToShare(`Patient/${patient}`, classes);
  await (simple
    ? repo.updateResource<Consent>({ ...simple, ...(wanted.provision && { provision: wanted.provision }) })
    : repo.createResource<Consent>(wanted));
}

async function activeConsents({ source }: Sandbox, patient: string): Promise<WithId<Consent>[]> {
  return search<Consent>(source, `Consent?patient=Patient/${patient}&status=active`);
}

function setCondition({ faults }: Sandbox['replica'], condition: Condition): void {
  faults.clear();
  faults.down = condition === 'down' ? 'cut' : undefined;
  faults.delayMs = condition === 'slow' ? SLOW_MS : 0;
  if (condition === 'throttled') {
    const body = { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'throttled' }] };
    // Longer than any run may wait: what there is becomes a job.
    faults.failNext({}, { status: 429, body, headers: { 'Retry-After': '600' }, times: Infinity });
  }
}

async function execute({ sandbox, operator }: Stage, bot: string): Promise<void> {
  const identifier = encodeURIComponent(`${systemsOf().bot}|${bot}`);
  const answer = await fetch(`${sandbox.source.baseUrl}fhir/R4/Bot/$execute?identifier=${identifier}`, {
    method: 'POST',
    headers: { authorization: basicOf(operator), 'content-type': 'application/json' },
    body: JSON.stringify(RUNS[bot] ?? {}),
  });
  // What came of it is in the journal.
  await answer.arrayBuffer();
}

/**
 * @param client - A ClientApplication.
 * @returns What to sign in with.
 */
export function basicOf({ id, secret }: Stage['operator']): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/** The runs that the page offers, in its order. */
export const OFFERED: readonly (readonly [bot: string, label: string, why: string])[] = [
  ['retry-jobs', 'Work through the queue', 'A minute later: what waits is tried again'],
  ['sweep', 'Sweep', BOTS['sweep'] ?? ''],
  ['reconcile', 'Compare both sides', BOTS['reconcile'] ?? ''],
  ['mirror-audit', 'Mirror the audit trail', BOTS['mirror-audit'] ?? ''],
  [TIME, 'Let five minutes pass', 'Everything that is scheduled runs as it would'],
];
