/**
 * Proves what `monitoring/` holds: rules, routes and metrics are clean, every query of the dashboard returns data, and every alert fires, on a
 * real Prometheus that scrapes the sandbox.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { ROOT } from './deploy/manifest.ts';
import { ROWS } from './monitoring/panels.ts';
import { createScene } from './monitoring/scene.ts';
import type { Scene } from './monitoring/scene.ts';

const INSTALL = 'Install it to run this: `apt install prometheus prometheus-alertmanager` on Debian and Ubuntu.';
const DIRECTORY = join(ROOT, 'monitoring');
/** Until a scrape, an evaluation, and a query have happened; they happen each second. */
const PATIENCE_MS = 25_000;
const WAIT_MS = 500;

/** Where alerts go: labels → receiver. */
const ROUTES: readonly (readonly [labels: readonly string[], receiver: string])[] = [
  [['severity=critical', 'area=hipaa'], 'hipaa-critical'],
  [['severity=critical', 'area=infrastructure'], 'critical'],
  [['severity=high', 'area=fhir'], 'high'],
  [['severity=medium', 'area=fhir'], 'medium'],
  [['severity=medium', 'area=database'], 'database'],
  [['severity=low', 'area=fhir'], 'low'],
  [[], 'low'],
];

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

const failed: string[] = [];

function tell(isWell: boolean, what: string, more = ''): void {
  console.log(`${isWell ? '✓' : '✗'} ${what}${!isWell && more ? `\n    → ${more}` : ''}`);
  if (!isWell) {
    failed.push(what);
  }
}

function check(what: string, tool: string, args: readonly string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync(tool, args, { cwd: DIRECTORY, input, encoding: 'utf8' });
  tell(status === 0, what, `${stdout}${stderr}`.trim().slice(-2000));
}

function has(tool: string): boolean {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
}

function checkFiles(): void {
  check('promtool check rules', 'promtool', ['check', 'rules', 'alerts.yml']);
  check('promtool check config', 'promtool', ['check', 'config', '--syntax-only', 'prometheus.yml']);
  check('promtool test rules', 'promtool', ['test', 'rules', 'alerts.test.yml']);
  if (!has('amtool')) {
    console.log(`amtool is not here: Alertmanager’s file was not looked at. ${INSTALL}`);
    return;
  }
  check('amtool check-config', 'amtool', ['check-config', 'alertmanager.yml']);
  for (const [labels, receiver] of ROUTES) {
    const args = ['config', 'routes', 'test', '--config.file=alertmanager.yml', `--verify.receivers=${receiver}`];
    check(`${labels.join(', ') || 'anything else'} goes to ${receiver}`, 'amtool', [...args, ...labels]);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** The files of `monitoring/` with a scrape each second, and with alerts that need not last. */
async function startPrometheus(
  folder: string,
  { sandbox, scraper }: Scene,
  port: number
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const config = parse(readFileSync(join(DIRECTORY, 'prometheus.yml'), 'utf8')) as {
    scrape_configs: Record<string, unknown>[];
  };
  const [job] = config.scrape_configs;
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const rules = readFileSync(join(DIRECTORY, 'alerts.yml'), 'utf8').replace(/^ +for: .*\n/gm, '');
  const changed = {
    ...config,
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    alerting: undefined,
    rule_files: [file('alerts.yml', rules)],
    scrape_configs: [
      {
        ...job,
        scheme: 'http',
        basic_auth: { username: scraper.id, password_file: file('secret', scraper.secret) },
        static_configs: [{ targets: [new URL(sandbox.source.baseUrl).host] }],
      },
    ],
  };
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file('prometheus.yml', stringify(changed))}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] }
  );
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true);
  return { child, url };
}

async function until(isSo: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(WAIT_MS)) {
    if (await isSo()) {
      return true;
    }
  }
  return false;
}

interface Answer {
  readonly data?: { readonly result?: readonly { readonly value: readonly [number, string] }[] };
}

async function hasData(url: string, expr: string): Promise<boolean> {
  const answer = (await (await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`)).json()) as Answer;
  return (answer.data?.result ?? []).some(({ value }) => Number.isFinite(Number(value[1])));
}

async function firing(url: string): Promise<string[]> {
  const answer = (await (await fetch(`${url}/api/v1/alerts`)).json()) as {
    data: { alerts: { labels: { alertname: string }; state: string }[] };
  };
  return answer.data.alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
}

/** Two scrapes: what was there before the second has a past by then. */
async function scraped(url: string): Promise<void> {
  const count = async (): Promise<number> => {
    const expr = encodeURIComponent('count_over_time(up{job="consent-sync"}[1h])');
    const answer = (await (await fetch(`${url}/api/v1/query?query=${expr}`)).json()) as Answer;
    return Number(answer.data?.result?.[0]?.value[1] ?? 0);
  };
  const before = await count();
  await until(async () => (await count()) >= before + 2);
}

async function prove(scene: Scene, url: string): Promise<void> {
  const text = await scrape(scene);
  check('promtool check metrics', 'promtool', ['check', 'metrics'], text);
  await scene.work();
  await scraped(url);
  await scene.work();
  await scraped(url);
  const queries = ROWS.flatMap(({ panels }) =>
    panels.flatMap(({ title, queries: own }) => own.map(({ expr }) => ({ title, expr })))
  );
  for (const { title, expr } of queries) {
    tell(await until(() => hasData(url, expr)), `${title}: ${expr}`, 'no data');
  }
  const { groups } = parse(readFileSync(join(DIRECTORY, 'alerts.yml'), 'utf8')) as Rules;
  const names = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  const quiet = await firing(url);
  const seen = new Set<string>();
  const look = async (wanted: readonly string[]): Promise<boolean> => {
    (await firing(url)).forEach((name) => seen.add(name));
    return wanted.every((name) => seen.has(name));
  };
  const atTheEnd = ['ApiServerDown', 'RedisQueueDown'];
  await scene.harm();
  await scraped(url);
  await scene.harm();
  await until(() => look(names.filter((name) => !atTheEnd.includes(name))));
  await scene.end();
  await until(() => look(atTheEnd));
  for (const name of names) {
    tell(seen.has(name), `${name} fires`, 'it did not');
  }
  tell(
    [
      'ApiServerDown',
      'RedisQueueDown',
      'DatabaseConnectionFailure',
      'UnauthorizedPhiAccess',
      'HipaaAuditLogFailure',
    ].every((name) => !quiet.includes(name)),
    'no critical alert fires while all is well',
    quiet.join()
  );
}

async function scrape({ sandbox, scraper }: Scene): Promise<string> {
  const identifier = encodeURIComponent('https://holilabs.xyz/fhir/bot|metrics');
  const answer = await fetch(`${sandbox.source.baseUrl}fhir/R4/Bot/$execute?identifier=${identifier}`, {
    headers: { authorization: `Basic ${Buffer.from(`${scraper.id}:${scraper.secret}`).toString('base64')}` },
  });
  return answer.text();
}

async function main(): Promise<void> {
  if (!has('prometheus') || !has('promtool')) {
    console.log(`Skipped: prometheus or promtool is not here. ${INSTALL}`);
    return;
  }
  checkFiles();
  const folder = mkdtempSync(join(tmpdir(), 'monitoring-'));
  const scene = await createScene();
  const { child, url } = await startPrometheus(folder, scene, await freePort());
  try {
    await prove(scene, url);
  } finally {
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    await scene.sandbox.close();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(failed.length === 0 ? '\nall of it is as it should be' : `\n${failed.length} failed`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

await main();
