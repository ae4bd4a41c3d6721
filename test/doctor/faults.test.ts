/** Faults are planted, and the doctor calls each by its name: that name and no other. */
import type {
  AccessPolicy,
  AuditEvent,
  Basic,
  Bot,
  CapabilityStatement,
  Project,
  ProjectMembership,
  Resource,
  Subscription,
  UserConfiguration,
} from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkpointOf } from '../../src/flows/checkpoint.ts';
import { sealBasic } from '../../src/flows/audit/seal.ts';
import { stateBasic, stateOf, withRun } from '../../src/flows/audit/state.ts';
import { stateBasic as figuresBasic, stateOf as figuresOf } from '../../src/flows/metrics/state.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import type { CheckName } from '../../scripts/doctor/examine.ts';
import { complaints, CONTROL, createWard, doctor } from './kit.ts';
import type { Ward } from './kit.ts';

let ward: Ward;
beforeEach(async () => {
  ward = await createWard();
});
afterEach(async () => {
  await ward.world.close();
});

const isA =
  <T extends Resource>(type: T['resourceType'], is: (resource: T) => boolean = () => true) =>
  (resource: Resource): boolean =>
    resource.resourceType === type && is(resource as T);

async function change<T extends Resource>(
  type: T['resourceType'],
  find: (resource: T) => boolean,
  by: (resource: T) => T
): Promise<void> {
  await ward.change<T>(type, isA<T>(type, find), by);
}

const bot = (name: string) => (row: Bot) => row.name === name;
const ofBot = (name: string) => (row: ProjectMembership) => row.profile.display === name;
const secret = (values: Readonly<Record<string, string | undefined>>): Promise<void> =>
  change<Project>(
    'Project',
    () => true,
    (project) => ({
      ...project,
      secret: [
        ...(project.secret ?? []).filter(({ name }) => !(name in values)),
        ...Object.entries(values).flatMap(([name, valueString]) =>
          valueString === undefined ? [] : [{ name, valueString }]
        ),
      ],
    })
  );
const replicaProject = async (by: (project: Project) => Project): Promise<void> => {
  const { repo, projectId } = ward.world.sandbox.replica;
  await repo.updateResource<Project>(by(await repo.readResource<Project>('Project', projectId)));
};
/** Answers one request of the replica's metadata with something else. */
const metadata = async (by: (statement: CapabilityStatement) => unknown): Promise<void> => {
  const { baseUrl, faults } = ward.world.sandbox.replica;
  const statement = (await (await fetch(`${baseUrl}fhir/R4/metadata`)).json()) as CapabilityStatement;
  faults.failNext({ url: 'metadata' }, { status: 200, body: by(statement) });
};

const mirrorWas = ({ hoursAgo, errors }: { hoursAgo: number; errors: number }): Promise<void> =>
  change<Basic>(
    'Basic',
    ({ identifier }) => identifier?.[0]?.value === 'audit-mirror',
    (row) => {
      const timestamp = new Date(Date.now() - hoursAgo * 3_600_000).toISOString();
      const run = { timestamp, mirrored: 1, skipped: 0, errors };
      return { ...row, ...stateBasic(systemsOf(), withRun(stateOf(systemsOf(), row), run)) };
    }
  );

test('a good deployment is well: every check is ok', async () => {
  const findings = await doctor(ward);
  expect(complaints(findings)).toEqual([]);
  expect(findings.size).toBe(31);
});

interface Planted {
  readonly what: string;
  readonly check: CheckName;
  readonly verdict: 'warn' | 'fail';
  readonly says: string | RegExp;
  plant(): Promise<void>;
  /** Checks that cannot but follow from it. */
  readonly along?: readonly CheckName[];
}

