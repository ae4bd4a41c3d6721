/** The bot `status`, asked as a person asks it, and its page, opened in a browser. */
import type { WithId } from '@medplum/core';
import type { AuditEvent, Consent } from '@medplum/fhirtypes';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { Report } from '../../src/flows/metrics/status/report.ts';
import { CHROMIUM, openBrowser, openPage } from '../../scripts/browser.ts';
import { isTooWide, NO_CHROMIUM, paleTexts } from '../support/browser.ts';
import { setSettings } from '../support/callers.ts';
import { admit, all, consent, createWorld, observation } from '../support/world.ts';
import type { World } from '../support/world.ts';

let world: World;
let authorization: string;
beforeEach(async () => {
  world = await createWorld({ settings: { METRICS_MAX_AGE_MS: '1' } });
  // As `consent-sync role MONITOR` of the deployment.
  const { id, secret } = await world.sandbox.source.createClient('monitor', {
    accessPolicy: {
      name: 'MONITOR',
      resource: [
        { resourceType: 'Bot', interaction: ['read', 'search'], criteria: `Bot?identifier=${systemsOf().bot}|status` },
        { resourceType: 'AuditEvent', interaction: ['create'] },
      ],
    },
  });
  authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
});
afterEach(async () => {
  await world.close();
});

async function ask(query: Record<string, string> = {}): Promise<Response> {
  const parameters = new URLSearchParams({ identifier: `${systemsOf().bot}|status`, ...query });
  return fetch(`${world.sandbox.source.baseUrl}fhir/R4/Bot/$execute?${parameters.toString()}`, {
    headers: { authorization },
  });
}

const report = async (): Promise<Report> => (await (await ask({ format: 'json' })).json()) as Report;

const valueOf = ({ sections }: Report, section: string, figure: string): number | undefined =>
  sections.find(({ name }) => name === section)?.figures.find(({ name }) => name === figure)?.value;

const trendOf = ({ sections }: Report, section: string, line: string): readonly (number | null)[] =>
  sections.find(({ name }) => name === section)?.trend.find(({ name }) => name === line)?.hours ?? [];

const codes = ({ findings }: Report): string[] => findings.map(({ code }) => code);

async function live(): Promise<Awaited<ReturnType<typeof admit>> & { readonly given: WithId<Consent> }> {
  const admitted = await admit(world, '<script>alert(1)</script>');
  const given = await consent(world, admitted.patient);
  await world.settle();
  await world.sweep();
  return { ...admitted, given };
}

