/** Whether the text of one setting is usable. Answers problems, never values. */
import { checkKey } from './key.ts';
import type { KeyProblem } from './key.ts';
import { seedOf } from './signing-key.ts';
import type { Setting } from './settings.ts';

const PLACEHOLDER =
  /change.?me|placeholder|example|dummy|your[-_ ]|xxxx|^(.)\1+$|secret-?here|super-?secure|^test$|^password$|\[.*\]/i;
const LOOPBACK = /^(localhost|127\.|0\.0\.0\.0|\[::1\]|::1)/;
const REFERENCE = /^[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/;

/**
 * Judges one value.
 *
 * @param setting - The setting's row.
 * @param value - Its text.
 * @param production - True when the environment is production.
 * @returns A problem without the value in it, or undefined.
 */
export function problemOf(setting: Setting, value: string, production: boolean): string | undefined {
  switch (setting.kind) {
    case 'boolean':
      return /^(true|false)$/.test(value) ? undefined : 'must be true or false';
    case 'integer':
      return /^[1-9]\d{0,8}$/.test(value) ? undefined : 'must be a positive whole number';
    case 'choice':
      return setting.choices?.includes(value) ? undefined : `must be one of ${setting.choices?.join(', ')}`;
    case 'choices':
      return value.split(',').every((part) => setting.choices?.includes(part.trim()))
        ? undefined
        : `must be of ${setting.choices?.join(', ')}`;
    case 'references':
      return value.split(',').every((part) => REFERENCE.test(part.trim()))
        ? undefined
        : 'must be references such as Organization/1';
    case 'address':
      return value.includes('://') ? problemOfUrl(setting, value, production) : undefined;
    case 'private-key':
      // Judged with its algorithm, in load.ts.
      return undefined;
    case 'url':
      return problemOfUrl(setting, value, production);
    case 'secret':
      return production && (PLACEHOLDER.test(value) || value.length < 16)
        ? 'is a placeholder or too short for production'
        : undefined;
    case 'key':
      return problemOfKey(value);
    case 'ed25519':
      return problemOfKey(value) ?? (seedOf(value) ? undefined : 'must be 64 hex digits or PKCS #8');
    case 'text':
      return production && PLACEHOLDER.test(value) ? 'is a placeholder' : undefined;
  }
}

/**
 * @param value - The text of a setting.
 * @returns Whether it looks like something that was to be replaced; production refuses that.
 */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value);
}

function problemOfUrl(setting: Setting, value: string, production: boolean): string | undefined {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return 'must be an absolute URL';
  }
  if (!/^https?:$/.test(url.protocol)) {
    return 'must be an http or https URL';
  }
  if (value.includes('@') || url.search) {
    return 'must not carry credentials or a query';
  }
  if (!production || setting.name === 'NAMESPACE') {
    return undefined;
  }
  if (LOOPBACK.test(url.hostname)) {
    return 'is a loopback URL, in production';
  }
  return url.protocol === 'https:' ? undefined : 'must be https in production';
}

const KEY_PROBLEMS: Readonly<Record<KeyProblem, string>> = {
  missing: 'is missing',
  short: 'is too short: it takes 32 random bytes, as 64 hexadecimal digits or 43 base64url characters',
  placeholder: 'is a placeholder',
  weak: 'has too little variety to be random',
};

/** The key is refused in every environment. */
function problemOfKey(value: string): string | undefined {
  const problem = checkKey(value);
  return problem && KEY_PROBLEMS[problem];
}
