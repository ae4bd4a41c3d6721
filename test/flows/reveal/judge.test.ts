/** The Consents' part in a reveal: disclosure or access is enough, a denial of either is a denial. */
import type { Consent, ConsentProvision, Patient } from '@medplum/fhirtypes';
import { expect, test } from 'vitest';
import { load } from '../../../src/config/load.ts';
import type { RevealFacts } from '../../../src/flows/reveal/facts.ts';
import type { Ask } from '../../../src/flows/reveal/input.ts';
import { judgeConsent } from '../../../src/flows/reveal/judge.ts';
import type { Asking } from '../../../src/flows/reveal/judge.ts';
import { action, aConsent, confidentiality, purpose } from '../../rules/consent/builders.ts';

const patient: Patient & { id: string } = {
  resourceType: 'Patient',
  id: '1',
  meta: { security: [confidentiality('N')] },
};

const loaded = load(
  Object.fromEntries(
    Object.entries({
      REPLICA_BASE_URL: 'https://r.test',
      REPLICA_CLIENT_ID: 'c',
      REPLICA_CLIENT_SECRET: 's',
      PSEUDONYM_KEY: 'c4a1f0d27be95368a0c4e1d72b96f8350d4ac7e1928b5f63d0e8a7c41f92b563',
    }).map(([name, valueString]) => [name, { valueString }])
  )
);
if ('problems' in loaded) {
  throw new Error(loaded.problems.join());
}
const asking: Asking = { config: loaded.config, requester: 'Practitioner/d', at: '2024-06-13T12:00:00Z' };
const ask: Exclude<Ask, { kind: 'list' }> = { kind: 'reveal', token: 'pt_x', purpose: 'TREAT', reason: 'r' };

const rule = (type: 'permit' | 'deny', ...actions: string[]): ConsentProvision => ({
  type,
  purpose: [purpose('TREAT')],
  ...(actions.length > 0 && { action: actions.map(action) }),
});

function decide(...consents: Consent[]): string {
  const facts: RevealFacts = { patientId: '1', patient, kept: undefined, consents, roles: [], encounters: [] };
  return judgeConsent(ask, facts, patient, asking).decision;
}

test.each<[string, Consent[], string]>([
  ['nothing', [], 'no-consent'],
  ['everything', [aConsent(rule('permit'))], 'permit'],
  ['disclosure', [aConsent(rule('permit', 'disclose'))], 'permit'],
  ['access', [aConsent(rule('permit', 'access'))], 'permit'],
  ['use alone', [aConsent(rule('permit', 'use'))], 'no-consent'],
  [
    'disclosure, and no access',
    [aConsent(rule('permit', 'disclose')), aConsent(rule('deny', 'access'), { id: 'c2' })],
    'deny',
  ],
  [
    'access, and no disclosure',
    [aConsent(rule('permit', 'access')), aConsent(rule('deny', 'disclose'), { id: 'c2' })],
    'deny',
  ],
  ['nothing at all', [aConsent(rule('permit')), aConsent(rule('deny'), { id: 'c2' })], 'deny'],
])('a Consent to %s', (_name, consents, decision) => {
  expect(decide(...consents)).toBe(decision);
});

test('the newest version of the Patient is asked about: a label counts at once', () => {
  const labelled: Patient = { ...patient, meta: { security: [confidentiality('R')] } };
  const consents = [aConsent({ ...rule('permit'), securityLabel: [confidentiality('N')] })];
  const facts: RevealFacts = {
    patientId: '1',
    patient: labelled,
    kept: undefined,
    consents,
    roles: [],
    encounters: [],
  };
  expect(judgeConsent(ask, facts, patient, asking).decision).not.toBe('permit');
});
