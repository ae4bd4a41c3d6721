/**
 * The access token, kept between runs. A bot starts from nothing at each event, and Medplum allows 160 token requests a minute
 * where it allows 500 writes: so the token lies in the source, encrypted under a key that only the bots can derive, and the
 * first batch of reads of each run brings it along without a request of its own.
 */
import type { Basic, Bundle } from '@medplum/fhirtypes';
import type { Config } from '../config/load.ts';
import { Fault } from '../observability/fault.ts';
import type { Clock, Fetched, SourceFhir } from '../ports.ts';
import { tokenFamily } from './token-family.io.ts';
import type { Shelf } from './token-family.io.ts';
import type { HeldToken, TokenCache } from './token.io.ts';
import { openToken, sealToken } from './token-seal.io.ts';

const NAME = 'replica-token';

/**
 * Lets a token travel with the reads of a run.
 *
 * @param source - The source.
 * @param config - The settings; what the client signs in with is what the encryption key is derived from.
 * @param clock - The clock.
 * @returns The source to use instead, and the cache for the token source.
 */
export function carryToken(
  source: SourceFhir,
  config: Config,
  clock: Clock
): { readonly source: SourceFhir; readonly cache: TokenCache } {
  const { systems, replica } = config;
  const secret = secretOf(config);
  const search = `Basic?identifier=${encodeURIComponent(`${systems.control}|${NAME}`)}&_count=1`;
  const url = `${systems.namespace}/sealed-token`;
  let held: HeldToken | undefined;
  let hasRead = replica.auth === 'basic';

  const inPage = ({ resource }: Fetched): Basic | undefined =>
    (resource as Bundle<Basic> | undefined)?.entry?.[0]?.resource;
  const shelf: Shelf = {
    blank: {
      resourceType: 'Basic',
      identifier: [{ system: systems.control, value: NAME }],
      code: { coding: [{ system: systems.control, code: NAME }] },
    },
    leaseUrl: `${systems.namespace}/lease`,
    async find(from): Promise<Basic | undefined> {
      const [answer] = await from.read([search]);
      if (!answer?.resource) {
        throw new Fault('source-unavailable', ['the token could not be read']);
      }
      return inPage(answer);
    },
    open({ extension }): HeldToken | undefined {
      const sealed = extension?.find((each) => each.url === url)?.valueString;
      return sealed ? openToken(sealed, secret) : undefined;
    },
    sealed: (token) => ({ url, valueString: sealToken(token, secret) }),
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
        const basic = first && inPage(first);
        const token = basic && shelf.open(basic);
        held = token && clock.now() < token.until ? token : undefined;
        return rest;
      },
    },
    cache: {
      load: () => held,
      save: async (token) => source.save({ ...shelf.blank, extension: [shelf.sealed(token)] }),
      family:
        replica.auth === 'refresh-token'
          ? tokenFamily(source, shelf, replica.refreshToken, { clock, timeoutMs: replica.timeoutMs })
          : undefined,
    },
  };
}

/** Whatever the client signs in with, nobody but the bots and the server has it. */
function secretOf({ replica }: Config): string {
  const { tokenUrl, clientId, clientSecret, refreshToken, signingKey } = replica;
  return [tokenUrl, clientId, clientSecret, refreshToken, signingKey?.text].filter(Boolean).join(' ');
}
