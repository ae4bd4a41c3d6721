/** The commands people type, as processes, against a source: grant, show, explain, narrow, revoke, lint. */
import type { Basic, Consent, Patient } from '@medplum/fhirtypes';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkIn } from '../../src/flows/link.ts';
import { fileOf, tidy } from '../demo/kit.ts';
import { admit, all, copies, createWorld } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let env: NodeJS.ProcessEnv;
let person: Awaited<ReturnType<typeof admit>>;

beforeAll(async () => {
  world = await createWorld();
  const { source } = world.sandbox;
  const { id, secret } = await source.createClient('operator', { admin: true });
  env = {
    PATH: process.env.PATH,
    MEDPLUM_BASE_URL: source.baseUrl,
    MEDPLUM_CLIENT_ID: id,
    MEDPLUM_CLIENT_SECRET: secret,
  };
  person = await admit(world);
});
afterAll(async () => {
  tidy();
  await world.close();
});

async function run(script: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [`scripts/${script}.ts`, ...args], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const granted = async (): Promise<Consent[]> => all<Consent>(world.sandbox, 'Consent', 'source');

describe('one patient, from consent to revocation', () => {
  test('before anything, everything is refused', async () => {
    const { code, out } = await run('consent', 'show', person.patient.id);
    expect(code).toBe(0);
    expect(out).toContain('0 Consents');
    expect(out).not.toContain('✓');
  });

  test('a grant is written properly, and the replica fills with what it names', async () => {
    const { code, out } = await run(
      'consent',
      'grant',
      'MRN-Doe-77',
      '--classes',
      'DEMOGRAPHICS,VITAL_SIGNS',
      '--until',
      '2999-12-31'
    );
    expect({ code, out: out.split('\n')[0] }).toEqual({ code: 0, out: expect.stringMatching(/^wrote Consent\//) });
    expect(out).toMatch(/✓ DEMOGRAPHICS, VITAL_SIGNS\n.*root provision permits, until 3000-01-01T00:00:00.000Z/);
    expect(out).toMatch(/✗ ENCOUNTERS, /);
    expect(out).not.toContain('!');
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 1, Encounter: 0, Observation: 1 });
  });

  test('explain shows decision, evidence and what would be sent, and sends nothing', async () => {
    world.sent();
    const { code, out } = await run('explain', `Patient/${person.patient.id}`, `Observation/${person.pulse.id}`);
    expect(code).toBe(0);
    expect(out).toMatch(/Permitted for TREAT by Consent .* \(provision\): its root provision permits/);
    expect(out).toMatch(/class +true +Observation VITAL_SIGNS +DEMOGRAPHICS VITAL_SIGNS/);
    expect(out).toMatch(/"resourceType": "Observation"/);
    expect(out).toMatch(/"code": "PSEUDED"/);
    expect(out).toContain('something of this patient has been sent before');
    expect(out).toMatch(/queue: patient-recheck Patient\/\S+ requested, due 3000-01-01/);
    expect(out.slice(out.indexOf('What would be sent'))).not.toMatch(/Doe|Janeway|MRN-|2024-05-06/);
    expect(world.sent()).toEqual([]);
  });

  test('explain of a refused record says what is missing', async () => {
    const { out } = await run('explain', person.patient.id, `Encounter/${person.encounter.id}`);
    expect(out).toMatch(/Refused for TREAT because no Consent permits; .*the class of the data is not listed/);
    expect(out).toMatch(/class +false/);
    expect(out).toContain('Nothing would be sent (consent-class)');
  });

  test('explain of a patient counts, type by type', async () => {
    const { out } = await run('explain', person.patient.id);
    expect(out).toMatch(/Observation +1 {2}1 would be copied/);
    expect(out).toMatch(/Encounter +1 {2}1 consent-class/);
  });

  test('a class is taken back, and its copies go', async () => {
    const { code, out } = await run('consent', 'revoke', person.patient.id, '--class', 'VITAL_SIGNS');
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('narrowed') });
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 1, Observation: 0 });
  });

  test('everything is taken back: the Consent is inactive and has its history', async () => {
    const { code } = await run('consent', 'revoke', person.patient.id);
    expect(code).toBe(0);
    await world.settle();
    expect(await copies(world)).toMatchObject({ Patient: 0, Encounter: 0, Observation: 0 });
    const [consent] = await granted();
    expect(consent?.status).toBe('inactive');
    const { entry = [] } = await world.sandbox.source.repo.readHistory('Consent', consent?.id ?? '');
    expect(entry.map(({ resource }) => (resource as Consent).status)).toEqual(['inactive', 'active', 'active']);
  });

  test('a Consent with provisions of its own is not rewritten, and revoke says that it still permits', async () => {
    const own: Consent = {
      resourceType: 'Consent',
      status: 'active',
      scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
      category: [{ coding: [{ system: 'http://loinc.org', code: '59284-6' }] }],
      patient: { reference: `Patient/${person.patient.id}` },
      policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
      provision: { type: 'permit' },
    };
    const written = await world.sandbox.source.repo.createResource<Consent>(own);
    const { code, err } = await run('consent', 'revoke', person.patient.id);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('Still permitted: DEMOGRAPHICS') });
    const linted = await run('consent', 'lint', '--patient', person.patient.id);
    expect(linted).toMatchObject({
      code: 1,
      out: expect.stringContaining(`Consent/${written.id} Consent.provision.purpose: no-purpose`),
    });
  });
});

