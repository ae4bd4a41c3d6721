import { expect, test } from 'vitest';
import { load } from '../../src/config/load.ts';
import type { Secrets } from '../../src/config/load.ts';

const GOOD = {
  REPLICA_BASE_URL: 'https://replica.clinic.org',
  REPLICA_CLIENT_ID: 'b2b2f7c2-3f0e-4f43-9f54-000000000001',
  REPLICA_CLIENT_SECRET: '5c2f8a0b7d9e4c1f8a7b6c5d4e3f2a1b',
  PSEUDONYM_KEY: 'fa2bdca424f01f01ffb48df93acc35d439c7fd331a1a7fba6ac2fd83aa9ab31a',
};

function secrets(values: Readonly<Record<string, string | undefined>>): Secrets {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, valueString]) =>
      valueString === undefined ? [] : [[name, { valueString }]]
    )
  );
}

function problems(values: Readonly<Record<string, string | undefined>>): readonly string[] {
  const loaded = load(secrets(values));
  return 'problems' in loaded ? loaded.problems : [];
}

test('four settings are enough; the rest has defaults', () => {
  const loaded = load(secrets(GOOD));
  expect(loaded).toMatchObject({
    config: {
      syncEnabled: true,
      replica: {
        fhirUrl: 'https://replica.clinic.org/fhir/R4/',
        tokenUrl: 'https://replica.clinic.org/oauth2/token',
        timeoutMs: 10000,
      },
      key: { version: 1 },
      systems: { patientToken: 'https://holilabs.xyz/patient-token' },
    },
  });
});

test('every problem is reported at once, by name', () => {
  expect(
    problems({
      SYNC_ENABLED: 'maybe',
      REPLICA_BASE_URL: 'not a url',
      PSEUDONYM_KEY_VERSION: '0',
      REPLICA_ACTORS: 'Dr Smith',
    })
  ).toEqual([
    'SYNC_ENABLED must be true or false',
    'REPLICA_BASE_URL must be an absolute URL',
    'REPLICA_CLIENT_ID is missing',
    'REPLICA_ACTORS must be references such as Organization/1',
    'PSEUDONYM_KEY is missing',
    'PSEUDONYM_KEY_VERSION must be a positive whole number',
    'REPLICA_CLIENT_SECRET is missing',
  ]);
});

test('no value of a secret is in a problem', () => {
  const text = problems({ ...GOOD, PSEUDONYM_KEY: 'hunter2', REPLICA_BASE_URL: 'ftp://user:hunter2@host' }).join();
  expect(text).toContain('PSEUDONYM_KEY');
  expect(text).not.toContain('hunter2');
});

test.each([
  [
    'the names of the seeds are accepted',
    {
      ENABLE_MEDPLUM: 'false',
      MEDPLUM_BASE_URL: 'https://m.org',
      MEDPLUM_CLIENT_ID: 'x',
      MEDPLUM_CLIENT_SECRET: 'y',
      MEDPLUM_PROJECT_ID: 'p',
    },
  ],
])('%s', (_name, aliases) => {
  const loaded = load(secrets({ PSEUDONYM_KEY: GOOD.PSEUDONYM_KEY, ...aliases }));
  expect(loaded).toMatchObject({
    config: {
      syncEnabled: false,
      replica: { fhirUrl: 'https://m.org/fhir/R4/', clientId: 'x', clientSecret: 'y', projectId: 'p' },
    },
  });
});

test('credentials for erasure are all or none', () => {
  expect(problems({ ...GOOD, ERASER_CLIENT_ID: 'x' })).toEqual([
    'ERASER_CLIENT_ID and ERASER_CLIENT_SECRET go together',
  ]);
  expect(load(secrets({ ...GOOD, ERASER_CLIENT_ID: 'x', ERASER_CLIENT_SECRET: 'y' }))).toMatchObject({
    config: { eraser: { clientId: 'x' } },
  });
  expect(load(secrets(GOOD))).toMatchObject({ config: { eraser: undefined } });
});

test('our own name wins over an alias', () => {
  expect(load(secrets({ ...GOOD, MEDPLUM_CLIENT_ID: 'alias' }))).toMatchObject({
    config: { replica: { clientId: GOOD.REPLICA_CLIENT_ID } },
  });
});

test.each([
  [
    'a loopback URL',
    { REPLICA_BASE_URL: 'https://localhost:8103' },
    'REPLICA_BASE_URL is a loopback URL, in production',
  ],
  ['plain HTTP', { REPLICA_BASE_URL: 'http://replica.clinic.org' }, 'REPLICA_BASE_URL must be https in production'],
  [
    'a placeholder secret',
    { REPLICA_CLIENT_SECRET: 'super-secure-dev-secret' },
    'REPLICA_CLIENT_SECRET is a placeholder or too short for production',
  ],
  [
    'a short secret',
    { REPLICA_CLIENT_SECRET: 'a8f' },
    'REPLICA_CLIENT_SECRET is a placeholder or too short for production',
  ],
  ['a placeholder client', { REPLICA_CLIENT_ID: 'your-client-id' }, 'REPLICA_CLIENT_ID is a placeholder'],
])('production refuses %s, development does not', (_name, change, problem) => {
  expect(problems({ ...GOOD, ...change, ENVIRONMENT: 'production' })).toEqual([problem]);
  expect(problems({ ...GOOD, ...change })).toEqual([]);
});

test.each([
  ['a short one', 'abc123'],
  ['a repeated digit', '0'.repeat(64)],
  ['a repeated pair', '0f'.repeat(32)],
  ['a placeholder', `CHANGE_ME_${'a1b2c3d4'.repeat(6)}`],
])('a key that is %s is refused in every environment', (_name, PSEUDONYM_KEY) => {
  expect(problems({ ...GOOD, PSEUDONYM_KEY }).join()).toMatch(/^PSEUDONYM_KEY /);
});

test('a research export of groups of one is none', () => {
  expect(problems({ ...GOOD, RESEARCH_K: '1' })).toEqual([
    'RESEARCH_K must be 2 at least: one is nobody to be mistaken for',
  ]);
  expect(problems({ ...GOOD, RESEARCH_K: '2' })).toEqual([]);
});

test('documentation waits for nothing unless the setting names its types', () => {
  const held = (value: string | undefined): unknown => {
    const loaded = load(secrets({ ...GOOD, DOCUMENTS_WHEN_FINISHED: value }));
    return 'config' in loaded ? loaded.config.heldDocuments : loaded.problems;
  };
  expect(held(undefined)).toEqual([]);
  expect(held('DocumentReference, DiagnosticReport')).toEqual(['DocumentReference', 'DiagnosticReport']);
  expect(held('Observation')).toEqual([expect.stringContaining('DOCUMENTS_WHEN_FINISHED must be of')]);
});
