/** The smaller parts: the file of Medplum's CLI, audited policies, credentials, command lines. */
import { describe, expect, test } from 'vitest';
import { readArgs } from '../../scripts/deploy/arguments.ts';
import { mergeConfig } from '../../scripts/deploy/config-file.ts';
import { isAudited } from '../../scripts/deploy/readers.ts';
import { credentialsOf, Refusal } from '../../scripts/deploy/server.ts';

test('medplum.config.json: ours are replaced, those of others and other settings stay, removed ones go', () => {
  const other = { name: 'other', id: '9', source: 'a.ts', dist: 'a.js' };
  const stale = { name: 'sweep', id: 'old', source: 'x', dist: 'x' };
  const gone = { name: 'gone', id: '3', source: 'x', dist: 'x' };
  expect(mergeConfig({ baseUrl: 'u', bots: [other, stale, gone] }, [{ name: 'sweep', id: '1' }], ['gone'])).toEqual({
    baseUrl: 'u',
    bots: [other, { name: 'sweep', id: '1', source: 'src/bots/sweep.ts', dist: 'dist/sweep.js' }],
  });
});

test.each([
  [[{ resourceType: 'Patient' }], false],
  [[{ resourceType: 'AuditEvent', interaction: ['create'] }], true],
  [[{ resourceType: 'AuditEvent' }], true],
  [[{ resourceType: 'AuditEvent', interaction: ['read'] }], false],
  [[{ resourceType: 'AuditEvent', readonly: true }], false],
  [[{ resourceType: '*' }], true],
  [[{ resourceType: '*', readonly: true }], false],
  [undefined, false],
] as const)('a policy with %j is audited: %s', (resource, audited) =>
  expect(isAudited({ resourceType: 'AccessPolicy', ...(resource && { resource: [...resource] as never[] }) })).toBe(
    audited
  )
);

describe('the environment', () => {
  const env = { MEDPLUM_BASE_URL: 'https://a.example', MEDPLUM_CLIENT_ID: 'id', MEDPLUM_CLIENT_SECRET: 'hunter2' };

  test('has what Medplum’s CLI reads', () =>
    expect(credentialsOf(env)).toEqual({
      baseUrl: 'https://a.example',
      clientId: 'id',
      clientSecret: 'hunter2',
      fhirPath: 'fhir/R4/',
    }));

  test('names everything that is missing', () =>
    expect(() => credentialsOf({ MEDPLUM_CLIENT_ID: 'id' })).toThrow('MEDPLUM_BASE_URL, MEDPLUM_CLIENT_SECRET'));

  test('refuses a base URL that is none', () =>
    expect(() => credentialsOf({ ...env, MEDPLUM_BASE_URL: 'a.example' })).toThrow(Refusal));
});

test('a misspelt --dry-run does not deploy', () => {
  expect(() => readArgs(['--dryrun'], { 'dry-run': { type: 'boolean' } }, 'usage')).toThrow(Refusal);
  expect(readArgs(['--dry-run'], { 'dry-run': { type: 'boolean' } }, 'usage').values['dry-run']).toBe(true);
});
