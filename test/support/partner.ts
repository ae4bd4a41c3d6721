/** A world whose bots have a partner. */
import type { WithId } from '@medplum/core';
import type { Basic, Organization, Resource } from '@medplum/fhirtypes';
import { generateKeyPairSync } from 'node:crypto';
import { startPartner } from '../../scripts/sandbox/partner.ts';
import type { PartnerServer } from '../../scripts/sandbox/partner.ts';
import type { AnySettingName } from '../../src/config/all-settings.ts';
import { jwkOf, readSigningKey } from '../../src/config/client-key.ts';
import type { SigningKey } from '../../src/config/client-key.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { pullIn } from '../../src/flows/ingest/pull/state.ts';
import type { PullAnswer } from '../../src/flows/ingest/pull/report.ts';
import type { PullState } from '../../src/flows/ingest/pull/state.ts';
import { setSettings } from './callers.ts';
import { all, createWorld } from './world.ts';
import type { World } from './world.ts';

export interface Partnership {
  readonly world: World;
  readonly partner: PartnerServer;
  readonly organization: WithId<Organization>;
  /** Calls the bot as an operator does. */
  readonly pull: (input?: object) => Promise<PullAnswer>;
  /** Calls it until there is nothing left to do. */
  readonly pullAll: (input?: object) => Promise<PullAnswer>;
  /** What is saved. */
  readonly state: () => Promise<PullState | undefined>;
  /** What came from the partner, of one type. */
  readonly taken: <T extends Resource>(type: T['resourceType']) => Promise<WithId<T>[]>;
  readonly close: () => Promise<void>;
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** Waiting takes no time; the partner signs in by SMART Backend Services. */
export async function createPartnership(settings: Partial<Record<AnySettingName, string>> = {}): Promise<Partnership> {
  let now = Date.now;
  const partner = await startPartner({
    clientId: 'clinic',
    jwks: { keys: [jwkOf(readSigningKey(KEY) as SigningKey)] },
    now: () => now(),
  });
  const world = await createWorld(
    {
      settings: {
        PARTNER_BASE_URL: partner.baseUrl,
        PARTNER_CLIENT_ID: 'clinic',
        PARTNER_PRIVATE_KEY: KEY,
        PARTNER_FILE_HOSTS: partner.fileHost,
        ...settings,
      },
    },
    { isLapsing: true }
  );
  const { source, clock } = world.sandbox;
  now = () => clock.now();
  const organization = await source.repo.createResource<Organization>({
    resourceType: 'Organization',
    name: 'A partner',
  });
  const operator = await source.createClient('admin', { admin: true });
  await setSettings(world, {
    PARTNER_ORGANIZATION: `Organization/${organization.id}`,
    ADMIN_CLIENTS: operator.reference,
  });
  const authorization = `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;

  const pull = async (input: object = {}): Promise<PullAnswer> => {
    const url = `${source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|pull-partner`)}`;
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    const body = (await answer.json()) as PullAnswer;
    if (answer.status !== 200) {
      throw new Error(JSON.stringify(body));
    }
    return body;
  };
  const state = async (): Promise<PullState | undefined> => {
    const basics = await all<Basic>(world.sandbox, 'Basic', 'source');
    return basics.flatMap((basic) => pullIn(systemsOf(), basic) ?? [])[0]?.state;
  };
  return {
    world,
    partner,
    organization,
    pull,
    state,
    async pullAll(input) {
      for (let runs = 0; runs < 100; runs++) {
        const answer = await pull(input);
        if (answer.isComplete) {
          return answer;
        }
        const next = Date.parse(answer.nextAt ?? '');
        await clock.advance(Math.max(1000, (Number.isNaN(next) ? 0 : next) - clock.now()));
      }
      throw new Error('it does not end');
    },
    async taken<T extends Resource>(type: T['resourceType']) {
      const found = await all<T>(world.sandbox, type, 'source');
      return found.filter(({ meta }) => meta?.source === `${systemsOf().ingestSender}/${organization.id}`);
    },
    async close() {
      await world.settle();
      await world.close();
      await partner.close();
    },
  };
}

const AT = '2025-01-01T00:00:00.000Z';

/** Patients of the partner, each with a visit and pulses. */
export function chart(patients: number, pulses = 3, at = AT): Resource[] {
  return Array.from({ length: patients }, (_, index) => {
    const subject = { reference: `Patient/p${index}` };
    const meta = { versionId: '1', lastUpdated: at };
    return [
      {
        resourceType: 'Patient',
        id: `p${index}`,
        meta,
        identifier: [{ system: 'urn:partner:mrn', value: `X${index}` }],
        name: [{ family: `Grünwald-${index}`, given: ['Ödön'] }],
        gender: 'male',
        birthDate: '1980-01-01',
      },
      {
        resourceType: 'Encounter',
        id: `e${index}`,
        meta,
        status: 'finished',
        class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
        subject,
      },
      ...Array.from({ length: pulses }, (_each, place) => pulse(index, place, 60 + place, at)),
    ] as Resource[];
  }).flat();
}

export function pulse(patient: number, place: number, value: number, at = AT, versionId = '1'): Resource {
  return {
    resourceType: 'Observation',
    id: `o${patient}-${place}`,
    meta: { versionId, lastUpdated: at },
    status: 'final',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: `Patient/p${patient}` },
    encounter: { reference: `Encounter/e${patient}` },
    effectiveDateTime: '2025-01-01T10:00:00Z',
    valueQuantity: { value, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}
