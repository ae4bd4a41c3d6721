import type { WithId } from '@medplum/core';
import type {
  AccessPolicy,
  Bot,
  ClientApplication,
  Extension,
  Identifier,
  Project,
  ProjectMembership,
  Reference,
  Subscription,
} from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import type { StrictRepository } from './repository.ts';

/** A ClientApplication that was created, with what it needs to log in. */
export interface SandboxClient {
  readonly id: string;
  readonly secret: string;
  readonly reference: string;
  readonly membershipId: string;
}

export interface MembershipOptions {
  /** Stored as an AccessPolicy and attached. Without one the membership may do nearly everything (platform.md §6.2). */
  readonly accessPolicy?: Omit<AccessPolicy, 'resourceType'>;
  readonly admin?: boolean;
}

export interface BotDefinition extends MembershipOptions {
  readonly name: string;
  /** With an identifier that exists, the bot is replaced, as a deployment does; its membership stays. */
  readonly identifier?: Identifier;
  /** The text of the built bundle. */
  readonly code: string;
  readonly cronString?: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly auditEventTrigger?: NonNullable<Bot['auditEventTrigger']>;
}

export interface SubscribeOptions {
  /** `subscription-supported-interaction`. Default: all three. */
  readonly interaction?: 'create' | 'update' | 'delete';
  /** `fhir-path-criteria-expression`, with %previous and %current. */
  readonly expression?: string;
}

const EXTENSIONS = 'https://medplum.com/fhir/StructureDefinition';

/** What an operator sets up in a project: each an ordinary resource, written with the operator's repository. */
export class Provision {
  readonly #repo: StrictRepository;
  readonly #projectId: string;

  constructor(repo: StrictRepository, projectId: string) {
    this.#repo = repo;
    this.#projectId = projectId;
  }

  /** Makes a client with credentials and a membership. */
  async createClient(name: string, options: MembershipOptions = {}): Promise<SandboxClient> {
    const secret = randomBytes(32).toString('hex');
    const client = await this.#repo.createResource<ClientApplication>({
      resourceType: 'ClientApplication',
      name,
      secret,
    });
    const reference = `ClientApplication/${client.id}`;
    const membership = await this.#join({ reference, display: name }, options);
    return { id: client.id, secret, reference, membershipId: membership.id };
  }

  /** Makes a membership for a person: a Practitioner, Patient or RelatedPerson of the project. */
  async createUser(profile: Reference, options: MembershipOptions = {}): Promise<string> {
    return (await this.#join(profile, options)).id;
  }

  /** Makes or replaces a bot that runs the given bundle. */
  async createBot(definition: BotDefinition): Promise<WithId<Bot>> {
    const { name, identifier, code, cronString, timeout, auditEventTrigger, ...membership } = definition;
    const binary = await this.#repo.createResource({
      resourceType: 'Binary',
      contentType: 'text/javascript',
      data: Buffer.from(code).toString('base64'),
    });
    const bot: Bot = {
      resourceType: 'Bot',
      name,
      runtimeVersion: 'vmcontext',
      executableCode: { contentType: 'text/javascript', url: `Binary/${binary.id}`, title: `${name}.js` },
      ...(identifier && { identifier: [identifier] }),
      ...(cronString && { cronString }),
      ...(timeout && { timeout }),
      ...(auditEventTrigger && { auditEventTrigger }),
    };
    const known = identifier && (await this.#findBot(identifier));
    if (known) {
      return this.#repo.updateResource({ ...bot, id: known.id });
    }
    const created = await this.#repo.createResource(bot);
    await this.#join({ reference: `Bot/${created.id}`, display: name }, membership);
    return created;
  }

  /** Makes an active rest-hook Subscription to a bot. */
  async subscribe(
    bot: WithId<Bot>,
    criteria: string,
    { interaction, expression }: SubscribeOptions = {}
  ): Promise<WithId<Subscription>> {
    const extension: Extension[] = [
      ...(interaction ? [{ url: `${EXTENSIONS}/subscription-supported-interaction`, valueCode: interaction }] : []),
      ...(expression ? [{ url: `${EXTENSIONS}/fhir-path-criteria-expression`, valueString: expression }] : []),
    ];
    return this.#repo.createResource<Subscription>({
      resourceType: 'Subscription',
      status: 'active',
      reason: bot.name ?? bot.id,
      criteria,
      channel: { type: 'rest-hook', endpoint: `Bot/${bot.id}` },
      ...(extension.length > 0 && { extension }),
    });
  }

  /** Replaces `Project.secret`; bots see `event.secrets[NAME]`. */
  async setSecrets(secrets: Readonly<Record<string, string>>): Promise<void> {
    const project = await this.#repo.readResource<Project>('Project', this.#projectId);
    const secret = Object.entries(secrets).map(([name, valueString]) => ({ name, valueString }));
    await this.#repo.updateResource<Project>({ ...project, secret });
  }

  async #findBot({ system, value }: Identifier): Promise<WithId<Bot> | undefined> {
    const filters = [{ code: 'identifier', operator: 'eq' as const, value: `${system ?? ''}|${value}` }];
    return this.#repo.searchOne<Bot>({ resourceType: 'Bot', filters });
  }

  async #join(profile: Reference, { accessPolicy, admin }: MembershipOptions): Promise<WithId<ProjectMembership>> {
    const policy =
      accessPolicy &&
      (await this.#repo.createResource<AccessPolicy>({ ...accessPolicy, resourceType: 'AccessPolicy' }));
    return this.#repo.createResource<ProjectMembership>({
      resourceType: 'ProjectMembership',
      project: { reference: `Project/${this.#projectId}` },
      user: profile as Reference<never>,
      profile: profile as Reference<never>,
      ...(admin && { admin }),
      ...(policy && { accessPolicy: { reference: `AccessPolicy/${policy.id}` } }),
    });
  }
}
