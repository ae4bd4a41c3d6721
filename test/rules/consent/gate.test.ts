import type { Coding, Consent, ConsentProvision, Resource } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { mayReplicate } from '../../../src/rules/consent/gate.ts';
import {
  aConsent,
  anObservation,
  aRequest,
  confidentiality,
  dataClass,
  labelled,
  loinc,
  policy,
  sensitivity,
} from './builders.ts';

const said = (consents: Consent[], resource: Resource = anObservation()): string => {
  const { decision, reason } = mayReplicate(consents, aRequest({ resource }));
  return `${decision} ${reason}`;
};
const [R, V, HIV, PSY] = [confidentiality('R'), confidentiality('V'), sensitivity('HIV'), sensitivity('PSY')];
const permits = (...securityLabel: Coding[]): ConsentProvision => ({
  type: 'permit',
  ...(securityLabel.length && { securityLabel }),
});

test('lets through what is classified, normal and permitted', () => {
  expect(said([aConsent(permits())])).toBe('permit root-permit');
});

test('lets nothing through that the Consents refuse', () => {
  expect(said([aConsent({ type: 'deny' })])).toBe('deny root-deny');
  expect(said([])).toBe('no-consent no-consents');
});

test('never lets genetics through, not even by name', () => {
  const consent = aConsent({ type: 'permit', class: [dataClass('GENETICS'), dataClass('LAB_RESULTS')] });
  expect(said([consent], anObservation({ code: loinc('48018-6') }))).toBe('deny genetics');
});

test('holds back what cannot be classified', () => {
  expect(said([aConsent(permits())], anObservation({ category: [], code: loinc('1-1') }))).toBe('deny unclassified');
});

test('the data of another patient are refused before their class is looked at', () => {
  const foreign = anObservation({ subject: { reference: 'Patient/2' }, code: loinc('48018-6') });
  expect(said([aConsent(permits())], foreign)).toBe('deny wrong-patient');
});

test('a resource of several classes needs them all', () => {
  const both = anObservation({ code: loinc('8867-4') });
  const listing = (...codes: string[]): Consent => aConsent({ type: 'permit', class: codes.map(dataClass) });
  expect(said([listing('LAB_RESULTS')], both)).toBe('no-consent class');
  expect(said([listing('LAB_RESULTS'), listing('VITAL_SIGNS')], both)).toBe('no-consent class');
  expect(said([listing('LAB_RESULTS', 'VITAL_SIGNS')], both)).toBe('permit root-permit');
});

describe('restricted data are named', () => {
  test.each([
    ['R by a Consent without labels', [R], permits(), 'no-consent label-not-named'],
    ['R by R', [R], permits(R), 'permit root-permit'],
    ['R by V', [R], permits(V), 'permit root-permit'],
    ['V by R', [V], permits(R), 'no-consent securityLabel'],
    ['HIV by R', [R, HIV], permits(R), 'no-consent label-not-named'],
    ['HIV by R and HIV', [R, HIV], permits(R, HIV), 'permit root-permit'],
    ['R because of PSY by PSY', [R, PSY], permits(PSY), 'permit root-permit'],
    ['V because of PSY by PSY', [V, PSY], permits(PSY), 'no-consent label-not-named'],
    ['HIV marked normal', [confidentiality('N'), HIV], permits(), 'no-consent label-not-named'],
    ['HIV without confidentiality', [HIV], permits(), 'no-consent label-not-named'],
    ['a confidentiality that we do not know', [confidentiality('X')], permits(), 'no-consent label-not-named'],
    [
      'a sensitivity that we do not know',
      [confidentiality('N'), sensitivity('NEWCODE')],
      permits(),
      'no-consent label-not-named',
    ],
    [
      'a handling instruction is no sensitivity',
      [confidentiality('N'), sensitivity('NORDSCLCD')],
      permits(),
      'permit root-permit',
    ],
    ['R by a nested permit that applies', [R], { ...permits(), provision: [permits(R)] }, 'permit root-permit'],
    [
      'R by an additive permit',
      [R],
      { ...permits(confidentiality('N')), provision: [permits(R)] },
      'permit nested-exception',
    ],
    [
      'R by a nested permit for something else',
      [R],
      { ...permits(), provision: [{ ...permits(R), code: [loinc('1-1')] }] },
      'no-consent label-not-named',
    ],
    ['R by the permit inside a dissent', [R], { type: 'deny', provision: [permits(R)] }, 'permit nested-exception'],
  ] as [string, Coding[], ConsentProvision, string][])('%s', (_, labels, provision, expected) => {
    expect(said([aConsent(provision)], labelled(...labels))).toBe(expected);
  });

  test('by any Consent that permits', () => {
    expect(said([aConsent(permits()), aConsent(permits(R), { id: 'c2' })], labelled(R))).toBe('permit root-permit');
  });

  test('not by a policy', () => {
    expect(said([aConsent(undefined, { policyRule: policy('OPTIN') })], labelled(R))).toBe(
      'no-consent label-not-named'
    );
  });

  test('the obligation of the data goes with them', () => {
    const resource = labelled(confidentiality('N'), sensitivity('NORDSCLCD'));
    expect(mayReplicate([aConsent(permits())], aRequest({ resource })).obligations).toEqual(['no-redisclosure']);
  });
});
