/**
 * The access token, kept between runs. A bot starts from nothing at each event, and Medplum allows 160 token requests a minute
 * where it allows 500 writes: so the token lies in the source, encrypted under a key that only the bots can derive, and the
 * first batch of reads of each run brings it along without a request of its own.
 */
import type { Basic, Bundle } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import type { Clock, Fetched, SourceFhir } from '../ports.ts';
import type { HeldToken, TokenCache } from './token.io.ts';
import { openToken, sealToken } from './token-seal.io.ts';

const NAME = 'replica-token';

/**
 * Lets a token travel with the reads of a run.
 *
 * @param source - The source.
 * @param config - The settings; the client's secret is what the encryption key is derived from.
 * @param clock - The clock.
 * @returns The source to use instead, and the cache for the token source.
 */
export function carryToken(
  source: SourceFhir,
  config: Config,
  clock: Clock
): { readonly source: SourceFhir; readonly cache: TokenCache } {
  const { systems, replica } = config;
  const secret = `${replica.tokenUrl} ${replica.clientId} ${replica.clientSecret}`;
  const search = `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
  const url = `${systems.namespace}/sealed-token`;
  let held: HeldToken | undefined;
  let hasRead = replica.auth === 'basic';

  const found = ({ resource }: Fetched): HeldToken | undefined => {
    const basic = (resource as Bundle<Basic> | undefined)?.entry?.[0]?.resource;
    const sealed = basic?.extension?.find((extension) => extension.url === url)?.valueString;
    const token = sealed ? openToken(sealed, secret) : undefined;
    return token && clock.now() < token.until ? token : undefined;
  };

  return {
    source: {
      ...source,
      async read(urls): Promise<readonly Fetched[]> {
        if (hasRead) {
          return source.read(urls);
        }
        hasRead = true;
        const [first, ...rest] = await source.read([search, ...urls]);
        held = first && found(first);
        return rest;
      },
    },
    cache: {
      load: () => held,
      save: async (token) =>
        source.save({
          resourceType: 'Basic',
          identifier: [{ system: systems.control, value: NAME }],
          code: { coding: [{ system: systems.control, code: NAME }] },
          extension: [{ url, valueString: sealToken(token, secret) }],
        }),
    },
  };
}
