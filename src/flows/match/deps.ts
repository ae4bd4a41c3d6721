/** What a look-up is given: the source, the partner, and no way to the replica. */
import type { Partner } from '../../config/partner.ts';
import type { PartnerFhir } from '../../ports.ts';
import type { Deps } from '../deps.ts';

export interface MatchDeps extends Pick<
  Deps,
  'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot' | 'deadlineAt'
> {
  readonly partner: Partner;
  readonly fhir: PartnerFhir;
}
