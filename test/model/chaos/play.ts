/** Plays one step of a history. */
import type { WithId } from '@medplum/core';
import type { Consent, Encounter, Observation, Patient } from '@medplum/fhirtypes';
import type { Proxy } from '../../../scripts/sandbox/proxy.ts';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { consentOf, revokedFrom } from '../../../src/rules/consent/simple.ts';
import { admit, observation } from '../../support/world.ts';
import type { World } from '../../support/world.ts';
import { FAMILY } from './secrets.ts';
import { NEW_KEY, OLD_KEY, reconfigure, switchQueue } from './settings.ts';
import type { Step } from './step.ts';

const HOUR = 3_600_000;
const ROTATED = {
  PSEUDONYM_KEY: NEW_KEY,
  PSEUDONYM_KEY_VERSION: '2',
  PSEUDONYM_KEY_PREVIOUS: OLD_KEY,
};
const NARROW = ['DEMOGRAPHICS', 'VITAL_SIGNS'];

interface Case {
  patient: WithId<Patient>;
  encounter: WithId<Encounter> | undefined;
}

/** The people and papers of a history, and what stands between the servers. */
export interface Ward {
  readonly world: World;
  readonly toReplica: Proxy;
  readonly toSource: Proxy;
  readonly cases: Case[];
  readonly observations: WithId<Observation>[];
  readonly consents: WithId<Consent>[];
  /** What nobody waits for. */
  readonly meanwhile: Promise<unknown>[];
  /** Forgets what was to happen at a request that has not come. */
  readonly disarm: (() => void)[];
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % Math.max(1, from.length)];
}

/**
 * @param ward - The state of the history.
 * @param one - What happens.
 */
export async function play(ward: Ward, one: Step): Promise<void> {
  const { world, toReplica, toSource } = ward;
  const { source, replica, clock } = world.sandbox;
  const { repo, faults } = source;
  switch (one.kind) {
    case 'admit': {
      const { patient, encounter, pulse } = await admit(world, FAMILY);
      ward.cases.push({ patient, encounter });
      ward.observations.push(pulse);
      return;
    }
    case 'observe': {
      const at = pick(ward.cases, one.which);
      if (at) {
        const made = observation(at.patient, at.encounter, one.value);
        ward.observations.push(await repo.createResource<Observation>(made));
      }
      return;
    }
    case 'correct': {
      const found = pick(ward.observations, one.which);
      return found && change(ward, { ...found, valueQuantity: { ...found.valueQuantity, value: one.value } });
    }
    case 'mark': {
      const found = pick(ward.observations, one.which);
      return found && change(ward, { ...found, meta: { tag: [{ system: systemsOf().sync, code: 'no-sync' }] } });
    }
    case 'move': {
      const [found, to] = [pick(ward.observations, one.which), pick(ward.cases, one.to)];
      if (found && to) {
        const { encounter: _left, ...rest } = found;
        await change(ward, { ...rest, subject: { reference: `Patient/${to.patient.id}` } });
      }
      return;
    }
    case 'erase': {
      const found = ward.observations.splice(one.which % Math.max(1, ward.observations.length), 1)[0];
      return found && repo.deleteResource('Observation', found.id);
    }
    case 'dropEncounter': {
      const at = pick(ward.cases, one.which);
      if (at?.encounter) {
        await repo.deleteResource('Encounter', at.encounter.id);
        at.encounter = undefined;
      }
      return;
    }
    case 'merge':
    case 'unmerge': {
      const [at, into] = [pick(ward.cases, one.which), one.kind === 'merge' ? pick(ward.cases, one.into) : undefined];
      if (at && at !== into) {
        const { link: _old, ...rest } = at.patient;
        const other = { reference: `Patient/${into?.patient.id}` };
        at.patient = await repo.updateResource<Patient>({
          ...rest,
          ...(into && { link: [{ other, type: 'replaced-by' }] }),
        });
      }
      return;
    }
    case 'dropPatient': {
      const at = ward.cases.splice(one.which % Math.max(1, ward.cases.length), 1)[0];
      return at && repo.deleteResource('Patient', at.patient.id);
    }
    case 'grant': {
      const at = pick(ward.cases, one.which);
      if (at) {
        ward.consents.push(await repo.createResource<Consent>(statement(at.patient, one, clock.now())));
      }
      return;
    }
    case 'narrow':
    case 'revoke': {
      const given = pick(ward.consents, one.which);
      const next = given && revokedFrom(given, one.kind === 'narrow' ? ['VITAL_SIGNS'] : undefined);
      if (next) {
        ward.consents.splice(ward.consents.indexOf(given), 1, await repo.updateResource<Consent>(next));
      }
      return;
    }
    case 'dropConsent': {
      const given = ward.consents.splice(one.which % Math.max(1, ward.consents.length), 1)[0];
      return given && repo.deleteResource('Consent', given.id);
    }
    case 'befall':
      return toReplica.befall(one.name, one);
    case 'befallSource':
      return toSource.befall(one.name, one);
    case 'kill':
      return faults.killNext(one);
    case 'lose':
      return faults.loseSubscriptionEvents(() => true, one.times);
    case 'double':
      return faults.deliverNext({ copies: 2, delayMs: 0 }, one.times);
    case 'late':
      return faults.deliverNext({ copies: 1, delayMs: one.seconds * 1000 }, one.times);
    case 'revokeTokens':
      return replica.revokeTokens();
    case 'quota':
      replica.quota.limit = one.units;
      return;
    case 'down':
      toReplica.fate = () => 'unavailable';
      return;
    case 'up':
      toReplica.fate = () => undefined;
      replica.quota.limit = undefined;
      return;
    case 'settle':
      return world.settle();
    case 'sweep':
      await world.settle();
      await world.sweep();
      return;
    case 'sweepMeanwhile':
      ward.meanwhile.push(world.sweep());
      return;
    case 'drain':
      await world.settle();
      await world.retryJobs();
      return;
    case 'drainMeanwhile':
      ward.meanwhile.push(world.retryJobs());
      return;
    case 'rotate':
      return reconfigure(world, ROTATED);
    case 'pause':
    case 'resume':
      return switchQueue(world, one.kind === 'pause');
    case 'meanwhile': {
      let left = one.after;
      const stop = toReplica.onRequest(() => {
        if (left-- === 0) {
          stop();
          ward.meanwhile.push(play(ward, one.step));
        }
      });
      ward.disarm.push(stop);
      return;
    }
    case 'jump':
      return clock.advance(one.minutes * 60_000);
  }
}

async function change(ward: Ward, next: WithId<Observation>): Promise<void> {
  const written = await ward.world.sandbox.source.repo.updateResource<Observation>(next);
  ward.observations.splice(
    ward.observations.findIndex(({ id }) => id === written.id),
    1,
    written
  );
}

function statement(patient: WithId<Patient>, one: Extract<Step, { kind: 'grant' }>, now: number): Consent {
  const consent = consentOf(
    { patient: `Patient/${patient.id}`, ...(one.isNarrow && { classes: NARROW }) },
    systemsOf().dataClass
  );
  const instant = (hours: number): string => new Date(now + hours * HOUR).toISOString();
  const period = {
    ...(one.start !== undefined && { start: instant(one.start) }),
    ...(one.end !== undefined && { end: instant(one.end) }),
  };
  const isTimed = one.start !== undefined || one.end !== undefined;
  return { ...consent, ...(isTimed && { provision: { ...consent.provision, period } }) };
}
