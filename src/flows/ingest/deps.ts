/** What the taking of records is given. */
import type { Deps } from '../deps.ts';

/** The run: the source, and no way to the replica. */
export interface IngestDeps extends Pick<
  Deps,
  'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot' | 'deadlineAt'
> {
  /** Who asks, `ClientApplication/id` and the like, as the platform says; nobody for cron. */
  readonly requester: string | undefined;
}
