/** Searches of the replica by token. Pure. */
import { fieldsOf } from '../../config/policy.ts';
import { listsOf } from '../../fhir/lists.ts';
import type { CopyName } from '../../ports.ts';
import type { Plan, StubTarget, Target } from './plan.ts';

/**
 * The records whose copies matter for a page: its own, and the parents they refer to.
 *
 * @param plans - The plans of the page.
 * @returns Each record once.
 */
export function targetsOf(plans: readonly Plan[]): Target[] {
  const targets = plans.flatMap((planned) => {
    switch (planned.action) {
      case 'put':
        return [planned.target, ...planned.parents];
      case 'withdraw':
        return [planned.target];
      case 'skip':
      case 'quarantine':
        return [];
    }
  });
  return [...new Map(targets.map((target) => [target.token, target])).values()];
}

/**
 * @param plans - Plans.
 * @returns The stubs that their copies refer to, each once.
 */
export function stubsOfPlans(plans: readonly Plan[]): StubTarget[] {
  const stubs = plans.flatMap((planned) => (planned.action === 'put' ? planned.stubs : []));
  return [...new Map(stubs.map((stub) => [stub.token, stub])).values()];
}

/**
 * One search per type for all tokens, or a few when it became too long.
 *
 * @param targets - Records.
 * @returns FHIR-relative URLs.
 */
export function searchesOf(targets: readonly CopyName[]): string[] {
  return [...Map.groupBy(targets, ({ resourceType }) => resourceType)].flatMap(([type, some]) => {
    const tokens = some.map(({ tokenSystem, token }) => encodeURIComponent(`${tokenSystem}|${token}`));
    return listsOf(tokens).map((list) => `${type}?identifier=${list}&_fields=${fieldsOf(type)}&_count=1000`);
  });
}

/** Ids in one search: what fits into an address. */
const AT_A_TIME = 100;

/**
 * @param references - `Type/id` on the replica.
 * @returns FHIR-relative URLs that find the copies.
 */
export function idSearches(references: readonly string[]): string[] {
  return [...Map.groupBy(references, (one) => one.split('/')[0] ?? '')].flatMap(([type, some]) =>
    Array.from({ length: Math.ceil(some.length / AT_A_TIME) }, (_, at) => {
      const ids = some.slice(at * AT_A_TIME, (at + 1) * AT_A_TIME).map((one) => one.slice(type.length + 1));
      return `${type}?_id=${ids.join(',')}&_fields=identifier,meta&_count=${AT_A_TIME}`;
    })
  );
}
