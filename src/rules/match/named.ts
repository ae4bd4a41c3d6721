/** Whether a Consent speaks of the partner at all. Pure. */
import type { Consent, ConsentProvision } from '@medplum/fhirtypes';

/**
 * A Consent that names nobody permits copies without names, as most patients understand it; identified data go to a partner only if it is named.
 *
 * @param consent - The deciding Consent.
 * @param organization - `Organization/id`.
 * @returns Whether any of its provisions that permit names the Organization.
 */
export function isNamed({ provision }: Consent, organization: string): boolean {
  const names = (one: ConsentProvision): boolean =>
    (one.type !== 'deny' && one.actor?.some(({ reference }) => reference?.reference === organization) === true) ||
    one.provision?.some(names) === true;
  return provision !== undefined && names(provision);
}
