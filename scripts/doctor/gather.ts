/** Reads the facts. Nothing is written on either server, and a question that fails is a fact as well. */
import type { AuditEvent, Basic, CapabilityStatement, Organization, Patient, Project, Task } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import { load } from '../../src/config/load.ts';
import type { Config, Secrets } from '../../src/config/load.ts';
import { loadPartner } from '../../src/config/partner.ts';
import type { ClientSettings } from '../../src/config/sign-in.ts';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Systems } from '../../src/fhir/systems.ts';
import { controlTerm } from '../../src/queue/control.ts';
import { tokenRequest } from '../../src/remote/grant.ts';
import { newestSealSearch } from '../../src/flows/audit/seal.ts';
import { stateSearch } from '../../src/flows/audit/state.ts';
import { stateSearch as figuresSearch } from '../../src/flows/metrics/state.ts';
import { checkpointSearch } from '../../src/flows/checkpoint.ts';
import { historySearch } from '../../src/flows/reconciliation.ts';
import { forSecrets, readManifest } from '../deploy/manifest.ts';
import { secretsOf } from '../deploy/secrets.ts';
import type { Credentials } from '../deploy/server.ts';
import type { Facts, Oversight, PartnerFacts, ReplicaFacts, SourceFacts } from './facts.ts';
import { ask, askToken, basicOf, bearerOf, viewOf } from './http.ts';
import type { Answer, Listed, View } from './http.ts';

const HOUR_MS = 3_600_000;
/** As many as a burst of bots: each takes a connection of the server's pool for a moment. */
const PARALLEL_READS = 8;

/** A client that may see what the bots' own client may not. */
export interface Overseer {
  readonly id: string;
  readonly secret: string;
}

/**
 * @param credentials - The source, as its admin.
 * @param overseer - An admin of the replica, if there is one.
 * @returns The facts.
 */
