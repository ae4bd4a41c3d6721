/** Project secrets: what is to be written, and what is wrong with it. Answers names and problems, never values. Pure. */
import type { Basic, Project } from '@medplum/fhirtypes';
import { randomBytes } from 'node:crypto';
import { load } from '../../src/config/load.ts';
import type { Secrets } from '../../src/config/load.ts';
import { loadPartner } from '../../src/config/partner.ts';
import { ALL_SETTINGS } from '../../src/config/all-settings.ts';
import { systemsOf } from '../../src/fhir/systems.ts';
import { linkIn, liveTokens } from '../../src/flows/link.ts';
import { patientKeys } from '../../src/rules/deid/keys.ts';
import { Refusal } from './server.ts';

/** As they stand on the Project. */
export type SecretList = NonNullable<Project['secret']>;

/**
 * As the bots get them.
 *
 * @param list - The Project's list.
 * @returns Name → value.
 */
export function secretsOf(list: SecretList): Secrets {
  return Object.fromEntries(
    list.flatMap((row) => (row.valueString === undefined ? [] : [[row.name, { valueString: row.valueString }]]))
  );
}

/** What a push would do. */
export interface SecretPlan {
  /** The whole list: the endpoint replaces, so what others keep there is part of it. */
  readonly list: SecretList;
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly same: readonly string[];
}

/**
 * Merges values into the list.
 *
 * @param before - The Project's list.
 * @param values - What to set.
 * @returns The list, and which names it concerns.
 */
export function mergeSecrets(before: SecretList, values: ReadonlyMap<string, string>): SecretPlan {
  const names = [...values.keys()];
  const old = (name: string): string | undefined => before.find((row) => row.name === name)?.valueString;
  const isKnown = (name: string): boolean => before.some((row) => row.name === name);
  return {
    list: [
      ...before.map((row) => (values.has(row.name) ? { name: row.name, valueString: values.get(row.name)! } : row)),
      ...names.filter((name) => !isKnown(name)).map((name) => ({ name, valueString: values.get(name)! })),
    ],
    added: names.filter((name) => !isKnown(name)),
    changed: names.filter((name) => isKnown(name) && old(name) !== values.get(name)),
    same: names.filter((name) => old(name) === values.get(name)),
  };
}

const isOurs = (name: string): boolean => ALL_SETTINGS.some((setting) => setting.name === name);

/**
 * Our settings in the environment, by their own names alone: there, `MEDPLUM_*` means the source.
 *
 * @param env - The environment.
 * @returns Name → value.
 */
export function valuesOfEnv(env: Readonly<Record<string, string | undefined>>): Map<string, string> {
  return new Map(
    Object.entries(env).flatMap(([name, value]) => (isOurs(name) && value ? [[name, value] as const] : []))
  );
}

/**
 * Values on standard input: `NAME=value` lines, or one JSON object of texts.
 *
 * @param text - The input.
 * @returns Name → value.
 * @throws Refusal for a name that is no setting of ours, and for lines without one.
 */
export function valuesOfText(text: string): Map<string, string> {
  const values = text.trimStart().startsWith('{') ? fromJson(text) : fromLines(text);
  const foreign = [...values.keys()].filter((name) => !isOurs(name));
  if (foreign.length > 0) {
    throw new Refusal(
      `not settings of this bundle: ${foreign.join(', ')}`,
      'docs/settings.md lists the settings. Secrets of other bots are kept as they are; set those where they belong.'
    );
  }
  return values;
}

function fromJson(text: string): Map<string, string> {
  try {
    return new Map(
      Object.entries(JSON.parse(text) as Record<string, unknown>).map(([name, value]) => [name, String(value)])
    );
  } catch {
    // The parser's message quotes its input.
    throw new Refusal('the input is not valid JSON', 'Give one object of names and texts, or NAME=value lines.');
  }
}

