/** What is refused before anything is sent. */
import { describe, expect, test } from 'vitest';
import { problemOfCriteria } from '../../scripts/deploy/criteria.ts';
import { problemsOf } from '../../scripts/deploy/judge.ts';
import { readManifest } from '../../scripts/deploy/manifest.ts';
import type { BotRow, Manifest } from '../../scripts/deploy/manifest.ts';

const audited = { resourceType: 'AuditEvent', interaction: ['create'] } as const;

const aBot = (changes: Partial<BotRow> = {}): BotRow => ({
  name: 'a-bot',
  description: 'Does things.',
  triggers: [{ execute: true }],
  timeoutSeconds: 60,
  auditEventTrigger: 'on-error',
  access: [audited],
  ...changes,
});

function judge(changes: Partial<BotRow>, rest: Partial<Manifest> = {}): string[] {
  const bot = aBot(changes);
  return problemsOf({ bots: [bot], ...rest }, [{ name: bot.name, bytes: 1000 }]);
}

test('bots.config.json has no problems', () => {
  const manifest = readManifest();
  const built = manifest.bots.map(({ name }) => ({ name, bytes: 1000 }));
  expect(problemsOf(manifest, built)).toEqual([]);
});

test('a sound bot has none', () => expect(judge({})).toEqual([]));

const reading = (resourceType: string, criteria?: string): BotRow['access'] => [
  { resourceType, interaction: ['read'], ...(criteria && { criteria }) },
  audited,
];

test.each<[string, Partial<BotRow>, string]>([
  ['six fields of cron', { triggers: [{ cron: '0 0 3 * * *' }] }, 'has 6 fields, not 5'],
  ['two schedules', { triggers: [{ cron: '* * * * *' }, { cron: '1 * * * *' }] }, 'several cron strings'],
  ['no trigger', { triggers: [] }, 'no trigger'],
  ['a type that does not exist', { triggers: [{ subscription: { criteria: 'Pacient' } }] }, 'names no FHIR type'],
  [
    'a parameter that does not exist',
    { triggers: [{ subscription: { criteria: 'Encounter?state=x' } }] },
    'no search parameter',
  ],
  ['too long a timeout', { timeoutSeconds: 901 }, 'timeoutSeconds'],
  ['a quota of nothing', { quotaPerMinute: 0 }, 'quotaPerMinute'],
  ['no access at all', { access: [] }, 'nearly all-powerful'],
  ['no AuditEvent create', { access: [{ resourceType: 'Patient', interaction: ['read'] }] }, 'leave no trace'],
  [
    'an entry without interactions',
    { access: [{ resourceType: 'Patient', interaction: [] }, audited] },
    'would allow all',
  ],
  ['every type', { access: reading('*') }, 'no such type'],
  ['criteria of another type', { access: reading('Basic', 'Patient?active=true') }, 'another type'],
  ['criteria that do not work', { access: reading('Basic', 'Basic?codes={control}|x') }, 'no search parameter'],
  ['a caller who is no role', { callers: ['JANITOR'] }, 'no role of the manifest'],
  ['an unusable name', { name: 'A Bot' }, 'lower-case'],
])('%s', (_, changes, problem) => expect(judge(changes)).toEqual([expect.stringContaining(problem)]));

test('bundles that are missing or too large', () => {
  expect(problemsOf({ bots: [aBot()] }, [])).toEqual(['a-bot: there is no bundle in dist/']);
  expect(problemsOf({ bots: [aBot()] }, [{ name: 'a-bot', bytes: 1_048_577 }])).toEqual([
    expect.stringContaining('1048577 bytes'),
  ]);
});

test('operations without a bot, with an unusable code, on no type', () => {
  const operations = [{ code: 'Do it', bot: 'nobody', description: '', resource: ['Nothing'], returns: 'Nothing' }];
  expect(judge({}, { operations })).toHaveLength(4);
});

describe('loops', () => {
  const writes = (name: string, criteria: string, type: string): BotRow =>
    aBot({
      name,
      triggers: [{ subscription: { criteria } }],
      access: [{ resourceType: type, interaction: ['update'] }, audited],
    });
  const loops = (...bots: BotRow[]): string[] =>
    problemsOf(
      { bots },
      bots.map(({ name }) => ({ name, bytes: 1 }))
    );

  test('a bot that writes what starts it', () =>
    expect(loops(writes('a', 'Patient?active=true', 'Patient'))).toEqual([
      'a: its own writes would start it again (a → a)',
    ]));

  test('two bots that start each other', () =>
    expect(loops(writes('a', 'Patient', 'Task'), writes('b', 'Task', 'Patient'))).toEqual([
      'a: its own writes would start it again (a → b → a)',
      'b: its own writes would start it again (b → a → b)',
    ]));

  test('a chain is none', () =>
    expect(loops(writes('a', 'Patient', 'Task'), writes('b', 'Task', 'Basic'))).toEqual([]));

  test('a way into a loop of others is not the loop of its own', () =>
    expect(loops(writes('in', 'Encounter', 'Patient'), writes('a', 'Patient', 'Patient'))).toEqual([
      expect.stringMatching(/^a: /),
    ]));
});

test.each([
  ['Patient', undefined],
  ['Encounter?status=finished', undefined],
  ['Encounter?status:not=finished,cancelled', undefined],
  ['Observation?_tag:not=a|b&code=x', undefined],
  ['Observation?subject=Patient/1', undefined],
  ['Encounter?subject.name=x', 'cannot be watched through a chain (subject.name)'],
  ['Encounter?_filter=status eq finished', 'cannot be watched by _filter'],
  ['Encounter?_lastUpdated=gt2020', 'cannot be watched by _lastUpdated'],
  ['Encounter?status=', 'gives no value for status'],
  ['', 'names no FHIR type'],
])('criteria "%s": %s', (criteria, problem) => expect(problemOfCriteria(criteria)).toBe(problem));
