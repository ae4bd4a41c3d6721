/** The source project through the MedplumClient that the platform gives to a bot. */
import { getStatus } from '@medplum/core';
import type { MedplumClient, MedplumRequestOptions } from '@medplum/core';
import type { AuditEvent, Basic, Bundle, BundleEntry, Consent, OperationOutcome, Task } from '@medplum/fhirtypes';
import { Fault, sourceFault } from '../observability/fault.ts';
import type { Clock, Committed, Fetched, Random, RefusedIssue, ReplicaOutcome, SourceFhir } from '../ports.ts';
import { nextWait } from './backoff.ts';
import { within } from './within.io.ts';

/** A request of the source that takes longer than this is not going to be answered. */
const TIMEOUT_MS = 15_000;
/** 20 runs can start at once for one new patient (`platform.md` §2.1); conflicts between them are over in milliseconds. */
const TRIES = 8;

/** The client hands its options on to `fetch`; their type comes from the DOM, which a bot does not have. */
type WithHeaders = MedplumRequestOptions & { readonly headers: Readonly<Record<string, string>> };

/**
 * Wraps the bot's own client.
 *
 * @param medplum - The client.
 * @param parts - Clock and chance.
 * @returns The port.
 */
export function sourceClient(
  medplum: MedplumClient,
  parts: {
    readonly clock: Clock;
    readonly random: Random;
    /** What is done to the events of a `commit` before they are written. */
    readonly mark?: (event: AuditEvent) => AuditEvent;
  }
): SourceFhir {
  const { clock, random, mark = (event) => event } = parts;

  async function ask<T>(request: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await within(clock, TIMEOUT_MS, request(), () => new Fault('source-unavailable', ['no answer in time']));
      } catch (error) {
        const status = statusOf(error);
        const outcome: ReplicaOutcome = status === 409 ? { kind: 'conflict' } : { kind: 'rejected', status };
        const wait = tries < TRIES ? nextWait(outcome, tries, random.unit()) : undefined;
        if (wait === undefined) {
          throw sourceFault(status);
        }
        await clock.sleep(wait);
      }
    }
  }

  /** False when the answer has the status that the caller reckons with. */
  async function askUnless(expected: number, request: () => Promise<unknown>): Promise<boolean> {
    return ask(async () => {
      try {
        await request();
        return true;
      } catch (error) {
        if (statusOf(error) === expected) {
          return false;
        }
        throw error;
      }
    });
  }

  return {
    async read(urls): Promise<readonly Fetched[]> {
      const entry = urls.map((url) => ({ request: { method: 'GET' as const, url: relative(medplum, url) } }));
      const bundle = await ask(async () => medplum.executeBatch({ resourceType: 'Bundle', type: 'batch', entry }));
      if (bundle.entry?.length !== urls.length) {
        throw new Fault('source-incomplete');
      }
      return bundle.entry.map(({ response, resource }): Fetched => {
        const status = Number(response?.status?.slice(0, 3));
        return status >= 200 && status < 300 && resource ? { status, resource } : { status };
      });
    },
    async search(url): Promise<Bundle> {
      const whole = medplum.fhirUrl(relative(medplum, url));
      return ask(async () => medplum.get<Bundle>(whole));
    },
    async record(event: AuditEvent): Promise<void> {
      await ask(async () => medplum.createResource(event));
    },
    ensure: (control: Basic) => ask(async () => medplum.createResourceIfNoneExist(control, conditionOf(control))),
    ensureConsent: (consent: Consent) =>
      ask(async () => medplum.createResourceIfNoneExist(consent, conditionOf(consent))),
    async replaceConsent(consent: Consent): Promise<boolean> {
      const options: WithHeaders = { headers: { 'If-Match': `W/"${consent.meta?.versionId}"` } };
      return askUnless(412, async () => medplum.updateResource(consent, options));
    },
    async save(control: Basic): Promise<void> {
      await ask(async () => medplum.upsertResource(control, conditionOf(control)));
    },
    async replace(control: Basic, versionId: string): Promise<boolean> {
      const options: WithHeaders = { headers: { 'If-Match': `W/"${versionId}"` } };
      return askUnless(412, async () => medplum.updateResource(control, options));
    },
    async store(content: string, contentType: string, reference: string): Promise<string> {
      const options = { data: content, contentType, securityContext: { reference } };
      return `Binary/${(await ask(async () => medplum.createBinary(options))).id}`;
    },
    async load(binary: string): Promise<string | undefined> {
      const { status, text } = await ask(async () => download(medplum, binary));
      if (status === 200 || status === 404 || status === 410) {
        return text;
      }
      throw sourceFault(status);
    },
    async append(control: Basic, versionId: string, events: readonly AuditEvent[]): Promise<string | undefined> {
      const fence = { method: 'PUT' as const, url: `Basic/${control.id}`, ifMatch: `W/"${versionId}"` };
      const entry: BundleEntry[] = [
        { resource: control, request: fence },
        ...events.map((resource) => ({ resource, request: { method: 'POST' as const, url: 'AuditEvent' } })),
      ];
      let stored: Bundle | undefined;
      await askUnless(412, async () => {
        stored = await medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry });
      });
      return versionOf(stored);
    },
    async commit(entries): Promise<Committed> {
      const entry = entries.map(({ resource, ...rest }): BundleEntry => ({
        ...rest,
        ...(resource && { resource: resource.resourceType === 'AuditEvent' ? mark(resource) : resource }),
      }));
      return ask(async (): Promise<Committed> => {
        try {
          const stored = await medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry });
          versionOf(stored);
          return { kind: 'stored', resources: (stored.entry ?? []).map(({ resource }) => resource) };
        } catch (error) {
          const status = statusOf(error);
          if (status === 412) {
            return { kind: 'raced' };
          }
          if (status === 400 || status === 422) {
            return { kind: 'refused', issues: issuesOf(error) };
          }
          throw error;
        }
      });
    },
    async remove(references): Promise<void> {
      const entry = references.map((url): BundleEntry => ({ request: { method: 'DELETE', url } }));
      await ask(async () => medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry }));
    },
    async discard(binary: string): Promise<void> {
      const [, id = ''] = binary.split('/');
      await askUnless(404, async () => medplum.deleteResource('Binary', id));
    },
    enlist: (job: Task) => ask(async () => medplum.createResourceIfNoneExist(job, conditionOf(job))),
    async change(jobs): Promise<readonly Task[] | undefined> {
      const entry = jobs.map((resource) => ({
        resource,
        request: {
          method: 'PUT' as const,
          url: `Task/${resource.id}`,
          ifMatch: `W/"${resource.meta?.versionId}"`,
        },
      }));
      let changed: Bundle | undefined;
      const isOurs = await askUnless(412, async () => {
        changed = await medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry });
      });
      const found = (changed?.entry ?? []).flatMap(({ resource }) =>
        resource?.resourceType === 'Task' ? resource : []
      );
      if (isOurs && found.length !== jobs.length) {
        // Without `transaction-bundles` the project runs it as a batch, each entry for itself.
        throw new Fault('source-incomplete');
      }
      return isOurs ? found : undefined;
    },
    async dismiss(jobs): Promise<void> {
      const entry = jobs.map(({ id }) => ({ request: { method: 'DELETE' as const, url: `Task/${id}` } }));
      await ask(async () => medplum.executeBatch({ resourceType: 'Bundle', type: 'transaction', entry }));
    },
  };
}

