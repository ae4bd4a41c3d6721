/** A plan as text. */
import type { Action } from './plan.ts';
import { nameOf } from './wanted.ts';

const SIGNS = { create: '+', update: '~', delete: '-' } as const;

const LABELS = {
  policy: 'access policy',
  quota: 'quota',
  bot: 'bot',
  membership: 'membership',
  code: 'code',
  operation: 'operation',
  subscription: 'subscription',
  schedule: 'schedule',
} as const;

/**
 * One line of a plan.
 *
 * @param action - The step.
 * @returns Such as `~ subscription  sync-change  Patient (status)`.
 */
export function lineOf(action: Action): string {
  const { verb, kind, owner, properties, why } = action;
  const what = verb === 'delete' ? action.what : (wordOf(kind, properties) ?? action.what);
  const parts = [
    SIGNS[verb],
    LABELS[kind].padEnd(13),
    (owner.startsWith('role.') ? `role ${nameOf(owner)}` : nameOf(owner)).padEnd(18),
    what,
  ];
  return `${parts.join(' ').trimEnd()}${why.length > 0 ? ` (${why.join(', ')})` : ''}`;
}

function wordOf(kind: Action['kind'], properties: Action['properties'] = {}): string | undefined {
  switch (kind) {
    case 'code':
      return String(properties.version);
    case 'schedule':
      return String(properties.cronString);
    case 'quota':
      return `${(properties.option as { valueInteger: number }[])[0]?.valueInteger} units a minute`;
    case 'policy':
      return (properties.resource as { resourceType: string }[]).map(({ resourceType }) => resourceType).join(' ');
    case 'bot':
      return `${String(properties.runtimeVersion)}, ${String(properties.timeout)} s`;
    case 'membership':
    case 'operation':
    case 'subscription':
      return undefined;
  }
}

/** A step without its contents, for `--json`. */
export function rowOf({ verb, kind, owner, what, why, id, isPrune }: Action): Readonly<Record<string, unknown>> {
  return {
    verb,
    kind,
    owner,
    ...(what && { what }),
    ...(why.length > 0 && { why }),
    ...(id && { id }),
    ...(isPrune && { prune: true }),
  };
}
