/** `provision.action` (rule 16): a copy is a disclosure; `access` is view-only by its definition in R4. */
import type { CodeableConcept } from '@medplum/fhirtypes';
import { codesOf } from './coding.ts';
import type { Kind, Truth } from './three-valued.ts';
import { some } from './three-valued.ts';

export const CONSENT_ACTION = 'http://terminology.hl7.org/CodeSystem/consentaction';

/** Requested action → listed actions that meet it. */
const MET_BY: Readonly<Record<string, readonly string[]>> = { access: ['access', 'correct'] };

const KNOWN = ['access', 'collect', 'correct', 'disclose', 'use'];

/** Who may not view, store or receive gets no copy; anything else denied leaves it unknown. */
const STOPS_COPY = ['access', 'collect', 'disclose'];

/**
 * Rule 16.
 *
 * @param listed - The actions of a provision.
 * @param requested - The action of the request.
 * @param kind - Whether the provision permits or denies.
 * @returns Whether the action is covered; a concept without a code that we know is unknown.
 */
export function actionHolds(listed: readonly CodeableConcept[], requested: string, kind: Kind): Truth {
  return some(
    listed.map((concept) => {
      const codes = codesOf(concept.coding, CONSENT_ACTION);
      if (kind === 'deny' && requested === 'disclose') {
        return codes.some((code) => STOPS_COPY.includes(code)) || undefined;
      }
      const met = MET_BY[requested] ?? [requested];
      return (
        codes.some((code) => met.includes(code)) ||
        (codes.length && codes.every((code) => KNOWN.includes(code)) ? false : undefined)
      );
    })
  );
}
