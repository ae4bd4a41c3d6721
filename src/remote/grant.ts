/** What is sent to a token endpoint, to the byte: grants and client authentication. Pure but for the signature. */
import { Buffer } from 'node:buffer';
import type { Config } from '../config/load.ts';
import { signJwt, signJwtBySecret } from './jws.ts';
import type { Claims } from './jws.ts';

/** Who signs in, and how. */
export type Client = Omit<Config['replica'], 'fhirUrl' | 'timeoutMs'>;

/** What is different each time. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Never used before (RFC 7519 §4.1.7). */
  readonly jti: string;
  /** The newest of its family. */
  readonly refreshToken?: string;
}

/** A form and its headers. */
export interface TokenRequest {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** SMART asks for at most five minutes; what is left is for a server whose clock is behind or ahead. */
const LIFETIME_SECONDS = 240;
const SKEW_SECONDS = 5;

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const JWT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * Builds a token request.
 *
 * - `client-credentials`: RFC 6749 §4.4, the secret in the header or in the body (§2.3.1);
 * - `jwt-assertion`: the same grant, signed for (SMART Backend Services; RFC 7523 §2.2);
 * - `jwt-bearer`: RFC 7523 §2.1, signed by the private key, or by the client's secret as the CLI of Medplum does;
 * - `refresh-token`: RFC 6749 §6, by whatever the client has to authenticate with.
 *
 * @param client - The settings.
 * @param moment - What is different each time.
 * @returns Headers and body.
 */
export function tokenRequest(client: Client, moment: Moment): TokenRequest {
  const scope = client.scope === undefined ? {} : { scope: client.scope };
  switch (client.auth) {
    case 'jwt-bearer': {
      const { issuer = client.clientId, subject = client.clientId } = client;
      const claims = claimsOf(client, moment, issuer, subject);
      const assertion = client.signingKey
        ? signJwt(claims, client.signingKey)
        : signJwtBySecret(claims, client.clientSecret);
      return form({ grant_type: JWT_BEARER, client_id: client.clientId, assertion, ...scope });
    }
    case 'refresh-token':
      // Without a scope it stays what was granted (RFC 6749 §6).
      return authenticated(client, moment, { grant_type: 'refresh_token', refresh_token: moment.refreshToken ?? '' });
    default:
      return authenticated(client, moment, { grant_type: 'client_credentials', ...scope });
  }
}

/**
 * Trades an authorization code in (RFC 6749 §4.1.3, RFC 7636 §4.5).
 *
 * @param client - The settings.
 * @param moment - What is different each time.
 * @param code - The code, where it was sent to, and the verifier whose hash went ahead.
 * @returns Headers and body.
 */
export function codeRequest(
  client: Client,
  moment: Moment,
  code: { readonly code: string; readonly redirectUri: string; readonly verifier: string }
): TokenRequest {
  return authenticated({ ...client, auth: 'refresh-token' }, moment, {
    grant_type: 'authorization_code',
    code: code.code,
    redirect_uri: code.redirectUri,
    code_verifier: code.verifier,
  });
}

/** RFC 7617: id and secret as they are. */
export function basicHeader({ clientId, clientSecret }: Pick<Client, 'clientId' | 'clientSecret'>): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`, 'utf8').toString('base64')}`;
}

/** With the best that the client has: a key, a secret, or nothing but its name (a public client). */
function authenticated(client: Client, moment: Moment, fields: Readonly<Record<string, string>>): TokenRequest {
  const { clientId, clientSecret, clientAuth, signingKey } = client;
  if (client.auth !== 'client-credentials' && signingKey) {
    const claims = claimsOf(client, moment, clientId, clientId);
    return form({ ...fields, client_assertion_type: JWT_ASSERTION, client_assertion: signJwt(claims, signingKey) });
  }
  if (clientSecret === '') {
    return form({ ...fields, client_id: clientId });
  }
  return clientAuth === 'client_secret_post'
    ? form({ ...fields, client_id: clientId, client_secret: clientSecret })
    : form(fields, {
        Authorization: basicHeader({ clientId: formEncode(clientId), clientSecret: formEncode(clientSecret) }),
      });
}

function claimsOf({ audience, tokenUrl }: Client, { now, jti }: Moment, iss: string, sub: string): Claims {
  const seconds = Math.floor(now / 1000);
  return { iss, sub, aud: audience ?? tokenUrl, jti, iat: seconds - SKEW_SECONDS, exp: seconds + LIFETIME_SECONDS };
}

function form(fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): TokenRequest {
  return {
    headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded', Accept: 'application/json' },
    body: new URLSearchParams({ ...fields }).toString(),
  };
}

/** RFC 6749 appendix B: what stands on either side of the colon in the header is form-encoded first. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