const PLANTED: readonly Planted[] = [
  {
    what: 'a feature of the project is missing',
    check: 'project-features',
    verdict: 'fail',
    says: 'cron is missing',
    plant: () =>
      change<Project>(
        'Project',
        () => true,
        (project) => ({ ...project, features: ['bots', 'transaction-bundles'] })
      ),
  },
  {
    what: 'a setting is nonsense',
    check: 'secrets-valid',
    verdict: 'fail',
    says: 'SYNC_ENABLED must be true or false',
    along: [
      'replica-reachable',
      'replica-token',
      'replica-features',
      'replica-conditional',
      'replica-expunge',
      'replica-audit-saved',
      'audit-names-redacted',
      'audited-callers',
      'audit-mirror-lag',
    ],
    plant: () => secret({ SYNC_ENABLED: 'maybe' }),
  },
  {
    what: 'the key is weak',
    check: 'keys-strong',
    verdict: 'fail',
    says: 'PSEUDONYM_KEY is weak',
    along: [
      'replica-reachable',
      'replica-token',
      'replica-features',
      'replica-conditional',
      'replica-expunge',
      'replica-audit-saved',
      'audit-names-redacted',
      'audited-callers',
      'audit-mirror-lag',
    ],
    plant: () => secret({ PSEUDONYM_KEY: 'abab'.repeat(16) }),
  },
  {
    what: 'the version of the key was turned back',
    check: 'secrets-valid',
    verdict: 'fail',
    says: 'PSEUDONYM_KEY_VERSION must be above 1',
    along: [
      'replica-reachable',
      'replica-token',
      'replica-features',
      'replica-conditional',
      'replica-expunge',
      'replica-audit-saved',
      'audit-names-redacted',
      'audited-callers',
      'audit-mirror-lag',
    ],
    plant: () => secret({ PSEUDONYM_KEY_PREVIOUS: randomBytes(32).toString('hex') }),
  },
  {
    what: 'a secret is a placeholder',
    check: 'placeholder-secrets',
    verdict: 'warn',
    says: 'CONSENT_PURPOSE looks like a placeholder',
    plant: () => secret({ CONSENT_PURPOSE: 'CHANGE_ME' }),
  },
  {
    what: 'a bot is gone, and its Subscription is not',
    check: 'subscriptions',
    verdict: 'fail',
    says: /Subscription\/\S+ \(Consent\) starts Bot\/\S+, which is gone/,
    along: ['bots-deployed'],
    plant: () =>
      ward.world.sandbox.source.repo.deleteResource('Bot', ward.world.installed.bots.get('consent-changed')?.id ?? ''),
  },
  {
    what: 'a Subscription is off',
    check: 'subscriptions',
    verdict: 'fail',
    says: '(Observation) is off',
    plant: () =>
      change<Subscription>(
        'Subscription',
        ({ criteria }) => criteria === 'Observation',
        (row) => ({ ...row, status: 'off' })
      ),
  },
  {
    what: 'a Subscription is missing',
    check: 'subscriptions',
    verdict: 'fail',
    says: 'nothing starts sync-change on Patient',
    plant: () =>
      change<Subscription>(
        'Subscription',
        ({ criteria }) => criteria === 'Patient',
        (row) => ({ ...row, criteria: 'Patient?active=true' })
      ),
  },
  {
    what: 'a schedule is gone',
    check: 'bots-deployed',
    verdict: 'fail',
    says: 'sweep has no schedule, not */5 * * * *',
    plant: () => change<Bot>('Bot', bot('sweep'), ({ cronString: _cron, ...row }) => row),
  },
  {
    what: 'a policy has *',
    check: 'policies-narrow',
    verdict: 'fail',
    says: 'health: its policy has *',
    plant: () =>
      change<AccessPolicy>(
        'AccessPolicy',
        ({ name }) => name === 'health',
        (row) => ({ ...row, resource: [...(row.resource ?? []), { resourceType: '*' }] })
      ),
  },
  {
    what: 'a bot has lost its policy',
    check: 'policies-narrow',
    verdict: 'fail',
    says: 'sync-change has no policy',
    plant: () =>
      change<ProjectMembership>('ProjectMembership', ofBot('sync-change'), ({ accessPolicy: _policy, ...row }) => row),
  },
  {
    what: 'a quota is lower than the manifest asks',
    check: 'quota',
    verdict: 'fail',
    says: 'sweep has 50000 units a minute, not 200000',
    plant: () =>
      change<UserConfiguration>(
        'UserConfiguration',
        ({ name }) => name === 'sweep',
        (row) => ({ ...row, option: [] })
      ),
  },
  {
    what: 'the replica is down',
    check: 'replica-reachable',
    verdict: 'fail',
    says: 'status 503',
    along: [
      'replica-token',
      'replica-features',
      'replica-conditional',
      'replica-expunge',
      'replica-audit-saved',
      'audit-names-redacted',
      'audited-callers',
      'audit-mirror-lag',
    ],
    plant: async () => {
      ward.world.sandbox.replica.faults.down = 'unavailable';
    },
  },
  {
    what: 'the replica’s secret is wrong',
    check: 'replica-token',
    verdict: 'fail',
    says: 'no token: status 400',
    along: ['audit-mirror-lag'],
    plant: () => secret({ REPLICA_CLIENT_SECRET: 'f3a9c1d07b2e4658' }),
  },
  {
    what: 'the client is of another project',
    check: 'replica-token',
    verdict: 'fail',
    says: 'another project than REPLICA_PROJECT_ID says',
    plant: () => secret({ REPLICA_PROJECT_ID: 'elsewhere' }),
  },
  {
    what: 'the replica’s project lacks transactions',
    check: 'replica-features',
    verdict: 'fail',
    says: 'transaction-bundles is missing',
    plant: () => replicaProject((project) => ({ ...project, features: ['bots'] })),
  },
  {
    what: 'the replica has no conditional delete',
    check: 'replica-conditional',
    verdict: 'fail',
    says: 'Encounter has no conditional delete',
    plant: () =>
      metadata((statement) => ({
        ...statement,
        rest: statement.rest?.map((rest) => ({
          ...rest,
          resource: rest.resource?.map((row) =>
            row.type === 'Encounter' ? { ...row, conditionalDelete: 'not-supported' } : row
          ),
        })),
      })),
  },
  {
    what: 'the replica is a server without $expunge',
    check: 'replica-expunge',
    verdict: 'warn',
    says: 'declares no $expunge',
    plant: () => metadata((statement) => ({ ...statement, software: { name: 'Other FHIR' } })),
  },
  {
    what: 'the replica saves no AuditEvents',
    check: 'replica-audit-saved',
    verdict: 'fail',
    says: /no AuditEvent knows Patient\/\S+, the newest copy/,
    plant: async () => {
      const { repo } = ward.world.sandbox.replica;
      // What the sandbox's operator writes is not audited, as nothing is on a server without saveAuditEvents.
      await repo.createResource({ resourceType: 'Patient' });
    },
  },
  {
    what: 'names stand in the AuditEvents',
    check: 'audit-names-redacted',
    verdict: 'warn',
    says: /source: \d+ of the newest \d+ AuditEvents hold a name/,
    plant: async () => {
      await change<Project>(
        'Project',
        () => true,
        ({ setting: _setting, ...project }) => project
      );
      await ward.world.sandbox.source.repo.createResource({
        resourceType: 'AuditEvent',
        type: { code: 'rest' },
        recorded: new Date().toISOString(),
        agent: [{ requestor: true }],
        source: { observer: { display: 'server' } },
        entity: [{ what: { reference: 'Patient/1', display: 'Kathryn Janeway' } }],
      });
    },
  },
  {
    what: 'a caller leaves no trace',
    check: 'audited-callers',
    verdict: 'warn',
    says: /source: AccessPolicy\/\S+ \(readers\) has no AuditEvent create/,
    plant: async () => {
      await ward.world.sandbox.source.createClient('reader', {
        accessPolicy: { name: 'readers', resource: [{ resourceType: 'Patient', interaction: ['read'] }] },
      });
    },
  },
  {
    what: 'a caller of the replica leaves no trace',
    check: 'audited-callers',
    verdict: 'warn',
    says: '(partners) has no AuditEvent create',
    plant: async () => {
      await ward.world.sandbox.replica.createClient('partner', {
        accessPolicy: { name: 'partners', resource: [{ resourceType: '*', readonly: true }] },
      });
    },
  },
  {
    what: 'there is no key to sign with',
    check: 'audit-signed',
    verdict: 'warn',
    says: 'no event has a keyed hash',
    plant: () => secret({ AUDIT_SIGNING_KEY: undefined }),
  },
  {
    what: 'days are over and not sealed',
    check: 'audit-sealed',
    verdict: 'fail',
    says: 'no day is sealed from 2026-01-02 on',
    plant: async () => {
      const seal = {
        v: 1,
        day: '2026-01-01',
        count: 0,
        root: '',
        previous: '',
        doubtful: 0,
        kid: '',
        sealedAt: '',
      } as const;
      const signed = { seal, text: JSON.stringify(seal), signature: 'x', list: 'Binary/1' };
      await ward.world.sandbox.source.repo.createResource(sealBasic(systemsOf(), signed));
    },
  },
  {
    what: 'the mirror stands still',
    check: 'audit-mirror-lag',
    verdict: 'fail',
    says: /^the last run was 192 h ago, up to \d{4}-/,
    plant: () => mirrorWas({ hoursAgo: 192, errors: 0 }),
  },
  {
    what: 'the mirror missed a night',
    check: 'audit-mirror-lag',
    verdict: 'warn',
    says: 'the last run was 27 h ago',
    plant: () => mirrorWas({ hoursAgo: 27, errors: 0 }),
  },
  {
    what: 'the mirror has errors',
    check: 'audit-mirror-lag',
    verdict: 'warn',
    says: 'it had 3 errors',
    plant: () => mirrorWas({ hoursAgo: 1, errors: 3 }),
  },
  {
    what: 'the mirror may not read the trail',
    check: 'audit-mirror-lag',
    verdict: 'fail',
    says: 'may not read the AuditEvents of the replica: status 403',
    plant: async () =>
      ward.world.sandbox.replica.faults.failNext({ url: '/AuditEvent?_count=1&_fields=id' }, { status: 403 }),
  },
  {
    what: 'a clock is wrong',
    check: 'clock-skew',
    verdict: 'fail',
    says: /source [+−][01] s, replica −30[01] s/,
    plant: async () => {
      const { baseUrl, faults } = ward.world.sandbox.replica;
      const body: unknown = await (await fetch(`${baseUrl}fhir/R4/metadata`)).json();
      faults.failNext(
        { url: 'metadata' },
        { status: 200, body, headers: { Date: new Date(Date.now() - 300_000).toUTCString() } }
      );
    },
  },
  {
    what: 'reads wait for a connection',
    check: 'leaked-connections',
    verdict: 'fail',
    says: '3 of 8 parallel reads got no answer, or 504',
    plant: async () =>
      ward.world.sandbox.source.faults.failNext(
        { url: '/Bot?_count=1', where: ({ url }) => url.endsWith('_count=1') },
        { status: 504, times: 3 }
      ),
  },
  {
    what: 'a job waits for hours',
    check: 'oldest-job',
    verdict: 'warn',
    says: '1 waiting, the oldest due for 180 min; 0 failed',
    plant: async () => {
      const authoredOn = new Date(Date.now() - 3 * 3_600_000).toISOString();
      await ward.world.sandbox.source.repo.createResource({
        resourceType: 'Task',
        status: 'requested',
        intent: 'order',
        code: { coding: [{ system: CONTROL, code: 'patient-sync' }] },
        authoredOn,
      });
    },
  },
  {
    what: 'the sweep stands still',
    check: 'watermark-age',
    verdict: 'fail',
    says: 'the oldest feed is covered up to 2880 min ago',
    plant: () =>
      change<Basic>(
        'Basic',
        ({ identifier }) => identifier?.[0]?.value === 'sweep',
        (row) => ({
          ...row,
          ...checkpointOf(systemsOf(), {
            Patient: new Date(Date.now() - 2 * 86_400_000).toISOString(),
            Consent: new Date().toISOString(),
          }),
        })
      ),
  },
  {
    what: 'everything was compared three days ago',
    check: 'last-reconciliation',
    verdict: 'warn',
    says: 'everything was compared 72 h ago',
    plant: () =>
      reconciledWas((result) => ({ ...result, startTime: new Date(Date.now() - 72 * 3_600_000).toISOString() })),
  },
  {
    what: 'one type could not be compared',
    check: 'last-reconciliation',
    verdict: 'warn',
    says: '0 h ago, but for Observation: replica-rejected',
    plant: () => reconciledWas((result) => ({ ...result, errors: ['Observation: replica-rejected'] })),
  },
  {
    what: 'only a single patient was ever compared',
    check: 'last-reconciliation',
    verdict: 'warn',
    says: 'never compared as a whole',
    plant: () => reconciledWas((result) => ({ ...result, isWhole: false })),
  },
  {
    what: 'nobody has ever read the figures',
    check: 'scrape-client',
    verdict: 'warn',
    says: 'there was no reading yet',
    plant: () => scraper(),
  },
  {
    what: 'the figures are old',
    check: 'scrape-client',
    verdict: 'warn',
    says: /^no reading since 20/,
    plant: async () => {
      await scraper();
      await ward.world.execute('metrics');
      await change<Basic>(
        'Basic',
        ({ identifier }) => identifier?.[0]?.value === 'metrics',
        (row) => ({
          ...row,
          ...figuresBasic(systemsOf(), { ...figuresOf(systemsOf(), row), takenAt: Date.now() - 3_600_000 }),
        })
      );
    },
  },
  {
    what: 'the policy for scraping lets read Patients',
    check: 'scrape-client',
    verdict: 'warn',
    says: 'the policy allows read of Patient',
    plant: async () => {
      await scraper([{ resourceType: 'Patient', interaction: ['read'] }]);
      await ward.world.execute('metrics');
    },
  },
  {
    what: 'the policy for scraping lets ask any bot',
    check: 'scrape-client',
    verdict: 'warn',
    says: 'the policy allows read of Bot',
    plant: async () => {
      await scraper([{ resourceType: 'Bot', interaction: ['read'] }]);
      await ward.world.execute('metrics');
    },
  },
  {
    what: 'the client that scrapes is admin',
    check: 'scrape-client',
    verdict: 'warn',
    says: /^ClientApplication\/\S+ is admin or has other policies besides$/,
    plant: async () => {
      await scraper([], { admin: true });
      await ward.world.execute('metrics');
    },
  },
  {
    what: 'a client may send in nobody’s name',
    check: 'ingest-senders',
    verdict: 'warn',
    says: /^ClientApplication\/\S+ may send, but no active Organization names it$/,
    plant: async () => {
      const client = await sender();
      await organization(client, false);
    },
  },
  {
    what: 'a client may send in two names',
    check: 'ingest-senders',
    verdict: 'warn',
    says: /^Organization\/\S+ and Organization\/\S+ name ClientApplication\/\S+$/,
    plant: async () => {
      const client = await sender();
      await organization(client);
      await organization(client);
    },
  },
  {
    what: 'an Organization names a client that is gone',
    check: 'ingest-senders',
    verdict: 'warn',
    says: /^Organization\/\S+ names ClientApplication\/gone, which is not a member$/,
    plant: () => organization('gone'),
  },
];

