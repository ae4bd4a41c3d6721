/** Counts the requests of the bots, and tells which path made them. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { WireEntry } from '../sandbox/wire.ts';
import type { Requests } from './report.ts';

/** Bots on the event path; all others take the bulk path. */
const EVENT_BOT = 'sync-change';

/** What the requests that carry one access token, and so one bot run, came to. */
interface Run {
  readonly bot: string;
  requests: number;
  /** Tokens of the copies that it put into the replica, as its AuditEvents say. */
  readonly put: Set<string>;
}

/**
 * Listens to both servers from now on. A run on the source is known by its access token. The replica sees one client for all
 * bots, so there a request belongs to the path that is being walked: the demo never lets the two overlap.
 *
 * @param sandbox - The servers.
 * @param bots - Bot reference → its name.
 * @returns `walk` says which path is walked; `read` gives the counts.
 */
export function startMeter(
  sandbox: Sandbox,
  bots: ReadonlyMap<string, string>
): { walk(path: 'event' | 'bulk'): void; read(): Requests } {
  const runs = new Map<unknown, Run>();
  const source: Record<string, number> = {};
  const replica: Record<string, number> = {};
  const onReplica = { event: 0, bulk: 0 };
  let token = 0;
  let path: 'event' | 'bulk' = 'event';

  sandbox.source.onRequest((entry) => {
    const bot = bots.get(entry.caller ?? '');
    if (bot) {
      count(source, entry);
      const key = entry.headers['authorization'];
      const run = runs.get(key) ?? { bot, requests: 0, put: new Set() };
      runs.set(key, run);
      run.requests++;
      putBy(entry).forEach((copy) => run.put.add(copy));
    }
  });
  sandbox.replica.onRequest((entry) => {
    if (/\/oauth2\/token$/.test(entry.url)) {
      token++;
      return;
    }
    count(replica, entry);
    // Taking a copy back is not what a replicated resource costs.
    if (path === 'bulk' || entry.method !== 'DELETE') {
      onReplica[path]++;
    }
  });

  return {
    walk(next): void {
      path = next;
    },
    read(): Requests {
      const all = [...runs.values()];
      const events = all.filter(({ bot, put }) => bot === EVENT_BOT && put.size > 0);
      const bulk = all.filter(({ bot }) => bot !== EVENT_BOT);
      const units = (server: 'source' | 'replica'): number =>
        [...sandbox[server].quota.units.values()].reduce((sum, used) => sum + used, 0);
      return {
        source,
        replica,
        token,
        perReplicatedResource: {
          eventPath: perCopy(events, onReplica.event),
          bulkPath: perCopy(bulk, onReplica.bulk),
        },
        units: { source: units('source'), replica: units('replica') },
      };
    },
  };
}

function count(counts: Record<string, number>, { method, interaction }: WireEntry): void {
  const key = `${method} ${interaction}`;
  counts[key] = (counts[key] ?? 0) + 1;
}

function perCopy(runs: readonly Run[], onReplica: number): number | null {
  const copies = new Set(runs.flatMap(({ put }) => [...put]));
  const requests = runs.reduce((sum, run) => sum + run.requests, onReplica);
  return copies.size > 0 ? Math.round((requests / copies.size) * 100) / 100 : null;
}

/** The copies that a request reports as put: the run's own AuditEvent. */
function putBy({ method, url, body }: WireEntry): string[] {
  if (method !== 'POST' || !url.endsWith('/AuditEvent')) {
    return [];
  }
  return ((JSON.parse(body) as AuditEvent).entity ?? []).flatMap(({ what, detail }) =>
    detail?.some(({ type, valueString }) => type === 'action' && valueString === 'put') ? (what?.identifier?.value ?? []) : []
  );
}
