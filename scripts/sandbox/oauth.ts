import type { Callers } from './callers.ts';
import { sendJson } from './http.ts';
import type { SandboxRequest, SandboxResponse } from './http.ts';
import type { Tokens } from './tokens.ts';

/** The default of the real server. */
const LIFETIME_SECONDS = 3_600;

/**
 * `POST /oauth2/token` with the grant `client_credentials`, credentials in the body or as Basic (oauth/token.ts).
 * Every refusal is a 400 `invalid_request`, a wrong secret too: Medplum never says `invalid_client`.
 */
export function tokenEndpoint(
  request: SandboxRequest,
  callers: Callers,
  tokens: Tokens,
  baseUrl: string,
  lifetimeSeconds = LIFETIME_SECONDS
): SandboxResponse {
  if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return { status: 400, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: 'Unsupported content type' };
  }
  const form = new URLSearchParams(request.bytes.toString('utf8'));
  const grant = form.get('grant_type');
  if (grant !== 'client_credentials') {
    return refuse(grant ? 'Unsupported grant_type' : 'Missing grant_type');
  }
  const { id, secret } = credentials(request.headers.authorization, form);
  if (!id || !secret) {
    return refuse(id ? 'Missing client_secret' : 'Missing client_id');
  }
  const client = callers.client(id);
  const membership = client && callers.membership(`ClientApplication/${id}`);
  if (!client || !membership || (client.status && client.status !== 'active')) {
    return refuse('Invalid client');
  }
  if (client.secret !== secret && client.retiringSecret !== secret) {
    return refuse('Invalid secret');
  }
  return sendJson(200, {
    token_type: 'Bearer',
    expires_in: lifetimeSeconds,
    scope: form.get('scope') ?? 'openid',
    access_token: tokens.issue(`ClientApplication/${id}`, baseUrl, lifetimeSeconds),
    project: membership.project,
    profile: membership.profile,
  });
}

function credentials(authorization: string | undefined, form: URLSearchParams): { id?: string; secret?: string } {
  if (authorization?.startsWith('Basic ')) {
    const [id = '', secret = ''] = Buffer.from(authorization.slice('Basic '.length), 'base64')
      .toString('utf8')
      .split(':');
    return { id, secret };
  }
  return { id: form.get('client_id') ?? '', secret: form.get('client_secret') ?? '' };
}

function refuse(description: string): SandboxResponse {
  return sendJson(400, { error: 'invalid_request', error_description: description });
}
