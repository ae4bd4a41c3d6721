/** What a scrape is answered. Counters go on where the last reading left them, whatever was restarted or redeployed meanwhile. */
import type { Binary } from '@medplum/fhirtypes';
import type { Loaded } from '../../config/load.ts';
import { Fault } from '../../observability/fault.ts';
import { binaryOf, jsonOf } from './exposition.ts';
import type { JsonFamily } from './exposition.ts';
import type { ReplicaProbe } from '../../ports.ts';
import { current } from './current.io.ts';
import type { MetricsDeps } from './read.io.ts';
import { withZeros } from './zeros.ts';

/** What the bot is given. */
export interface Given extends Omit<MetricsDeps, 'config' | 'probe'> {
  /** The settings, or what is wrong with them. */
  readonly loaded: Loaded;
  /** Undefined while the settings do not say where it is. */
  readonly replica: ReplicaProbe | undefined;
}

/**
 * Answers a scrape, also while sync is off.
 *
 * @param given - The run.
 * @param input - `{ format: 'json' }`, or nothing for Prometheus text.
 * @returns A Binary of text, or the figures as JSON.
 * @throws Fault `settings-invalid`; `input-invalid` for another format; `source-*` when the source cannot be read: then Prometheus sees `up == 0`.
 */
export async function metrics(
  { loaded, replica, ...rest }: Given,
  input: unknown
): Promise<Binary | { readonly metrics: readonly JsonFamily[] }> {
  if ('problems' in loaded || !replica) {
    throw new Fault('settings-invalid', 'problems' in loaded ? loaded.problems : []);
  }
  const format = (input as { format?: unknown } | null | undefined)?.format ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw new Fault('input-invalid', ['format is text or json']);
  }
  const { state, org } = await current({ ...rest, config: loaded.config, probe: replica });
  const all = { ...withZeros(state.figures, org), ...state.gauges };
  return format === 'json' ? jsonOf(all) : binaryOf(all);
}
