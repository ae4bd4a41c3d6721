/** Counts the requests of the bots, and tells which path made them. */
import type { AuditEvent } from '@medplum/fhirtypes';
import type { Tally } from '../../src/observability/tally.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { SandboxServer } from '../sandbox/server.ts';
import type { WireEntry } from '../sandbox/wire.ts';
import type { Requests } from './report.ts';

/** The three ways to the replica: one record at a time, all of one patient, and the look at everything that changed. */
export type Path = 'event' | 'bulk' | 'sweep';

const PATHS: Readonly<Record<string, Path>> = { 'sync-change': 'event', 'consent-changed': 'bulk', sweep: 'sweep' };

/** What the requests that carry one access token, and so one bot run, came to. */
interface Run {
  readonly path: Path;
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
): { walk(path: Path): void; read(swept: Tally | null): Requests } {
  const runs = new Map<unknown, Run>();
  const source: Record<string, number> = {};
  const replica: Record<string, number> = {};
  const onReplica = { event: 0, bulk: 0, sweep: 0 };
  let token = 0;
  let walked: Path = 'event';

  sandbox.source.onRequest((entry) => {
    const path = PATHS[bots.get(entry.caller ?? '') ?? ''];
    if (path) {
      count(source, entry);
      const key = entry.headers['authorization'];
      const run = runs.get(key) ?? { path, requests: 0, put: new Set() };
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
    if (walked !== 'event' || entry.method !== 'DELETE') {
      onReplica[walked]++;
    }
  });

  return {
    walk(next): void {
      walked = next;
    },
    read(swept): Requests {
      const all = [...runs.values()];
      // What a withheld record costs is not what a replicated one costs.
      const events = all.filter((run) => run.path === 'event' && run.put.size > 0);
      const bulk = all.filter((run) => run.path === 'bulk');
      const sweeps = all.filter((run) => run.path === 'sweep');
      return {
        source,
        replica,
        token,
        perReplicatedResource: {
          eventPath: ratio(requestsOf(events) + onReplica.event, copiesOf(events)),
          bulkPath: ratio(requestsOf(bulk) + onReplica.bulk, copiesOf(bulk)),
        },
        perSweptRecord: ratio(requestsOf(sweeps) + onReplica.sweep, swept ? recordsIn(swept) : 0),
        units: { source: unitsOf(sandbox.source), replica: unitsOf(sandbox.replica) },
      };
    },
  };
}

const requestsOf = (runs: readonly Run[]): number => runs.reduce((sum, { requests }) => sum + requests, 0);
const copiesOf = (runs: readonly Run[]): number => new Set(runs.flatMap(({ put }) => [...put])).size;
const recordsIn = ({ put, unchanged, withdrawn, skipped, quarantined, failed }: Tally): number =>
  put + unchanged + withdrawn + skipped + quarantined + failed;
const unitsOf = ({ quota }: SandboxServer): number => [...quota.units.values()].reduce((sum, used) => sum + used, 0);

function ratio(requests: number, resources: number): number | null {
  return resources > 0 ? Math.round((requests / resources) * 100) / 100 : null;
}

function count(counts: Record<string, number>, { method, interaction }: WireEntry): void {
  const key = `${method} ${interaction}`;
  counts[key] = (counts[key] ?? 0) + 1;
}

/** The copies that a request reports as put: the run's own AuditEvent. */
function putBy({ method, url, body }: WireEntry): string[] {
  if (method !== 'POST' || !url.endsWith('/AuditEvent')) {
    return [];
  }
  return ((JSON.parse(body) as AuditEvent).entity ?? []).flatMap(({ what, detail }) =>
    detail?.some(({ type, valueString }) => type === 'action' && valueString === 'put')
      ? (what?.identifier?.value ?? [])
      : []
  );
}
