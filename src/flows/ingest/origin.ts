/** What a record that came in carries of where it came from: an identifier that finds it again, with version and hash. Pure. */
import type { Identifier } from '@medplum/fhirtypes';
import type { Systems } from '../../fhir/systems.ts';
import { isObject, listOf } from '../../rules/ingest/elements.ts';
import type { Elements } from '../../rules/ingest/elements.ts';
import type { Received } from './received.ts';

/** What is known of the last time that a record was taken. */
export interface Origin {
  readonly digest: string;
  readonly version: Received['version'];
}

/**
 * @param systems - Our systems.
 * @param key - As of `keyOf`.
 * @param received - What was received.
 * @returns The identifier to store.
 */
export function originIdentifier(systems: Systems, key: string, { digest, version }: Received): Identifier {
  return {
    system: systems.ingested,
    value: key,
    extension: [
      { url: 'digest', value: digest },
      { url: 'version', value: version.id },
      { url: 'updated', value: version.at },
    ].flatMap(({ url, value }) => (value ? [{ url: `${systems.ingested}-${url}`, valueString: value }] : [])),
  };
}

/**
 * @param systems - Our systems.
 * @param resource - A stored record.
 * @param key - As of `keyOf`.
 * @returns What its identifier says; undefined when it has none of this key.
 */
export function originOf(systems: Systems, resource: object, key: string): Origin | undefined {
  const own = listOf((resource as Elements)['identifier']).find(
    (each) => isObject(each) && each['system'] === systems.ingested && each['value'] === key
  ) as Identifier | undefined;
  const said = (url: string): string | undefined =>
    own?.extension?.find((each) => each.url === `${systems.ingested}-${url}`)?.valueString;
  const [id, at] = [said('version'), said('updated')];
  return own && { digest: said('digest') ?? '', version: { ...(id && { id }), ...(at && { at }) } };
}

/**
 * Whether what is received takes the place of what is there. By time where both tell one, else by number; who tells neither may say so (PUT).
 *
 * @param received - What was received.
 * @param before - What is there.
 * @returns True when it is newer.
 */
export function isNewer({ version, isReplacement }: Received, before: Origin): boolean {
  const [now, then] = [version, before.version];
  if (now.at && then.at) {
    return now.at > then.at;
  }
  if (isNumber(now.id) && isNumber(then.id)) {
    return Number(now.id) > Number(then.id);
  }
  const isVersioned = (one: Received['version']): boolean => one.at !== undefined || one.id !== undefined;
  return isVersioned(now) && !isVersioned(then) ? true : isReplacement && !isVersioned(then);
}

function isNumber(id: string | undefined): boolean {
  return id !== undefined && /^\d{1,15}$/.test(id);
}
