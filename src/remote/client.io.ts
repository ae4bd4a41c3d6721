/** The replica: the only opener of `Sealed`, the only sender of data. */
import type { BundleEntry, Resource } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import { open } from '../fhir/sealed.ts';
import type { Sealed } from '../fhir/sealed.ts';
import type { Change, ReplicaFhir, ReplicaOutcome } from '../ports.ts';
import { replicaRequests } from './requests.io.ts';
import type { Parts } from './requests.io.ts';

/**
 * A client of the replica.
 *
 * @param config - The validated settings.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The client.
 */
export function replicaClient(config: Config, parts: Parts): ReplicaFhir {
  const requests = replicaRequests(config, config.replica, parts);
  const transaction = async (entry: BundleEntry[]): Promise<ReplicaOutcome> =>
    (await requests.bundle('transaction', entry)).outcome;

  return {
    upsert: async (sealed) => (await requests.send('PUT', conditional(sealed), JSON.stringify(open(sealed)))).outcome,
    upsertTogether: (all) =>
      transaction(
        all.map((sealed) => ({ resource: open(sealed), request: { method: 'PUT', url: conditional(sealed) } }))
      ),
    async withdraw(resourceType, tokenSystem, token): Promise<ReplicaOutcome> {
      const url = `${resourceType}?identifier=${encodeURIComponent(`${tokenSystem}|${token}`)}`;
      const { outcome } = await requests.send('DELETE', url);
      return outcome.kind === 'gone' ? { kind: 'done', status: outcome.status } : outcome;
    },
    write: (changes) => transaction(changes.map(entryOf)),
    find: (queries) => requests.find(queries),
    inspect: (queries) => requests.inspect(queries),
    count: (queries) => requests.count(queries),
    page: (url) => requests.page(url),
  };
}

function conditional(sealed: Sealed): string {
  return `${sealed.resourceType}?identifier=${encodeURIComponent(`${sealed.tokenSystem}|${sealed.token}`)}`;
}

function entryOf(change: Change): BundleEntry {
  switch (change.action) {
    case 'create':
      return { resource: open(change.sealed), request: { method: 'POST', url: change.sealed.resourceType } };
    case 'update': {
      const resource = { ...open(change.sealed), id: change.id } as Resource;
      return { resource, request: { method: 'PUT', url: `${change.sealed.resourceType}/${change.id}` } };
    }
    case 'delete':
      return { request: { method: 'DELETE', url: `${change.copy.resourceType}/${change.copy.id}` } };
  }
}