/** The client reads answers as JSON; a Binary is whatever it is (`platform.md` §9.2, §9.4). */
async function download(
  medplum: MedplumClient,
  binary: string
): Promise<{ readonly status: number; readonly text?: string }> {
  const response = await fetch(medplum.fhirUrl(...binary.split('/')).href, {
    headers: { Authorization: `Bearer ${medplum.getAccessToken() ?? ''}`, Accept: 'application/jose' },
    redirect: 'error',
  });
  return response.ok ? { status: 200, text: await response.text() } : { status: response.status };
}

/** The version of the fence after a transaction; a project without the feature `transaction-bundles` has run a batch instead. */
function versionOf(stored: Bundle | undefined): string | undefined {
  const refused = stored?.entry?.find(({ response }) => !response?.status?.startsWith('2'));
  if (refused) {
    throw new Fault('source-incomplete', ['not a transaction']);
  }
  return stored?.entry?.[0]?.resource?.meta?.versionId;
}

/** Only the path of a next link is used: whatever host it names, the request goes where all others go. */
function relative(medplum: MedplumClient, url: string): string {
  if (!url.startsWith('http')) {
    return url;
  }
  const { pathname, search } = new URL(url);
  const root = medplum.fhirUrl('').pathname;
  if (!pathname.startsWith(root)) {
    throw new Fault('source-incomplete', ['a next link leads elsewhere']);
  }
  return pathname.slice(root.length) + search;
}

function conditionOf(control: Basic | Consent | Task): string {
  const identifier = control.identifier?.[0];
  return `identifier=${encodeURIComponent(`${identifier?.system}|${identifier?.value}`)}`;
}

function issuesOf(error: unknown): RefusedIssue[] {
  const { issue = [] } = (error as { outcome?: Partial<OperationOutcome> }).outcome ?? {};
  return issue.map(({ details, expression }) => ({ text: details?.text ?? '', expression: expression?.[0] }));
}

/** Issue codes of refusals that pass (FHIR R4, IssueType, below `transient`). */
const PASSING: Partial<Readonly<Record<string, number>>> = {
  transient: 503,
  'lock-error': 503,
  'no-store': 503,
  timeout: 503,
  incomplete: 503,
  throttled: 429,
  conflict: 409,
};

/**
 * By shape: errors of the client come from another realm. Without an outcome there was no answer at all. The client knows statuses only by
 * the ids of Medplum's own outcomes and takes all others for a 400, also what a gateway before the server says.
 */
function statusOf(error: unknown): number {
  const outcome = (error as { outcome?: OperationOutcome } | undefined)?.outcome;
  if (outcome?.resourceType !== 'OperationOutcome') {
    return 503;
  }
  const status = getStatus(outcome);
  return status === 400 ? (PASSING[outcome.issue?.[0]?.code ?? ''] ?? 400) : status;
}
