/**
 * Erasure with history. `$expunge` on Medplum 5.0.10 asks for an admin membership and looks at neither AccessPolicy nor
 * project: an id is all it needs. So it is only ever given ids that a search by token, by the same client, has just returned.
 */
import type { BundleEntry } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import { Fault, faultOf } from '../observability/fault.ts';
import type { Copy, CopyName, Eraser } from '../ports.ts';
import { entriesOf, replicaRequests } from './requests.io.ts';
import type { Parts, Requests } from './requests.io.ts';

/** `platform.md` §11.2: more at a time gives conflicts, not speed. */
const AT_A_TIME = 4;

/**
 * @param config - The validated settings.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The eraser, or undefined when no credentials are given for it.
 */
export function replicaEraser(config: Config, parts: Omit<Parts, 'tokenCache'>): Eraser | undefined {
  if (!config.eraser) {
    return undefined;
  }
  // Credentials of its own: an id and a secret, however the others sign in.
  const auth = config.replica.auth === 'basic' ? 'basic' : 'client-credentials';
  const requests = replicaRequests(config, { ...config.replica, ...config.eraser, auth }, parts);
  return {
    async erase(names, only): Promise<void> {
      const find = async (): Promise<readonly Copy[]> => {
        const found = await requests.find(searchesOf(names));
        return only ? found.filter(({ id }) => only.some((copy) => copy.id === id)) : found;
      };
      const copies = await find();
      for (let from = 0; from < copies.length; from += AT_A_TIME) {
        await Promise.all(copies.slice(from, from + AT_A_TIME).map(async (copy) => expunge(requests, copy)));
      }
      await lookForRemains(requests, find, copies);
    },
  };
}

async function expunge(requests: Requests, { resourceType, id }: Copy): Promise<void> {
  const { outcome } = await requests.send('POST', `${resourceType}/${id}/$expunge`, '{}');
  if (outcome.kind !== 'done' && outcome.kind !== 'gone') {
    throw faultOf(outcome);
  }
}

/** Gone is what search, read and history say; the answer of `$expunge` is not believed (`platform.md` §8.5). */
async function lookForRemains(
  requests: Requests,
  find: () => Promise<readonly Copy[]>,
  copies: readonly Copy[]
): Promise<void> {
  const found = await find();
  const places = copies.flatMap(({ resourceType, id }) => [`${resourceType}/${id}`, `${resourceType}/${id}/_history`]);
  const answers =
    places.length > 0
      ? entriesOf(
          await requests.bundle(
            'batch',
            places.map((url): BundleEntry => ({ request: { method: 'GET', url } }))
          )
        )
      : [];
  const isThere = answers.some(({ response }) => !/^(404|410)/.test(response?.status ?? ''));
  if (found.length > 0 || isThere || answers.length !== places.length) {
    throw new Fault('erasure-incomplete');
  }
}

function searchesOf(names: readonly CopyName[]): string[] {
  return [...Map.groupBy(names, ({ resourceType }) => resourceType)].map(([type, some]) => {
    const tokens = some.map(({ tokenSystem, token }) => encodeURIComponent(`${tokenSystem}|${token}`)).join(',');
    return `${type}?identifier=${tokens}&_fields=identifier,meta&_count=1000`;
  });
}
