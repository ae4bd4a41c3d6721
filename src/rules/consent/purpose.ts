/** Purpose of use (rules 2, 5, 13, 14): v3-ActReason downwards, with three purposes that must always be named. */
import type { Coding } from '@medplum/fhirtypes';
import { V3_ACT_REASON } from '../../fhir/systems.ts';
import { hierarchy, normalSystem, sameCoding } from './coding.ts';
import type { Kind, Truth } from './three-valued.ts';
import { some } from './three-valued.ts';

/**
 * v3-ActReason PurposeOfUse of FHIR R4, kept equal to the terminology by a test, with one cut: BTG, CLINTRL and POPHLTH lie
 * below TREAT there, but are never reached from it (rule 13), so they have no parent here.
 */
export const PURPOSES = {
  '': 'HMARKT HOPERAT HPAYMT HRESCH PATRQT PUBHLTH TREAT BTG CLINTRL POPHLTH',
  HOPERAT:
    'CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP HSYSADMIN MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV TRAIN',
  HSYSADMIN: 'LABELING METAMGT',
  SYSDEV: 'HTEST',
  HPAYMT: 'CLMATTCH COVAUTH COVERAGE REMITADV',
  COVERAGE: 'ELIGDTRM ELIGVER ENROLLM MILDCRG',
  HRESCH: 'BIORCH CLINTRCH DSRCH POARCH TRANSRCH',
  CLINTRCH: 'CLINTRCHNPC CLINTRCHPC PRECLINTRCH',
  PATRQT: 'FAMRQT PWATRNY SUPNWK',
  PUBHLTH: 'DISASTER THREAT',
  TREAT: 'COC ETREAT',
  ETREAT: 'ERTREAT',
} as const;

const { knows, isA } = hierarchy(PURPOSES);

/**
 * Reads a purpose: the seeds' word CARE, bare or in our own system, is TREAT; a bare code is v3-ActReason.
 *
 * @param purpose - A code or a Coding.
 * @param dataClassSystem - Our system of data classes, beside which our system of purposes stands.
 * @returns The purpose in its normal spelling.
 */
export function readPurpose(purpose: string | Coding, dataClassSystem: string): Coding {
  const coding = typeof purpose === 'string' ? { system: V3_ACT_REASON, code: purpose } : purpose;
  const system = normalSystem(coding.system);
  const isCare = coding.code === 'CARE' && (typeof purpose === 'string' || system === careSystem(dataClassSystem));
  return isCare ? { system: V3_ACT_REASON, code: 'TREAT' } : { ...coding, ...(system && { system }) };
}

function careSystem(dataClassSystem: string): string {
  return dataClassSystem.replace(/[^/]*$/, 'purpose');
}

/**
 * Whether a purpose equals another or lies below it; codes of other systems only equal themselves.
 *
 * @param purpose - The narrower one, read.
 * @param listed - The broader one, read.
 * @returns True if it does.
 */
export function isBelowPurpose(purpose: Coding, listed: Coding): boolean {
  const both = purpose.system === V3_ACT_REASON && listed.system === V3_ACT_REASON;
  return sameCoding(purpose, listed) || (both && isA(purpose.code ?? '', listed.code ?? '?'));
}

/**
 * Rule 13.
 *
 * @param listed - The purposes of a provision, read.
 * @param purpose - The purpose of the request, read.
 * @param kind - Whether the provision permits or denies.
 * @returns For a deny, unknown if the request is broader than the listed purpose or the listed code is not understood.
 */
export function purposeHolds(listed: readonly Coding[], purpose: Coding, kind: Kind): Truth {
  return some(
    listed.map((code) => {
      if (isBelowPurpose(purpose, code)) {
        return true;
      }
      const unclear = !code.system || !code.code || (code.system === V3_ACT_REASON && !knows(code.code));
      return unclear || (kind === 'deny' && isBelowPurpose(code, purpose)) ? undefined : false;
    })
  );
}

/**
 * Whether a purpose is research (HRESCH and below).
 *
 * @param purpose - A purpose, read.
 * @returns True if it is.
 */
export function isResearch(purpose: Coding): boolean {
  return isBelowPurpose(purpose, { system: V3_ACT_REASON, code: 'HRESCH' });
}

/**
 * Whether a permit must state the purpose to reach it (rule 14): everything but treatment as reached from TREAT.
 *
 * @param purpose - A purpose, read.
 * @returns True if silence does not cover it.
 */
export function mustBeStated(purpose: Coding): boolean {
  return !isBelowPurpose(purpose, { system: V3_ACT_REASON, code: 'TREAT' });
}

/**
 * The code of a purpose if it is one of the closed list, so that it may be shown.
 *
 * @param purpose - A purpose, read.
 * @returns The v3-ActReason code, or undefined.
 */
export function publicPurpose(purpose: Coding): string | undefined {
  return purpose.system === V3_ACT_REASON && knows(purpose.code ?? '') ? purpose.code : undefined;
}
