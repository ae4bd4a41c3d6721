import {
  allOk,
  created,
  getStatus,
  isNotFound,
  isOk,
  isResource,
  MEDPLUM_VERSION,
  normalizeOperationOutcome,
  forbidden,
  notFound,
  unauthorized,
  validateResource,
} from '@medplum/core';
import type { WithId } from '@medplum/core';
import { FhirRouter } from '@medplum/fhir-router';
import type { FhirRequest, HttpMethod } from '@medplum/fhir-router';
import type { Binary, OperationOutcome, Project, Resource } from '@medplum/fhirtypes';
import type { Bots } from './bots.ts';
import type { Backend, Caller } from './caller.ts';
import type { Callers } from './callers.ts';
import { capabilityStatement } from './capabilities.ts';
import { everything } from './everything.ts';
import { customOperation } from './operation.ts';
import { execute, isExecute, sendBinary } from './execute.ts';
import { parseBody, sendJson, sendOutcome, sendResource } from './http.ts';
import type { SandboxRequest, SandboxResponse } from './http.ts';
import { tokenEndpoint } from './oauth.ts';
import { StrictRepository } from './repository.ts';
import type { Tokens } from './tokens.ts';

/** What a request turned out to be, besides its answer. */
export interface Routed {
  readonly response: SandboxResponse;
  readonly interaction: string;
  readonly caller: string | undefined;
}

/** The parts of a server that answer requests. */
export interface Services {
  readonly backend: Backend;
  readonly callers: Callers;
  readonly tokens: Tokens;
  readonly bots: Bots;
  readonly tokenSeconds: number | undefined;
}

const FHIR = '/fhir/R4';

/** Answers requests as the real server does, without touching a socket. */
export class Routes {
  readonly #services: Services;
  readonly #router: FhirRouter;

