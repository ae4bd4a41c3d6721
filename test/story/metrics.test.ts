/** The bot `metrics`, asked as Prometheus asks it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { JsonFamily } from '../../src/flows/metrics/exposition.ts';
import { setSettings } from '../support/callers.ts';
import { admit, consent, createWorld, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let scraper: string;
beforeEach(async () => {
  world = await createWorld({ settings: { METRICS_MAX_AGE_MS: '1' } });
  // As `consent-sync role MONITOR` of the deployment.
  const criteria = `Bot?identifier=${systemsOf().bot}|metrics`;
  const { id, secret } = await world.sandbox.source.createClient('prometheus', {
    accessPolicy: {
      name: 'MONITOR',
      resource: [
        { resourceType: 'Bot', interaction: ['read', 'search'], criteria },
        { resourceType: 'AuditEvent', interaction: ['create'] },
      ],
    },
  });
  scraper = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
});
afterEach(async () => {
  await world.close();
});

async function scrape(query: Record<string, string> = {}, bot = 'metrics'): Promise<Response> {
  const parameters = new URLSearchParams({ identifier: `${systemsOf().bot}|${bot}`, ...query });
  return fetch(`${world.sandbox.source.baseUrl}fhir/R4/Bot/$execute?${parameters.toString()}`, {
    headers: {
      authorization: scraper,
      accept: 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5',
    },
  });
}

async function figures(): Promise<Map<string, number>> {
  const text = await (await scrape()).text();
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))])
  );
}

const sync = (type: string, operation: string, status: string): string =>
  `holi_fhir_sync_operations_total{resource_type="${type}",operation="${operation}",status="${status}"}`;

test('a client that may read only this bot gets Prometheus text, and no other bot', async () => {
  const answer = await scrape();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await answer.text()).toContain(
    '# TYPE holi_queue_jobs_waiting gauge\nholi_queue_jobs_waiting{queue_name="fhir-sync"} 0\n'
  );
  expect((await scrape({}, 'health')).status).toBe(404);
  expect((await scrape({ format: 'xml' })).status).toBe(400);
});

test('what happens is counted once, whoever asks how often, and in the names of the seeds', async () => {
  const { patient, encounter } = await admit(world);
  await world.settle();
  await figures();
  await consent(world, patient);
  await world.settle();
  await world.sandbox.source.repo.createResource(observation(patient, encounter, 80));
  await world.settle();
  const once = await figures();
  expect(once.get(sync('Observation', 'put', 'success'))).toBe(2);
  expect(once.get(sync('Observation', 'put', 'withheld'))).toBe(1);
  const project = world.sandbox.source.projectId;
  expect(
    once.get(`holi_hipaa_consent_validations_total{status="missing",event_type="FHIR_SYNC",org_id="${project}"}`)
  ).toBe(3);
  expect(
    once.get(`holi_hipaa_consent_validations_total{status="granted",event_type="FHIR_SYNC",org_id="${project}"}`)
  ).toBe(4);
  expect(once.get('holi_http_requests_total{method="subscription",route="consent-changed",status_code="200"}')).toBe(1);
  expect(once.get('holi_fhir_sync_duration_seconds_count{resource_type="Observation",operation="change"}')).toBe(2);
  const trail = (await world.trail()).length;
  expect(once.get(`holi_hipaa_audit_events_total{event_type="FHIR_SYNC",org_id="${project}"}`)).toBe(trail);
  // Readings overlap, but each row counts once.
  const again = await figures();
  for (const [name, value] of once) {
    if (!/^holi_(database|metrics)/.test(name)) {
      expect(again.get(name), name).toBe(value);
    }
  }
});

test('counters go on when the bot is installed anew, or two scrapers ask at once', async () => {
  const { patient } = await admit(world);
  await consent(world, patient);
  await world.settle();
  const [one, two] = await Promise.all([figures(), figures()]);
  const name = sync('Patient', 'put', 'success');
  expect(one.get(name)).toBe(1);
  expect(two.get(name)).toBe(1);
  await setSettings(world, { METRICS_MAX_AGE_MS: '3600000' });
  expect((await figures()).get(name)).toBe(1);
  await setSettings(world, { METRICS_MAX_AGE_MS: '1' });
  expect((await figures()).get(name)).toBe(1);
});

test('a scrape costs three requests of the source, and one while the figures are young', async () => {
  await world.settle();
  await figures();
  const asked = async (): Promise<string[]> => {
    world.asked();
    await figures();
    return world.asked().map(({ method, url }) => `${method} ${new URL(url, 'http://x').pathname}`);
  };
  expect(await asked()).toEqual(['GET /fhir/R4/Basic', 'POST /fhir/R4', expect.stringMatching(/^PUT .*Basic\//)]);
  await setSettings(world, { METRICS_MAX_AGE_MS: '60000' });
  expect(await asked()).toEqual(['GET /fhir/R4/Basic']);
});

test('an outage is seen: jobs, drift, breaker, errors, and a replica that is not there; afterwards how long jobs took', async () => {
  const { patient, encounter } = await admit(world);
  await consent(world, patient);
  await world.settle();
  world.sandbox.replica.faults.down = 'unavailable';
  await world.sandbox.source.repo.createResource(observation(patient, encounter, 81));
  await world.settle();
  const down = await figures();
  expect(down.get('holi_fhir_sync_not_synced{resource_type="Observation"}')).toBe(1);
  expect(down.get('holi_queue_held{queue_name="fhir-sync",reason="replica-unavailable"}')).toBe(1);
  expect(down.get('holi_database_connections_active{database="replica"}')).toBe(0);
  expect(down.get('holi_database_connections_active{database="source"}')).toBe(1);
  expect(down.get('holi_fhir_sync_errors_total{resource_type="Observation",error_type="replica-unavailable"}')).toBe(1);
  await world.sandbox.clock.advance(2 * 3_600_000);
  expect((await figures()).get('holi_fhir_sync_stale{resource_type="Observation"}')).toBe(1);
  world.sandbox.replica.faults.down = undefined;
  await world.retryJobs();
  const up = await figures();
  expect(up.get('holi_fhir_sync_not_synced{resource_type="Observation"}')).toBe(0);
  expect(up.get('holi_queue_held{queue_name="fhir-sync",reason="none"}')).toBe(0);
  expect(up.get('holi_queue_job_duration_seconds_count{queue_name="fhir-sync",job_type="observation-sync"}')).toBe(1);
  expect(up.get('holi_http_requests_total{method="execute",route="retry-jobs",status_code="200"}')).toBe(1);
});

test('no id, token or name of anybody is in it, and JSON says the same', async () => {
  const { patient } = await admit(world, 'Picard');
  await consent(world, patient);
  await world.settle();
  const text = await (await scrape()).text();
  expect(text).not.toMatch(/Picard|Janeway|pt_|Patient\//);
  expect(text).not.toContain(patient.id);
  const { metrics } = (await (await scrape({ format: 'json' })).json()) as { metrics: JsonFamily[] };
  const names = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
  expect(metrics.map(({ name }) => name)).toEqual(names);
  const types = metrics.find(({ name }) => name === 'holi_fhir_sync_operations_total')?.values;
  expect(types).toContainEqual({
    labels: { resource_type: 'Patient', operation: 'put', status: 'success' },
    value: 1,
  });
});

test('while sync is off it answers, and sends nothing to the replica', async () => {
  await setSettings(world, { SYNC_ENABLED: 'false' });
  world.sent();
  const off = await figures();
  expect(off.get('holi_fhir_sync_enabled')).toBe(0);
  expect(world.sent()).toEqual([]);
});