test('a client that asks for figures as it should is well', async () => {
  await scraper();
  await ward.world.execute('metrics');
  const findings = await doctor(ward);
  expect(complaints(findings)).toEqual([]);
  expect(findings.get('scrape-client')?.detail).toMatch(/^1 may ask, last reading 20/);
});

const BOT = {
  resourceType: 'Bot',
  interaction: ['read', 'search'],
  criteria: `Bot?identifier=${systemsOf().bot}|metrics`,
};

/** A client with the policy that the deployment makes for the role MONITOR. */
async function scraper(more: readonly object[] = [], options: object = {}): Promise<void> {
  await ward.world.sandbox.source.createClient('prometheus', {
    accessPolicy: {
      name: 'monitors',
      meta: { tag: [{ system: CONTROL, code: 'role.MONITOR' }] },
      resource: [{ resourceType: 'AuditEvent', interaction: ['create'] }, BOT, ...more] as never,
    },
    ...options,
  });
}

test('a sender with one Organization is well', async () => {
  await organization(await sender());
  const findings = await doctor(ward);
  expect(complaints(findings)).toEqual([]);
  expect(findings.get('ingest-senders')?.detail).toBe('1, each in the name of one Organization');
});

/** A client with the policy that the deployment makes for the role SENDER. */
async function sender(): Promise<string> {
  const { id } = await ward.world.sandbox.source.createClient('sender', {
    accessPolicy: {
      name: 'senders',
      meta: { tag: [{ system: CONTROL, code: 'role.SENDER' }] },
      resource: [{ resourceType: 'AuditEvent', interaction: ['create'] }],
    },
  });
  return id;
}

