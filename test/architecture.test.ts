/** The house rules, asked of `src/` and of planted violations: a rule that cannot fail is no rule. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linesOfCode, RULES } from './support/house-rules.ts';
import type { Files, RuleName } from './support/house-rules.ts';

const root = join(import.meta.dirname, '..', 'src');
const source: Files = new Map(
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [file.replaceAll('\\', '/'), readFileSync(join(root, file), 'utf8')])
);

const names = Object.keys(RULES) as RuleName[];

const many = (count: number): string => Array.from({ length: count }, (_, index) => `  use(${index});`).join('\n');
const handler = (lines: number): string =>
  `/** A bot. */\n\n// It does this.\nexport async function handler(): Promise<void> {\n${many(lines - 2)}\n}\n`;

/** For each rule, files that break it, and what it must say; next to them, files that come close and keep it. */
const PLANTED: Record<RuleName, { bad: Record<string, string>; says: string[]; good: Record<string, string> }> = {
  'every file has a layer': {
    bad: { 'utils/date.ts': '', 'helpers.ts': '' },
    says: ['utils/date.ts: in no layer', 'helpers.ts: in no layer'],
    good: { 'platform.d.ts': '', 'ports.ts': '', 'fhir/a.ts': '', 'flows/sync/plan.ts': '', 'bots/wire.ts': '' },
  },
  'imports go down a layer': {
    bad: {
      'fhir/a.ts': `import { b } from '../ports.ts';`,
      'queue/a.io.ts': `export * from '../flows/sync/sync.io.ts';`,
      'rules/consent/a.ts': `const a = () => import('../../bots/wire.ts');`,
      'config/a.ts': `import type { A } from '../rules/deid/a.ts';`,
    },
    says: [
      'fhir/a.ts: imports ../ports.ts',
      'queue/a.io.ts: imports ../flows/sync/sync.io.ts',
      'rules/consent/a.ts: imports ../../bots/wire.ts',
      'config/a.ts: imports ../rules/deid/a.ts',
    ],
    good: {
      'bots/a.ts': `import '../flows/a/b.io.ts'; import '../fhir/c.ts';`,
      'flows/a/b.io.ts': `import './plan.ts';`,
    },
  },
  'siblings do not import each other': {
    bad: {
      'rules/consent/a.ts': `import '../deid/a.ts';`,
      'rules/shared.ts': `import './deid/a.ts';`,
      'flows/sync/plan.ts': `import '../reconcile/plan.ts';`,
      'queue/a.ts': `import '../remote/outcome.ts';`,
      'config/a.ts': `import '../observability/fault.ts';`,
    },
    says: [
      'rules/consent/a.ts: imports ../deid/a.ts',
      'rules/shared.ts: imports ./deid/a.ts',
      'flows/sync/plan.ts: imports ../reconcile/plan.ts',
      'queue/a.ts: imports ../remote/outcome.ts',
      'config/a.ts: imports ../observability/fault.ts',
    ],
    good: {
      'flows/sync/plan.ts': `import './facts.ts'; import '../receipt.ts';`,
      'flows/receipt.ts': `import './parts.ts';`,
      'bots/a.ts': `import './wire.ts';`,
    },
  },
  'src imports itself, bots.config.json and what every runtime has': {
    bad: {
      'remote/a.io.ts': `import * as jose from 'jose'; import fs from 'node:fs';`,
      'fhir/a.ts': `import { b } from '../../test/b.ts'; import './gone.ts';`,
    },
    says: [
      'remote/a.io.ts: imports jose',
      'remote/a.io.ts: imports node:fs',
      'fhir/a.ts: imports ../../test/b.ts',
      'fhir/a.ts: imports ./gone.ts',
    ],
    good: {
      'platform.d.ts': `declare module 'node:crypto' {}`,
      'fhir/a.ts': `import './b.ts'; import '@medplum/core'; import 'node:crypto';`,
      'fhir/b.ts': `import config from '../../bots.config.json' with { type: 'json' };`,
    },
  },
  'what touches the outside is named .io.ts': {
    bad: {
      'flows/a/plan.ts': [
        'export async function a() { await b; }',
        'const c = new Date();',
        'const d = Date.now();',
        "const e = Math['random']();",
        'console.log(1);',
        "fetch('x');",
        'randomUUID();',
      ].join('\n'),
    },
    says: [
      'flows/a/plan.ts:1: is async',
      'flows/a/plan.ts:1: awaits',
      'flows/a/plan.ts:2: reads the clock',
      'flows/a/plan.ts:3: reads the clock',
      'flows/a/plan.ts:4: rolls dice',
      'flows/a/plan.ts:5: prints',
      'flows/a/plan.ts:6: sends requests',
      'flows/a/plan.ts:7: rolls dice',
    ],
    good: {
      'flows/a/plan.ts': `// await Date.now()\nconst a = 'Math.random()'; const b = new Date(now); const c = { fetch: 1 }; clock.now(); Date.UTC(1);`,
      'flows/a/apply.io.ts': 'await fetch(String(Date.now()));',
      'bots/a.ts': 'await run();',
    },
  },
  'pure files import no .io.ts': {
    bad: {
      'rules/deid/a.ts': `import type { A } from '../../remote/client.io.ts';`,
      'queue/backoff.ts': `import { setTimeout } from 'node:timers/promises';`,
    },
    says: ['rules/deid/a.ts: imports ../../remote/client.io.ts', 'queue/backoff.ts: imports node:timers/promises'],
    good: {
      'queue/drain.io.ts': `import './store.io.ts';`,
      'rules/deid/a.ts': `import { createHmac } from 'node:crypto';`,
    },
  },
  'rules contain no .io.ts': {
    bad: { 'rules/deid/keys.io.ts': '' },
    says: ['rules/deid/keys.io.ts: is an .io.ts'],
    good: { 'rules/deid/keys.ts': '', 'queue/store.io.ts': '' },
  },
  'only bots/wire.ts knows the adapters': {
    bad: {
      'flows/sync/apply.io.ts': `import '../../remote/client.io.ts';`,
      'bots/sync-change.ts': `import '../observability/log.io.ts';`,
    },
    says: [
      'flows/sync/apply.io.ts: imports ../../remote/client.io.ts',
      'bots/sync-change.ts: imports ../observability/log.io.ts',
    ],
    good: {
      'bots/wire.ts': `import '../remote/client.io.ts'; import '../observability/log.io.ts';`,
      'remote/client.io.ts': `import './token.io.ts';`,
      'flows/sync/apply.io.ts': `import '../../remote/outcome.ts';`,
    },
  },
  'only rules/deid seals, only remote opens': {
    bad: {
      'flows/sync/plan.ts': `import { seal } from '../../fhir/sealed.ts';`,
      'flows/sync/apply.io.ts': `import { open as reveal, type Sealed } from '../../fhir/sealed.ts';`,
      'rules/consent/a.ts': `import * as envelope from '../../fhir/sealed.ts';`,
      'remote/a.ts': `export { seal } from '../fhir/sealed.ts';`,
      'fhir/all.ts': `export * from './sealed.ts';`,
    },
    says: [
      'flows/sync/plan.ts: imports seal',
      'flows/sync/apply.io.ts: imports open',
      'rules/consent/a.ts: imports seal',
      'rules/consent/a.ts: imports open',
      'remote/a.ts: imports seal',
      'fhir/all.ts: imports seal',
      'fhir/all.ts: imports open',
    ],
    good: {
      'rules/deid/seal.ts': `import { seal } from '../../fhir/sealed.ts';`,
      'remote/client.io.ts': `import { open } from '../fhir/sealed.ts';`,
      'flows/sync/plan.ts': `import type { Sealed } from '../../fhir/sealed.ts';`,
      'ports.ts': `import type * as envelope from './fhir/sealed.ts';`,
    },
  },
  'a bot has at most 30 lines of code': {
    bad: { 'bots/long.ts': handler(31) },
    says: ['bots/long.ts: 31 lines of code'],
    good: { 'bots/fine.ts': handler(30), 'bots/wire.ts': many(50) },
  },
  'only observability prints': {
    bad: { 'bots/a.ts': 'console.log(event);', 'remote/a.io.ts': 'const { log } = console;' },
    says: ['bots/a.ts:1: prints', 'remote/a.io.ts:1: prints'],
    good: { 'observability/log.io.ts': 'console.log(line);' },
  },
  'only bots/wire.ts reads the secrets, and nothing the headers of an event': {
    bad: { 'bots/a.ts': `event.secrets;\nevent['headers'];`, 'bots/wire.ts': 'event.headers;' },
    says: [
      'bots/a.ts:1: reads event.secrets',
      'bots/a.ts:2: reads event.headers',
      'bots/wire.ts:1: reads event.headers',
    ],
    good: { 'bots/wire.ts': 'event.secrets;', 'remote/a.io.ts': `response.headers.get('retry-after');` },
  },
  'no any': {
    bad: { 'fhir/a.ts': 'const a = b as any;\nfunction c(d: any[]) {}' },
    says: ['fhir/a.ts:1: uses any', 'fhir/a.ts:2: uses any'],
    good: { 'fhir/a.ts': '/** any */ const any = 1;' },
  },
  'no suppressions': {
    bad: { 'fhir/a.ts': '// @ts-ignore\n\n/* eslint-disable */' },
    says: ['fhir/a.ts:1: suppresses a check', 'fhir/a.ts:3: suppresses a check'],
    good: { 'fhir/a.ts': '// nothing to see' },
  },
};

describe('src keeps the rule', () => {
  test.each(names)('%s', (name) => expect(RULES[name](source)).toEqual([]));
});

describe('a violation is found, and a near miss is not', () => {
  test.each(names)('%s', (name) => {
    const { bad, says, good } = PLANTED[name];
    expect(RULES[name](new Map(Object.entries(bad)))).toEqual(says);
    expect(RULES[name](new Map(Object.entries(good)))).toEqual([]);
  });
});

test('a line counts when it holds code', () => {
  expect(linesOfCode('/** no\n * no\n */\nconst a = `yes\nyes`;\n\n// no\nf(\n  a, // yes\n);\n')).toBe(5);
});
