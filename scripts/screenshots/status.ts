/** Two days of a small clinic in a sandbox, for a picture of the status page. */
import type { Binary, Bundle, Consent, Observation, Patient } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import { installBundle } from '../install.ts';
import { samplePatients } from '../samples/patients.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { consentToShare } from '../story/consent.ts';
import { signIn } from '../story/rest.ts';
import type { Rest } from '../story/rest.ts';

const START = '2026-03-02T08:20:00Z';
const HOURS = 47;
const PATIENTS = 6;

/**
 * Lets patients come, consent, change their minds and be measured, an hour at a time.
 *
 * @returns The page that the bot `status` answers in the end.
 */
export async function statusPage(): Promise<string> {
  const sandbox = await createSandbox({ start: START });
  try {
    await installBundle(sandbox, { isCronOff: true });
    const operator = await sandbox.source.createClient('operator', { admin: true });
    const patients: Patient[] = [];
    const consents: Consent[] = [];
    const bundles = samplePatients({ seed: 7, count: PATIENTS });
    for (let hour = 0; hour < HOURS; hour++) {
      // An access token lasts an hour.
      const source = await signIn(sandbox.source.baseUrl, operator);
      const bundle = hour % 7 === 1 ? bundles[patients.length] : undefined;
      if (bundle) {
        patients.push(await admitted(source, bundle));
      }
      const patient = hour % 7 === 2 ? patients.at(-1) : undefined;
      if (patient) {
        consents.push(await source.send<Consent>('POST', 'Consent', consentToShare(`Patient/${patient.id}`)));
      }
      if (hour === 26 || hour === 41) {
        await source.send('PUT', `Consent/${consents[0]?.id}`, {
          ...(consents.shift() as Consent),
          status: 'inactive',
        });
      }
      for (const each of patients.slice(0, (hour * 5) % 4)) {
        await measured(source, each, 60 + hour);
      }
      await sandbox.source.idle();
      if (hour % 24 === 20) {
        await ask(source, 'reconcile', { action: 'run' });
      }
      if (hour % 24 === 21) {
        await ask(source, 'mirror-audit');
      }
      sandbox.replica.faults.down = hour === 33 || hour === 34 ? 'cut' : undefined;
      await ask(source, 'retry-jobs');
      await ask(source, 'sweep').catch(() => undefined);
      await ask(source, 'metrics', { format: 'json' });
      await sandbox.clock.advance(3_600_000 - 600_000 + ((hour * 37) % 20) * 1000);
    }
    const source = await signIn(sandbox.source.baseUrl, operator);
    await ask(source, 'retry-jobs');
    await ask(source, 'sweep');
    const { data = '' } = (await ask(source, 'status')) as Binary;
    return Buffer.from(data, 'base64').toString('utf8');
  } finally {
    await sandbox.close();
  }
}

async function admitted(source: Rest, bundle: Bundle): Promise<Patient> {
  const answer = await source.send<Bundle>('POST', '', bundle);
  return source.get<Patient>(/Patient\/[^/]+/.exec(answer.entry?.[0]?.response?.location ?? '')?.[0] ?? '');
}

async function measured(source: Rest, { id }: Patient, value: number): Promise<void> {
  await source.send<Observation>('POST', 'Observation', {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/${id}` },
    valueQuantity: { value, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  });
}

function ask(source: Rest, bot: string, input: object = {}): Promise<object> {
  const path = `Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|${bot}`)}`;
  return source.send('POST', path, input as never);
}
