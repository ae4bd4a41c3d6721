/**
 * Random histories of Consents: grants, refusals, narrowings, revocations, periods that begin and end while nobody writes anything. After
 * each step and one sweep the replica holds exactly what the Consents of that instant permit.
 */
import type { WithId } from '@medplum/core';
import type { Consent, ConsentProvision } from '@medplum/fhirtypes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemsOf, V3_ACT_REASON } from '../../src/fhir/systems.ts';
import { consentOf, revokedFrom } from '../../src/rules/consent/simple.ts';
import { admit, createWorld, expected, held } from '../support/world.ts';
import type { World } from '../support/world.ts';

const RUNS = Number(process.env['CONSENT_RUNS'] ?? 8);
const HOUR = 3_600_000;
const CLASSES = ['DEMOGRAPHICS', 'ENCOUNTERS', 'VITAL_SIGNS'];

const which = fc.nat(9);
const classes = fc.subarray(CLASSES, { minLength: 1 });
/** Hours from now; absent is open. */
const start = fc.option(fc.constantFrom(-5, 2, 7), { nil: undefined, freq: 2 });
const end = fc.option(fc.constantFrom(1, 4, 9, 30), { nil: undefined, freq: 2 });

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('grant' as const), which, classes, start, end, isNested: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deny' as const), which, classes, start, end }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('narrow' as const), which, classes }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('revoke' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), hours: fc.constantFrom(1, 2, 5, 24) }) }
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

interface Ward {
  readonly patients: readonly string[];
  consents: WithId<Consent>[];
}

async function take(world: World, ward: Ward, one: Step): Promise<void> {
  const { source, clock } = world.sandbox;
  const pick = <T>(from: readonly T[], index: number): T | undefined => from[index % Math.max(1, from.length)];
  switch (one.kind) {
    case 'grant':
    case 'deny': {
      const written = await source.repo.createResource<Consent>(
        statement(one, pick(ward.patients, one.which)!, clock.now())
      );
      ward.consents.push(written);
      return;
    }
    case 'narrow':
    case 'revoke': {
      const given = pick(ward.consents, one.which);
      const next = given && revokedFrom(given, one.kind === 'narrow' ? one.classes : undefined);
      if (next) {
        const written = await source.repo.updateResource<Consent>(next);
        ward.consents = ward.consents.map((consent) => (consent.id === written.id ? written : consent));
      }
      return;
    }
    case 'remove': {
      const given = pick(ward.consents, one.which);
      if (given) {
        await source.repo.deleteResource('Consent', given.id);
        ward.consents = ward.consents.filter(({ id }) => id !== given.id);
      }
      return;
    }
    case 'wait':
      return clock.advance(one.hours * HOUR);
  }
}

function statement(one: Extract<Step, { kind: 'grant' | 'deny' }>, patient: string, now: number): Consent {
  const instant = (hours: number | undefined): string | undefined =>
    hours === undefined ? undefined : new Date(now + hours * HOUR).toISOString();
  const [from, until] = [instant(one.start), instant(one.end)];
  const consent = consentOf({ patient, classes: one.classes }, systemsOf().dataClass);
  const period = { period: { ...(from && { start: from }), ...(until && { end: until }) } };
  const inPeriod = from || until ? period : {};
  if (one.kind === 'deny') {
    return { ...consent, provision: { type: 'deny', ...inPeriod, class: consent.provision?.class ?? [] } };
  }
  // The same permit, or one for everything from which a nested deny takes the classes for a time.
  const nested: ConsentProvision = {
    type: 'permit',
    purpose: [{ system: V3_ACT_REASON, code: 'TREAT' }],
    provision: [{ type: 'deny', ...inPeriod, class: consent.provision?.class ?? [] }],
  };
  return { ...consent, provision: one.isNested ? nested : { ...consent.provision, ...inPeriod } };
}

test(
  'at every instant the replica holds what the Consents of that instant permit, one run of the queue and one sweep later',
  async () => {
    const counts = { full: 0, partial: 0, empty: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 9 }), async (steps) => {
        const world = await createWorld();
        try {
          const people = [await admit(world), await admit(world, 'Roe')];
          const ward: Ward = { patients: people.map(({ patient }) => `Patient/${patient.id}`), consents: [] };
          for (const one of steps) {
            await take(world, ward, one);
            await world.settle();
            // What a period brings about by itself is a job that is due (README, decision 16).
            await world.retryJobs();
            expect(await world.sweep()).toMatchObject({ status: 200, body: { failed: 0, isComplete: true } });
            const copies = await held(world);
            expect(copies, JSON.stringify(one)).toEqual(await expected(world));
            counts[copies.length === 6 ? 'full' : copies.length > 0 ? 'partial' : 'empty']++;
          }
        } finally {
          await world.close();
        }
      }),
      { numRuns: RUNS, ...(process.env['CONSENT_SEED'] && { seed: Number(process.env['CONSENT_SEED']) }) }
    );
    expect(counts.partial + counts.full, JSON.stringify(counts)).toBeGreaterThan(0);
  },
  RUNS * 20_000
);
