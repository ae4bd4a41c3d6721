/** What the bot `status` answers: the figures of `metrics`, and three questions more in one batch. */
import { Buffer } from 'node:buffer';
import type { AuditEvent, Basic, Binary, Bundle, Resource } from '@medplum/fhirtypes';
import { Fault, sourceFault } from '../../../observability/fault.ts';
import { controlOf, controlTerm } from '../../../queue/control.ts';
import { historySearch, resultIn } from '../../reconciliation.ts';
import { current } from '../current.io.ts';
import type { Given } from '../metrics.io.ts';
import { pageOf } from './page.ts';
import { reportOf, unsetReport } from './report.ts';
import type { Report } from './report.ts';

const CONTENT_TYPE = 'text/html; charset=utf-8';

/**
 * Tells how it stands, also while sync is off, without settings, and when the replica is down.
 *
 * @param given - The run.
 * @param input - `{ format: 'json' }`, or nothing for a page.
 * @returns A Binary of HTML, which a GET gets raw; or the report.
 * @throws Fault `input-invalid` for another format; `source-*` when the source cannot be read.
 */
export async function status(given: Given, input: unknown): Promise<Binary | Report> {
  const format = (input as { format?: unknown } | null | undefined)?.format ?? 'html';
  if (format !== 'html' && format !== 'json') {
    throw new Fault('input-invalid', ['format is html or json']);
  }
  const report = await reportFor(given);
  return format === 'json'
    ? report
    : {
        resourceType: 'Binary',
        contentType: CONTENT_TYPE,
        data: Buffer.from(pageOf(report), 'utf8').toString('base64'),
      };
}

async function reportFor({ loaded, replica, ...rest }: Given): Promise<Report> {
  if ('problems' in loaded || !replica) {
    return unsetReport('problems' in loaded ? loaded.problems : [], rest.clock.now());
  }
  const { config } = loaded;
  const { state } = await current({ ...rest, config, probe: replica });
  const [consents, control, history] = (
    await rest.source.read([
      'Consent?status=active&_summary=count',
      `Basic?identifier=${encodeURIComponent(controlTerm(config.systems))}&_count=1`,
      historySearch(config.systems, 1),
    ])
  ).map(({ status: code, resource }): Bundle => {
    if (resource?.resourceType !== 'Bundle') {
      throw sourceFault(code);
    }
    return resource;
  });
  return reportOf({
    now: rest.clock.now(),
    state,
    syncEnabled: config.syncEnabled,
    control: controlOf(config.systems, first<Basic>(control)),
    consents: consents?.total ?? 0,
    last: resultIn(first<AuditEvent>(history)),
  });
}

function first<T extends Resource>(page: Bundle | undefined): T | undefined {
  return page?.entry?.[0]?.resource as T | undefined;
}
