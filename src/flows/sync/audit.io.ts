/** Writes what was done into the trail: one event per change on the event path, one per page on the bulk path. */
import { auditEventOf } from '../../observability/trail.ts';
import type { TrailType } from '../../observability/trail.ts';
import type { FaultCode } from '../../observability/fault.ts';
import type { Deps } from '../deps.ts';
import type { Keyring } from '../keyring.ts';
import { entityOf } from './done.ts';
import type { Told } from './done.ts';

/** The frame of one trail event. */
export interface Frame {
  readonly patientId: string;
  readonly keyring: Keyring;
  readonly startedAt: number;
  readonly attempt: number;
  readonly fault?: FaultCode;
  readonly type?: TrailType;
  readonly details?: Readonly<Record<string, string>>;
}

/**
 * Records what was done, or is about to be.
 *
 * @param deps - The run.
 * @param frame - Whose record, since when.
 * @param told - What was done, or is about to be.
 * @throws Fault `source-*` when the event cannot be stored: what is not audited is not done.
 */
export async function audit(deps: Deps, frame: Frame, told: readonly Told[]): Promise<void> {
  const { config, source, clock, bot, correlationId } = deps;
  // Keys that are in no link name nothing that anybody could look for.
  const { keys, isProvisional } = frame.keyring;
  const event = auditEventOf(
    {
      correlationId,
      bot,
      patientId: frame.patientId,
      ...(!isProvisional && { patientToken: keys.patientToken }),
      purpose: config.consent.purpose,
      replica: config.replica.fhirUrl,
      startedAt: frame.startedAt,
      endedAt: clock.now(),
      attempt: frame.attempt,
      ...(frame.fault && { fault: frame.fault }),
      ...(frame.type && { type: frame.type }),
      ...(frame.details && { details: frame.details }),
      entities: told.map((one) => entityOf(one, isProvisional)),
    },
    config.systems
  );
  await source.record(event);
}
