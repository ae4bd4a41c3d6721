/** Builds the bundles once, before any test: no test ever meets a stale `dist/`. */
import type { TestProject } from 'vitest/node';
import { buildBots } from '../../scripts/build.ts';
import type { BuiltBot } from '../../scripts/build.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The bundles, or why there are none: then the tests that need one say so, and the others still run. */
    built: { readonly bots: readonly BuiltBot[]; readonly error?: string };
  }
}

export async function setup(project: TestProject): Promise<void> {
  try {
    project.provide('built', { bots: await buildBots() });
  } catch (error) {
    project.provide('built', { bots: [], error: (error as Error).message });
  }
}
