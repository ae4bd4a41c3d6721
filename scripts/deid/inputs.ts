/** Inputs that can be read twice: once for the Patients, once for everything. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Input {
  /** As the user named it. */
  readonly name: string;
  /** Opens it from the start. */
  readonly open: () => Readable;
}

/** Inputs, and the way to leave nothing behind. */
export interface Inputs {
  readonly all: readonly Input[];
  readonly close: () => void;
}

/**
 * Prepares inputs. Standard input cannot be read twice, so it goes through a temporary file: encrypted with a key that only this
 * process has, readable by this user alone, and removed at the end.
 *
 * @param paths - Absolute paths; `-` is standard input.
 * @param stdin - Standard input.
 * @returns The inputs.
 */
export async function prepareInputs(paths: readonly string[], stdin: Readable): Promise<Inputs> {
  let folder: string | undefined;
  const all: Input[] = [];
  for (const path of paths) {
    if (path === '-') {
      folder = mkdtempSync(join(tmpdir(), 'deid-preview-'));
      all.push({ name: 'standard input', open: await keep(stdin, join(folder, 'input')) });
    } else {
      all.push({ name: path, open: () => createReadStream(path) });
    }
  }
  return { all, close: () => folder && rmSync(folder, { recursive: true, force: true }) };
}

// `platform.d.ts` declares of ciphers what bots use, and no more.
type Bytes = ReturnType<typeof randomBytes>;
type CipherStream = (algorithm: 'aes-256-ctr', key: Bytes, iv: Bytes) => Transform;
const encrypt = createCipheriv as unknown as CipherStream;
const decrypt = createDecipheriv as unknown as CipherStream;

async function keep(stdin: Readable, path: string): Promise<() => Readable> {
  const key = randomBytes(32);
  const iv = randomBytes(16);
  await pipeline(stdin, encrypt('aes-256-ctr', key, iv), createWriteStream(path, { mode: 0o600 }));
  return () => {
    const file = createReadStream(path);
    const plain = decrypt('aes-256-ctr', key, iv);
    file.on('error', (error) => plain.destroy(error));
    return file.pipe(plain);
  };
}
