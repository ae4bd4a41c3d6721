/** Searches of the replica by token. Pure. */
import type { Plan, Target } from './plan.ts';

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
 * One search per type for all tokens.
 *
 * @param targets - Records, at most a page of each type.
 * @returns FHIR-relative URLs.
 */
export function searchesOf(targets: readonly Target[]): string[] {
  return [...Map.groupBy(targets, ({ resourceType }) => resourceType)].map(([type, some]) => searchOf(type, some));
}

function searchOf(resourceType: string, targets: readonly Target[]): string {
  const tokens = targets.map(({ tokenSystem, token }) => encodeURIComponent(`${tokenSystem}|${token}`)).join(',');
  return `${resourceType}?identifier=${tokens}&_fields=identifier,meta,subject,patient,encounter&_count=1000`;
}
