/** The partner's FHIR server: requests that are signed in, to its own host alone. */
import type { Partner } from '../config/partner.ts';
import { Fault, faultCodeOf } from '../observability/fault.ts';
import type { FaultCode } from '../observability/fault.ts';
import type { Clock, PartnerAnswer, PartnerFhir, Random } from '../ports.ts';
import { sender } from './http.io.ts';
import type { Exchange, Send } from './http.io.ts';
import { waitOf } from './outcome.ts';
import { openFile, readSlice } from './partner-file.io.ts';
import { tokenSource } from './token.io.ts';
import type { TokenSource } from './token.io.ts';

/** What a run gives to it. */
export interface PartnerParts {
  readonly clock: Clock;
  readonly random: Random;
  /** No answer is waited for beyond this instant, in milliseconds since the epoch. */
  readonly deadlineAt: number;
}

/** Statuses after which a token is asked for once more. */
const UNAUTHORISED = 401;

/**
 * A client of the partner.
 *
 * @param partner - The settings.
 * @param parts - Clock, chance, the run's deadline.
 * @returns The client.
 */
export function partnerClient(partner: Partner, { clock, random, deadlineAt }: PartnerParts): PartnerFhir {
  const origin = new URL(partner.fhirUrl).origin;
  const send = sender(clock, [origin]);
  const post = sender(clock, [new URL(partner.tokenUrl).origin]);
  const timeLeft = (): number => Math.min(partner.timeoutMs, Math.max(1, deadlineAt - clock.now()));
  const tokens = tokenSource(partner, {
    post: async (url, headers, body) => post({ method: 'POST', url, headers, body }, timeLeft()),
    clock,
    unique: () => random.uuid(),
  });
  const files = { clock, allowed: [origin, ...partner.fileOrigins] };

  return {
    async ask(method, url, { headers = {}, body } = {}): Promise<PartnerAnswer> {
      const absolute = new URL(url, partner.fhirUrl);
      if (absolute.origin !== origin) {
        throw new Fault('partner-rejected', ['an address on another host']);
      }
      const exchange = { method, url: absolute.href, ...(body !== undefined && { body }) };
      const answer = await asPartner(async () =>
        signedIn(tokens, partner, async (authorization) => {
          const all = { Accept: 'application/fhir+json', ...headers, ...authorization };
          return send({ ...exchange, headers: all } satisfies Exchange, timeLeft());
        })
      );
      return answerOf(answer, clock.now());
    },
    slice: async (wanted) =>
      asPartner(async () => {
        const until = clock.now() + timeLeft();
        const isOwn = new URL(wanted.url).origin === origin;
        if (wanted.needsToken && !isOwn) {
          throw new Fault('partner-rejected', ['a file on another host that asks for our token']);
        }
        const open = async (authorization: Readonly<Record<string, string>>): ReturnType<typeof openFile> =>
          openFile(files, wanted, authorization, until);
        const opened = await (wanted.needsToken ? signedIn(tokens, partner, open) : open({}));
        return readSlice(files, wanted, opened, until);
      }),
  };
}

/** With a token, and once more with another one when the first is refused. */
async function signedIn<T extends { readonly status: number }>(
  tokens: TokenSource,
  { auth }: Partner,
  work: (authorization: Readonly<Record<string, string>>) => Promise<T>
): Promise<T> {
  if (auth === 'none') {
    return work({});
  }
  const authorization = await tokens.header();
  const answer = await work({ Authorization: authorization });
  if (answer.status !== UNAUTHORISED) {
    return answer;
  }
  tokens.renew(authorization);
  return work({ Authorization: await tokens.header() });
}

function answerOf(answer: Awaited<ReturnType<Send>>, now: number): PartnerAnswer {
  const percent = /(\d{1,3})(?:\.\d+)?\s*%/.exec(answer.progress ?? '')?.[1];
  return {
    status: answer.status,
    body: answer.body,
    waitMs: waitOf(answer, now),
    location: answer.location ?? undefined,
    percent: percent === undefined ? undefined : Math.min(100, Number(percent)),
  };
}

/** The transport is that of the replica, and its faults speak of it. */
async function asPartner<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = faultCodeOf(error);
    const meant: Partial<Record<FaultCode, FaultCode>> = {
      'replica-unavailable': 'partner-unavailable',
      'replica-throttled': 'partner-unavailable',
      'replica-unauthorised': 'partner-unauthorised',
      'replica-wrong-project': 'partner-unauthorised',
      'replica-rejected': 'partner-rejected',
    };
    const own = code && meant[code];
    throw own ? new Fault(own, (error as Fault).details) : error;
  }
}
