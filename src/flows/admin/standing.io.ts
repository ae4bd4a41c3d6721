/** Reads whether the requester is an ADMIN. */
import type { PractitionerRole, Resource } from '@medplum/fhirtypes';
import { Fault } from '../../observability/fault.ts';
import { rolesOf } from '../../rules/access/role.ts';
import type { Role } from '../../rules/access/role.ts';
import type { AdminDeps } from '../action.ts';

/** The bot that asks others on behalf of those whom it has let in itself. */
const ADMIN_BOT = 'admin';

/**
 * @param deps - The run; who asks is what the platform says.
 * @returns All roles of the requester, not towards any patient. The bot `admin` stands for the ADMIN whom it has let in.
 * @throws Fault `source-*` when it cannot be read: then nobody is let in.
 */
export async function standingOf({
  source,
  config,
  clock,
  requester,
}: Pick<AdminDeps, 'source' | 'config' | 'clock' | 'requester'>): Promise<readonly Role[]> {
  const [type] = requester?.split('/') ?? [];
  const found = async (url: string): Promise<readonly Resource[]> => {
    const { entry = [], link = [] } = await source.search(url);
    if (link.some(({ relation }) => relation === 'next')) {
      throw new Fault('source-incomplete');
    }
    return entry.flatMap(({ resource }) => resource ?? []);
  };
  if (type === 'Bot') {
    const term = encodeURIComponent(`${config.systems.bot}|${ADMIN_BOT}`);
    const bots = await found(`Bot?identifier=${term}&_count=10`);
    return bots.length === 1 && requester === `Bot/${bots[0]?.id}` ? ['ADMIN'] : [];
  }
  const roles = type === 'Practitioner' ? await found(`PractitionerRole?practitioner=${requester}&_count=1000`) : [];
  return rolesOf(
    {
      reference: requester,
      roles: roles as PractitionerRole[],
      encounters: [],
      adminClients: config.adminClients,
    },
    { patientId: undefined, roleSystem: config.systems.role, at: new Date(clock.now()).toISOString() }
  );
}
