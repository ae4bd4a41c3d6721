/** What a report is made of. */
import type { Control } from '../../../queue/control.ts';
import type { Result } from '../../reconciliation.ts';
import type { MetricsState } from '../state.ts';

export interface Facts {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The last reading of figures. */
  readonly state: MetricsState;
  readonly syncEnabled: boolean;
  /** Whether somebody has paused the queue, or its breaker is open. */
  readonly control: Control;
  /** Consents with status active. */
  readonly consents: number;
  /** The last complete comparison of both sides, of everything or of a part. */
  readonly last: Result | undefined;
}