test('figures and trends tell what the trail tells, and each thing once', async () => {
  const { patient, given } = await live();
  const first = await report();
  expect(first).toMatchObject({ status: 'healthy', replica: 'up', findings: [] });
  expect(valueOf(first, 'consents', 'active')).toBe(1);
  expect(valueOf(first, 'consents', 'given')).toBe(1);
  expect(valueOf(first, 'lag', 'sent')).toBe(3);
  expect(trendOf(first, 'consents', 'given').at(-1)).toBe(1);
  expect(trendOf(first, 'lag', 'mean').at(-1)).toBeGreaterThan(0);
  // An hour without events has no average.
  expect(trendOf(first, 'lag', 'mean').slice(0, -2)).toEqual(Array(46).fill(null));
  const trail = await all<AuditEvent>(world.sandbox, 'AuditEvent', 'source');
  expect(valueOf(first, 'audit', 'events')).toBe(
    trail.filter(({ type }) => type.system === systemsOf().auditType).length
  );
  await world.sandbox.clock.advance(3_600_000);
  await world.sandbox.source.repo.updateResource<Consent>({ ...given, status: 'inactive' });
  await world.settle();
  await world.sweep();
  const second = await report();
  expect(valueOf(second, 'consents', 'active')).toBe(0);
  expect(valueOf(second, 'erasures', 'removed')).toBe(3);
  expect(trendOf(second, 'erasures', 'removed').slice(-2)).toEqual([0, 3]);
  expect(trendOf(second, 'consents', 'given').slice(-2)).toEqual([1, 0]);
  expect(valueOf(await report(), 'erasures', 'removed')).toBe(3);
  expect(JSON.stringify(second)).not.toMatch(/script|Janeway|pt_|Patient\//);
  expect(JSON.stringify(second)).not.toContain(patient.id);
});

test('a report costs four requests of the source, and two while the figures are young', async () => {
  await live();
  await report();
  const asked = async (): Promise<string[]> => {
    world.asked();
    await report();
    return world.asked().map(({ method, url }) => `${method} ${new URL(url, 'http://x').pathname}`);
  };
  expect(await asked()).toEqual([
    'GET /fhir/R4/Basic',
    'POST /fhir/R4',
    expect.stringMatching(/^PUT .*Basic\//),
    'POST /fhir/R4',
  ]);
  await setSettings(world, { METRICS_MAX_AGE_MS: '60000' });
  expect(await asked()).toEqual(['GET /fhir/R4/Basic', 'POST /fhir/R4']);
});

test('it works when the replica is down, and says so, what waits and for how long', async () => {
  const { patient, encounter } = await live();
  world.sandbox.replica.faults.down = 'cut';
  await world.sandbox.source.repo.createResource(observation(patient, encounter, 81));
  await world.settle();
  const down = await report();
  expect(down).toMatchObject({ status: 'unhealthy', replica: 'down' });
  expect(codes(down)).toEqual(['replica-down', 'breaker-open']);
  expect(valueOf(down, 'drift', 'undelivered')).toBe(1);
  expect(trendOf(down, 'drift', 'undelivered').at(-1)).toBe(1);
  await world.sandbox.clock.advance(2 * 3_600_000);
  const later = await report();
  expect(codes(later)).toEqual(['replica-down', 'breaker-open', 'sweep-late', 'jobs-waiting']);
  expect(valueOf(later, 'drift', 'stale')).toBe(1);
  world.sandbox.replica.faults.down = undefined;
  await world.retryJobs();
  await world.sweep();
  expect(codes(await report())).toEqual([]);
});

test('it works without settings and while sync is off, which sends the replica nothing', async () => {
  await live();
  await setSettings(world, { SYNC_ENABLED: 'false' });
  world.sent();
  expect(await report()).toMatchObject({ status: 'degraded', findings: [{ code: 'sync-off' }] });
  expect(world.sent()).toEqual([]);
  await setSettings(world, { SYNC_ENABLED: 'true', REPLICA_BASE_URL: 'no url' });
  const unset = await report();
  expect(codes(unset)).toEqual(['settings-invalid']);
  expect(unset.findings[0]?.does).toContain('REPLICA_BASE_URL');
  expect((await ask()).status).toBe(200);
  expect((await ask({ format: 'pdf' })).status).toBe(400);
});

test('a GET gets the page raw: one document that loads nothing and runs nothing', async () => {
  await live();
  const answer = await ask();
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const html = await answer.text();
  expect(html).toMatch(/default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'/);
  expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import| style=/);
  expect(html).not.toMatch(/Janeway|pt_|Patient\//);
});

test('npm run status says by its exit code how it stands, and writes the page that the bot would answer', async () => {
  await live();
  const { id, secret } = await world.sandbox.source.createClient('operator', { admin: true });
  const env = {
    PATH: process.env['PATH'],
    MEDPLUM_BASE_URL: world.sandbox.source.baseUrl,
    MEDPLUM_CLIENT_ID: id,
    MEDPLUM_CLIENT_SECRET: secret,
  };
  const run = (...args: string[]): Promise<{ readonly code: number; readonly text: string }> =>
    new Promise((resolve) => {
      const script = join(import.meta.dirname, '..', '..', 'scripts', 'status.ts');
      execFile(process.execPath, [script, ...args], { env }, (error, stdout) =>
        resolve({ code: error ? Number(error.code) : 0, text: stdout })
      );
    });
  const well = await run();
  expect(well.code).toBe(0);
  expect(well.text).toMatch(/^healthy at .*Replication lag.*3  records copied in 24 hours/s);
  world.sandbox.replica.faults.down = 'cut';
  const folder = mkdtempSync(join(tmpdir(), 'status-'));
  const file = join(folder, 'status.html');
  expect((await run('--out', file)).code).toBe(2);
  expect(readFileSync(file, 'utf8')).toContain('The replica does not answer.');
  rmSync(folder, { recursive: true });
  expect(JSON.parse((await run('--json')).text)).toMatchObject({ status: 'unhealthy', replica: 'down' });
  expect((await run('--nonsense')).code).toBe(1);
});

describe.skipIf(CHROMIUM === undefined)(`in a browser${NO_CHROMIUM}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });

  test.each([
    ['light', 1280],
    ['light', 360],
    ['dark', 1280],
    ['dark', 360],
  ] as const)(
    '%s, %i pixels wide: nothing sticks out, every text is legible, the policy refuses nothing',
    async (colorScheme, width) => {
      await live();
      world.sandbox.replica.faults.down = 'unavailable';
      const { page, complaints } = await openPage(browser, { colorScheme, viewport: { width, height: 800 } });
      await page.setContent(await (await ask()).text());
      expect(await isTooWide(page)).toBe(false);
      const { pale, count } = await paleTexts(page);
      expect(pale).toEqual([]);
      expect(count).toBeGreaterThan(60);
      expect(complaints).toEqual([]);
      expect(await page.locator('h2').allTextContents()).toEqual([
        'Replication lag',
        'Queue',
        'Drift',
        'Consents',
        'Erasures',
        'Audit',
      ]);
      expect(await page.getByText('The replica does not answer.').isVisible()).toBe(true);
      expect(await page.getByRole('img', { name: /^brought copies and took copies away, by the hour/ }).count()).toBe(
        1
      );
    }
  );

  test('where the server forbids styles, as Medplum does, it is still a page', async () => {
    await live();
    const { page } = await openPage(browser);
    const html = await (await ask()).text();
    await page.route('http://server.test/', (route) =>
      route.fulfill({
        body: html,
        contentType: 'text/html',
        headers: { 'Content-Security-Policy': "default-src 'none'" },
      })
    );
    await page.goto('http://server.test/');
    expect(await page.getByRole('heading', { name: 'Erasures' }).isVisible()).toBe(true);
    const bar = page.locator('figure rect[height]:not([height="1"])').first();
    expect(await bar.getAttribute('fill')).toMatch(/^#/);
  });
});
