/** Roles, one fact at a time. */
import type { Encounter, PractitionerRole } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { mayAsk } from '../../../src/rules/access/reveal.ts';
import { actorsOf, ROLES, rolesOf } from '../../../src/rules/access/role.ts';
import type { Requester, Setting } from '../../../src/rules/access/role.ts';

const SYSTEM = 'https://holilabs.xyz/fhir/role';
const setting: Setting = { patientId: 'p1', roleSystem: SYSTEM, at: '2026-05-05T12:00:00Z' };

const role = (changes: Partial<PractitionerRole> = {}): PractitionerRole => ({
  resourceType: 'PractitionerRole',
  id: 'r1',
  code: [{ coding: [{ system: SYSTEM, code: 'ADMIN' }] }],
  ...changes,
});

const visit = (changes: Partial<Encounter> = {}): Encounter => ({
  resourceType: 'Encounter',
  status: 'in-progress',
  class: { code: 'AMB' },
  subject: { reference: 'Patient/p1' },
  participant: [{ individual: { reference: 'Practitioner/d1' } }],
  ...changes,
});

const who = (changes: Partial<Requester> = {}): Requester => ({
  reference: 'Practitioner/d1',
  roles: [],
  encounters: [],
  adminClients: [],
  ...changes,
});

describe('PATIENT', () => {
  test.each([
    ['the patient', 'Patient/p1', ['PATIENT']],
    ['another patient', 'Patient/p2', []],
    ['a relative', 'RelatedPerson/p1', []],
    ['a practitioner of the same id', 'Practitioner/p1', []],
    ['nobody', undefined, []],
  ])('%s', (_name, reference, roles) => expect(rolesOf(who({ reference }), setting)).toEqual(roles));

  test('is nobody’s when the token is nobody’s', () => {
    expect(rolesOf(who({ reference: 'Patient/undefined' }), { ...setting, patientId: undefined })).toEqual([]);
  });
});

describe('CLINICIAN', () => {
  test.each<[string, Partial<Encounter>, boolean]>([
    ['takes part', {}, true],
    ['through a role', { participant: [{ individual: { reference: 'PractitionerRole/r1' } }] }, true],
    ['arrived', { status: 'arrived' }, true],
    ['finished', { status: 'finished' }, false],
    ['planned', { status: 'planned' }, false],
    ['entered in error', { status: 'entered-in-error' }, false],
    ['of another patient', { subject: { reference: 'Patient/p2' } }, false],
    ['of nobody', { subject: {} }, false],
    ['with another practitioner', { participant: [{ individual: { reference: 'Practitioner/d2' } }] }, false],
    ['without participants', { participant: [] }, false],
    [
      'whose part has ended',
      { participant: [{ individual: { reference: 'Practitioner/d1' }, period: { end: '2026-05-04' } }] },
      false,
    ],
    [
      'whose part ends today',
      { participant: [{ individual: { reference: 'Practitioner/d1' }, period: { end: '2026-05-05' } }] },
      true,
    ],
    [
      'whose part ends some day that cannot be read',
      { participant: [{ individual: { reference: 'Practitioner/d1' }, period: { end: 'soon' } }] },
      false,
    ],
  ])('an Encounter: %s', (_name, changes, isOne) => {
    const requester = who({ encounters: [visit(changes)], roles: [role({ code: [] })] });
    expect(rolesOf(requester, setting)).toEqual(isOne ? ['CLINICIAN'] : []);
  });

  test('a patient or client that is named as participant is none', () => {
    for (const reference of ['Patient/p2', 'ClientApplication/c', 'RelatedPerson/x']) {
      const encounters = [visit({ participant: [{ individual: { reference } }] })];
      expect(rolesOf(who({ reference, encounters }), setting)).toEqual([]);
    }
  });
});

describe('ADMIN and RESEARCHER', () => {
  test.each<[string, Partial<PractitionerRole>, boolean]>([
    ['of our system', {}, true],
    ['without a system', { code: [{ coding: [{ code: 'ADMIN' }] }] }, true],
    ['as text', { code: [{ text: 'ADMIN' }] }, true],
    ['of another system', { code: [{ coding: [{ system: 'urn:site', code: 'ADMIN' }] }] }, false],
    ['in lower case', { code: [{ text: 'admin' }] }, false],
    ['in a sentence', { code: [{ text: 'not ADMIN' }] }, false],
    ['no longer active', { active: false }, false],
    ['ended', { period: { end: '2026-05-04T00:00:00Z' } }, false],
    ['not yet begun', { period: { start: '2026-06-01' } }, false],
  ])('a role %s', (_name, changes, isOne) => {
    expect(rolesOf(who({ roles: [role(changes)] }), setting)).toEqual(isOne ? ['ADMIN'] : []);
  });

  test('a client counts when it is listed, and a role does not make it one', () => {
    const client = who({ reference: 'ClientApplication/c', roles: [role()] });
    expect(rolesOf(client, setting)).toEqual([]);
    expect(rolesOf({ ...client, adminClients: ['ClientApplication/c'] }, setting)).toEqual(['ADMIN']);
  });

  test('several roles come in one order', () => {
    const roles = [role({ code: [{ text: 'RESEARCHER' }, { text: 'ADMIN' }] })];
    expect(rolesOf(who({ roles, encounters: [visit()] }), setting)).toEqual(['CLINICIAN', 'ADMIN', 'RESEARCHER']);
  });
});

test('actors are the person, the roles they hold, and their organizations', () => {
  const roles = [
    role({ organization: { reference: 'Organization/o1' } }),
    role({ id: 'r2', organization: { reference: 'Organization/o1' } }),
    role({ id: 'r3', active: false, organization: { reference: 'Organization/o2' } }),
  ];
  expect(actorsOf(who({ roles }), setting.at)).toEqual([
    'Practitioner/d1',
    'PractitionerRole/r1',
    'Organization/o1',
    'PractitionerRole/r2',
  ]);
});

describe('who may ask', () => {
  const plain = { isResearch: false, isBreakGlass: false };

  test.each([
    [[], 'no-role'],
    [['PATIENT'], 'PATIENT, without consent'],
    [['CLINICIAN'], 'CLINICIAN, by consent'],
    [['ADMIN'], 'ADMIN, by consent'],
    [['RESEARCHER'], 'researcher'],
    [['CLINICIAN', 'RESEARCHER'], 'CLINICIAN, by consent'],
  ] as const)('%j: %s', (roles, says) => {
    const standing = mayAsk(roles, plain);
    expect(
      standing.ok ? `${standing.role}, ${standing.needsConsent ? 'by' : 'without'} consent` : standing.reason
    ).toBe(says);
  });

  test('research gets nothing identified, whoever asks', () => {
    for (const role of ROLES.filter((each) => each !== 'PATIENT')) {
      expect(mayAsk([role], { ...plain, isResearch: true }).ok).toBe(false);
    }
  });

  test('only an ADMIN breaks the glass', () => {
    const broken = ROLES.map((each) => mayAsk([each], { ...plain, isBreakGlass: true }).ok);
    expect(ROLES.filter((_, at) => broken[at])).toEqual(['ADMIN']);
  });
});
