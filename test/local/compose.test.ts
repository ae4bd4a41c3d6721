/** The local Medplum as its files describe it: read by Docker elsewhere, so what can be known without it is checked here. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '..', '..', 'scripts', 'local');

interface Service {
  readonly image: string;
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
}

const compose = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8')) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const server = JSON.parse(readFileSync(join(folder, 'server.json'), 'utf8')) as Record<string, unknown>;
const { services } = compose;

test('has the services and ports of the DHTI integration, on this machine only', () => {
  expect(Object.keys(services).sort()).toEqual(['medplum-app', 'medplum-server', 'postgres-db', 'redis']);
  const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
    ports.map((port) => `${name} ${port}`)
  );
  expect(published).toEqual(['medplum-server 127.0.0.1:8103:8103', 'medplum-app 127.0.0.1:3103:3000']);
});

test('pins the Medplum that the bundle is tested with', () => {
  const { devDependencies } = JSON.parse(readFileSync(join(folder, '../../package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  const version = devDependencies['@medplum/cli'];
  expect([services['medplum-server']?.image, services['medplum-app']?.image]).toEqual([
    `medplum/medplum-server:${version}`,
    `medplum/medplum-app:${version}`,
  ]);
});

test('waits for what it needs: every dependency has a health check, every volume is declared or a file', () => {
  for (const [name, { depends_on = {}, volumes = [] }] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(condition, name).toBe('service_healthy');
      expect(services[other]?.healthcheck?.test.length, other).toBeGreaterThan(1);
    }
    for (const [from = '', to] of volumes.map((volume) => volume.split(':'))) {
      expect(from.startsWith('./') ? existsSync(join(folder, from)) : from in compose.volumes, `${name}: ${from}`).toBe(
        true
      );
      expect(to).toMatch(/^\//);
    }
  }
});

test('the server runs vmcontext bots, has the features, saves AuditEvents without names, and finds its database', () => {
  expect(server).toMatchObject({
    vmContextBotsEnabled: true,
    defaultBotRuntimeVersion: 'vmcontext',
    defaultProjectFeatures: ['bots', 'cron', 'transaction-bundles'],
    saveAuditEvents: true,
    redactAuditEvents: true,
    port: 8103,
    baseUrl: 'http://localhost:8103/',
    appBaseUrl: 'http://localhost:3103/',
  });
  const { database, redis } = server as { database: Record<string, unknown>; redis: Record<string, unknown> };
  const { POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD } = services['postgres-db']?.environment ?? {};
  expect(database).toMatchObject({
    host: 'postgres-db',
    dbname: POSTGRES_DB,
    username: POSTGRES_USER,
    password: POSTGRES_PASSWORD,
  });
  expect(redis.host).toBe('redis');
  expect(JSON.stringify(compose.services.redis)).toContain(`--requirepass ${String(redis.password)}`);
  const mount = services['medplum-server']?.volumes
    ?.find((volume) => volume.startsWith('./server.json:'))
    ?.split(':')[1];
  expect(services['medplum-server']?.entrypoint?.at(-1)).toBe(`file:${mount}`);
});
