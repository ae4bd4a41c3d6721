/** The partner: set completely, there, and willing to let us in. Pure. */
import type { Facts } from '../facts.ts';
import { fail, judged, ok, unseen } from '../finding.ts';
import type { Judgement } from '../finding.ts';

const NONE = 'none is set';
const UNREAD = 'the Project cannot be read';

export function partnerSettings({ partner, source }: Facts): Judgement {
  if (!source.project) {
    return unseen(UNREAD);
  }
  if (!partner) {
    return ok(NONE);
  }
  const { organization } = partner;
  const isThere = (organization?.body as { active?: boolean } | undefined)?.active !== false && !organization?.problem;
  return judged(
    [
      ...partner.problems,
      ...(organization && !isThere ? ['PARTNER_ORGANIZATION is no active Organization of the source'] : []),
    ],
    fail,
    'complete',
    'Set them with `npm run secrets -- push`; docs/partners.md says what they mean.'
  );
}

export function partnerReachable({ partner, source }: Facts): Judgement {
  if (!source.project) {
    return unseen(UNREAD);
  }
  const { metadata, token } = partner ?? {};
  if (!metadata) {
    return ok(partner ? 'not asked: its settings are not complete' : NONE);
  }
  const statement = metadata.body as { resourceType?: string } | undefined;
  if (metadata.problem || statement?.resourceType !== 'CapabilityStatement') {
    return fail(
      `its metadata: ${metadata.problem || 'no CapabilityStatement'}`,
      'Check PARTNER_BASE_URL and PARTNER_FHIR_PATH, and that the server can be reached from where the bots run.'
    );
  }
  return token?.problem
    ? fail(
        `no token: ${token.problem}`,
        'Check PARTNER_CLIENT_ID, PARTNER_TOKEN_PATH and PARTNER_SCOPE, and that the key is registered there: `npm run connect -- jwks --partner` prints it.'
      )
    : ok(token ? 'it answers, and lets us in' : 'it answers');
}
