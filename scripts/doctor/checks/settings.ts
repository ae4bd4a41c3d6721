/** The Project secrets: names and problems, never values. Pure. */
import { isPlaceholder } from '../../../src/config/check.ts';
import { checkKey } from '../../../src/config/key.ts';
import { ALL_SETTINGS } from '../../../src/config/all-settings.ts';
import type { Facts } from '../facts.ts';
import { fail, judged, ok, unseen, warn } from '../finding.ts';
import type { Judgement } from '../finding.ts';

export function secretsValid({ loaded, secrets, source }: Facts): Judgement {
  if (!source.project) {
    return unseen('the Project cannot be read');
  }
  // The key and placeholders have checks of their own.
  const problems =
    'problems' in loaded ? loaded.problems.filter((problem) => !/^PSEUDONYM_KEY |placeholder/.test(problem)) : [];
  const set = Object.keys(secrets).filter((name) => ALL_SETTINGS.some((setting) => setting.name === name));
  return judged(
    problems,
    fail,
    `complete: ${set.length} set, the rest by default`,
    'Set them with `npm run secrets -- push`; docs/settings.md has the table.'
  );
}

export function keysStrong({ secrets, source }: Facts): Judgement {
  if (!source.project) {
    return unseen('the Project cannot be read');
  }
  const problem = checkKey(secrets.PSEUDONYM_KEY?.valueString);
  if (problem) {
    return fail(
      `PSEUDONYM_KEY is ${problem}`,
      'Make one with `openssl rand -hex 32` and set it with `npm run secrets -- push`; if copies exist, `npm run secrets -- rotate PSEUDONYM_KEY`.'
    );
  }
  const text = secrets.PSEUDONYM_KEY_VERSION?.valueString ?? '1';
  return ok(
    `PSEUDONYM_KEY is strong, version ${text}${secrets.PSEUDONYM_KEY_PREVIOUS?.valueString ? `; version ${Number(text) - 1} is kept for reading` : ''}`
  );
}

export function placeholderSecrets({ secrets, source }: Facts): Judgement {
  if (!source.project) {
    return unseen('the Project cannot be read');
  }
  const isProduction = (secrets.ENVIRONMENT ?? secrets.NODE_ENV)?.valueString?.trim() === 'production';
  const names = ALL_SETTINGS.filter(
    ({ kind }) => kind === 'secret' || kind === 'text' || kind === 'key' || kind === 'url'
  )
    .flatMap(({ name, aliases = [] }) => [name, ...aliases])
    .filter((name) => {
      const value = secrets[name]?.valueString?.trim();
      return (
        value !== undefined && (isPlaceholder(value) || (name === 'PSEUDONYM_KEY' && checkKey(value) === 'placeholder'))
      );
    });
  return judged(
    names.map((name) => `${name} looks like a placeholder`),
    isProduction ? fail : warn,
    'none',
    'Replace it by a real one: `npm run secrets -- push`. With ENVIRONMENT=production the bots refuse it.'
  );
}
