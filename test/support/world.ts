/** A sandbox with the bundle installed, and an oracle that says what its replica should hold. */
import type { WithId } from '@medplum/core';
import type {
  AuditEvent,
  Basic,
  Bundle,
  Consent,
  DiagnosticReport,
  DocumentReference,
  Encounter,
  Identifier,
  Observation,
  Patient,
  Reference,
  Resource,
} from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import { installBundle } from '../../scripts/install.ts';
import type { Installed, InstallOptions } from '../../scripts/install.ts';
import { createSandbox } from '../../scripts/sandbox/sandbox.ts';
import type { Sandbox, SandboxOptions } from '../../scripts/sandbox/sandbox.ts';
import type { WireEntry } from '../../scripts/sandbox/wire.ts';
import { consentToShare } from '../../scripts/story/consent.ts';
import { PROFILE, REPLICATED_TYPES, STUB_TYPES } from '../../src/config/policy.ts';
import { load } from '../../src/config/load.ts';
import type { Config } from '../../src/config/load.ts';
import { open } from '../../src/fhir/sealed.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { keyringOf, stubsOf } from '../../src/flows/keyring.ts';
import { linkIn, linkTerm } from '../../src/flows/link.ts';
import { plan } from '../../src/flows/sync/plan.ts';
import { hintOf } from '../../src/flows/sync/facts.ts';
import type { Replicated } from '../../src/config/policy.ts';
import { canonical } from '../../src/fhir/canonical.ts';

