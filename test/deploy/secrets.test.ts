/** Project secrets: what is written, what is refused, and that no value is ever told. */
import { describe, expect, test } from 'vitest';
import {
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
  test('the pseudonym key: a new one is made, its version rises, the old one stays for reading', () => {
    const { values, keptAs, isPseudonymKey } = rotationOf(before, 'PSEUDONYM_KEY', undefined);
    expect({ keptAs, isPseudonymKey }).toEqual({ keptAs: 'PSEUDONYM_KEY_V1', isPseudonymKey: true });
    expect(values.get('PSEUDONYM_KEY_V1')).toBe(KEY);
    expect(values.get('PSEUDONYM_KEY')).toMatch(/^[0-9a-f]{64}$/);
    expect(values.get('PSEUDONYM_KEY')).not.toBe(KEY);
    expect(values.get('PSEUDONYM_KEY_VERSION')).toBe('2');
  });

  test('twice keeps both old keys', () => {
    const once = mergeSecrets(before, rotationOf(before, 'PSEUDONYM_KEY', undefined).values).list;
    const twice = mergeSecrets(once, rotationOf(once, 'PSEUDONYM_KEY', undefined).values).list;
    expect(
      Object.keys(secretsOf(twice))
        .filter((name) => name.startsWith('PSEUDONYM_KEY'))
        .sort()
    ).toEqual(['PSEUDONYM_KEY', 'PSEUDONYM_KEY_V1', 'PSEUDONYM_KEY_V2', 'PSEUDONYM_KEY_VERSION']);
    expect(secretsOf(twice).PSEUDONYM_KEY_V1?.valueString).toBe(KEY);
  });

  test('never overwrites an old key', () => {
    const odd = [...before, { name: 'PSEUDONYM_KEY_V1', valueString: 'another' }];
    expect(() => rotationOf(odd, 'PSEUDONYM_KEY', undefined)).toThrow('taken by another key');
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
