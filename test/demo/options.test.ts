import { describe, expect, test } from 'vitest';
import { fromFolder, readCommand } from '../../scripts/demo/options.ts';

const request = (...args: string[]): unknown => {
  const command = readCommand(args);
  return command.kind === 'run' ? command.request : command.kind;
};

describe('the command line of the demo', () => {
  test('makes three sample patients that consent to all, unless told otherwise', () => {
    expect(request()).toEqual({ inputs: [], out: 'out/demo', consent: 'all', samples: { seed: 1, count: 3 } });
    expect(request('--seed', '7', '--patients', '2', '--consent', 'none')).toMatchObject({
      consent: 'none',
      samples: { seed: 7, count: 2 },
    });
  });

  test('takes inputs one by one, several at once, or both', () => {
    expect(request('--input', 'a', 'b', '--out', 'o', '--input=c')).toMatchObject({
      inputs: ['a', 'c', 'b'],
      out: 'o',
    });
  });

  test('takes a file of Consents', () => {
    expect(request('--consent', 'c.json')).toMatchObject({ consent: { file: 'c.json' } });
  });

  test('takes paths from the folder of the shell', () => {
    const command = readCommand(['--input', 'a', '/b', '--out', '../o', '--consent', 'c']);
    expect(command.kind === 'run' && fromFolder(command.request, '/home/me')).toMatchObject({
      inputs: ['/home/me/a', '/b'],
      out: '/home/o',
      consent: { file: '/home/me/c' },
    });
  });

  test.each([['--help'], ['-h']])('explains itself on %s', (flag) => {
    expect(request(flag)).toBe('help');
  });

  test.each([
    [['--unknown']],
    [['--profile', 'anonymous']],
    [['stray.json']],
    [['--out']],
    [['--patients', '0']],
    [['--seed', 'x']],
    [['--input', 'a', '--seed', '1']],
  ])('refuses %j', (args) => {
    expect(request(...args)).toBe('misuse');
  });
});
