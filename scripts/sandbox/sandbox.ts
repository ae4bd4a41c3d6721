import { createClock } from './clock.ts';
import type { SandboxClock } from './clock.ts';
import { startServer } from './server.ts';
import type { SandboxServer, SandboxServerOptions } from './server.ts';

export interface SandboxOptions {
  /** Default: any free ports. */
  readonly ports?: { readonly source?: number; readonly replica?: number };
  /** What time it is at the start. Default: the real time. */
  readonly start?: string | number;
  /** True: bots that wait do so in no time (`lapse.ts`). */
  readonly isLapsing?: boolean;
  /** More settings for one server or the other. */
  readonly source?: Partial<Omit<SandboxServerOptions, 'clock' | 'port'>>;
  readonly replica?: Partial<Omit<SandboxServerOptions, 'clock' | 'port'>>;
}

/** The two servers and the clock that they share. */
export interface Sandbox {
  readonly source: SandboxServer;
  readonly replica: SandboxServer;
  readonly clock: SandboxClock;
  close(): Promise<void>;
}

/** Starts a source and a replica in this process. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const clock = createClock(options.start, options.isLapsing);
  const { ports = {} } = options;
  const source = await startServer({ name: 'source', ...options.source, port: ports.source ?? 0, clock });
  const replica = await startServer({ name: 'replica', ...options.replica, port: ports.replica ?? 0, clock });
  return {
    source,
    replica,
    clock,
    async close() {
      await Promise.all([source.close(), replica.close()]);
    },
  };
}
