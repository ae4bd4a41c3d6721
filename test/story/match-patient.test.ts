/** Looking patients up at a partner, by the built bundle: only as far as they consent, once, and with a person where it is not certain. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Basic, Consent, Patient, Task } from '@medplum/fhirtypes';
import { afterEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { rowsOf } from '../../src/flows/audit/report.ts';
import { consentToShare } from '../../scripts/story/consent.ts';
import { askBot, client, coded, practitioner } from '../support/callers.ts';
import { chart, createPartnership } from '../support/partner.ts';
import type { Partnership } from '../support/partner.ts';
import { all } from '../support/world.ts';

const SYSTEM = 'urn:town:ssn';
const ANNA: Patient = {
  resourceType: 'Patient',
  name: [{ family: 'Zorkmid', given: ['Elizabeth'] }],
  gender: 'female',
  birthDate: '1971-03-04',
  telecom: [{ system: 'phone', value: '555 010 4477' }],
  address: [{ line: ['12 Main St.'], city: 'Springfield', postalCode: '62704' }],
  identifier: [
    { system: SYSTEM, value: '123456789' },
    { system: 'urn:clinic:mrn', value: 'secret-mrn' },
  ],
};

let ours: Partnership | undefined;
afterEach(async () => {
  await ours?.close();
  ours = undefined;
});

async function begin(settings: Parameters<typeof createPartnership>[0] = {}): Promise<Partnership> {
  ours = await createPartnership({ PARTNER_IDENTIFIER_SYSTEMS: SYSTEM, ...settings });
  return ours;
}

async function admit({ world }: Partnership, more: Partial<Patient> = {}): Promise<WithId<Patient>> {
  const patient = await world.sandbox.source.repo.createResource<Patient>({ ...ANNA, ...more });
  await world.settle();
  return patient;
}

/** A Consent that names the partner. */
async function permit({ world, organization }: Partnership, patient: WithId<Patient>, isNamed = true): Promise<void> {
  const consent = consentToShare(`Patient/${patient.id}`);
  const actor = [
    {
      role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
      reference: { reference: `Organization/${organization.id}` },
    },
  ];
  await world.sandbox.source.repo.createResource<Consent>(
    isNamed ? { ...consent, provision: { ...consent.provision, actor } } : consent
  );
  await world.settle();
}

const told = ({ partner }: Partnership): string[] => partner.asked.filter((line) => line.startsWith('POST Patient'));
const tasks = async ({ world }: Partnership): Promise<Task[]> =>
  (await all<Task>(world.sandbox, 'Task', 'source')).filter(({ code }) => code?.coding?.[0]?.code === 'partner-match');
const outcomes = async (partnership: Partnership): Promise<(string | undefined)[]> =>
  (await tasks(partnership)).map(({ businessStatus }) => businessStatus?.coding?.[0]?.code);
const links = async ({ world }: Partnership): Promise<Basic[]> =>
  (await all<Basic>(world.sandbox, 'Basic', 'source')).filter(({ code }) => code.coding?.[0]?.code === 'partner-link');