export async function gather(credentials: Credentials, overseer?: Overseer): Promise<Facts> {
  const now = Date.now();
  const base = credentials.baseUrl.replace(/\/*$/, '/');
  const fhirUrl = base + credentials.fhirPath.replace(/^\/+|\/*$/g, '') + '/';
  const token = await askToken(`${base}oauth2/token`, { id: credentials.clientId, secret: credentials.clientSecret });
  const view = viewOf(fhirUrl, bearerOf(token) ?? '');
  const me = (await ask(`${base}auth/me`, { headers: { authorization: bearerOf(token) ?? '' } })).body as
    Me | undefined;
  const overview = await oversee(view, me?.project?.id);
  const secrets = secretsOf(overview.project?.secret ?? []);
  const loaded = load(secrets);
  const systems = 'config' in loaded ? loaded.config.systems : systemsOf(secrets.NAMESPACE?.valueString);
  return {
    now,
    manifest: forSecrets(readManifest(), secrets),
    secrets,
    loaded,
    systems,
    source: {
      ...overview,
      ...(await gatherSource(view, { base, fhirUrl, systems, now })),
      baseUrl: base,
      token,
      isAdmin: me?.membership?.admin === true,
    },
    replica: 'config' in loaded ? await gatherReplica(loaded.config, overseer) : undefined,
    partner: await gatherPartner(view, secrets),
  };
}

interface Me {
  readonly project?: { readonly id?: string };
  readonly membership?: { readonly admin?: boolean };
}

interface Where {
  readonly base: string;
  readonly fhirUrl: string;
  readonly systems: Systems;
  readonly now: number;
}

type Own = 'baseUrl' | 'token' | 'isAdmin' | keyof Oversight;

async function gatherSource(view: View, { base, fhirUrl, systems, now }: Where): Promise<Omit<SourceFacts, Own>> {
  const jobs = `Task?code=${encodeURIComponent(`${systems.control}|`)}`;
  const since = new Date(now - HOUR_MS).toISOString();
  const changes = await Promise.all(REPLICATED_TYPES.map((type) => view.count(`${type}?_lastUpdated=ge${since}`)));
  return {
    health: await ask(`${base}healthcheck`),
    capabilities: capabilitiesOf(await ask(`${fhirUrl}metadata`)),
    bots: await view.list('Bot'),
    subscriptions: await view.list('Subscription'),
    configurations: await view.list('UserConfiguration'),
    waiting: await view.list<Task>(`${jobs}&status=requested`),
    failed: await view.count(`${jobs}&status=failed`),
    queueControl: await view.list<Basic>(`Basic?identifier=${encodeURIComponent(controlTerm(systems))}`),
    checkpoint: await view.list<Basic>(checkpointSearch(systems).replace('&_count=1', '')),
    mirror: await first<Basic>(view, stateSearch(systems)),
    newestSeal: await first<Basic>(view, newestSealSearch(systems)),
    figures: await first<Basic>(view, figuresSearch(systems)),
    oldestEvent: await first<AuditEvent>(
      view,
      `AuditEvent?type=${encodeURIComponent(`${systems.auditType}|`)}&_sort=_lastUpdated&_count=1`
    ),
    reconciliations: await first<AuditEvent>(view, historySearch(systems, 100)),
    senders: await view.list<Organization>(`Organization?identifier=${encodeURIComponent(`${systems.ingestClient}|`)}`),
    changes: changes.every((count) => count !== undefined) ? changes.reduce((a, b) => a + b, 0) : undefined,
    reads: await Promise.all(Array.from({ length: PARALLEL_READS }, () => view.get('Bot?_count=1'))),
  };
}

async function gatherReplica({ replica }: Config, overseer: Overseer | undefined): Promise<ReplicaFacts> {
  const client = { id: replica.clientId, secret: replica.clientSecret };
  const metadata = await ask(`${replica.fhirUrl}metadata`);
  const token = await signIn(replica, client);
  const authorization = replica.auth === 'basic' ? (token.problem ? undefined : basicOf(client)) : bearerOf(token);
  const overseerToken = overseer && (await askToken(replica.tokenUrl, overseer));
  const projectOf = (answer: Answer): string | undefined =>
    (answer.body as { project?: { reference?: string } } | undefined)?.project?.reference?.split('/')[1];
  const own = authorization ? viewOf(replica.fhirUrl, authorization) : undefined;
  const projectId = projectOf(token);
  // An admin of another project would see another project's trail, and all would look well.
  const isSame = overseerToken && (projectId ?? projectOf(overseerToken)) === projectOf(overseerToken);
  const eyes = isSame && bearerOf(overseerToken) ? viewOf(replica.fhirUrl, bearerOf(overseerToken) ?? '') : own;
  return {
    metadata,
    capabilities: capabilitiesOf(metadata),
    token,
    projectId,
    answer: await own?.get('Patient?_count=1&_fields=id'),
    trail: await own?.get('AuditEvent?_count=1&_fields=id'),
    newestCopy: eyes && (await newestCopy(eyes)),
    ...(eyes ? await oversee(eyes, projectId ?? (isSame ? projectOf(overseerToken) : undefined)) : BLIND),
  };
}

async function gatherPartner(view: View, secrets: Secrets): Promise<PartnerFacts | undefined> {
  const loaded = loadPartner(secrets, secrets.ENVIRONMENT?.valueString === 'production');
  if (!loaded) {
    return undefined;
  }
  if ('problems' in loaded) {
    return { problems: loaded.problems };
  }
  const { partner } = loaded;
  return {
    problems: [],
    metadata: await ask(`${partner.fhirUrl}metadata`),
    token:
      partner.auth === 'none'
        ? undefined
        : await signIn(partner, { id: partner.clientId, secret: partner.clientSecret }),
    organization: await view.get(`Organization/${partner.organizationId}`),
  };
}

/** As the bots do it; but a refresh token is good for one use, and that is theirs. */
async function signIn(
  replica: ClientSettings & { readonly fhirUrl: string },
  client: { readonly id: string; readonly secret: string }
): Promise<Answer> {
  switch (replica.auth) {
    case 'basic':
      return ask(`${replica.fhirUrl}Patient?_count=0`, { headers: { authorization: basicOf(client) } });
    case 'refresh-token':
      return { status: 0, problem: 'not tried', body: undefined, skewMs: undefined, unitsLeft: undefined, ms: 0 };
    default: {
      const { headers, body } = tokenRequest(replica, { now: Date.now(), jti: randomUUID() });
      return ask(replica.tokenUrl, { method: 'POST', headers, body });
    }
  }
}

const BLIND: Oversight = {
  project: undefined,
  policies: { problem: 'no access' },
  memberships: { problem: 'no access' },
  events: { problem: 'no access' },
};

async function oversee(view: View, projectId: string | undefined): Promise<Oversight> {
  const { problem, body } = projectId
    ? await view.get(`Project/${projectId}`)
    : { problem: 'no project', body: undefined };
  return {
    project: problem ? undefined : (body as Project),
    policies: await view.list('AccessPolicy'),
    memberships: await view.list('ProjectMembership'),
    events: await newest(view),
  };
}

const newest = (view: View): Promise<Oversight['events']> =>
  first(view, 'AuditEvent?type=rest&_sort=-_lastUpdated&_count=50');

/** One page. */
async function first<T>(view: View, search: string): Promise<Listed<T>> {
  const { problem, body } = await view.get(search);
  const { entry = [] } = (body ?? {}) as { entry?: { resource: T & { id: string } }[] };
  return problem ? { problem } : { rows: entry.map(({ resource }) => resource) };
}

/** A copy was written by a request, and a server that saves AuditEvents has one of it. */
async function newestCopy(view: View): Promise<ReplicaFacts['newestCopy']> {
  const { problem, body } = await view.get('Patient?_sort=-_lastUpdated&_count=1');
  const id = (body as { entry?: { resource?: Patient }[] } | undefined)?.entry?.[0]?.resource?.id;
  if (problem || !id) {
    return problem ? undefined : 'none';
  }
  const count = await view.count(`AuditEvent?entity=Patient/${id}`);
  return count === undefined ? undefined : { id, isAudited: count > 0 };
}

function capabilitiesOf({ body }: Answer): CapabilityStatement | undefined {
  const statement = body as CapabilityStatement | undefined;
  return statement?.resourceType === 'CapabilityStatement' ? statement : undefined;
}
