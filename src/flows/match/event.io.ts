/** What starts a look-up: a Patient who is new, or a Consent that may permit it. */
import type { Resource } from '@medplum/fhirtypes';
import type { MatchDeps } from './deps.ts';
import { isFromPartner, match } from './match.io.ts';
import type { MatchAnswer } from './match.io.ts';

/**
 * @param deps - The run.
 * @param resource - What was created or changed.
 * @returns What came of it; `ignored` for what is about no patient.
 * @throws Fault `source-*`.
 */
export async function matchChanged(
  deps: MatchDeps,
  resource: Resource
): Promise<MatchAnswer | { readonly result: 'ignored' }> {
  if (resource.resourceType === 'Patient') {
    // Pulls bring thousands of them: those are known without a request.
    return isFromPartner(deps, resource) ? { result: 'from-partner' } : match(deps, resource.id ?? '');
  }
  const [type, id] = (resource.resourceType === 'Consent' ? resource.patient?.reference : undefined)?.split('/') ?? [];
  return type === 'Patient' && id ? match(deps, id) : { result: 'ignored' };
}
