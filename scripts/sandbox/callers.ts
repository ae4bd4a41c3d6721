import { badRequest, createReference, OperationOutcomeError } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { AccessPolicy, ClientApplication, ProjectMembership, Reference, Resource } from '@medplum/fhirtypes';
import { unite } from './access.ts';
import type { Trace } from './audit.ts';
import type { Caller } from './caller.ts';
import type { Store } from './store.ts';
import type { Tokens } from './tokens.ts';

/** Who is calling, by what a request carries. */
export class Callers {
  readonly #store: Store;
  readonly #tokens: Tokens;

  constructor(store: Store, tokens: Tokens) {
    this.#store = store;
    this.#tokens = tokens;
  }

  /**
   * The caller that an `Authorization` header stands for; undefined if it is absent, unknown or expired.
   * @throws OperationOutcomeError 400 if the membership's policy is gone (platform.md §6.3).
   */
  authenticate(authorization: string | undefined, trace: Trace, extended: boolean): Caller | undefined {
    const [scheme, credentials = ''] = authorization?.split(' ') ?? [];
    const profile =
      scheme === 'Bearer'
        ? this.#tokens.verify(credentials)
        : scheme === 'Basic'
          ? this.#basic(Buffer.from(credentials, 'base64').toString('utf8'))
          : undefined;
    const membership = profile && this.membership(profile);
    return membership ? this.caller(membership, trace, extended) : undefined;
  }

  /** Whether a client exists and has this secret. */
  client(id: string): WithId<ClientApplication> | undefined {
    return this.#store.row('ClientApplication', id)?.current.resource as WithId<ClientApplication> | undefined;
  }

  /** The membership of a client or bot in the project. */
  membership(profile: string): WithId<ProjectMembership> | undefined {
    for (const row of this.#store.table('ProjectMembership').withTerm(`r:${profile}`) ?? []) {
      const membership = row.current.resource as WithId<ProjectMembership> | undefined;
      if (membership?.profile.reference === profile) {
        return membership;
      }
    }
    return undefined;
  }

  /** The caller that a membership stands for. */
  caller(membership: WithId<ProjectMembership>, trace: Trace, extended: boolean): Caller {
    return {
      author: this.#named(membership.profile),
      membershipId: membership.id,
      admin: membership.admin === true,
      policy: this.#policy(membership),
      trace,
      extended,
      system: false,
    };
  }

  #basic(text: string): string | undefined {
    const colon = text.indexOf(':');
    const client = this.client(text.slice(0, colon));
    return client?.secret && client.secret === text.slice(colon + 1) ? `ClientApplication/${client.id}` : undefined;
  }

  #policy(membership: ProjectMembership): AccessPolicy | undefined {
    const references = [membership.accessPolicy, ...(membership.access ?? []).map((access) => access.policy)];
    return unite(
      references
        .filter((reference) => reference !== undefined)
        .map(({ reference }) => {
          const policy = this.#resource(reference) as AccessPolicy | undefined;
          if (!policy) {
            throw new OperationOutcomeError(badRequest('Cannot authenticate: Invalid access policy'));
          }
          const text = JSON.stringify(policy).replaceAll('%profile', membership.profile.reference ?? '');
          return JSON.parse(text) as AccessPolicy;
        })
    );
  }

  #named(profile: Reference): Reference {
    const resource = this.#resource(profile.reference);
    return resource ? createReference(resource) : profile;
  }

  #resource(reference: string | undefined): Resource | undefined {
    const [type = '', id = ''] = reference?.split('/') ?? [];
    return this.#store.row(type, id)?.current.resource;
  }
}