const disclosures = async ({ world }: Partnership): Promise<AuditEvent[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(({ type }) => type.code === 'FHIR_EXPORT');

describe('nothing is told', () => {
  test.each([
    ['without a Consent', undefined],
    ['by a Consent that does not name the partner', false],
  ])('%s', async (_name, isNamed) => {
    const partnership = await begin();
    partnership.partner.records.push({ ...ANNA, id: 'their-anna' });
    const patient = await admit(partnership);
    if (isNamed !== undefined) {
      await permit(partnership, patient, isNamed);
    }
    expect(partnership.partner.asked).toEqual([]);
    expect(await disclosures(partnership)).toEqual([]);
    expect(await tasks(partnership)).toEqual([]);
  });

  test('while it is switched off', async () => {
    const partnership = await begin({ PARTNER_MATCH: 'off' });
    await permit(partnership, await admit(partnership));
    expect(partnership.partner.asked).toEqual([]);
  });

  test('about those whom the partner has sent', async () => {
    const partnership = await begin();
    partnership.partner.records.push(...chart(2));
    await partnership.pullAll();
    await partnership.world.settle();
    const [patient] = await partnership.taken<Patient>('Patient');
    await permit(partnership, patient!);
    expect(told(partnership)).toEqual([]);
  });
});

test.each([
  ['search', { match: 'none' }],
  ['a declared $match', { match: 'declared' }],
  ['a $match that nobody declares', { match: 'hidden', hasMetadata: false }],
  ['search, after a try of $match', { match: 'none', hasMetadata: false }],
])('by %s: who is certain is linked, and what is told is in the trail', async (_name, behaviour) => {
  const partnership = await begin();
  const { partner, world, organization } = partnership;
  Object.assign(partner.behaviour, behaviour);
  partner.records.push(
    { ...ANNA, id: 'their-anna', name: [{ family: 'ZORKMID', given: ['Liz'] }] },
    { ...ANNA, id: 'her-twin', name: [{ family: 'Zorkmid', given: ['Agatha'] }], identifier: [] }
  );
  if (behaviour.match !== 'none') {
    partner.records[0] = { ...partner.records[0], name: [{ family: 'Zorkmid', given: ['Liz'] }] } as Patient;
  }
  const patient = await admit(partnership);
  await permit(partnership, patient);
  expect(await outcomes(partnership)).toEqual(['linked']);
  expect(await links(partnership)).toMatchObject([{ subject: { reference: `Patient/${patient.id}` } }]);
  const [task] = await tasks(partnership);
  expect(task).toMatchObject({
    status: 'completed',
    output: [{ valueReference: { reference: `${partner.baseUrl}fhir/R4/Patient/their-anna` } }],
  });
  const [event, ...others] = await disclosures(partnership);
  expect(others).toEqual([]);
  expect(event).toMatchObject({ outcome: '0', agent: [{ who: { reference: `Organization/${organization.id}` } }, {}] });
  const rows = rowsOf('disclosures', [event!], {
    systems: systemsOf(),
    replica: { fhirUrl: 'https://replica.example/', clientId: 'x' },
  });
  expect(rows).toMatchObject([
    { recipient: `Organization/${organization.id}`, patient: `Patient/${patient.id}`, action: 'match' },
  ]);
  expect(rows[0]?.consent).toMatch(/^Consent\//);
  // Nobody of them: not in Tasks, links or the trail, not in URLs, and not more than is compared in what is sent.
  expect(JSON.stringify([task, await links(partnership), event])).not.toMatch(/Zorkmid|1971|4477|Liz/i);
  expect(partner.asked.join()).not.toMatch(/Zorkmid|1971|4477/i);
  expect(partner.violations).toEqual([]);
  const before = told(partnership).length;
  await world.sandbox.source.repo.updateResource({ ...patient, active: true });
  await world.settle();
  expect(told(partnership)).toHaveLength(before);
});

test('what the partner sends about who is linked is theirs', async () => {
  const partnership = await begin();
  const { partner, pullAll, taken } = partnership;
  partner.records.push({ ...ANNA, id: 'p0' });
  const patient = await admit(partnership);
  await permit(partnership, patient);
  expect(await outcomes(partnership)).toEqual(['linked']);
  partner.records.push(...chart(1).slice(1));
  expect(await pullAll()).toMatchObject({ counts: { Patient: { known: 1 }, Observation: { created: 3 } } });
  expect(await taken('Patient')).toEqual([]);
  const subjects = (await taken('Observation')).map((each) => (each as { subject?: { reference?: string } }).subject);
  expect(subjects.every((subject) => subject?.reference === `Patient/${patient.id}`)).toBe(true);
});

describe('who is not certain', () => {
  test('is left to a person, who confirms', async () => {
    const partnership = await begin();
    const { partner, world } = partnership;
    partner.records.push({ ...ANNA, id: 'maybe', birthDate: '1971-04-03', identifier: [] });
    const patient = await admit(partnership);
    await permit(partnership, patient);
    expect(await tasks(partnership)).toMatchObject([{ status: 'requested', output: [{}] }]);
    expect(await links(partnership)).toEqual([]);
    const admin = await practitioner(world, coded('ADMIN'));
    const decide = (candidate: string): ReturnType<typeof askBot> =>
      askBot(world, 'admin', admin, { action: 'partner/decide', patient: patient.id, candidate });
    expect((await decide('somebody')).status).toBe(400);
    expect(await decide('maybe')).toMatchObject({ status: 200, body: { result: 'confirmed' } });
    expect(await links(partnership)).toMatchObject([{ subject: { reference: `Patient/${patient.id}` } }]);
    expect(await outcomes(partnership)).toEqual(['confirmed']);
    expect((await decide('maybe')).status).toBe(400);
  });

  test('or refuses', async () => {
    const partnership = await begin();
    partnership.partner.records.push({ ...ANNA, id: 'maybe', birthDate: '1971-04-03', identifier: [] });
    const patient = await admit(partnership);
    await permit(partnership, patient);
    const admin = await practitioner(partnership.world, coded('ADMIN'));
    const input = { action: 'partner/decide', patient: patient.id };
    expect(await askBot(partnership.world, 'match-patient', admin, input)).toMatchObject({
      body: { result: 'rejected' },
    });
    expect(await links(partnership)).toEqual([]);
  });

  test('nor is who is somebody else’s already', async () => {
    const partnership = await begin();
    partnership.partner.records.push({ ...ANNA, id: 'their-anna' });
    await permit(partnership, await admit(partnership));
    await permit(partnership, await admit(partnership));
    expect(await outcomes(partnership)).toEqual(['linked', 'candidates']);
    expect(await links(partnership)).toHaveLength(1);
  });

  test('and who is not there is not', async () => {
    const partnership = await begin();
    partnership.partner.records.push(...chart(1));
    await permit(partnership, await admit(partnership));
    expect(await outcomes(partnership)).toEqual(['none']);
  });
});

test('a partner that is down is asked again, and not any more when the Consent has ended', async () => {
  const partnership = await begin({ PARTNER_MATCH: 'search' });
  const { partner, world } = partnership;
  partner.records.push({ ...ANNA, id: 'their-anna' });
  partner.behaviour.statuses.push(503, 503);
  const [one, two] = [await admit(partnership), await admit(partnership, { birthDate: '1950-01-01', identifier: [] })];
  await permit(partnership, one);
  await permit(partnership, two);
  expect(await outcomes(partnership)).toEqual(['waiting', 'waiting']);
  const [, consent] = await all<Consent>(world.sandbox, 'Consent', 'source');
  await world.sandbox.source.repo.updateResource<Consent>({ ...consent!, status: 'inactive' });
  await world.settle();
  const bot = world.installed.bots.get('match-patient')!;
  await world.sandbox.source.repo.updateResource({ ...bot, cronString: '*/15 * * * *' });
  await world.sandbox.clock.advance(16 * 60_000);
  expect(await outcomes(partnership)).toEqual(expect.arrayContaining(['linked', 'withdrawn']));
});

test('only an ADMIN may ask', async () => {
  const partnership = await begin();
  const patient = await admit(partnership);
  const anybody = await client(partnership.world);
  for (const action of ['partner/match', 'partner/decide']) {
    const answer = await askBot(partnership.world, 'match-patient', anybody.authorization, {
      action,
      patient: patient.id,
    });
    expect(answer.status).toBe(400);
  }
  const admin = await practitioner(partnership.world, coded('ADMIN'));
  const answer = await askBot(partnership.world, 'match-patient', admin, { patient: patient.id });
  expect(answer).toMatchObject({ status: 200, body: { result: 'denied', reason: 'no-consents' } });
});
