import { expect, test } from 'vitest';
import { loadPartner } from '../../src/config/partner.ts';
import type { Partner } from '../../src/config/partner.ts';

const settings = {
  PARTNER_BASE_URL: 'https://partner.example.org/',
  PARTNER_AUTH: 'client-credentials',
  PARTNER_CLIENT_ID: 'clinic',
  PARTNER_CLIENT_SECRET: 'R7sk2-pp0-kkw81-zz',
  PARTNER_ORGANIZATION: 'Organization/o1',
};
const load = (changes: Record<string, string | undefined> = {}, production = false): ReturnType<typeof loadPartner> =>
  loadPartner(
    Object.fromEntries(
      Object.entries({ ...settings, ...changes }).flatMap(([name, valueString]) =>
        valueString === undefined ? [] : [[name, { valueString }]]
      )
    ),
    production
  );
/** Production refuses what looks like an example. */
const REAL = { PARTNER_BASE_URL: 'https://fhir.clinic.org/' };
const partner = (...args: Parameters<typeof load>): Partner => (load(...args) as { partner: Partner }).partner;

test('there is none until its address is set, whatever else is', () => {
  expect(load({ PARTNER_BASE_URL: undefined, PARTNER_EXPORT: 'nonsense' })).toBeUndefined();
});

test('defaults', () => {
  expect(partner()).toMatchObject({
    fhirUrl: 'https://partner.example.org/fhir/R4/',
    tokenUrl: 'https://partner.example.org/oauth2/token',
    organizationId: 'o1',
    exports: 'Patient',
    fileOrigins: [],
    pullEveryMs: 14 * 86_400_000,
    scope: 'system/*.read',
  });
  expect(partner().types).toHaveLength(12);
});

test('files may lie on listed hosts, in production by https alone', () => {
  const PARTNER_FILE_HOSTS = 's3.example.org, files.example.org:8443';
  expect(partner({ PARTNER_FILE_HOSTS }).fileOrigins).toContain('http://s3.example.org');
  expect(partner({ ...REAL, PARTNER_FILE_HOSTS: 's3.clinic.org, files.clinic.org:8443' }, true).fileOrigins).toEqual([
    'https://s3.clinic.org',
    'https://files.clinic.org:8443',
  ]);
});

test.each([
  [{ PARTNER_ORGANIZATION: undefined }, 'PARTNER_ORGANIZATION is missing'],
  [{ PARTNER_ORGANIZATION: 'Patient/1' }, 'PARTNER_ORGANIZATION must be one Organization'],
  [{ PARTNER_ORGANIZATION: 'Organization/1,Organization/2' }, 'PARTNER_ORGANIZATION must be one Organization'],
  [{ PARTNER_CLIENT_ID: undefined }, 'PARTNER_CLIENT_ID is missing'],
  [{ PARTNER_CLIENT_SECRET: undefined }, 'PARTNER_CLIENT_SECRET is missing'],
  [{ PARTNER_AUTH: 'smart-backend-services' }, 'PARTNER_PRIVATE_KEY is missing'],
  [{ PARTNER_EXPORT: 'Group/../Patient' }, 'PARTNER_EXPORT must be Patient, system or Group/<id>'],
  [{ PARTNER_TYPES: 'Patient,Claim' }, /^PARTNER_TYPES must be of Patient/],
  [{ PARTNER_FILE_HOSTS: 'https://x.example.org/' }, 'PARTNER_FILE_HOSTS must be names of hosts'],
  [{ PARTNER_PULL_DAYS: '0' }, 'PARTNER_PULL_DAYS must be a positive whole number'],
])('%o', (changes, problem) => {
  const problems = (load(changes) as { problems?: string[] } | undefined)?.problems;
  expect(problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
});

test('in production not over plain HTTP', () => {
  expect(load({ PARTNER_BASE_URL: 'http://partner.example.org' }, true)).toEqual({
    problems: ['PARTNER_BASE_URL must be https in production'],
  });
});

test('an open server takes no client', () => {
  expect(partner({ PARTNER_AUTH: 'none', PARTNER_CLIENT_ID: undefined, PARTNER_CLIENT_SECRET: undefined }).auth).toBe(
    'none'
  );
});
