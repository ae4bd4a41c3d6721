/** `pull-partner` and `match-patient`: a third project of the same server is the partner, with Medplum's own Bulk Data export and search. */
import type { Basic, Bundle, Consent, Observation, Organization, Patient, Task } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { PullAnswer } from '../../../src/flows/ingest/pull/report.ts';
import { consentToShare } from '../../story/consent.ts';
import { signIn } from '../../story/rest.ts';
import type { Rest } from '../../story/rest.ts';
import { npmRun } from '../command.ts';
import { eventually, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';
import { createProject, removeProject } from '../projects.ts';
import type { Made } from '../projects.ts';

const { control } = systemsOf();
const PATIENTS = 30;
const SSN = 'urn:partner:ssn';

interface Partnership {
  readonly made: Made;
  readonly partner: Rest;
  readonly organization: string;
}

/** Made for a check, and removed with it. */
async function withPartner(ground: Ground, prove: (partnership: Partnership) => Promise<string>): Promise<string> {
  const { source, superAdmin, project } = ground;
  const made = await createProject(superAdmin, `consent-sync partner ${new Date().toISOString()}`);
  try {
    const organization = await source.send<Organization>('POST', 'Organization', {
      resourceType: 'Organization',
      name: 'A partner',
    });
    const { host } = new URL(source.baseUrl);
    await ground.configure({
      PARTNER_BASE_URL: source.baseUrl,
      PARTNER_AUTH: 'client-credentials',
      PARTNER_CLIENT_ID: made.admin.id,
      PARTNER_CLIENT_SECRET: made.admin.secret,
      PARTNER_ORGANIZATION: `Organization/${organization.id}`,
      PARTNER_FILE_HOSTS: host,
      PARTNER_IDENTIFIER_SYSTEMS: SSN,
      // Medplum takes scopes for a restriction, and then exports nothing.
      PARTNER_SCOPE: 'openid',
      PARTNER_EXPORT: 'Patient',
    });
    await npmRun('deploy', [], {
      env: {
        MEDPLUM_BASE_URL: source.baseUrl,
        MEDPLUM_CLIENT_ID: project.admin.id,
        MEDPLUM_CLIENT_SECRET: project.admin.secret,
      },
    });
    return await prove({
      made,
      partner: await signIn(source.baseUrl, made.admin),
      organization: `Organization/${organization.id}`,
    });
  } finally {
    await removeProject(superAdmin, made);
  }
}

const somebody = (family: string, ssn: string): Patient => ({
  resourceType: 'Patient',
  name: [{ family, given: ['Elizabeth'] }],
  gender: 'female',
  birthDate: '1971-03-04',
  telecom: [{ system: 'phone', value: '555 010 4477' }],
  identifier: [{ system: SSN, value: ssn }],
});

async function fill(partner: Rest, run: string): Promise<void> {
  for (let index = 0; index < PATIENTS; index++) {
    const patient = await partner.send<Patient>('POST', 'Patient', somebody('Zebedee-Quux', `${run}-${index}`));
    await partner.send<Observation>('POST', 'Observation', {
      resourceType: 'Observation',
      status: 'final',
      code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
      subject: { reference: `Patient/${patient.id}` },
      effectiveDateTime: '2025-01-01T10:00:00Z',
      valueQuantity: { value: 60 + index, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
    });
  }
}

async function pullAll({ source, project }: Ground): Promise<PullAnswer> {
  const env = {
    MEDPLUM_BASE_URL: source.baseUrl,
    MEDPLUM_CLIENT_ID: project.admin.id,
    MEDPLUM_CLIENT_SECRET: project.admin.secret,
  };
  return JSON.parse(await npmRun('pull', ['--json'], { env }, [0, 1])) as PullAnswer;
}

const rowsOf = async <T extends Observation | Basic | Task>(rest: Rest, search: string): Promise<T[]> =>
  ((await rest.get<Bundle<T>>(search)).entry ?? []).flatMap(({ resource }) => resource ?? []);

export const PARTNER: readonly Check[] = [
  {
    bot: 'pull-partner',
    promise: 'takes Medplum’s own bulk export once, and after a change no more than what has changed',
    prove: (ground) =>
      withPartner(ground, async ({ partner, organization }) => {
        const run = Date.now().toString(36);
        await fill(partner, run);
        const first = await pullAll(ground);
        must(first.phase === 'done' && first.problems.length === 0, JSON.stringify(first));
        must(first.total['created'] === 2 * PATIENTS, JSON.stringify(first.total));
        const search = `Observation?_source=${systemsOf().ingestSender}/${organization.split('/')[1]}&_count=200`;
        const stored = await eventually(
          'what was pulled',
          () => rowsOf<Observation>(ground.source, search),
          (rows) => rows.length >= PATIENTS
        );
        must(stored.length === PATIENTS, `${stored.length} Observations`);
        const [observation] = (await rowsOf<Observation>(partner, 'Observation?_count=1')) as [Observation];
        await partner.send<Observation>('PUT', `Observation/${observation.id}`, { ...observation, status: 'amended' });
        const second = await pullAll(ground);
        must(second.phase === 'done' && second.total['updated'] === 1, JSON.stringify(second));
        must((second.total['created'] ?? 0) === 0, `a second time: ${JSON.stringify(second.total)}`);
        return `${first.total['created']} created, then ${JSON.stringify(second.total)}, since ${second.since}`;
      }),
  },
  {
    bot: 'match-patient',
    promise: 'finds a patient at the partner after a Consent that names it, and not before',
    prove: (ground) =>
      withPartner(ground, async ({ partner, organization }) => {
        const ssn = Date.now().toString(36);
        const theirs = await partner.send<Patient>('POST', 'Patient', somebody('ZEBEDEE-QUUX', ssn));
        const ours = await ground.source.send<Patient>('POST', 'Patient', {
          ...somebody('Zebedee-Quux', ssn),
          name: [{ family: 'Zebedee-Quux', given: ['Liz'] }],
        });
        const find = (): Promise<Task[]> =>
          rowsOf<Task>(
            ground.source,
            `Task?code=${encodeURIComponent(`${control}|partner-match`)}&patient=Patient/${ours.id}`
          );
        must((await find()).length === 0, 'asked before there was a Consent');
        const consent = consentToShare(`Patient/${ours.id}`);
        const role = {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }],
        };
        await ground.source.send<Consent>('POST', 'Consent', {
          ...consent,
          provision: { ...consent.provision, actor: [{ role, reference: { reference: organization } }] },
        });
        const [task] = await eventually('the Task', find, (rows) => rows.length > 0);
        const outcome = task?.businessStatus?.coding?.[0]?.code;
        must(outcome === 'linked', `the Task: ${JSON.stringify(task)}`);
        const link = encodeURIComponent(`${control}|partner-link`);
        const links = await rowsOf<Basic>(ground.source, `Basic?code=${link}&subject=Patient/${ours.id}`);
        must(links.length === 1, `${links.length} links`);
        must(JSON.stringify(task?.output).includes(`Patient/${theirs.id}`), JSON.stringify(task?.output));
        return `${outcome}, ${task?.output?.[0]?.extension?.[1]?.valueDecimal} bits`;
      }),
  },
];
