/** Project secrets: what is written, what is refused, and that no value is ever told. */
import type { Basic } from '@medplum/fhirtypes';
import { describe, expect, test } from 'vitest';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkBasic } from '../../src/flows/link.ts';
import type { LinkToken } from '../../src/flows/link.ts';
import { payloadBasic } from '../../src/flows/payload.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import {
  leftUnderFormer,
  mergeSecrets,
  problemsOfSecrets,
  rotationOf,
  secretsOf,
  valuesOfEnv,
  valuesOfText,
} from '../../scripts/deploy/secrets.ts';
import type { SecretList } from '../../scripts/deploy/secrets.ts';

const KEY = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const before: SecretList = [
  { name: 'OTHER', valueBoolean: true },
  { name: 'REPLICA_BASE_URL', valueString: 'https://a.example/' },
  { name: 'PSEUDONYM_KEY', valueString: KEY },
];

test('what others keep there stays as it is', () => {
  const { list, added, changed, same } = mergeSecrets(
    before,
    new Map([
      ['REPLICA_BASE_URL', 'https://b.example/'],
      ['REPLICA_CLIENT_ID', 'id'],
      ['PSEUDONYM_KEY', KEY],
    ])
  );
  expect(list).toEqual([
    before[0],
    { name: 'REPLICA_BASE_URL', valueString: 'https://b.example/' },
    before[2],
    { name: 'REPLICA_CLIENT_ID', valueString: 'id' },
  ]);
  expect({ added, changed, same }).toEqual({
    added: ['REPLICA_CLIENT_ID'],
    changed: ['REPLICA_BASE_URL'],
    same: ['PSEUDONYM_KEY'],
  });
});

test('from the environment, only settings by their own names: MEDPLUM_* means the source there', () => {
  expect([...valuesOfEnv({ REPLICA_CLIENT_ID: 'a', MEDPLUM_CLIENT_ID: 'b', PATH: 'c', CONSENT_PURPOSE: '' })]).toEqual([
    ['REPLICA_CLIENT_ID', 'a'],
  ]);
});

describe('standard input', () => {
  test.each([
    ['lines', '# a comment\nREPLICA_CLIENT_ID=a=b\n\nexport REPLICA_CLIENT_SECRET="x y"\r\n'],
    ['JSON', ' {"REPLICA_CLIENT_ID": "a=b", "REPLICA_CLIENT_SECRET": "x y"}'],
  ])('as %s', (_, text) => {
    expect([...valuesOfText(text)]).toEqual([
      ['REPLICA_CLIENT_ID', 'a=b'],
      ['REPLICA_CLIENT_SECRET', 'x y'],
    ]);
  });

  test.each([
    ['a name that is no setting', 'FOO=hunter2', 'FOO'],
    ['a line without a name', 'REPLICA_CLIENT_ID=a\nhunter2', 'line 2'],
    ['broken JSON', '{"REPLICA_CLIENT_SECRET": "hunter2', 'not valid JSON'],
  ])('%s is refused without its value', (_, text, message) => {
    expect(() => valuesOfText(text)).toThrow(message);
    expect(() => valuesOfText(text)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') })
    );
  });
});

test('problems name the setting and not the value', () => {
  const problems = problemsOfSecrets([{ name: 'REPLICA_BASE_URL', valueString: 'hunter2' }]);
  expect(problems.join()).toContain('REPLICA_BASE_URL');
  expect(problems.join()).not.toContain('hunter2');
});

describe('rotating', () => {
  test.each(['PSEUDONYM_KEY', 'PAYLOAD_KEY'])(
    '%s: a new one is made, its version rises, the present one stays for reading',
    (name) => {
      const list = [...before, { name: 'PAYLOAD_KEY', valueString: KEY }];
      const { values, keptAs } = rotationOf(list, name, undefined);
      expect(keptAs).toBe(`${name}_PREVIOUS`);
      expect([...values.keys()]).toEqual([`${name}_PREVIOUS`, name, `${name}_VERSION`]);
      expect(values.get(`${name}_PREVIOUS`)).toBe(KEY);
      expect(values.get(name)).toMatch(/^[0-9a-f]{64}$/);
      expect(values.get(name)).not.toBe(KEY);
      expect(values.get(`${name}_VERSION`)).toBe('2');
    }
  );

  test('a third version takes the place of the first', () => {
    const once = mergeSecrets(before, rotationOf(before, 'PSEUDONYM_KEY', undefined).values).list;
    const twice = secretsOf(mergeSecrets(once, rotationOf(once, 'PSEUDONYM_KEY', undefined).values).list);
    expect(twice.PSEUDONYM_KEY_PREVIOUS?.valueString).toBe(secretsOf(once).PSEUDONYM_KEY?.valueString);
    expect(twice.PSEUDONYM_KEY_VERSION?.valueString).toBe('3');
  });

  test('a present key that is given again is not taken for a new one', () => {
    expect(rotationOf(before, 'PSEUDONYM_KEY', KEY).values.get('PSEUDONYM_KEY')).not.toBe(KEY);
  });

  test('counts what a third version would lose: patients with tokens of another key, unless nothing is under them', () => {
    const systems = systemsOf();
    const current = { value: patientKeys({ version: 1, secret: KEY }, 'p').patientToken };
    const link = (...tokens: LinkToken[]): Basic => linkBasic(systems, { patientId: 'p', tokens }, true);
    const left = (...links: Basic[]): number => leftUnderFormer('PSEUDONYM_KEY', before, links);
    expect(left(link(current), link(current, { value: 'pt_a', use: 'old' }), link())).toBe(0);
    expect(left(link(current, { value: 'pt_a', use: 'secondary' }), link({ value: 'pt_a' }))).toBe(2);
  });

  test('and originals under another payload key', () => {
    const original = (kid: string, binary?: string): Basic =>
      payloadBasic(systemsOf(), { record: 'Patient/p', patientId: 'p', token: 'pt_a', ...(binary && { binary, kid }) });
    const list = [...before, { name: 'PAYLOAD_KEY_VERSION', valueString: '2' }];
    const controls = [original('payload-2', 'Binary/1'), original('payload-1', 'Binary/2'), original('payload-1')];
    expect(leftUnderFormer('PAYLOAD_KEY', list, controls)).toBe(1);
  });

  test('a client secret takes its new value from outside', () => {
    const list = [...before, { name: 'REPLICA_CLIENT_SECRET', valueString: 'old' }];
    expect([...rotationOf(list, 'REPLICA_CLIENT_SECRET', 'new').values]).toEqual([['REPLICA_CLIENT_SECRET', 'new']]);
    expect(() => rotationOf(list, 'REPLICA_CLIENT_SECRET', undefined)).toThrow('no new value');
    expect(() => rotationOf(list, 'REPLICA_CLIENT_SECRET', 'old')).toThrow('no new value');
  });

  test('what is no secret, or not set', () => {
    expect(() => rotationOf(before, 'REPLICA_BASE_URL', 'x')).toThrow('no secret');
    expect(() => rotationOf(before, 'REPLICA_CLIENT_SECRET', 'x')).toThrow('not set');
  });
});
