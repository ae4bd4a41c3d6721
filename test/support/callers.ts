/** People and programs that call a bot of the sandbox by `$execute`. */
import type { Practitioner } from '@medplum/fhirtypes';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { World } from './world.ts';

/** May call the bots, and nothing else: the role policy of the deployment is not what keeps a caller out here. */
export const CALLER = {
  name: 'caller',
  resource: [
    { resourceType: 'Bot', interaction: ['read' as const, 'search' as const] },
    { resourceType: 'AuditEvent', interaction: ['create' as const] },
  ],
};

/** What a bot answered. */
export interface Answer {
  readonly status: number;
  readonly body: {
    readonly resourceType?: string;
    readonly issue?: readonly { readonly code: string; readonly details: { readonly text: string } }[];
    readonly [name: string]: unknown;
  };
}

/** A ClientApplication. */
export async function client(world: World): Promise<{ reference: string; authorization: string }> {
  const { id, secret, reference } = await world.sandbox.source.createClient('program', { accessPolicy: CALLER });
  return { reference, authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

/** A Practitioner with one PractitionerRole; what to sign in with. */
export async function practitioner({ sandbox: { source } }: World, role: object): Promise<string> {
  const { id } = await source.repo.createResource<Practitioner>({
    resourceType: 'Practitioner',
    name: [{ family: 'Zimmerman' }],
  });
  const reference = `Practitioner/${id}`;
  await source.repo.createResource({ resourceType: 'PractitionerRole', practitioner: { reference }, ...role });
  return source.createUser({ reference }, { accessPolicy: CALLER });
}

/** The code of a PractitionerRole. */
export function coded(code: string, system = systemsOf().role): object {
  return { code: [{ coding: [{ system, code }] }] };
}

/** Calls a bot. */
export async function askBot(
  { sandbox: { source } }: World,
  bot: string,
  authorization: string,
  input: unknown
): Promise<Answer> {
  const url = `${source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|${bot}`)}`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

/** The first thing that is wrong, beside the constant message. */
export const reasonOf = ({ body }: Answer): string | undefined => body.issue?.[1]?.details.text;

/** Changes settings; an empty one goes. */
export async function setSettings({ sandbox: { source } }: World, settings: Record<string, string>): Promise<void> {
  const project = await source.repo.readResource('Project', source.projectId);
  const { secret = [] } = project as { secret?: { name: string; valueString: string }[] };
  const all = { ...Object.fromEntries(secret.map(({ name, valueString }) => [name, valueString])), ...settings };
  await source.setSecrets(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')));
}