test.each([
  ['an unknown command', ['forget'], 'there is no command "forget"'],
  ['a class that is none', ['grant', 'x', '--classes', 'FOO'], 'there is no class "FOO"'],
  ['genetics', ['grant', 'x', '--classes', 'GENETICS'], 'GENETICS is never shared'],
  ['a date that is none', ['grant', 'x', '--until', 'soon'], '"soon" is no FHIR date'],
  ['a purpose that is none', ['grant', 'x', '--purpose', 'FUN'], '"FUN" is no purpose'],
  ['a patient who is not there', ['show', 'nobody'], 'there is no patient nobody'],
  ['a misspelt option', ['show', 'x', '--clases', 'A'], "Unknown option '--clases'"],
])('refuses %s', async (_, args, message) => {
  expect(await run('consent', ...args)).toMatchObject({ code: 1, err: expect.stringContaining(message) });
});

test('a name that two patients share is refused', async () => {
  const twin: Patient = { resourceType: 'Patient', identifier: [{ system: 'urn:mrn', value: 'twin' }] };
  await world.sandbox.source.repo.createResource(twin);
  await world.sandbox.source.repo.createResource(twin);
  expect(await run('consent', 'show', 'twin')).toMatchObject({
    code: 1,
    err: expect.stringContaining('2 patients have'),
  });
});

test('decide answers each case with one line, and does not read what is expected', async () => {
  const resource = { resourceType: 'Observation', id: 'o', subject: { reference: 'Patient/1' } };
  const one = {
    name: 'a',
    consents: [],
    request: { patient: 'Patient/1', purpose: 'TREAT', at: '2024-06-01T00:00:00Z', resource },
  };
  const file = fileOf([
    { ...one, expected: { decision: 'permit', reason: 'root-permit' } },
    { ...one, name: 'b', request: { ...one.request, at: undefined } },
  ]);
  const { code, out, err } = await run('consent', 'decide', '--cases', file);
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  ).toEqual([
    { name: 'a', decision: 'no-consent', reason: 'no-consents', path: null, validUntil: null },
    { name: 'b', decision: 'deny', reason: 'uninterpretable', path: null, validUntil: null },
  ]);
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('case b could not be read') });
});

describe('the proof for an auditor', () => {
  test('tells what was shared and erased, and nothing of the patient', async () => {
    const link = (await all<Basic>(world.sandbox, 'Basic', 'source')).find(
      ({ subject }) => subject?.reference === `Patient/${person.patient.id}`
    );
    const { code, out } = await run(
      'consent',
      'proof',
      linkIn(systemsOf(), link ? [link] : [])?.tokens[0]?.value ?? ''
    );
    expect(code).toBe(0);
    const proof = JSON.parse(out) as { shared: number; erased: number; consents: unknown[]; runs: { found: number }[] };
    expect(proof.shared).toBeGreaterThan(0);
    expect(proof.consents.length).toBeGreaterThan(0);
    expect(proof.runs.every(({ found }) => found === 0)).toBe(true);
    expect([person.patient.id, 'Janeway', 'MRN-', '1971'].filter((part) => out.includes(part))).toEqual([]);
  });

  test('of a token that is nobody’s says so', async () => {
    const { code, err } = await run('consent', 'proof', 'pt_nobody');
    expect(code).toBe(1);
    expect(err).toContain('nobody was ever known as pt_nobody');
  });
});
