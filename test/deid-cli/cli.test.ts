/** The command itself: what goes where, exit codes, keys, pipes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { aPatient, anObservation, KEY } from '../rules/deid/support.ts';
import { ndjson } from './kit.ts';

const folder = mkdtempSync(join(tmpdir(), 'deid-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'deid.ts');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function deid(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Ended> {
  const { PSEUDONYM_KEY: _key, ...rest } = process.env;
  const child = spawn(process.execPath, [SCRIPT, ...args], {
    cwd: folder,
    env: { ...rest, TMPDIR: folder, INIT_CWD: folder, ...env },
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout: out.join(''), stderr: err.join('') };
}

const text = ndjson(aPatient(), anObservation());
const key = { PSEUDONYM_KEY: KEY.secret };

describe('npm run deid', () => {
  test('a file: NDJSON on standard output, everything else on standard error', async () => {
    writeFileSync(join(folder, 'a.ndjson'), text);
    const { code, stdout, stderr } = await deid(['a.ndjson'], key);
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { ok: boolean }).ok)
    ).toEqual([true, true]);
    expect(stderr).toContain('2 resources: 2 would leave');
  });

  test('standard input gives what a file gives, and leaves nothing behind', async () => {
    writeFileSync(join(folder, 'b.ndjson'), text);
    const [piped, dashed, file] = [
      await deid([], key, text),
      await deid(['-'], key, text),
      await deid(['b.ndjson'], key),
    ];
    expect(piped.stdout).toBe(file.stdout);
    expect(dashed.stdout).toBe(file.stdout);
    expect(readdirSync(folder).filter((name) => name.startsWith('deid-preview'))).toEqual([]);
  });

  test('without a key: says so, and its tokens are not the next one’s', async () => {
    const [one, two] = [await deid([], {}, text), await deid([], {}, text)];
    expect(one.stderr).toContain('throw-away key');
    expect(one.stdout).not.toBe(two.stdout);
  });

  test('a key that will not do is refused without being repeated', async () => {
    const { code, stdout, stderr } = await deid([], { PSEUDONYM_KEY: 'changeme-changeme-changeme-changeme' }, text);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toContain('changeme');
  });

  test.each([[['--profile', 'none']], [['--key', 'x']], [['-', '-']]])('a wrong command line: %j', async (args) => {
    const { code, stdout, stderr } = await deid(args, key, text);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('npm run -s deid');
  });

  test('a file that is not there: the others are read, and the exit code says it', async () => {
    writeFileSync(join(folder, 'c.ndjson'), text);
    const { code, stdout, stderr } = await deid(['gone.json', 'c.ndjson'], key);
    expect(code).toBe(1);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).toContain('ENOENT');
  });

  test('--help tells every reason', async () => {
    const { code, stdout } = await deid(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('local-code-system');
    expect(stdout).toContain('residue-sweep');
  });

  test('a reader that leaves early is no failure', async () => {
    const many = ndjson(aPatient(), ...Array.from({ length: 20_000 }, (_, n) => ({ ...anObservation(), id: `o${n}` })));
    writeFileSync(join(folder, 'many.ndjson'), many);
    const child = spawn(process.execPath, [SCRIPT, join(folder, 'many.ndjson')], { env: { ...process.env, ...key } });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0);
  }, 30_000);
});