  constructor(services: Services) {
    this.#services = services;
    this.#router = new FhirRouter();
    this.#router.add('GET', '/Patient/:id/$everything', everything);
    this.#router.add('POST', '/Patient/:id/$everything', everything);
    this.#router.add('POST', '/:resourceType/:id/$expunge', async ({ params }, repository) => {
      await (repository as StrictRepository).expungeResource(params['resourceType'] ?? '', params['id'] ?? '');
      return [allOk];
    });
    this.#router.add('POST', '/:resourceType/$validate', async (request) => {
      validateResource(request.body as Resource);
      return [allOk];
    });
  }

  /** Never throws: what goes wrong is an OperationOutcome. */
  async answer(request: SandboxRequest): Promise<Routed> {
    const { path, method } = request;
    try {
      if (path === '/healthcheck') {
        const response = sendJson(200, { ok: true, version: MEDPLUM_VERSION, postgres: true, redis: true });
        return { response, interaction: 'healthcheck', caller: undefined };
      }
      if (path === '/oauth2/token' && method === 'POST') {
        const { callers, tokens, backend, tokenSeconds } = this.#services;
        const response = tokenEndpoint(request, callers, tokens, backend.baseUrl, tokenSeconds);
        return { response, interaction: 'token', caller: undefined };
      }
      if (path === `${FHIR}/metadata` && method === 'GET') {
        const response = sendJson(200, capabilityStatement(this.#services.backend.baseUrl));
        return { response, interaction: 'capabilities', caller: undefined };
      }
      return await this.#authenticated(request);
    } catch (error) {
      return { response: sendOutcome(normalizeOperationOutcome(error)), interaction: 'unknown', caller: undefined };
    }
  }

  async #authenticated(request: SandboxRequest): Promise<Routed> {
    const { callers, backend } = this.#services;
    const extended = request.headers['x-medplum'] === 'extended';
    const caller = callers.authenticate(request.headers.authorization, request.trace, extended);
    if (!caller) {
      return { response: sendOutcome(unauthorized), interaction: 'unauthorized', caller: undefined };
    }
    const interaction = this.#interaction(request);
    const response = await this.#dispatch(request, caller).catch((error: unknown) =>
      sendOutcome(normalizeOperationOutcome(error))
    );
    const rateLimit = backend.quota.header(caller.membershipId);
    return {
      response: rateLimit ? { ...response, headers: { ...response.headers, RateLimit: rateLimit } } : response,
      interaction,
      caller: caller.author.reference,
    };
  }

  #interaction({ method, path, url }: SandboxRequest): string {
    if (!path.startsWith(FHIR)) {
      return path;
    }
    const rest = url.slice(FHIR.length);
    return isExecute(method, path.slice(FHIR.length))
      ? '$execute'
      : (this.#router.find(method as HttpMethod, rest)?.data?.interaction ?? 'unknown');
  }

  async #dispatch(request: SandboxRequest, caller: Caller): Promise<SandboxResponse> {
    const { backend, bots } = this.#services;
    const { path, method } = request;
    const repository = new StrictRepository(backend, caller);
    if (path === '/auth/me') {
      return this.#me(caller);
    }
    if (path === `/admin/projects/${backend.projectId}` && method === 'GET') {
      return this.#adminProject(caller);
    }
    if (path === `/admin/projects/${backend.projectId}/secrets` && method === 'POST') {
      return this.#adminSecrets(request, caller, repository);
    }
    if (!path.startsWith(FHIR)) {
      return sendOutcome(notFound);
    }
    const fhirPath = path.slice(FHIR.length);
    if (isExecute(method, fhirPath)) {
      return execute(request, fhirPath, caller, repository, bots, backend);
    }
    if (
      /^\/Binary(\/[^/]+)?$/.test(fhirPath) &&
      (method === 'POST' || method === 'PUT') &&
      !isBinaryResource(request)
    ) {
      return this.#upload(request, repository);
    }
    const fhir = this.#fhirRequest(request);
    const routed = await this.#router.handleRequest(fhir, repository);
    const [outcome, resource] = isNotFound(routed[0])
      ? ((await customOperation(request, fhir, caller, repository, bots, backend)) ?? routed)
      : routed;
    return prefer(request, this.#send(request, outcome, resource));
  }

  #fhirRequest(request: SandboxRequest): FhirRequest {
    const { store, projectId } = this.#services.backend;
    const project = store.row('Project', projectId)?.current.resource as Project | undefined;
    return {
      method: request.method as HttpMethod,
      url: request.url.slice(FHIR.length),
      pathname: '',
      params: {},
      query: {},
      body: parseBody(request),
      headers: request.headers,
      config: { transactions: project?.features?.includes('transaction-bundles') ?? false },
    };
  }

  #send(request: SandboxRequest, outcome: OperationOutcome, resource: Resource | undefined): SandboxResponse {
    if (!resource) {
      return sendOutcome(outcome);
    }
    const { backend } = this.#services;
    if (!isOk(outcome)) {
      return { ...sendResource(allOk, resource, backend.baseUrl), status: getStatus(outcome) };
    }
    return isResource(resource, 'Binary')
      ? { ...sendResource(outcome, resource, backend.baseUrl), ...rawOnGet(request, resource as Binary, backend) }
      : sendResource(outcome, resource, backend.baseUrl);
  }

  async #upload(request: SandboxRequest, repository: StrictRepository): Promise<SandboxResponse> {
    const { backend } = this.#services;
    const id = request.path.split('/')[4];
    const context = request.headers['x-security-context'];
    const binary: Binary = {
      resourceType: 'Binary',
      contentType: request.headers['content-type'] ?? 'application/octet-stream',
      ...(typeof context === 'string' && { securityContext: { reference: context } }),
    };
    const saved = id
      ? await repository.updateResource<Binary>({ ...binary, id })
      : await repository.createResource<Binary>(binary);
    backend.store.setContent(saved.id, request.bytes);
    return sendResource(id ? allOk : created, saved, backend.baseUrl);
  }

  /** The one way to a project's secrets, and only for its admins (server `admin/project.ts`). */
  #adminProject(caller: Caller): SandboxResponse {
    const { store, projectId } = this.#services.backend;
    const project = store.row('Project', projectId)?.current.resource as Project;
    return caller.admin ? sendJson(200, { project }) : sendOutcome(forbidden);
  }

  /** The whole list takes the place of the former one (server `admin/project.ts`). */
  async #adminSecrets(request: SandboxRequest, caller: Caller, repository: StrictRepository): Promise<SandboxResponse> {
    if (!caller.admin) {
      return sendOutcome(forbidden);
    }
    const { store, projectId } = this.#services.backend;
    const project = store.row('Project', projectId)?.current.resource as WithId<Project>;
    const secret = parseBody(request) as Project['secret'];
    return sendJson(200, await repository.updateResource<Project>({ ...project, ...(secret && { secret }) }));
  }

  #me(caller: Caller): SandboxResponse {
    const { store, projectId } = this.#services.backend;
    const [type = '', id = ''] = caller.author.reference?.split('/') ?? [];
    return sendJson(200, {
      project: {
        resourceType: 'Project',
        id: projectId,
        name: (store.row('Project', projectId)?.current.resource as Project).name,
      },
      membership: {
        resourceType: 'ProjectMembership',
        id: caller.membershipId,
        profile: caller.author,
        admin: caller.admin,
      },
      profile: store.row(type, id)?.current.resource,
      config: { resourceType: 'UserConfiguration' },
      accessPolicy: caller.policy,
    });
  }
}

function rawOnGet(request: SandboxRequest, binary: Binary, backend: Backend): Partial<SandboxResponse> {
  return request.method === 'GET' ? sendBinary(request, binary, backend, 200) : {};
}

/** A FHIR JSON body that is a Binary resource is stored as that resource; anything else is content (fhir/binary.ts). */
function isBinaryResource(request: SandboxRequest): boolean {
  if (!request.headers['content-type']?.startsWith('application/fhir+json')) {
    return false;
  }
  try {
    return isResource(JSON.parse(request.bytes.toString('utf8')) as Resource, 'Binary');
  } catch {
    return false;
  }
}

function prefer(request: SandboxRequest, response: SandboxResponse): SandboxResponse {
  return request.headers.prefer === 'return=minimal' ? { ...response, body: '' } : response;
}
