/** What the caller of `reveal` asks for. Pure; nothing of it is believed but what it asks. */
import { publicPurpose, readPurpose } from '../../rules/consent/purpose.ts';

/** One ask. */
export type Ask =
  | { readonly kind: 'list' }
  | {
      readonly kind: 'reveal' | 'break-glass';
      /** As minted; undefined when what was given cannot be a token. */
      readonly token: string | undefined;
      /** v3-ActReason. */
      readonly purpose: string;
      /** In the caller's words. */
      readonly reason: string;
    };

const TOKEN = /^(?:.*\/)?([a-z]{2,4}_[bcdfghjkmpqrtvwx]{32})$/;
const MAX_REASON = 500;

/**
 * Reads an ask: `{token, purpose, reason}`, with `breakGlass: true` or the purpose BTG to break the glass, or `{action: "list"}`.
 *
 * @param input - What the caller sent.
 * @param dataClassSystem - Our system of data classes, beside which our system of purposes stands.
 * @returns The ask, or the names of what is missing or wrong.
 */
export function readAsk(input: unknown, dataClassSystem: string): Ask | { readonly problems: readonly string[] } {
  const fields = typeof input === 'object' && input !== null ? (input as Readonly<Record<string, unknown>>) : {};
  const { action, token, purpose, reason, breakGlass } = fields;
  if (action === 'list') {
    return { kind: 'list' };
  }
  const code = typeof purpose === 'string' ? publicPurpose(readPurpose(purpose, dataClassSystem)) : undefined;
  const words = typeof reason === 'string' ? reason.trim() : '';
  const problems = [
    ...(action === undefined || action === 'reveal' ? [] : ['action must be reveal or list']),
    ...(typeof token === 'string' ? [] : ['token is missing']),
    ...(code ? [] : ['purpose must be a code of v3-ActReason']),
    ...(words !== '' && words.length <= MAX_REASON ? [] : [`reason must be a text of up to ${MAX_REASON} characters`]),
    ...(breakGlass === undefined || typeof breakGlass === 'boolean' ? [] : ['breakGlass must be true or false']),
  ];
  if (problems.length > 0 || code === undefined) {
    return { problems };
  }
  return {
    kind: breakGlass === true || code === 'BTG' ? 'break-glass' : 'reveal',
    // `Patient/pt_…` and the URI of the extension end in the token.
    token: TOKEN.exec(String(token))?.[1],
    purpose: code,
    reason: words,
  };
}
