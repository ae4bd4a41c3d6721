/** What the queue is given. It knows nothing of what its jobs are about. */
import type { Config } from '../config/load.ts';
import type { Clock, SourceFhir } from '../ports.ts';

export interface QueueDeps {
  readonly source: SourceFhir;
  readonly clock: Clock;
  readonly config: Pick<Config, 'systems' | 'queue'>;
}
