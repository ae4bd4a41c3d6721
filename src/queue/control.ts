/**
 * The switch of the queue: whether a person has paused it, and whether the other side is known to be unreachable. The second is a circuit breaker (Nygard,
 * Release It!): while it is open nothing is tried, so that an outage of days costs no job an attempt, and a cheap probe each
 * minute ends it. A Basic in the source, so that every run of every bot sees it. Pure.
 */
import type { Basic, Extension } from '@medplum/fhirtypes';
import type { Systems } from '../fhir/systems.ts';
import { instant } from './job.ts';

/** Why and since when nothing is tried. */
export interface Open {
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** No probe before this instant. */
  readonly probeAt: number;
}

export interface Control {
  /** Milliseconds since the epoch; undefined when nobody has paused it. */
  readonly pausedAt?: number | undefined;
  /** Undefined while the breaker is closed. */
  readonly open?: Open | undefined;
}

const NAME = 'queue';
/** One probe a minute: 4,320 cheap requests in 72 hours, and work goes on within a minute of the end of an outage. */
export const PROBE_EVERY_MS = 60_000;

/**
 * @param systems - Our systems.
 * @returns `system|value`, for a search by identifier.
 */
export function controlTerm(systems: Systems): string {
  return `${systems.control}|${NAME}`;
}

/**
 * @param basic - A control resource.
 * @returns Whether it is this one.
 */
export function isControl(basic: Basic): boolean {
  return basic.code.coding?.[0]?.code === NAME;
}

/**
 * @param systems - Our systems.
 * @param control - What it is to say.
 * @returns The resource to save.
 */
export function basicOf(systems: Systems, { pausedAt, open }: Control): Basic {
  const extension: Extension[] = [
    ...(pausedAt === undefined ? [] : [{ url: `${systems.namespace}/paused`, valueInstant: instant(pausedAt) }]),
    ...(open
      ? [
          {
            url: `${systems.namespace}/breaker`,
            extension: [
              { url: 'reason', valueCode: open.reason },
              { url: 'since', valueInstant: instant(open.since) },
              { url: 'probeAt', valueInstant: instant(open.probeAt) },
            ],
          },
        ]
      : []),
  ];
  return {
    resourceType: 'Basic',
    identifier: [{ system: systems.control, value: NAME }],
    code: { coding: [{ system: systems.control, code: NAME }] },
    ...(extension.length > 0 && { extension }),
  };
}

/**
 * @param systems - Our systems.
 * @param basic - The resource; undefined before anybody has saved one.
 * @returns What it says.
 */
export function controlOf(systems: Systems, basic: Basic | undefined): Control {
  const find = (all: readonly Extension[] | undefined, url: string): Extension | undefined =>
    all?.find((one) => one.url === url);
  const paused = find(basic?.extension, `${systems.namespace}/paused`)?.valueInstant;
  const breaker = find(basic?.extension, `${systems.namespace}/breaker`)?.extension;
  const time = (name: string): number => Date.parse(find(breaker, name)?.valueInstant ?? '') || 0;
  return {
    pausedAt: paused === undefined ? undefined : Date.parse(paused),
    open: breaker && {
      reason: find(breaker, 'reason')?.valueCode ?? 'unknown',
      since: time('since'),
      probeAt: time('probeAt'),
    },
  };
}

/**
 * @param control - What the control says.
 * @returns Why nothing may be delivered, a code; undefined when it may.
 */
export function heldBy({ pausedAt, open }: Control): string | undefined {
  return pausedAt === undefined ? open?.reason : 'paused';
}

/**
 * @param control - What the control says.
 * @param reason - Why nothing can be delivered: the code of a fault.
 * @param now - Milliseconds since the epoch.
 * @returns The control with an open breaker, which is not probed before a while.
 */
export function opened(control: Control, reason: string, now: number): Control {
  return { ...control, open: { reason, since: control.open?.since ?? now, probeAt: now + PROBE_EVERY_MS } };
}
