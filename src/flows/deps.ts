/** What every flow is given. `bots/wire.ts` builds it once per run. */
import type { Config } from '../config/load.ts';
import type { Clock, Eraser, Log, Random, ReplicaFhir, ReplicaProbe, Sealer, SourceFhir } from '../ports.ts';

export interface Deps {
  readonly config: Config;
  readonly source: SourceFhir;
  readonly replica: ReplicaFhir;
  /** Removes copies with their history, where there are credentials for that. */
  readonly eraser: Eraser | undefined;
  /** Encrypts originals, where there is a key for that. */
  readonly vault: Sealer | undefined;
  /** @returns 32 random bytes as hex, from a source fit for secrets. */
  readonly mint: () => string;
  /** Says whether the replica is there, before it is said that a record is at fault. */
  readonly probe: ReplicaProbe;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly correlationId: string;
  /** The running bot, `Bot/id`. */
  readonly bot: string;
  /** No new item is begun after this instant, in milliseconds since the epoch. */
  readonly deadlineAt: number;
}
