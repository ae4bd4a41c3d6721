/** Two throw-away projects on a real server, made by a super admin and removed by one. */
import type { ClientApplication, Parameters, Project, ProjectMembership } from '@medplum/fhirtypes';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../deploy/server.ts';
import type { Server } from '../deploy/server.ts';

/** A client with which to sign in. */
export interface Login {
  readonly id: string;
  readonly secret: string;
}

/** One project and its admin. */
export interface Made {
  readonly projectId: string;
  readonly name: string;
  readonly admin: Login;
}

const FEATURES: NonNullable<Project['features']> = ['bots', 'cron', 'transaction-bundles'];

/**
 * Makes a project with the features that the bots need, and a client that is its admin.
 *
 * @param server - As a super admin.
 * @param name - The name of the project.
 * @returns The project.
 */
export async function createProject(server: Server, name: string): Promise<Made> {
  const body = { resourceType: 'Parameters', parameter: [{ name: 'name', valueString: name }] } satisfies Parameters;
  const made = await server.call<Project | Parameters>('POST', 'fhir/R4/Project/$init', body);
  const project =
    made.resourceType === 'Project'
      ? made
      : (made.parameter?.find((each) => each.name === 'return')?.resource as Project);
  const projectId = project.id ?? '';
  await server.update({ ...(await server.read<Project>(`Project/${projectId}`)), features: FEATURES });
  const admin = await createClient(server, projectId, `${name} admin`);
  await server.update({ ...(await membershipOf(server, admin)), admin: true });
  return { projectId, name, admin };
}

/**
 * Makes a client.
 *
 * @param server - As a super admin, or the admin of the project.
 * @param projectId - The project.
 * @param name - The name of the client.
 * @param policyId - Its AccessPolicy; without one it may do nearly everything.
 * @returns Id and secret.
 */
export async function createClient(server: Server, projectId: string, name: string, policyId?: string): Promise<Login> {
  const accessPolicy = policyId && { reference: `AccessPolicy/${policyId}` };
  const { id = '', secret = '' } = await server.call<ClientApplication>('POST', `admin/projects/${projectId}/client`, {
    name,
    ...(accessPolicy && { accessPolicy }),
  });
  return { id, secret };
}

/**
 * The membership of a client. What was written a moment ago can be invisible to a search (`platform.md` §4.8).
 *
 * @param server - As an admin.
 * @param login - The client.
 * @returns Its membership.
 * @throws Refusal when there is none after two seconds.
 */
export async function membershipOf(server: Server, { id }: Login): Promise<ProjectMembership & { id: string }> {
  for (let tries = 1; ; tries++) {
    const [membership] = await server.search<ProjectMembership>(`ProjectMembership?user=ClientApplication/${id}`);
    if (membership) {
      return membership;
    }
    if (tries === 10) {
      throw new Refusal(
        `ClientApplication/${id} has no membership`,
        'The server took the request without effect; look at its log.'
      );
    }
    await sleep(200);
  }
}

/**
 * Removes a project with everything in it, history included. Its bots must have lost their schedules before: a schedule
 * outlives its bot (`platform.md` §1.7).
 *
 * @param server - As a super admin.
 * @param made - The project.
 * @returns Whether nothing of it was left.
 */
export async function removeProject(server: Server, { projectId }: Made): Promise<boolean> {
  await server.call('POST', `fhir/R4/Project/${projectId}/$expunge`, {});
  // The job cannot be asked (`platform.md` §8.5): one counts.
  for (let tries = 0; tries < 60; tries++) {
    await sleep(500);
    const left = await Promise.all(
      ['ProjectMembership', 'Bot', 'Patient', 'AuditEvent', 'ClientApplication'].map((type) =>
        server.search(`${type}?_compartment=${projectId}&_fields=id`)
      )
    );
    if (left.flat().length === 0) {
      return isGone(server, projectId);
    }
  }
  return false;
}

/** The Project itself belongs to no compartment: it goes by its own delete. */
async function isGone(server: Server, projectId: string): Promise<boolean> {
  try {
    await server.remove(`Project/${projectId}`);
    return true;
  } catch (error) {
    return error instanceof Refusal && (error.status === 404 || error.status === 410);
  }
}
