/** Reads a JSON file that somebody named on the command line. */
import { readFileSync } from 'node:fs';
import { Refusal } from '../deploy/server.ts';

/**
 * @param file - The path.
 * @returns What it holds.
 * @throws Refusal if it cannot be read, or is no JSON.
 */
export function readJsonFile(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Refusal(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? ''}`, 'Check the path.');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Refusal(`${file} is no JSON: ${(error as Error).message}`, 'Repair the file.');
  }
}
