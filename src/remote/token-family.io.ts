/**
 * A refresh token that changes with each use (RFC 9700 §4.14.2). The newest one lies in the source, encrypted, beside the access
 * token. Two runs that use one at once would look like theft to the server, which then ends the whole family: so a run takes a
 * lease first, by `If-Match`, and has written the new token down before it uses what came with it.
 */
import type { Basic, Extension } from '@medplum/fhirtypes';
import { Fault } from '../observability/fault.ts';
import type { Clock, SourceFhir } from '../ports.ts';
import type { Family, HeldToken } from './token.io.ts';

/** How the Basic is found, made and read. */
export interface Shelf {
  readonly blank: Basic;
  readonly leaseUrl: string;
  find(source: SourceFhir): Promise<Basic | undefined>;
  open(basic: Basic): HeldToken | undefined;
  readonly sealed: (token: HeldToken) => Extension;
}

/** What a run adds to the time of one request before its lease ends: writing down, and clocks that differ. */
const LEASE_MARGIN_MS = 20_000;
const LOOK_AGAIN_MS = 500;

/**
 * @param source - The source.
 * @param shelf - Where the family lies.
 * @param first - The refresh token of the settings, with which the family begins.
 * @param parts - The clock, and how long one request may take.
 * @returns The family.
 */
export function tokenFamily(
  source: SourceFhir,
  shelf: Shelf,
  first: string,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number }
): Family {
  const leaseMs = timeoutMs + LEASE_MARGIN_MS;
  return {
    async renew(refused, ask): Promise<HeldToken> {
      const giveUpAt = clock.now() + 2 * leaseMs;
      while (clock.now() < giveUpAt) {
        const basic = (await shelf.find(source)) ?? (await source.ensure(shelf.blank));
        const held = shelf.open(basic);
        if (held && held.value !== refused && clock.now() < held.until) {
          return held;
        }
        if (leaseEnd(basic, shelf) > clock.now()) {
          await clock.sleep(LOOK_AGAIN_MS);
        } else if (await source.replace(leased(basic, shelf, clock.now() + leaseMs), basic.meta?.versionId ?? '')) {
          return use(source, shelf, held, ask, held?.refreshToken ?? first);
        }
      }
      throw new Fault('replica-unavailable', ['another run is signing in']);
    },
  };
}

/** Whoever has the lease writes what came of it: the next of the family, or that nothing did. */
async function use(
  source: SourceFhir,
  { blank, sealed }: Shelf,
  held: HeldToken | undefined,
  ask: (refreshToken: string) => Promise<HeldToken>,
  refreshToken: string
): Promise<HeldToken> {
  let next: HeldToken | undefined;
  try {
    // Where the server does not rotate, the old one stays good (RFC 6749 §6).
    next = { refreshToken, ...(await ask(refreshToken)) };
    return next;
  } finally {
    const kept = next ?? held;
    await source.save({ ...blank, ...(kept && { extension: [sealed(kept)] }) });
  }
}

function leaseEnd({ extension }: Basic, { leaseUrl }: Shelf): number {
  const end = Date.parse(extension?.find(({ url }) => url === leaseUrl)?.valueInstant ?? '');
  return Number.isNaN(end) ? 0 : end;
}

function leased(basic: Basic, { leaseUrl }: Shelf, until: number): Basic {
  const others = (basic.extension ?? []).filter(({ url }) => url !== leaseUrl);
  return { ...basic, extension: [...others, { url: leaseUrl, valueInstant: new Date(until).toISOString() }] };
}
