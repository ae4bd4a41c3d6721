/** Whether the content of a copy is what its digest says: the server's ids are put back to the tokens that the digest speaks of. Pure. */
import { NARROW } from '../../../config/policy.ts';
import type { Config } from '../../../config/load.ts';
import type { Systems } from '../../../fhir/systems.ts';
import type { Copy, Inspected } from '../../../ports.ts';
import { stubsOf } from '../../keyring.ts';
import { contentDigest } from '../../../rules/deid/deidentify.ts';
import type { PatientKeys } from '../../../rules/deid/keys.ts';

/** Copies by `Type/id` on the replica → their token. */
export type Names = ReadonlyMap<string, string>;

/**
 * @param copies - Patients and Encounters.
 * @returns Their tokens by reference.
 */
export function namesOf(copies: readonly Copy[]): Names {
  return new Map(copies.map(({ resourceType, id, token }) => [`${resourceType}/${id}`, token]));
}

/**
 * @param copy - A copy with its content.
 * @param names - Of the copies that it may refer to.
 * @param keys - Of its patient.
 * @param config - Systems and profile.
 * @returns Whether its digest is that of its content.
 */
export function isGenuine(
  { content, digest }: Inspected,
  names: Names,
  keys: PatientKeys,
  config: Pick<Config, 'systems' | 'profile' | 'stubTypes' | 'key'>
): boolean {
  const { systems, profile } = config;
  const plain = withTokens(content, names, systems) as Readonly<Record<string, unknown>>;
  return contentDigest(plain, keys, { profile, narrow: NARROW, stubs: stubsOf(config) }) === digest;
}

/** A server that resolves a reference also writes the target's name beside it; ours have none. */
function withTokens(value: unknown, names: Names, systems: Systems): unknown {
  if (Array.isArray(value)) {
    return value.map((one) => withTokens(one, names, systems));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const { reference, display, ...rest } = value as { readonly reference?: unknown; readonly display?: unknown };
  const token = typeof reference === 'string' ? names.get(reference) : undefined;
  const others = Object.entries(rest).map(([key, inner]) => [key, withTokens(inner, names, systems)]);
  return {
    ...(Object.fromEntries(others) as object),
    ...(reference !== undefined && {
      reference: token === undefined ? reference : nameOf(reference as string, token, systems),
    }),
    ...(display !== undefined && token === undefined && { display }),
  };
}

function nameOf(reference: string, token: string, { patientToken, resourceToken }: Systems): string {
  const [type] = reference.split('/');
  return `${type}?identifier=${type === 'Patient' ? patientToken : resourceToken}|${token}`;
}
