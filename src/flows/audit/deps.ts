/** What the flows of the trail are given. */
import type { Signer } from '../../observability/signer.ts';
import type { ReplicaTrail } from '../../ports.ts';
import type { Deps } from '../deps.ts';

/** What sealing and archiving need: the source, and a key. */
export interface SealDeps extends Pick<
  Deps,
  'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot' | 'deadlineAt'
> {
  /** Undefined while no key is set: then nothing is sealed and nothing archived. */
  readonly signer: Signer | undefined;
}

/** What the mirror needs beside that. */
export interface MirrorDeps extends SealDeps, Pick<Deps, 'replica'> {
  readonly trail: ReplicaTrail;
  /** Who asked; undefined for cron. */
  readonly requester: string | undefined;
}
