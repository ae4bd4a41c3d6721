/** What a pull is given. */
import type { Partner } from '../../../config/partner.ts';
import type { PartnerFhir, Sealing } from '../../../ports.ts';
import type { IngestDeps } from '../deps.ts';
import type { Sender } from '../known.ts';

/** The run: the source, the partner, and no way to the replica. */
export interface PullDeps extends IngestDeps {
  readonly partner: Partner;
  readonly fhir: PartnerFhir;
  /** For addresses of the partner's files. */
  readonly sealing: Sealing;
}

const BOT = 'pull-partner';

/**
 * @param deps - The run.
 * @returns In whose name records are taken: the partner's Organization.
 */
export function partnerSender({ partner, bot }: PullDeps): Sender {
  return { client: bot, organizationId: partner.organizationId, fetchedBy: BOT };
}
