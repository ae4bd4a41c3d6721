/**
 * Random histories of records, Consents and misfortunes. Whatever is lost, doubled, late or refused: once the faults stop and
 * one sweep has run, the replica is what the rules make of the source, byte for byte.
 */
import type { WithId } from '@medplum/core';
import type { Consent, DiagnosticReport, DocumentReference, Encounter, Observation, Patient } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { admit, consent, createWorld, expected, held, noteOf, observation, reportOf } from '../support/world.ts';
import type { World } from '../support/world.ts';

const settings = { REPLICA_TIMEOUT_MS: '2000', DOCUMENTS_WHEN_FINISHED: 'DocumentReference,DiagnosticReport' };
const RUNS = Number(process.env['CHAOS_RUNS'] ?? 12);

/** What can happen; numbers choose among what there is. */
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('admit' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('observe' as const), which: fc.nat(9), value: fc.nat(200) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('correct' as const), which: fc.nat(9), value: fc.nat(200) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('erase' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mark' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropEncounter' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('document' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn' as const), which: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('consent' as const), which: fc.nat(9), isNarrow: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('revoke' as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('lose' as const), times: fc.integer({ min: 1, max: 4 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('refuse' as const),
      times: fc.integer({ min: 1, max: 4 }),
      status: fc.constantFrom(400, 403, 409, 412),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const), times: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rest' as const) }) }
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Ward {
  readonly patients: { patient: WithId<Patient>; encounter: WithId<Encounter> | undefined }[];
  readonly observations: WithId<Observation>[];
  readonly consents: WithId<Consent>[];
}

async function take(world: World, ward: Ward, { ...step }: Step): Promise<void> {
  const { repo, faults } = world.sandbox.source;
  const pick = <T>(from: readonly T[], which: number): T | undefined => from[which % Math.max(1, from.length)];
  switch (step.kind) {
    case 'admit': {
      const { patient, encounter, pulse } = await admit(world, 'Quixotepan');
      ward.patients.push({ patient, encounter });
      ward.observations.push(pulse);
      return;
    }
    case 'observe': {
      const at = pick(ward.patients, step.which);
      if (at) {
        ward.observations.push(
          await repo.createResource<Observation>(observation(at.patient, at.encounter, step.value))
        );
      }
      return;
    }
    case 'correct': {
      const found = pick(ward.observations, step.which);
      if (found) {
        await repo.updateResource<Observation>({
          ...found,
          valueQuantity: { ...found.valueQuantity, value: step.value },
        });
      }
      return;
    }
    case 'erase': {
      const found = ward.observations.splice(step.which % Math.max(1, ward.observations.length), 1)[0];
      if (found) {
        await repo.deleteResource('Observation', found.id);
      }
      return;
    }
    case 'mark': {
      const found = pick(ward.observations, step.which);
      if (found) {
        await repo.updateResource<Observation>({
          ...found,
          meta: { tag: [{ system: systemsOf().sync, code: 'no-sync' }] },
        });
      }
      return;
    }
    case 'dropEncounter': {
      const at = pick(ward.patients, step.which);
      if (at?.encounter) {
        await repo.deleteResource('Encounter', at.encounter.id);
        at.encounter = undefined;
      }
      return;
    }
    case 'document': {
      const at = pick(ward.patients, step.which);
      if (at?.encounter) {
        await repo.createResource<DocumentReference>(noteOf(at.patient, at.encounter));
        await repo.createResource<DiagnosticReport>(reportOf(at.patient, at.encounter));
      }
      return;
    }
    case 'turn': {
      const at = pick(ward.patients, step.which);
      if (at?.encounter) {
        const status = at.encounter.status === 'finished' ? 'in-progress' : 'finished';
        at.encounter = await repo.updateResource<Encounter>({ ...at.encounter, status });
      }
      return;
    }
    case 'consent': {
      const at = pick(ward.patients, step.which);
      if (at) {
        ward.consents.push(
          await consent(world, at.patient, step.isNarrow ? ['DEMOGRAPHICS', 'VITAL_SIGNS'] : undefined)
        );
      }
      return;
    }
    case 'revoke': {
      const given = pick(ward.consents, step.which);
      if (given) {
        await repo.updateResource<Consent>({ ...given, status: 'inactive' });
      }
      return;
    }
    case 'lose':
      return faults.loseSubscriptionEvents(() => true, step.times);
    case 'refuse':
      return world.sandbox.replica.faults.failNext({ url: '/fhir/' }, { status: step.status, times: step.times });
    case 'cut':
      return world.sandbox.replica.faults.failNext({ url: '/fhir/' }, { afterwards: true, times: step.times });
    case 'settle':
      return world.settle();
    case 'rest':
      // A sweep that may fail, then time enough that the next one does not look back as far as here.
      await world.settle();
      await world.sweep();
      return world.sandbox.clock.advance(10 * 60_000);
  }
}

test.each([
  ['pseudonymised', RUNS],
  ['safe-harbor', Math.ceil(RUNS / 3)],
])(
  'the replica converges, whatever happens (%s)',
  async (profile, runs) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const world = await createWorld({ profile, settings });
        try {
          const ward: Ward = { patients: [], observations: [], consents: [] };
          for (const one of steps) {
            await take(world, ward, one);
          }
          await world.settle();
          world.sandbox.source.faults.clear();
          world.sandbox.replica.faults.clear();
          expect(await world.sweep()).toMatchObject({ status: 200, body: { failed: 0, isComplete: true } });
          expect(await held(world)).toEqual(await expected(world));
          expect(JSON.stringify(world.sent().map(({ url, body }) => url + body))).not.toMatch(
            /Quixotepan|Janeway|MRN-/
          );
        } finally {
          await world.close();
        }
      }),
      { numRuns: runs, ...(process.env['CHAOS_SEED'] && { seed: Number(process.env['CHAOS_SEED']) }) }
    );
  },
  RUNS * 20_000
);
