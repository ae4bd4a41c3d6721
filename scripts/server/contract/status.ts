/** `status`: a page and a report for the role MONITOR, without any right to see a Consent, and true when the replica is gone. */
import type { AccessPolicy } from '@medplum/fhirtypes';
import { systemsOf } from '../../../src/fhir/systems.ts';
import type { Report } from '../../../src/flows/metrics/status/report.ts';
import { admit, consent, eventually, must } from '../ground.ts';
import type { Check, Ground } from '../ground.ts';
import { createClient } from '../projects.ts';
import type { Login } from '../projects.ts';

async function monitor({ admin, project }: Ground): Promise<Login> {
  const name = 'consent-sync role MONITOR';
  const [policy] = await admin.search<AccessPolicy>(`AccessPolicy?name=${encodeURIComponent(name)}`);
  must(policy !== undefined, 'the deployment made no policy for MONITOR');
  return createClient(admin, project.projectId, `monitor ${Date.now()}`, policy.id);
}

function ask({ source }: Ground, { id, secret }: Login, format = 'html'): Promise<Response> {
  const bot = encodeURIComponent(`${systemsOf().bot}|status`);
  return fetch(`${source.baseUrl}fhir/R4/Bot/$execute?identifier=${bot}&format=${format}`, {
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`, accept: 'text/html' },
  });
}

async function report(ground: Ground, client: Login): Promise<Report> {
  const answer = await ask(ground, client, 'json');
  must(answer.status === 200, `status ${answer.status}`);
  return (await answer.json()) as Report;
}

const valueOf = ({ sections }: Report, section: string, figure: string): number =>
  sections.find(({ name }) => name === section)?.figures.find(({ name }) => name === figure)?.value ?? 0;

export const STATUS: readonly Check[] = [
  {
    bot: 'status',
    promise: 'a client with the policy MONITOR gets a page by HTTP Basic, raw, which loads and runs nothing',
    async prove(ground) {
      const answer = await ask(ground, await monitor(ground));
      must(answer.status === 200, `status ${answer.status}`);
      must(answer.headers.get('content-type')?.startsWith('text/html') === true, 'it is no HTML');
      const html = await answer.text();
      must(html.startsWith('<!doctype html>') && html.includes('Erasures'), html.slice(0, 200));
      must(!/<script|<link|<img|https?:/.test(html), 'it loads or runs something');
      return `${Math.round(html.length / 1000)} kB; the server’s own policy: ${answer.headers.get('content-security-policy')}`;
    },
  },
  {
    bot: 'status',
    promise: 'a consent and what it brought are counted in figures and in the trend, once',
    async prove(ground) {
      await ground.configure({ METRICS_MAX_AGE_MS: '1' });
      const client = await monitor(ground);
      const before = await report(ground, client);
      await consent(ground, await admit(ground));
      const after = await eventually(
        'the consent is counted',
        () => report(ground, client),
        (found) => valueOf(found, 'consents', 'given') === valueOf(before, 'consents', 'given') + 1
      );
      const active = valueOf(after, 'consents', 'active') - valueOf(before, 'consents', 'active');
      must(active === 1, `${active} more Consents are active`);
      const again = await report(ground, client);
      must(valueOf(again, 'consents', 'given') === valueOf(after, 'consents', 'given'), 'it was counted again');
      const trend = again.sections.find(({ name }) => name === 'consents')?.trend[0]?.hours ?? [];
      must((trend.at(-1) ?? 0) + (trend.at(-2) ?? 0) > 0, 'the trend has nothing');
      return `${valueOf(after, 'lag', 'sent')} records copied, ${valueOf(after, 'lag', 'mean')} s a change on average`;
    },
  },
  {
    bot: 'status',
    promise: 'it answers when the replica does not, and says so',
    async prove(ground) {
      // 192.0.2.0/24 is for documentation (RFC 5737): whatever is sent there is never answered.
      await ground.configure({ METRICS_MAX_AGE_MS: '1', REPLICA_BASE_URL: 'http://192.0.2.1/' });
      try {
        const down = await report(ground, await monitor(ground));
        must(down.status === 'unhealthy' && down.replica === 'down', `${down.status}, replica ${down.replica}`);
        return down.findings.map(({ code }) => code).join(', ');
      } finally {
        await ground.configure({});
      }
    },
  },
];
