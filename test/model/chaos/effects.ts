/** Whether every effect on the replica is in the trail. */
import type { AuditEvent, Bundle, Resource } from '@medplum/fhirtypes';
import type { Passed } from '../../../scripts/sandbox/proxy.ts';
import { REPLICATED_TYPES } from '../../../src/config/policy.ts';
import type { World } from '../../support/world.ts';
import { must } from './broken.ts';

/** The token of a copy by `Type/id`, also when it is gone. */
export type NameOf = (place: string) => string | undefined;

/** Remembers the tokens of all copies from now on: nothing on a server says whose an expunged one was. */
export function namesOfCopies({ sandbox: { replica } }: World): NameOf {
  const names = new Map<string, string>();
  const look = (): void => {
    for (const type of REPLICATED_TYPES) {
      for (const { id, versions } of replica.store.table(type).rows.values()) {
        const token = names.has(`${type}/${id}`) ? undefined : ownToken(versions[0]?.text ?? '');
        if (token) {
          names.set(`${type}/${id}`, token);
        }
      }
    }
  };
  replica.onRequest(look);
  return (place) => names.get(place);
}

function ownToken(text: string): string | undefined {
  return /"identifier":\[\{[^\]]*?"value":"([^"]+)"/.exec(text)?.[1];
}

/** Each copy that was written or removed stands in the trail of a run of that time, whatever became of the run. */
export async function everyEffectAudited(world: World, passed: readonly Passed[], nameOf: NameOf): Promise<void> {
  const told = (await world.trail()).flatMap(tellingOf);
  for (const request of passed) {
    for (const token of tokensOf(request, nameOf)) {
      const isTold = told.some(
        ({ tokens, from, until }) => tokens.has(token) && from <= request.at && request.at <= until
      );
      must(isTold, `not in the trail: ${request.method} ${request.url.slice(0, 60)} of ${token}`);
    }
  }
}

/** An effect is told before it comes, and comes in the same run. */
const RUN_MS = 300_000;

function tellingOf({ period, entity = [] }: AuditEvent): { tokens: ReadonlySet<string>; from: number; until: number } {
  return {
    tokens: new Set(entity.flatMap(({ what }) => what?.identifier?.value ?? [])),
    from: Date.parse(period?.start ?? ''),
    until: Date.parse(period?.end ?? '') + RUN_MS,
  };
}

/** The tokens of the copies that a request has changed. */
function tokensOf({ method, url, body, status = 0 }: Passed, nameOf: NameOf): string[] {
  if (!url.startsWith('/fhir/') || status >= 300 || status < 200 || method === 'GET') {
    return [];
  }
  const path = decodeURIComponent(url.split('/fhir/R4/')[1] ?? '');
  const entries =
    method === 'POST' && path === ''
      ? ((JSON.parse(body) as Bundle).entry ?? []).map(({ request, resource }) => ({
          method: request?.method,
          url: request?.url ?? '',
          resource,
        }))
      : [{ method, url: path, resource: body ? (JSON.parse(body) as Resource) : undefined }];
  const writes = entries.filter((entry) => entry.method !== 'GET' && !entry.url.endsWith('_search'));
  return writes.flatMap((entry) => {
    const own = (entry.resource as { identifier?: { value?: string }[] } | undefined)?.identifier?.[0]?.value;
    const named = /identifier=[^|]*\|([^&]+)/.exec(decodeURIComponent(entry.url))?.[1];
    return own ?? named ?? nameOf(entry.url.split('/').slice(0, 2).join('/')) ?? [];
  });
}
