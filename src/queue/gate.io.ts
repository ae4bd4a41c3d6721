/** The switch of the queue, read and turned. Whoever loses a race looks again: a pause is never lost to a breaker, nor the reverse. */
import type { Basic, Bundle } from '@medplum/fhirtypes';
import { Fault } from '../observability/fault.ts';
import { basicOf, controlOf, controlTerm, isControl, opened } from './control.ts';
import type { Control } from './control.ts';
import type { QueueDeps } from './deps.ts';

const TRIES = 25;

/**
 * @param deps - Source, settings.
 * @returns What the switch says now.
 * @throws Fault `source-*`: what cannot be read is not open.
 */
export async function readControl(deps: QueueDeps): Promise<Control> {
  return controlOf(deps.config.systems, await find(deps));
}

async function find({ source, config }: QueueDeps): Promise<Basic | undefined> {
  const url = `Basic?identifier=${encodeURIComponent(controlTerm(config.systems))}&_count=1`;
  // As a read, so that the access token comes along with it.
  const [answer] = await source.read([url]);
  if (answer?.resource?.resourceType !== 'Bundle') {
    throw new Fault('source-unavailable', [`status ${answer?.status}`]);
  }
  return (answer.resource as Bundle<Basic>).entry?.map(({ resource }) => resource).find((one) => one && isControl(one));
}

async function turn(deps: QueueDeps, to: (control: Control) => Control): Promise<Control> {
  const { source, config } = deps;
  for (let tries = 1; tries <= TRIES; tries++) {
    const there = (await find(deps)) ?? (await source.ensure(basicOf(config.systems, {})));
    const control = to(controlOf(config.systems, there));
    const basic = { ...basicOf(config.systems, control), id: `${there.id}` };
    if (await source.replace(basic, `${there.meta?.versionId}`)) {
      return control;
    }
  }
  throw new Fault('source-unavailable', ['the control kept changing']);
}

/**
 * Stops deliveries until they are resumed. What comes meanwhile is kept.
 *
 * @param deps - Source, clock, settings.
 * @returns What the switch says now.
 */
export function pause(deps: QueueDeps): Promise<Control> {
  return turn(deps, (control) => ({ ...control, pausedAt: control.pausedAt ?? deps.clock.now() }));
}

/**
 * @param deps - Source, clock, settings.
 * @returns What the switch says now.
 */
export function resume(deps: QueueDeps): Promise<Control> {
  return turn(deps, (control) => ({ ...control, pausedAt: undefined }));
}

/**
 * Opens the breaker, or says that it stays open after a probe in vain.
 *
 * @param deps - Source, clock, settings.
 * @param reason - The code of the fault.
 * @returns Whether this call has opened it: of many runs that meet the same outage, one tells of it.
 */
export async function openBreaker(deps: QueueDeps, reason: string): Promise<boolean> {
  let isFirst = false;
  await turn(deps, (control) => {
    isFirst = control.open === undefined;
    return opened(control, reason, deps.clock.now());
  });
  return isFirst;
}

/**
 * @param deps - Source, clock, settings.
 * @returns What the switch says now.
 */
export function closeBreaker(deps: QueueDeps): Promise<Control> {
  return turn(deps, (control) => ({ ...control, open: undefined }));
}