export interface World {
  readonly sandbox: Sandbox;
  readonly installed: Installed;
  /** Of the installed bundle. */
  readonly profile: Config['profile'];
  /** Of which types the bundle has stubs. */
  readonly stubTypes: Config['stubTypes'];
  /** Requests that bots sent to the replica since the last call, token requests aside. */
  sent(): WireEntry[];
  /** Requests that bots sent to the source since the last call. */
  asked(): WireEntry[];
  /** Our FHIR_SYNC events in the source, oldest first. */
  trail(): Promise<AuditEvent[]>;
  settle(): Promise<void>;
  sweep(): Promise<unknown>;
  /** One run of `retry-jobs`. */
  retryJobs(): Promise<unknown>;
  /** Calls a bot as an operator does. */
  execute(bot: string, input?: object): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

/**
 * @param options - Changes to the installation.
 * @param sandboxOptions - Changes to the two servers.
 * @returns A world with cron off: tests tick by hand.
 */
export async function createWorld(options: InstallOptions = {}, sandboxOptions: SandboxOptions = {}): Promise<World> {
  const sandbox = await createSandbox(sandboxOptions);
  const installed = await installBundle(sandbox, { isCronOff: true, ...options });
  const wires = { source: [] as WireEntry[], replica: [] as WireEntry[] };
  sandbox.source.onRequest((entry) => wires.source.push(entry));
  sandbox.replica.onRequest((entry) => wires.replica.push(entry));
  return {
    sandbox,
    installed,
    profile: (options.profile as Config['profile'] | undefined) ?? PROFILE,
    stubTypes: (options.stubs as Config['stubTypes'] | undefined) ?? STUB_TYPES,
    sent: () => wires.replica.splice(0).filter(({ interaction }) => interaction !== 'token'),
    asked: () => wires.source.splice(0).filter(({ caller }) => caller?.startsWith('Bot/')),
    async trail() {
      const found = await all<AuditEvent>(sandbox, 'AuditEvent', 'source');
      return found.filter(({ type }) => type.code === 'FHIR_SYNC');
    },
    settle: () => sandbox.source.idle({ timeoutMs: 60_000 }),
    sweep: () => execute('sweep'),
    retryJobs: () => execute('retry-jobs'),
    execute,
    close: () => sandbox.close(),
  };

  async function execute(
    bot: string,
    input: object = {}
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const operator = await sandbox.source.createClient('operator', { admin: true });
    const authorization = `Basic ${Buffer.from(`${operator.id}:${operator.secret}`).toString('base64')}`;
    const url = `${sandbox.source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|${bot}`)}`;
    const answer = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(input),
    });
    return { status: answer.status, body: (await answer.json()) as unknown };
  }
}

/** Creates a Patient with an Encounter and two Observations; without Consent unless asked for. */
export async function admit(
  world: World,
  name = 'Doe'
): Promise<{
  readonly patient: WithId<Patient>;
  readonly encounter: WithId<Encounter>;
  readonly pulse: WithId<Observation>;
}> {
  const { repo } = world.sandbox.source;
  const patient = await repo.createResource<Patient>({
    resourceType: 'Patient',
    name: [{ family: name, given: ['Janeway'] }],
    gender: 'female',
    birthDate: '1971-03-04',
    identifier: [{ system: 'urn:mrn', value: `MRN-${name}-77` }],
  });
  const encounter = await repo.createResource<Encounter>({
    resourceType: 'Encounter',
    status: 'finished',
    class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
    subject: { reference: `Patient/${patient.id}`, display: name },
    period: { start: '2024-05-06T07:08:09Z', end: '2024-05-06T07:38:09Z' },
  });
  const pulse = await repo.createResource<Observation>(observation(patient, encounter, 72));
  return { patient, encounter, pulse };
}

/** A heart rate. */
export function observation(
  patient: WithId<Patient>,
  encounter: WithId<Encounter> | undefined,
  value: number
): Observation {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: {
      coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }],
      text: 'pulse of a patient',
    },
    subject: { reference: `Patient/${patient.id}` },
    ...(encounter && { encounter: { reference: `Encounter/${encounter.id}` } }),
    effectiveDateTime: '2024-05-06T07:10:11Z',
    valueQuantity: { value, unit: 'beats/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}

/** A note of a visit. */
export function noteOf(patient: WithId<Patient>, ...encounters: readonly WithId<Encounter>[]): DocumentReference {
  return {
    resourceType: 'DocumentReference',
    status: 'current',
    type: { coding: [{ system: 'http://loinc.org', code: '34117-2' }] },
    subject: { reference: `Patient/${patient.id}` },
    date: '2024-05-06T08:00:00Z',
    content: [{ attachment: { contentType: 'text/plain', title: 'Janeway.txt' } }],
    context: { encounter: encounters.map(({ id }) => ({ reference: `Encounter/${id}` })) },
  };
}

/** A laboratory report of a visit. */
export function reportOf(patient: WithId<Patient>, encounter: WithId<Encounter>): DiagnosticReport {
  return {
    resourceType: 'DiagnosticReport',
    status: 'final',
    category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0074', code: 'LAB' }] }],
    code: { coding: [{ system: 'http://loinc.org', code: '58410-2' }] },
    subject: { reference: `Patient/${patient.id}` },
    encounter: { reference: `Encounter/${encounter.id}` },
    effectiveDateTime: '2024-05-06T07:40:00Z',
  };
}

/** Gives a patient's consent. */
export async function consent(
  world: World,
  patient: WithId<Patient>,
  classes?: readonly string[]
): Promise<WithId<Consent>> {
  return world.sandbox.source.repo.createResource<Consent>(consentToShare(`Patient/${patient.id}`, classes));
}

/** Everything of one type. */
export async function all<T extends Resource>(
  sandbox: Sandbox,
  resourceType: T['resourceType'],
  where: 'source' | 'replica'
): Promise<WithId<T>[]> {
  const found: WithId<T>[] = [];
  for (let offset = 0; ; offset += 1000) {
    const page: Bundle<WithId<T>> = await sandbox[where].repo.search<T>({
      resourceType,
      count: 1000,
      offset,
      sortRules: [{ code: '_lastUpdated' }],
    });
    found.push(...(page.entry ?? []).map(({ resource }) => resource as WithId<T>));
    if ((page.entry?.length ?? 0) < 1000) {
      return found;
    }
  }
}

/** Copies on the replica by type, as counts; of the types that no builder here makes, only those that are there. */
export async function copies(world: World): Promise<Record<string, number>> {
  const counts = await Promise.all(
    REPLICATED_TYPES.map(async (type) => [type, (await all(world.sandbox, type, 'replica')).length] as const)
  );
  return Object.fromEntries(
    counts.filter(([type, count]) => count > 0 || ['Patient', 'Encounter', 'Observation'].includes(type))
  );
}

/** What the replica holds, as text: every copy by token, its content in canonical form, references put back to tokens. */
export async function held(world: World): Promise<string[]> {
  const resources = (
    await Promise.all(REPLICATED_TYPES.map((type) => all<Replicated>(world.sandbox, type, 'replica')))
  ).flat();
  const stubs = await Promise.all(world.stubTypes.map((type) => all(world.sandbox, type, 'replica')));
  const names = new Map(
    [...resources, ...stubs.flat()].map((resource) => [
      `${resource.resourceType}/${resource.id}`,
      identifierOf(resource),
    ])
  );
  return resources
    .map((resource) => {
      const { id: _id, meta, ...content } = resource as Resource & { id: string };
      const text = JSON.stringify(content, (key: string, value: unknown) =>
        key === 'reference' ? nameOf(value, names) : value
      );
      // A reference that the server resolved has got a display from it.
      const plain = JSON.parse(text, function (this: unknown, key: string, value: unknown) {
        return key === 'display' ? undefined : value;
      }) as unknown;
      return `${canonical(plain)} ${meta?.tag?.map(({ code }) => code).join()} ${meta?.security?.map(({ code }) => code).join()}`;
    })
    .sort();
}

function nameOf(reference: unknown, names: ReadonlyMap<string, Identifier | undefined>): string {
  const identifier = names.get(String(reference));
  return identifier
    ? `${String(reference).split('/')[0]}?identifier=${identifier.system}|${identifier.value}`
    : `dangling ${String(reference)}`;
}

function identifierOf(resource: Resource): Identifier | undefined {
  return (resource as Resource & { identifier?: Identifier[] }).identifier?.[0];
}

/** What the replica should hold: the rules over the source, without any of the machinery between them. */
export async function expected(world: World): Promise<string[]> {
  const config = { ...(await configOf(world)), profile: world.profile, stubTypes: world.stubTypes };
  const controls = await all<Basic>(world.sandbox, 'Basic', 'source');
  const patients = new Map(
    (await all<Patient>(world.sandbox, 'Patient', 'source')).map((patient) => [patient.id, patient])
  );
  const encounters = new Map(
    (await all<Encounter>(world.sandbox, 'Encounter', 'source')).map((encounter) => [encounter.id, encounter])
  );
  const consents = await all<Consent>(world.sandbox, 'Consent', 'source');
  const records = (
    await Promise.all(REPLICATED_TYPES.map((type) => all(world.sandbox, type, 'source')))
  ).flat() as WithId<Replicated>[];
  const at = world.sandbox.clock.iso();
  return records
    .flatMap((record) => {
      const { patientId, hint } = hintOf(record);
      const patient = patients.get(patientId ?? '');
      if (!patientId || !patient) {
        return [];
      }
      const facts = {
        patientId,
        patient,
        consents: consents.filter((one) => (one.patient as Reference).reference === `Patient/${patientId}`),
        isLinked: true,
        hints: [hint],
        records: new Map<string, Replicated>([
          ...[...encounters.values()].map((encounter) => [`Encounter/${encounter.id}`, encounter] as const),
          [`Patient/${patientId}`, patient],
          [`${record.resourceType}/${record.id}`, record],
        ]),
        earlier: [],
      };
      const own = controls.filter(({ identifier = [] }) =>
        identifier.some(({ system, value }) => `${system}|${value}` === linkTerm(config.systems, patientId))
      );
      // A copy without a link would be a mistake: then it is compared with one under keys that nobody has.
      const { keys } = keyringOf(config, patientId, linkIn(config.systems, own), () => randomBytes(32).toString('hex'));
      const planned = plan(facts, hint, { config, keys, stubs: stubsOf(config), at, memo: new Map() });
      if (planned.action !== 'put') {
        return [];
      }
      const { meta, ...content } = open(planned.sealed);
      return [
        `${canonical(content)} ${meta?.tag?.map(({ code }) => code).join()} ${meta?.security?.map(({ code }) => code).join()}`,
      ];
    })
    .sort();
}

async function configOf(world: World): Promise<Config> {
  const { source } = world.sandbox;
  const project = await source.repo.readResource('Project', source.projectId);
  const secrets = Object.fromEntries(
    ((project as { secret?: { name: string; valueString: string }[] }).secret ?? []).map((secret) => [
      secret.name,
      secret,
    ])
  );
  const loaded = load(secrets);
  if ('problems' in loaded) {
    throw new Error(loaded.problems.join());
  }
  return loaded.config;
}
