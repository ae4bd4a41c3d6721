/** `health`: says how things are, also when they are bad. */
import { execute, must } from '../ground.ts';
import type { Check } from '../ground.ts';

interface Health {
  readonly status: string;
  readonly timestamp: string;
  readonly checks: Readonly<Record<string, string>>;
  readonly reasons?: Readonly<Record<string, string>>;
}

const show = ({ status, checks, reasons }: Health): string =>
  `${status} (${Object.entries(checks)
    .map(([name, state]) => `${name} ${reasons?.[name] ?? state}`)
    .join(', ')})`;

export const HEALTH: readonly Check[] = [
  {
    bot: 'health',
    promise: 'after a sweep all five checks are healthy',
    async prove(ground) {
      await execute(ground, 'sweep');
      const health = await execute<Health>(ground, 'health');
      must(health.status === 'healthy' && Object.keys(health.checks).length === 5, show(health));
      return show(health);
    },
  },
  {
    bot: 'health',
    promise: 'live, ready and startup, by POST and by GET',
    async prove(ground) {
      for (const [probe, checks] of [
        ['live', 0],
        ['ready', 3],
        ['startup', 2],
      ] as const) {
        for (const method of ['POST', 'GET'] as const) {
          const health = await execute<Health>(ground, 'health', { probe }, method);
          must(
            health.status === 'healthy' && Object.keys(health.checks).length === checks,
            `${method} ${probe}: ${show(health)}`
          );
        }
      }
      return 'healthy, with 0, 3 and 2 checks';
    },
  },
  {
    bot: 'health',
    promise: 'a replica that is not there, or lets nobody in, is told within three seconds',
    async prove(ground) {
      const { baseUrl } = ground.replica;
      // 192.0.2.0/24 is for documentation (RFC 5737): whatever is sent there is never answered.
      const cases = [
        { REPLICA_BASE_URL: 'http://192.0.2.1/' },
        { REPLICA_BASE_URL: baseUrl, REPLICA_CLIENT_ID: '00000000-0000-4000-8000-000000000000' },
      ];
      const told: string[] = [];
      try {
        for (const settings of cases) {
          await ground.configure(settings);
          const started = performance.now();
          const health = await execute<Health>(ground, 'health', { probe: 'ready' });
          const ms = performance.now() - started;
          must(
            health.status === 'unhealthy' && health.checks.source === 'healthy' && health.checks.token === 'unhealthy',
            show(health)
          );
          must(ms < 3000, `${Math.round(ms)} ms`);
          told.push(show(health));
        }
      } finally {
        await ground.configure({});
      }
      return told.join('; ');
    },
  },
];