async function organization(client: string, active = true): Promise<void> {
  const identifier = [{ system: systemsOf().ingestClient, value: client }];
  await ward.world.sandbox.source.repo.createResource({ resourceType: 'Organization', name: 'S', active, identifier });
}

/** Events of the trail are never changed by a bot; here the past is. */
async function reconciledWas(change: (result: object) => object): Promise<void> {
  const { repo } = ward.world.sandbox.source;
  const page = await repo.search<AuditEvent>({ resourceType: 'AuditEvent', count: 1000 });
  for (const { resource } of page.entry ?? []) {
    const details = resource?.entity?.[0]?.detail ?? [];
    const text = details.find(({ type }) => type === 'result')?.valueString;
    if (resource && text) {
      const valueString = JSON.stringify(change(JSON.parse(text) as object));
      const [first, ...others] = resource.entity ?? [];
      await repo.updateResource<AuditEvent>({
        ...resource,
        entity: [
          { ...first, detail: details.map((one) => (one.type === 'result' ? { ...one, valueString } : one)) },
          ...others,
        ],
      });
    }
  }
}

describe('planted', () => {
  test.each(PLANTED)('$what: $check', async (planted) => {
    const { check, verdict, says, along = [] } = planted;
    await planted.plant();
    const findings = await doctor(ward);
    const finding = findings.get(check);
    expect(finding).toMatchObject({
      verdict,
      detail:
        typeof says === 'string' ? (expect.stringContaining(says) as string) : (expect.stringMatching(says) as string),
    });
    expect(finding?.remedy).not.toBe('');
    const others = complaints(findings)
      .map((line) => line.split(' ')[1])
      .filter((name) => name !== check);
    expect(others.filter((name) => !along.includes(name as CheckName))).toEqual([]);
  });
});

