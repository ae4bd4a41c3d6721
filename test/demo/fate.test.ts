import type { AuditEvent, Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { fates } from '../../scripts/demo/fate.ts';
import { imbalances } from '../../scripts/demo/report.ts';
import { systemsOf } from '../../src/fhir/systems.ts';

const systems = systemsOf();
const observation = {
  resourceType: 'Observation',
  id: 'o',
  subject: { reference: 'Patient/p' },
} as unknown as Resource;
const copy = {
  resourceType: 'Observation',
  id: 'x',
  identifier: [{ system: systems.resourceToken, value: 'obs_1' }],
} as unknown as Resource;

function said(action: string, reason?: string): AuditEvent {
  const detail = [
    { type: 'action', valueString: action },
    ...(reason ? [{ type: 'reason', valueString: reason }] : []),
  ];
  return {
    resourceType: 'AuditEvent',
    type: { system: systems.auditType, code: 'FHIR_SYNC' },
    entity: [{ what: { reference: 'Observation/o', identifier: { value: 'obs_1' } }, detail }],
  } as AuditEvent;
}

/** The one column that counts, and the problems. */
function fate(
  copies: readonly Resource[],
  trail: readonly AuditEvent[],
  resource = observation
): [string | undefined, ...string[]] {
  const { types, problems } = fates([{ resource, input: 1, index: 2 }], copies, trail);
  const { inSource: _all, ...counts } = types[resource.resourceType] ?? {};
  return [Object.entries(counts).find(([, count]) => count === 1)?.[0], ...problems.map(({ message }) => message)];
}

describe('a record', () => {
  test('is replicated when the trail says so and the replica holds it', () => {
    expect(fate([copy], [said('skip', 'consent-no-consents'), said('put')])).toEqual(['replicated']);
  });

  test('is not replicated by word alone', () => {
    expect(fate([], [said('put')])).toEqual(['failed', 'was sent, but the replica does not hold it']);
  });

  test('is withheld by consent, or by a rule of the house', () => {
    expect(fate([], [said('put'), said('withdraw', 'consent-period')])).toEqual(['withheldByConsent']);
    expect(fate([], [said('skip', 'consent-genetics')])).toEqual(['withheldByPolicy']);
    expect(fate([], [said('skip', 'marked-no-sync')])).toEqual(['withheldByPolicy']);
  });

  test('fails when it is withheld by word alone', () => {
    const [kind, first, second] = fate([copy], [said('withdraw', 'consent-period')]);
    expect([kind, first]).toEqual(['failed', 'is in the replica although the last run said: withdraw, consent-period']);
    expect(second).toBe('is in the replica without a record that accounts for it');
  });

  test.each([
    [said('fail', 'replica-rejected'), 'could not be copied: the replica refuses it'],
    [said('quarantine', 'residue'), 'was held back by de-identification: residue'],
    [said('skip', 'patient-deleted'), 'was not copied: its patient is not in the source'],
  ])('fails with a reason', (event, message) => {
    expect(fate([], [event])).toEqual(['failed', message]);
  });

  test('fails when nobody has said anything about it', () => {
    expect(fate([], [])).toEqual(['failed', 'no bot has said what became of it']);
  });

  test('without a subject fails; about a group it is nobody’s', () => {
    const about = (subject?: object): Resource =>
      ({ resourceType: 'Observation', id: 'o', ...(subject && { subject }) }) as unknown as Resource;
    expect(fate([], [], about())[0]).toBe('failed');
    expect(fate([], [], about({ reference: 'urn:uuid:1' }))[0]).toBe('failed');
    expect(fate([], [], about({ reference: 'Group/1' }))).toEqual(['withheldByPolicy']);
  });

  test('of a type that is not replicated is withheld by policy', () => {
    expect(fate([], [], { resourceType: 'Claim', id: 'o' } as Resource)).toEqual(['withheldByPolicy']);
  });
});

test('counts that do not add up are a problem', () => {
  const counts = { inSource: 3, replicated: 1, withheldByConsent: 0, withheldByPolicy: 1, failed: 0 };
  expect(imbalances({ Patient: counts })).toMatchObject([{ kind: 'report', type: 'Patient' }]);
  expect(imbalances({ Patient: { ...counts, failed: 1 } })).toEqual([]);
});
