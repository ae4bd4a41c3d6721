/** The story of a consent: what is asked, and what is then seen. Each line is checked; one that is not as told fails. */
import type { Bundle, Consent, Observation, Patient } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import { patientSearch, REPLICATED_TYPES } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { consentToShare } from './consent.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { samplePatients } from '../samples/patients.ts';
import type { Rest } from './rest.ts';

/** One line of the story. */
export interface Line {
  readonly asked: string;
  readonly seen: string;
  readonly isAsTold: boolean;
}

export interface Stage {
  readonly source: Rest;
  readonly replica: Rest;
  /** Only a sandbox can lose an event and let time pass; on real servers these lines are left out. */
  readonly sandbox?: Sandbox;
}

/** Longer than any event takes that is going to come: a burst of hundreds is over in seconds. */
const PATIENCE_MS = 60_000;

const PATIENTS = 3;
const SEED = 7;
const TRAIL = `AuditEvent?type=${encodeURIComponent(`${systemsOf().auditType}|FHIR_SYNC`)}`;

/**
 * Plays the story.
 *
 * @param stage - Two servers with the bundle installed.
 * @param tell - Called with each line as it is known.
 * @returns Whether everything was as told.
 */
export async function play(stage: Stage, tell: (line: Line) => void): Promise<boolean> {
  let isAsTold = true;
  const say = (asked: string, seen: string, ok: boolean): void => {
    isAsTold &&= ok;
    tell({ asked, seen, isAsTold: ok });
  };
  const patients = await admit(stage);
  const patient = patients[0] as Patient;
  const all = (await Promise.all(REPLICATED_TYPES.map((type) => stage.source.count(type)))).reduce((a, b) => a + b, 0);
  // That nothing was sent is only seen once every event has been refused, and each refusal is in the trail.
  await seen(
    stage,
    () => stage.source.count(TRAIL),
    (events) => events >= all
  );
  let copies = await copiesOf(stage);
  const requests = requestsTo(stage);
  const asFor = requests === undefined ? '' : `; requests to it: ${requests}`;
  say(
    `${PATIENTS} patients are admitted, ${all} records, no consent`,
    `replica: ${inWords(copies)}${asFor}`,
    total(copies) === 0 && !requests
  );

  const consent = await stage.source.send<Consent>('POST', 'Consent', consentToShare(`Patient/${patient.id}`));
  const own = await recordsOf(stage, patient);
  copies = await seen(
    stage,
    () => copiesOf(stage),
    (found) => total(found) === own
  );
  say(
    'the first patient consents',
    `replica: ${inWords(copies)}`,
    total(copies) === own && copies.get('Patient') === 1
  );

  const copy = (await stage.replica.get<Bundle<Patient>>('Patient')).entry?.[0]?.resource;
  say(
    `who is ${patient.name?.[0]?.given?.[0]} ${patient.name?.[0]?.family}, born ${patient.birthDate}, on the replica?`,
    `${copy?.name?.[0]?.text}, ${copy?.identifier?.[0]?.value}, born ${copy?.birthDate ?? 'at a time that is not told'}; ${copy?.meta?.security?.[0]?.code}`,
    !JSON.stringify(copy).includes(patient.name?.[0]?.family ?? '?') && copy?.meta?.security?.[0]?.code === 'PSEUDED'
  );

  say(...(await change(stage, patient, 'a value is corrected', 98)));
  if (stage.sandbox) {
    await loseAnEvent(stage, stage.sandbox, patient, say);
  }

  await stage.source.send('PUT', `Consent/${consent.id}`, { ...consent, status: 'inactive' });
  copies = await seen(
    stage,
    () => copiesOf(stage),
    (found) => total(found) === 0
  );
  say('the consent is revoked', `replica: ${inWords(copies)}`, total(copies) === 0);

  const second = patients[1] as Patient;
  await stage.source.send<Consent>('POST', 'Consent', consentToShare(`Patient/${second.id}`));
  const others = await recordsOf(stage, second);
  copies = await seen(
    stage,
    () => copiesOf(stage),
    (found) => total(found) === others
  );
  say('the second patient consents', `replica: ${inWords(copies)}`, total(copies) === others);

  const trail = await stage.source.get<Bundle>(`${TRAIL}&_count=1000`);
  const leaks = (trail.entry ?? []).filter(({ resource }) =>
    patients.some(({ name }) => JSON.stringify(resource).includes(name?.[0]?.family ?? '?'))
  );
  say(
    'what does the trail hold?',
    `${trail.entry?.length ?? 0} events of ours; with a patient’s name in them: ${leaks.length}`,
    leaks.length === 0 && (trail.entry?.length ?? 0) > 0
  );
  return isAsTold;
}

