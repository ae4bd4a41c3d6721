/** `metrics`: answers Prometheus under the policy of the role MONITOR, and counts what happened. */
import type { AccessPolicy } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import { admit, consent, eventually, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';
import { createClient } from '../projects.ts';
import type { Login } from '../projects.ts';

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

/** As Prometheus does: GET with HTTP Basic, and its own Accept. */
async function scrape({ source }: Ground, { id, secret }: Login, bot: string): Promise<Answer> {
  const url = `${source.baseUrl}fhir/R4/Bot/$execute?identifier=${encodeURIComponent(`${systemsOf().bot}|${bot}`)}`;
  const answer = await fetch(url, {
    headers: {
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    },
  });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

async function monitor({ admin, project }: Ground): Promise<Login> {
  const name = 'consent-sync role MONITOR';
  const [policy] = await admin.search<AccessPolicy>(`AccessPolicy?name=${encodeURIComponent(name)}`);
  must(policy !== undefined, 'the deployment made no policy for MONITOR');
  return createClient(admin, project.projectId, `prometheus ${Date.now()}`, policy.id);
}

const valueOf = ({ text }: Answer, series: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length) ?? 0
  );

export const METRICS: readonly Check[] = [
  {
    bot: 'metrics',
    promise: 'a client with the policy MONITOR gets Prometheus text by HTTP Basic, and no other bot',
    async prove(ground) {
      const client = await monitor(ground);
      const answer = await scrape(ground, client, 'metrics');
      must(answer.status === 200, `status ${answer.status}: ${answer.text.slice(0, 200)}`);
      must(answer.type?.startsWith('text/plain; version=0.0.4') === true, `content type ${answer.type}`);
      must(valueOf(answer, 'holi_database_connections_active{database="replica"}') === 1, 'the replica is not seen');
      const other = await scrape(ground, client, 'health');
      must(other.status === 404, `it may ask health: status ${other.status}`);
      return `${answer.text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length} series`;
    },
  },
  {
    bot: 'metrics',
    promise: 'a consented patient is counted once, however often it is asked',
    async prove(ground) {
      await ground.configure({ METRICS_MAX_AGE_MS: '1' });
      const client = await monitor(ground);
      const series = 'holi_fhir_sync_operations_total{resource_type="Patient",operation="put",status="success"}';
      const before = valueOf(await scrape(ground, client, 'metrics'), series);
      await consent(ground, await admit(ground));
      const runs = 'holi_http_requests_total{method="subscription",route="consent-changed",status_code="200"}';
      await eventually(
        'the Patient is counted',
        async () => valueOf(await scrape(ground, client, 'metrics'), series),
        (count) => count === before + 1
      );
      const ran = await eventually(
        'the run of consent-changed is counted',
        async () => valueOf(await scrape(ground, client, 'metrics'), runs),
        (count) => count > 0
      );
      const again = valueOf(await scrape(ground, client, 'metrics'), series);
      must(again === before + 1, `${before} before, ${again} after`);
      return `${before} → ${again}; consent-changed ran ${ran} times`;
    },
  },
];
