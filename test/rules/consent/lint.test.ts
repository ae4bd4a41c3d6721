import type { Consent, ConsentProvision } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { ADVICE } from '../../../src/rules/consent/advice.ts';
import { lint, LINT_CODES } from '../../../src/rules/consent/lint.ts';
import { consentOf } from '../../../src/rules/consent/simple.ts';
import {
  aConsent,
  action,
  category,
  confidentiality,
  ofType,
  other,
  policy,
  purpose,
  scope,
  sensitivity,
} from './builders.ts';

const TREAT = [purpose('TREAT')];
const found = (...consents: Consent[]): string[] =>
  lint(consents).map(({ consent, code, path }) => `${consent} ${code} ${path}`);
const plain: ConsentProvision = { type: 'permit', purpose: TREAT };
const optIn: Partial<Consent> = { policyRule: policy('OPTIN') };

test('a plain permit and a plain deny are not ambiguous, nor is the simple model', () => {
  expect(found(aConsent(plain), other(aConsent({ type: 'deny' })))).toEqual([]);
  expect(lint([consentOf({ patient: 'Patient/1' }, systemsOf().dataClass)])).toEqual([]);
});

describe('finds', () => {
  test.each([
    [
      'a root with conditions and no type',
      aConsent({ class: [ofType('Observation')] }, optIn),
      'untyped-root Consent.provision.type',
    ],
    [
      'a root with a period and no type',
      aConsent({ period: { end: '2030' } }, optIn),
      'untyped-root Consent.provision.type',
    ],
    ['neither type nor policy', aConsent(undefined), 'no-rule Consent.provision.type'],
    [
      'a policy that says nothing',
      aConsent(undefined, { policyRule: policy('HIPAASelfPay') }),
      'no-rule Consent.provision.type',
    ],
    [
      'a nested rule without type',
      aConsent({ ...plain, provision: [{ class: [ofType('Observation')] }] }),
      'untyped-rule Consent.provision.provision[0].type',
    ],
    [
      'a permit that its policy opts out of',
      aConsent({ type: 'permit' }, { policyRule: policy('OPTOUT') }),
      'policy-conflict Consent.policyRule',
    ],
    [
      'a rule by confidentiality',
      aConsent({ ...plain, securityLabel: [confidentiality('N')] }),
      'label-on-unlabelled-data Consent.provision.securityLabel',
    ],
    [
      'a nested rule by sensitivity',
      aConsent({ ...plain, provision: [{ type: 'deny', securityLabel: [sensitivity('HIV')] }] }),
      'label-without-confidentiality Consent.provision.provision[0].securityLabel',
    ],
    ['no scope', aConsent(plain, { scope: { text: 'privacy' } }), 'no-scope Consent.scope'],
    [
      'a scope in the category',
      aConsent(plain, { scope: {}, category: [scope('patient-privacy'), category('infa')] }),
      'scope-in-category Consent.scope',
    ],
    ['a permit without purpose', aConsent({ type: 'permit' }), 'no-purpose Consent.provision.purpose'],
    ['a permit to look', aConsent({ ...plain, action: [action('access')] }), 'view-only Consent.provision.action'],
    ['a notice', aConsent(plain, { category: [category('npp')] }), 'category-never-permits Consent.category'],
    [
      'a modifierExtension',
      aConsent(plain, { modifierExtension: [{ url: 'urn:x' }] }),
      'uninterpretable Consent.provision',
    ],
    [
      'an R5 list of provisions',
      { ...aConsent(undefined, optIn), provision: [{ type: 'deny' }] } as unknown as Consent,
      'uninterpretable Consent.provision',
    ],
  ] as [string, Consent, string][])('%s', (_, consent, expected) => {
    expect(found(consent)).toContain(`c1 ${expected}`);
  });

  test('a refusal stored as rejected beside a permit', () => {
    const refusal = other(aConsent(plain), { status: 'rejected' });
    expect(found(aConsent(plain), refusal)).toEqual(['c2 refusal-as-rejected Consent.status']);
    expect(found(refusal)).toEqual([]);
    expect(found(aConsent({ type: 'deny' }), refusal)).toEqual([]);
  });
});

test('what says nothing any more is not looked at', () => {
  expect(found(aConsent(undefined, { status: 'inactive' }))).toEqual([]);
});

test('a Consent that is being written is', () => {
  expect(found(aConsent(undefined, { status: 'draft' }))).toEqual(['c1 no-rule Consent.provision.type']);
});

test('each finding has its advice', () => {
  expect(Object.keys(ADVICE).sort()).toEqual([...LINT_CODES].sort());
});
