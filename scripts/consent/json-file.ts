/** Reads a JSON file that somebody named on the command line. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Refusal } from '../deploy/server.ts';

/**
 * @param file - The path.
 * @returns What it holds.
 * @throws Refusal if it cannot be read, or is no JSON.
 */
export function readJsonFile(file: string): unknown {
  let text: string;
  try {
    // npm runs us in the folder of the project; INIT_CWD is where somebody typed the command.
    text = readFileSync(resolve(process.env['INIT_CWD'] ?? '', file), 'utf8');
  } catch (error) {
    throw new Refusal(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? ''}`, 'Check the path.');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Refusal(`${file} is no JSON: ${(error as Error).message}`, 'Repair the file.');
  }
}
