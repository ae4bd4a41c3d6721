/** `event.input` as one of four things. The only reader of it; headers are read by nobody, they hold the caller's token. */
import type { Bundle, Resource } from '@medplum/fhirtypes';

export type Trigger =
  | { readonly kind: 'changed'; readonly resource: Resource }
  | { readonly kind: 'deleted'; readonly resource: Resource }
  | { readonly kind: 'tick' }
  | { readonly kind: 'request'; readonly input: unknown };

/**
 * Classifies an input (`platform.md` §1.4, §2.5): a subscription gives the resource, or `{deletedResource}`; cron gives the
 * Bot itself; `$execute` gives whatever the caller sent.
 *
 * @param input - `event.input`.
 * @returns The trigger.
 */
export function triggerOf(input: unknown): Trigger {
  if (isResource(input)) {
    return input.resourceType === 'Bot' ? { kind: 'tick' } : { kind: 'changed', resource: input };
  }
  const deleted = (input as { deletedResource?: unknown } | null | undefined)?.deletedResource;
  return isResource(deleted) ? { kind: 'deleted', resource: deleted } : { kind: 'request', input };
}

function isResource(value: unknown): value is Resource {
  return typeof (value as Bundle | null | undefined)?.resourceType === 'string';
}