describe('when it cannot look', () => {
  test('the source is not there', async () => {
    await ward.world.sandbox.source.close();
    const findings = await doctor(ward);
    expect(findings.get('server-reachable')).toMatchObject({
      verdict: 'fail',
      detail: expect.stringContaining('no answer (ECONNREFUSED)') as string,
    });
    expect([...findings.values()].filter(({ verdict }) => verdict === 'ok')).toEqual([]);
  });

  test('its own secret is wrong: it says so, and nothing is called well that was not seen', async () => {
    const findings = await doctor(ward, { clientSecret: 'wrong' });
    expect(findings.get('project-admin')).toMatchObject({
      verdict: 'fail',
      detail: 'the source gives no token: status 400',
    });
    const seen = [...findings.values()].filter(({ verdict }) => verdict === 'ok').map(({ name }) => name);
    expect(seen).toEqual(['server-reachable', 'server-version', 'clock-skew']);
  });

  test('without an admin of the replica it says what it did not see, as a warning', async () => {
    const findings = await doctor(ward, { overseer: undefined });
    expect(complaints(findings)).toEqual(['warn replica-features', 'warn audited-callers']);
    expect(findings.get('audited-callers')?.remedy).toContain('REPLICA_ADMIN_CLIENT_ID');
  });

  test('an admin of another project is no admin of the replica', async () => {
    const { clientId: id, clientSecret } = ward.credentials;
    expect(complaints(await doctor(ward, { overseer: { id, secret: clientSecret } }))).toContain(
      'warn audited-callers'
    );
  });
});

test('it changes nothing on either server, and shows no value of a secret', async () => {
  const { source, replica } = ward.world.sandbox;
  const wire: string[] = [];
  [source, replica].forEach((server) =>
    server.onRequest(({ method, interaction }) => wire.push(`${method} ${interaction}`))
  );
  const text = JSON.stringify([...(await doctor(ward))]);
  expect(wire.filter((line) => !line.startsWith('GET') && line !== 'POST token')).toEqual([]);
  const { secret: secrets = [] } = await source.repo.readResource<Project>('Project', source.projectId);
  expect(secrets.filter(({ name, valueString = '' }) => /SECRET|KEY/.test(name) && text.includes(valueString))).toEqual(
    []
  );
});