function fromLines(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line, index) => {
      if (/^\s*(#.*)?$/.test(line)) {
        return [];
      }
      const [, name, value] = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (!name || value === undefined) {
        throw new Refusal(`line ${index + 1} is not NAME=value`, 'Give NAME=value lines, or one JSON object.');
      }
      return [[name, value.replace(/^(["'])(.*)\1$/, '$2')] as const];
    })
  );
}

/**
 * The problems that the bots would have.
 *
 * @param list - A list of secrets.
 * @returns Problems by name, without values.
 */
export function problemsOfSecrets(list: SecretList): readonly string[] {
  const secrets = secretsOf(list);
  const loaded = load(secrets);
  const partner = loadPartner(secrets, secrets.ENVIRONMENT?.valueString === 'production');
  return [loaded, partner].flatMap((one) => (one && 'problems' in one ? one.problems : []));
}

/** The keys that can be rotated: each has a version, and a former key beside it. */
const VERSIONED = ['PSEUDONYM_KEY', 'PAYLOAD_KEY'];

/** How a rotation goes. */
export interface Rotation {
  readonly values: Map<string, string>;
  /** Under which name the former key stays; undefined for a secret of another system. */
  readonly keptAs?: string;
}

/**
 * Plans a rotation. A new key is made here, from the system's randomness; any other secret has its new value from outside, since another
 * system has to know it first. The present key becomes the former one, whose own former one is given up: never are more than two readable.
 *
 * @param before - The Project's list.
 * @param name - The setting.
 * @param given - The new value, when it came by the environment or standard input.
 * @returns What to set.
 * @throws Refusal for what is no secret, and when there is nothing to rotate.
 */
export function rotationOf(before: SecretList, name: string, given: string | undefined): Rotation {
  const setting = ALL_SETTINGS.find((row) => row.name === name);
  const isForeign = setting?.kind === 'secret' || setting?.kind === 'private-key';
  if (!setting || (!isForeign && !VERSIONED.includes(name))) {
    const names = ALL_SETTINGS.filter(({ kind }) => kind === 'secret' || kind === 'private-key').map((row) => row.name);
    throw new Refusal(
      `${name} is no secret of this bundle that can be rotated`,
      `Secrets: ${[...VERSIONED, ...names].join(', ')}.`
    );
  }
  const old = secretsOf(before)[name]?.valueString;
  if (!old) {
    throw new Refusal(`${name} is not set yet`, 'Set it with `npm run secrets -- push`; there is nothing to rotate.');
  }
  if (isForeign) {
    if (!given || given === old) {
      throw new Refusal(
        `no new value for ${name}`,
        `Make it where it belongs (for a Medplum client: its page, or Rotate Secret), then give it by the environment variable ${name} or with --stdin.`
      );
    }
    return { values: new Map([[name, given]]) };
  }
  const version = Number(secretsOf(before)[`${name}_VERSION`]?.valueString ?? '1');
  const keptAs = `${name}_PREVIOUS`;
  const isNew = given !== undefined && given !== old;
  const values = new Map([
    [keptAs, old],
    [name, isNew ? given : randomBytes(32).toString('hex')],
    [`${name}_VERSION`, String(version + 1)],
  ]);
  return { values, keptAs };
}

/**
 * What would be lost with the key before the present one, if that were given up now.
 *
 * @param name - The key that is to be rotated.
 * @param list - The Project's list.
 * @param controls - All patient links, or all Basics of originals.
 * @returns How many patients may still have copies under another key than the present, or how many originals lie under one.
 */
export function leftUnderFormer(name: string, list: SecretList, controls: readonly Basic[]): number {
  const values = secretsOf(list);
  const systems = systemsOf(values.NAMESPACE?.valueString?.replace(/\/*$/, ''));
  const version = Number(values[`${name}_VERSION`]?.valueString ?? '1');
  if (name === 'PAYLOAD_KEY') {
    return controls.filter(({ meta }) =>
      meta?.tag?.some(({ system, code }) => system === systems.payload && code !== `payload-${version}`)
    ).length;
  }
  const secret = values[name]?.valueString ?? '';
  const links = controls.flatMap((one) => linkIn(systems, [one]) ?? []);
  return links.filter((link) => {
    const { patientToken } = patientKeys({ version, secret }, link.patientId);
    return liveTokens(link).some((token) => token !== patientToken);
  }).length;
}
