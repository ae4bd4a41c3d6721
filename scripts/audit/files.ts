/** Archives as files: `DAY.manifest.json` with `DAY.ndjson` beside it. `export` writes them. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestOf, ndjsonOf } from '../../src/flows/audit/archive.ts';
import { parsed } from '../../src/flows/audit/seal.ts';
import { Refusal } from '../deploy/server.ts';
import { at, inRange } from './options.ts';
import type { Values } from './options.ts';
import { archivesOf, eventsAt, open, sealsOf } from './trail.ts';

/** An archive file: what is signed, by whom. */
interface ArchiveFile {
  readonly manifest: string;
  readonly signature: string;
}

/**
 * @param path - A manifest.
 * @returns It, and the events beside it; not yet verified.
 * @throws Refusal when it is none.
 */
export function readArchive(path: string): { readonly file: ArchiveFile; readonly ndjson: string } {
  const file = parsed<ArchiveFile>(readFileSync(at(path), 'utf8'));
  if (!file?.manifest) {
    throw new Refusal(`${path} is no manifest`, 'Name DAY.manifest.json; DAY.ndjson lies beside it.');
  }
  return { file, ndjson: readFileSync(at(path).replace(/\.manifest\.json$/, '.ndjson'), 'utf8') };
}

/** @returns The exit code. */
export async function exportDays(values: Values): Promise<number> {
  const opened = await open();
  const { signer } = opened;
  if (!signer || !values.out) {
    throw new Refusal('nothing can be exported', 'Set AUDIT_SIGNING_KEY in the project, and name --out DIR.');
  }
  const out = at(values.out);
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'public-key.pem'), signer.publicKey);
  const archives = await archivesOf(opened);
  const seals = (await sealsOf(opened)).filter(({ seal }) => inRange(values, seal.day));
  for (const signed of seals) {
    const ndjson = ndjsonOf(await eventsAt(opened, signed.seal.day, archives));
    const { text, signature } = manifestOf(signed, ndjson, signer, Date.now());
    writeFileSync(join(out, `${signed.seal.day}.ndjson`), ndjson);
    writeFileSync(
      join(out, `${signed.seal.day}.manifest.json`),
      JSON.stringify({ manifest: text, signature } satisfies ArchiveFile, undefined, 2)
    );
  }
  console.log(`${seals.length} days written.`);
  return 0;
}
