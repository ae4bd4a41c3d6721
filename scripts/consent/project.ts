/** The source project as these commands need it: its settings, and patients by whatever name somebody has for them. */
import type { Consent, Patient } from '@medplum/fhirtypes';
import { load } from '../../src/config/load.ts';
import type { Loaded, Secrets } from '../../src/config/load.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Systems } from '../../src/fhir/systems.ts';
import { gatherProject } from '../deploy/gather.ts';
import { secretsOf } from '../deploy/secrets.ts';
import { connect, credentialsOf, Refusal } from '../deploy/server.ts';
import type { Server } from '../deploy/server.ts';
import { listOf } from './usage.ts';

/** A connected source. */
export interface Source {
  readonly server: Server;
  readonly systems: Systems;
  /** What the bots ask for when they ask a Consent. */
  readonly purpose: string;
  readonly actors: readonly string[];
  /** Everything that the bots would work with, or what is wrong with it. */
  readonly loaded: Loaded;
}

/**
 * Connects to the source that the environment names.
 *
 * @param env - The environment.
 * @returns The source; its settings are the project's, or the environment's if the client may not read those.
 */
export async function connectSource(env: Readonly<Record<string, string | undefined>>): Promise<Source> {
  const server = connect(credentialsOf(env));
  const { isAdmin } = await server.session();
  const own = Object.fromEntries(
    SETTINGS.flatMap(({ name }) => (env[name] === undefined ? [] : [[name, { valueString: env[name] }] as const]))
  );
  const secrets: Secrets = { ...own, ...secretsOf(isAdmin ? (await gatherProject(server)).secrets : []) };
  const loaded = load(secrets);
  if ('config' in loaded) {
    const { systems, consent } = loaded.config;
    return { server, systems, ...consent, loaded };
  }
  return {
    server,
    systems: systemsOf(secrets.NAMESPACE?.valueString?.replace(/\/*$/, '')),
    purpose: secrets.CONSENT_PURPOSE?.valueString ?? 'TREAT',
    actors: listOf(secrets.REPLICA_ACTORS?.valueString) ?? [],
    loaded,
  };
}

/**
 * Finds a patient.
 *
 * @param server - The source.
 * @param name - `Patient/<id>`, an id, or an identifier: `system|value`, or a value.
 * @returns The Patient.
 * @throws Refusal if there is none, or more than one.
 */
export async function findPatient(server: Server, name: string | undefined): Promise<Patient & { id: string }> {
  if (!name) {
    throw new Refusal('no patient is named', 'Name Patient/<id>, an id, or an identifier.');
  }
  const id = /^(?:Patient\/)?([A-Za-z0-9.-]{1,64})$/.exec(name)?.[1];
  const byId = id ? await server.search<Patient>(`Patient?_id=${id}`) : [];
  if (byId[0]) {
    return byId[0];
  }
  const found = name.startsWith('Patient/')
    ? []
    : await server.search<Patient>(`Patient?identifier=${encodeURIComponent(name)}`);
  const [patient, another] = found;
  if (!patient || another) {
    throw new Refusal(
      patient ? `${found.length} patients have the identifier ${name}` : `there is no patient ${name}`,
      'Name it as Patient/<id>, an id, or an identifier system|value.'
    );
  }
  return patient;
}

/**
 * Reads all Consents of a patient.
 *
 * @param server - The source.
 * @param patientId - The patient.
 * @returns Every page, active and not.
 */
export async function consentsOf(server: Server, patientId: string): Promise<(Consent & { id: string })[]> {
  return server.search<Consent>(`Consent?patient=Patient/${patientId}`);
}
