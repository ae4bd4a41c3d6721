/** `ingest`: takes what the client of an Organization sends, once, and nothing from anybody else. */
import type {
  AccessPolicy,
  AsyncJob,
  Bundle,
  Observation,
  Organization,
  Patient,
  Provenance,
} from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { signIn } from '../../story/rest.ts';
import type { Rest } from '../../story/rest.ts';
import { eventually, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';
import { createClient } from '../projects.ts';

const { bot, ingestClient } = systemsOf();
const PATH = `Bot/$execute?identifier=${encodeURIComponent(`${bot}|ingest`)}`;
const MRN = 'urn:oid:1.2.36.146';

interface Row {
  readonly success: boolean;
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
}
interface Answer extends Row {
  readonly succeeded: number;
  readonly failed: number;
  readonly results: readonly Row[];
}

interface Sending {
  readonly rest: Rest;
  readonly patient: Patient;
  send(input: object): Promise<Answer>;
  /** The same with `Prefer: respond-async`: the path of the job. */
  kickOff(input: object): Promise<string>;
}

/** An Organization, its client under the deployed policy of the role SENDER, and a patient of it. */
async function sending({ source, admin, project }: Ground): Promise<Sending> {
  const { entry = [] } = await source.get<Bundle<AccessPolicy>>('AccessPolicy?_count=100');
  const policy = entry.find(({ resource }) => resource?.name?.includes('SENDER'))?.resource;
  must(policy?.id !== undefined, 'there is no AccessPolicy of the role SENDER');
  const login = await createClient(admin, project.projectId, 'another system', policy.id);
  const organization = await source.send<Organization>('POST', 'Organization', {
    resourceType: 'Organization',
    name: 'Another clinic',
    identifier: [{ system: ingestClient, value: login.id }],
  });
  const patient = await source.send<Patient>('POST', 'Patient', {
    resourceType: 'Patient',
    name: [{ family: 'Zebedee-Quux' }],
    gender: 'male',
    identifier: [{ system: MRN, value: login.id }],
    managingOrganization: { reference: `Organization/${organization.id}` },
  });
  const rest = await signIn(source.baseUrl, login);
  return {
    rest,
    patient,
    async kickOff(input) {
      const answer = await fetch(`${source.baseUrl}fhir/R4/${PATH}`, {
        method: 'POST',
        headers: {
          Authorization: `Basic ${Buffer.from(`${login.id}:${login.secret}`).toString('base64')}`,
          'Content-Type': 'application/fhir+json',
          Prefer: 'respond-async',
        },
        body: JSON.stringify(input),
      });
      const location = answer.headers.get('content-location');
      must(answer.status === 202 && location !== null, `status ${answer.status}: ${await answer.text()}`);
      return location.slice(location.indexOf('fhir/R4/') + 'fhir/R4/'.length);
    },
    send: (input) => rest.send<Patient>('POST', PATH, input as Patient) as unknown as Promise<Answer>,
  };
}

const temperature = ({ patient }: Sending, more: object = {}): object => ({
  resourceType: 'Observation',
  id: 'obs_external_123',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8310-5', display: 'Body temperature' }] },
  subject: { reference: `Patient?identifier=${MRN}|${patient.identifier?.[0]?.value}` },
  effectiveDateTime: '2024-01-15T10:00:00Z',
  valueQuantity: { value: 37.2, unit: 'Cel' },
  ...more,
});

const visit = (sent: Sending, more: object = {}): object => ({
  resourceType: 'Encounter',
  id: 'enc_abc',
  status: 'finished',
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
  subject: { reference: `Patient?identifier=${MRN}|${sent.patient.identifier?.[0]?.value}` },
  ...more,
});

const bundle = (type: Bundle['type'], ...resources: object[]): object => ({
  resourceType: 'Bundle',
  type,
  entry: resources.map((resource) => ({ resource })),
});

const refusal = async (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'taken',
    (error: unknown) => String(error)
  );

async function observationsOf({ source }: Ground, { patient }: Sending): Promise<Observation[]> {
  const page = await source.get<Bundle<Observation>>(`Observation?subject=Patient/${patient.id}&_count=100`);
  return (page.entry ?? []).flatMap(({ resource }) => resource ?? []);
}

export const INGEST: readonly Check[] = [
  {
    bot: 'ingest',
    promise: 'takes the seeds’ Observation once, however often and however many at once it is sent, with Provenance',
    async prove(ground) {
      const sent = await sending(ground);
      const answers = await Promise.all(Array.from({ length: 6 }, () => sent.send(temperature(sent))));
      must(new Set(answers.map(({ id }) => id)).size === 1, `answers: ${JSON.stringify(answers)}`);
      const stored = await eventually(
        'observations',
        () => observationsOf(ground, sent),
        ({ length }) => length > 0
      );
      must(stored.length === 1, `${stored.length} Observations`);
      const newer = await sent.send(
        temperature(sent, { meta: { versionId: '2' }, valueQuantity: { value: 38, unit: 'Cel' } })
      );
      must(newer.status === 'updated' && newer.id === stored[0]?.id, `the newer version: ${JSON.stringify(newer)}`);
      const { entry = [] } = await eventually(
        'its Provenance',
        () => ground.source.get<Bundle<Provenance>>(`Provenance?target=Observation/${newer.id}`),
        (page) => page.entry?.length === 2
      );
      return `6 answers, 1 Observation, ${entry.length} Provenances after an update`;
    },
  },
  {
    bot: 'ingest',
    promise: 'a batch fails entry by entry, a transaction as a whole, and links hold within both',
    async prove(ground) {
      const sent = await sending(ground);
      const bad = temperature(sent, { id: 'bad', effectiveDateTime: 'yesterday' });
      const linked = temperature(sent, { encounter: { reference: 'Encounter/enc_abc' } });
      const whole = await sent.send(bundle('transaction', linked, visit(sent), bad));
      must(whole.succeeded === 0, `a transaction with a bad entry: ${JSON.stringify(whole)}`);
      must((await observationsOf(ground, sent)).length === 0, 'something of the transaction was stored');
      const apart = await sent.send(bundle('batch', linked, visit(sent), bad));
      must(apart.succeeded === 2 && apart.failed === 1, `a batch with a bad entry: ${JSON.stringify(apart)}`);
      must(
        apart.results[2]?.success === false && !JSON.stringify(apart).includes('yesterday'),
        'what the bad entry is told'
      );
      const [stored] = await eventually(
        'observations',
        () => observationsOf(ground, sent),
        ({ length }) => length > 0
      );
      must(
        stored?.encounter?.reference === `Encounter/${apart.results[1]?.id}`,
        `the link: ${stored?.encounter?.reference}`
      );
      const again = await sent.send(
        bundle(
          'transaction',
          temperature(sent, { id: 'x1', encounter: { reference: 'Encounter/e9' } }),
          visit(sent, { id: 'e9' })
        )
      );
      must(again.succeeded === 2, `a transaction with a link forward: ${JSON.stringify(again)}`);
      return apart.results.map(({ success, error }) => (success ? 'taken' : error)).join(', ');
    },
  },
  {
    bot: 'ingest',
    promise: 'the client of one Organization reaches no patient of another, and whoever is no sender nothing',
    async prove(ground) {
      const [one, other] = [await sending(ground), await sending(ground)];
      const crossed = await refusal(other.send(temperature(one)));
      must(crossed.includes('Observation.subject') || crossed.includes('no patient'), `another’s patient: ${crossed}`);
      const asAdmin = await refusal(ground.source.send<Patient>('POST', PATH, temperature(one) as Patient));
      must(asAdmin.includes('ingest-refused'), `an admin of the project: ${asAdmin}`);
      const read = await refusal(one.rest.get(`Patient/${one.patient.id}`));
      must(read !== 'taken', 'a sender may read a Patient');
      must((await observationsOf(ground, one)).length === 0, 'something was stored');
      return 'refused';
    },
  },
  {
    bot: 'ingest',
    promise: 'with `Prefer: respond-async` the answer is in the job',
    async prove(ground) {
      const sent = await sending(ground);
      const records = Array.from({ length: 60 }, (_, index) => temperature(sent, { id: `o${index}` }));
      const url = await sent.kickOff(bundle('batch', ...records));
      const job = await eventually(
        'the job',
        () => sent.rest.get<AsyncJob>(url),
        ({ status }) => status === 'completed' || status === 'error'
      );
      const body = job.output?.parameter?.find(({ name }) => name === 'responseBody')?.valueString ?? '{}';
      const answer = JSON.parse(body) as Answer;
      must(answer.succeeded === 60, `the answer of the job: ${body.slice(0, 200)}`);
      return `${answer.succeeded} of 60`;
    },
  },
];
