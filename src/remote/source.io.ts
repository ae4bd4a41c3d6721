/** The source project through the MedplumClient that the platform gives to a bot. */
import { getStatus } from '@medplum/core';
import type { MedplumClient } from '@medplum/core';
import type { AuditEvent, Basic, Bundle, OperationOutcome, Task } from '@medplum/fhirtypes';
import { Fault } from '../observability/fault.ts';
import type { Clock, Fetched, Random, ReplicaOutcome, SourceFhir } from '../ports.ts';
import { nextWait } from './backoff.ts';
import { within } from './within.io.ts';

/** A request of the source that takes longer than this is not going to be answered. */
const TIMEOUT_MS = 15_000;
/** 20 runs can start at once for one new patient (`platform.md` §2.1); conflicts between them are over in milliseconds. */
const TRIES = 8;

/**
 * Wraps the bot's own client.
 *
 * @param medplum - The client.
 * @param parts - Clock and chance.
 * @returns The port.
 */
export function sourceClient(
  medplum: MedplumClient,
  parts: { readonly clock: Clock; readonly random: Random }
): SourceFhir {
  const { clock, random } = parts;

  async function ask<T>(request: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await within(clock, TIMEOUT_MS, request(), () => new Fault('source-unavailable', ['no answer in time']));
      } catch (error) {
        const status = statusOf(error);
        const outcome: ReplicaOutcome = status === 409 ? { kind: 'conflict' } : { kind: 'rejected', status };
        const wait = tries < TRIES ? nextWait(outcome, tries, random.unit()) : undefined;
        if (wait === undefined) {
          throw new Fault(status >= 500 || status === 429 || status === 409 ? 'source-unavailable' : 'source-refused', [
            `status ${status}`,
          ]);
        }
        await clock.sleep(wait);
      }
    }
  }

  return {
    async read(urls): Promise<readonly Fetched[]> {
      const entry = urls.map((url) => ({ request: { method: 'GET' as const, url } }));
      const bundle = await ask(async () => medplum.executeBatch({ resourceType: 'Bundle', type: 'batch', entry }));
      if (bundle.entry?.length !== urls.length) {
        throw new Fault('source-incomplete');
      }
      return bundle.entry.map(({ response, resource }): Fetched => {
        const status = Number(response?.status?.slice(0, 3));
        return status >= 200 && status < 300 && resource ? { status, resource } : { status };
      });
    },
    search: (url) => ask(async () => medplum.get<Bundle>(url.startsWith('http') ? url : medplum.fhirUrl(url))),
    async record(event: AuditEvent): Promise<void> {
      await ask(async () => medplum.createResource(event));
    },
    async ensure(control: Basic): Promise<void> {
      await ask(async () => medplum.createResourceIfNoneExist(control, conditionOf(control)));
    },
    async save(control: Basic): Promise<void> {
      await ask(async () => medplum.upsertResource(control, conditionOf(control)));
    },
    async schedule(job: Task): Promise<void> {
      await ask(async () => medplum.upsertResource(job, conditionOf(job)));
    },
  };
}

function conditionOf(control: Basic | Task): string {
  const identifier = control.identifier?.[0];
  return `identifier=${encodeURIComponent(`${identifier?.system}|${identifier?.value}`)}`;
}

/** By shape: errors of the client come from another realm. Without an outcome there was no answer at all. */
function statusOf(error: unknown): number {
  const outcome = (error as { outcome?: OperationOutcome } | undefined)?.outcome;
  return outcome?.resourceType === 'OperationOutcome' ? getStatus(outcome) : 503;
}
