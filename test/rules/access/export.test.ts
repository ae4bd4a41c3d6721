import type { Encounter, PractitionerRole } from '@medplum/fhirtypes';
import { expect, test } from 'vitest';
import { mayExport } from '../../../src/rules/access/export.ts';
import type { Requester } from '../../../src/rules/access/role.ts';

const SYSTEM = 'https://holilabs.xyz/fhir/role';
const SETTING = { patientId: '1', roleSystem: SYSTEM, at: '2026-05-06T07:08:09Z' };
const role = (code: string, organization?: string): PractitionerRole => ({
  resourceType: 'PractitionerRole',
  code: [{ coding: [{ system: SYSTEM, code }] }],
  ...(organization && { organization: { reference: organization } }),
});
const visit = (status: Encounter['status']): Encounter => ({
  resourceType: 'Encounter',
  status,
  class: { code: 'AMB' },
  subject: { reference: 'Patient/1' },
  participant: [{ individual: { reference: 'Practitioner/2' } }],
});
const someone = (
  reference: string | undefined,
  roles: PractitionerRole[] = [],
  encounters: Encounter[] = []
): Requester => ({
  reference,
  roles,
  encounters,
  adminClients: ['ClientApplication/9'],
});

test.each([
  ['the patient', someone('Patient/1'), [], { ok: true, role: 'PATIENT' }],
  ['another patient', someone('Patient/2'), [], { ok: false, reason: 'no-role' }],
  ['nobody', someone(undefined), [], { ok: false, reason: 'no-role' }],
  [
    'a clinician of an active Encounter',
    someone('Practitioner/2', [], [visit('in-progress')]),
    ['Organization/8'],
    { ok: true, role: 'CLINICIAN' },
  ],
  [
    'a clinician of a finished one',
    someone('Practitioner/2', [], [visit('finished')]),
    [],
    { ok: false, reason: 'no-role' },
  ],
  [
    'an ADMIN of the organization',
    someone('Practitioner/2', [role('ADMIN', 'Organization/8')]),
    ['Organization/8'],
    { ok: true, role: 'ADMIN' },
  ],
  [
    'an ADMIN of another',
    someone('Practitioner/2', [role('ADMIN', 'Organization/7')]),
    ['Organization/8'],
    { ok: false, reason: 'other-organization', role: 'ADMIN' },
  ],
  [
    'an ADMIN of an organization, where the patient has none',
    someone('Practitioner/2', [role('ADMIN', 'Organization/7')]),
    [],
    { ok: false, reason: 'other-organization', role: 'ADMIN' },
  ],
  [
    'an ADMIN of no organization, where the patient has one',
    someone('Practitioner/2', [role('ADMIN')]),
    ['Organization/8'],
    { ok: false, reason: 'other-organization', role: 'ADMIN' },
  ],
  [
    'an ADMIN of no organization, where the patient has none',
    someone('Practitioner/2', [role('ADMIN')]),
    [],
    { ok: true, role: 'ADMIN' },
  ],
  [
    'an ADMIN elsewhere who works here as something else',
    someone('Practitioner/2', [role('ADMIN', 'Organization/7'), role('NURSE', 'Organization/8')]),
    ['Organization/8'],
    { ok: false, reason: 'other-organization', role: 'ADMIN' },
  ],
  [
    'an ADMIN elsewhere in an active Encounter',
    someone('Practitioner/2', [role('ADMIN', 'Organization/7')], [visit('arrived')]),
    ['Organization/8'],
    { ok: true, role: 'CLINICIAN' },
  ],
  ['a program of the settings', someone('ClientApplication/9'), ['Organization/8'], { ok: true, role: 'ADMIN' }],
  ['another program', someone('ClientApplication/3'), [], { ok: false, reason: 'no-role' }],
  [
    'a researcher',
    someone('Practitioner/2', [role('RESEARCHER')]),
    [],
    { ok: false, reason: 'researcher', role: 'RESEARCHER' },
  ],
])('%s', (_, requester, organizations, expected) => {
  expect(mayExport(requester, SETTING, organizations)).toEqual(expected);
});