type Say = (asked: string, seen: string, ok: boolean) => void;

async function loseAnEvent(stage: Stage, { source, clock }: Sandbox, patient: Patient, say: Say): Promise<void> {
  source.faults.loseSubscriptionEvents(({ type }) => type === 'Observation');
  const [asked, told, isStale] = await change(stage, patient, 'another correction, and its event is lost', 99);
  say(asked, told.replace('the copy says', 'the copy still says'), !isStale);
  await clock.advance(5 * 60_000);
  await source.idle();
  const repaired = await copiedValue(stage, patient);
  say('five minutes pass; the sweep runs', `the copy says ${repaired}`, repaired === 99);
}

/**
 * What is there when everything has happened: a sandbox says when that is; elsewhere one looks until it is as expected, or
 * until patience ends, and then tells what is there.
 */
async function seen<T>({ sandbox }: Stage, look: () => Promise<T>, isExpected: (found: T) => boolean): Promise<T> {
  await sandbox?.source.idle();
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (sandbox || isExpected(found) || Date.now() > end) {
      return found;
    }
    await sleep(250);
  }
}

async function admit({ source }: Stage): Promise<Patient[]> {
  const admitted: Patient[] = [];
  for (const bundle of samplePatients({ seed: SEED, count: PATIENTS })) {
    const answer = await source.send<Bundle>('POST', '', bundle);
    const location = answer.entry?.[0]?.response?.location ?? '';
    admitted.push(await source.get<Patient>(/Patient\/[^/]+/.exec(location)?.[0] ?? 'Patient/unknown'));
  }
  return admitted;
}

/** Corrects the patient's first number, and looks for it on the replica. */
async function change(stage: Stage, patient: Patient, what: string, value: number): Promise<[string, string, boolean]> {
  const observation = await firstNumber(stage.source, `subject=Patient/${patient.id}`);
  await stage.source.send('PUT', `Observation/${observation.id}`, {
    ...observation,
    valueQuantity: { ...observation.valueQuantity, value },
  });
  const copied = await seen(
    stage,
    () => copiedValue(stage, patient),
    (found) => found === value
  );
  return [`${what}: ${observation.valueQuantity?.value} → ${value}`, `the copy says ${copied}`, copied === value];
}

/** The copy of the patient's first number, found by code and order: its token is nobody's business here. */
async function copiedValue(stage: Stage, patient: Patient): Promise<number | undefined> {
  const original = await firstNumber(stage.source, `subject=Patient/${patient.id}`);
  const code = original.code.coding?.[0];
  const siblings = await stage.source.get<Bundle<Observation>>(
    `Observation?subject=Patient/${patient.id}&code=${code?.code}&_sort=date`
  );
  const index = siblings.entry?.findIndex(({ resource }) => resource?.id === original.id) ?? 0;
  const copies = await stage.replica.get<Bundle<Observation>>(`Observation?code=${code?.code}&_sort=date`);
  return copies.entry?.[index]?.resource?.valueQuantity?.value;
}

async function firstNumber(source: Rest, search: string): Promise<Observation> {
  const found = await source.get<Bundle<Observation>>(`Observation?${search}&_sort=date&_count=100`);
  const observation = found.entry
    ?.map(({ resource }) => resource)
    .find((one) => one?.valueQuantity?.value !== undefined);
  if (!observation) {
    throw new Error('The sample patients have no number to correct.');
  }
  return observation;
}

async function recordsOf({ source }: Stage, patient: Patient): Promise<number> {
  const counts = await Promise.all(REPLICATED_TYPES.map((type) => source.count(patientSearch(type, `${patient.id}`))));
  return counts.reduce((a, b) => a + b, 0);
}

async function copiesOf({ replica }: Stage): Promise<ReadonlyMap<string, number>> {
  return new Map(await Promise.all(REPLICATED_TYPES.map(async (type) => [type, await replica.count(type)] as const)));
}

function total(copies: ReadonlyMap<string, number>): number {
  return [...copies.values()].reduce((a, b) => a + b, 0);
}

function inWords(copies: ReadonlyMap<string, number>): string {
  return total(copies) === 0
    ? 'empty'
    : [...copies].map(([type, count]) => `${count} ${type}${count === 1 ? '' : 's'}`).join(', ');
}

/** Requests of the bots only, the story's own questions are not counted; a real server does not tell. */
function requestsTo({ sandbox }: Stage): number | undefined {
  return (
    sandbox &&
    [...sandbox.replica.requestCounts]
      .filter(([kind]) => !kind.startsWith('GET') && !kind.endsWith('token'))
      .reduce((sum, [, count]) => sum + count, 0)
  );
}
