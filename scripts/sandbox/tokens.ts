import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { SandboxClock } from './clock.ts';

/** What an access token says. The names are those of Medplum's claims. */
export interface Claims {
  readonly login_id: string;
  readonly sub: string;
  readonly profile: string;
  readonly client_id?: string;
  readonly scope: string;
  readonly iss: string;
  readonly iat: number;
  readonly exp: number;
}

/** Issues and checks the access tokens of one server. They are JWTs, because MedplumClient reads their payload. */
export class Tokens {
  #key = randomBytes(32);
  readonly #clock: SandboxClock;

  constructor(clock: SandboxClock) {
    this.#clock = clock;
  }

  /** @param profile - `ClientApplication/…` or `Bot/…`: whose membership the token stands for. */
  issue(profile: string, issuer: string, lifetimeSeconds: number): string {
    const iat = Math.floor(this.#clock.now() / 1000);
    const id = profile.split('/')[1] ?? '';
    const claims: Claims = {
      login_id: randomUUID(),
      sub: id,
      profile,
      ...(profile.startsWith('ClientApplication/') && { client_id: id }),
      scope: 'openid',
      iss: issuer,
      iat,
      exp: iat + lifetimeSeconds,
    };
    const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    return `${body}.${this.#sign(body).toString('base64url')}`;
  }

  /** The profile of a valid token; undefined if it is foreign, forged or expired by the sandbox's clock. */
  verify(token: string): string | undefined {
    const dot = token.lastIndexOf('.');
    const expected = this.#sign(token.slice(0, dot));
    const given = Buffer.from(token.slice(dot + 1), 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return undefined;
    }
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Claims;
    return claims.exp * 1000 > this.#clock.now() ? claims.profile : undefined;
  }

  /** Ends all tokens before their time, as when a server's signing key is replaced. */
  revokeAll(): void {
    this.#key = randomBytes(32);
  }

  #sign(body: string): Buffer {
    return Buffer.from(createHmac('sha256', this.#key).update(body).digest('base64url'), 'base64url');
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
