/** Security labels (rules 8 and 17): the order of confidentiality and the hierarchy of sensitivity. */
import type { Coding } from '@medplum/fhirtypes';
import { V3_ACT_CODE, V3_CONFIDENTIALITY } from '../../fhir/systems.ts';
import { codesOf, hierarchy, normalSystem, sameCoding } from './coding.ts';
import type { Kind, Truth } from './three-valued.ts';
import { every, some } from './three-valued.ts';

/** v3-Confidentiality from unrestricted to very restricted. */
const LEVELS = 'ULMNRV';
const NORMAL = LEVELS.indexOf('N');

/**
 * v3-ActCode InformationSensitivityPolicy of FHIR R4, kept equal to the terminology by a test, with one addition:
 * IHE PCF puts ETHUD and OPIOIDUD below ETH, v3 below SUD; both hold.
 */
export const SENSITIVITIES = {
  '': 'ETH GDIS HIV MST SCA SDV SEX SPI STD TBOO VIO SICKLE DEMO DOB GENDER LIVARG MARST RACE REL B EMPL LOCIS SSP ADOL CEL DIA DRGIS EMP PDS PHY PRS',
  SPI: 'BH MH PSY PSYTHPN SUD',
  BH: 'COGN DVD EMOTDIS',
  SUD: 'ETHUD OPIOIDUD',
  ETH: 'ETHUD OPIOIDUD',
} as const;

const { knows, isA } = hierarchy(SENSITIVITIES);

/** ActCode labels that say how to handle data, not how sensitive they are: compartments, and an obligation we carry on. */
const HANDLING = /COMPT$|^NORDSCLCD$/;

/** The labels of data, or of a provision, by family. */
export interface Labels {
  /** The highest confidentiality as an index; -1 if none is given, -2 if one is not understood. */
  readonly level: number;
  /** Sensitivity codes; an ActCode label that we do not know counts as one. */
  readonly sensitivities: readonly string[];
  readonly others: readonly Coding[];
}

/**
 * Sorts labels by family.
 *
 * @param labels - Security labels.
 * @returns The families.
 */
export function readLabels(labels: readonly Coding[]): Labels {
  const levels = codesOf(labels, V3_CONFIDENTIALITY).map((code) => LEVELS.indexOf(code));
  const isUnreadable = labels.some(({ system, code }) => !system || !code);
  return {
    level: isUnreadable || levels.includes(-1) ? -2 : Math.max(-1, ...levels),
    sensitivities: codesOf(labels, V3_ACT_CODE).filter((code) => !HANDLING.test(code)),
    others: labels.filter((label) => !isFamily(label)),
  };
}

function isFamily(label: Coding): boolean {
  const system = normalSystem(label.system);
  return system === V3_CONFIDENTIALITY || (system === V3_ACT_CODE && !HANDLING.test(label.code ?? ''));
}

/**
 * Rule 17. Data without a confidentiality label are unassessed: nothing but a denied label that they carry is certain.
 *
 * @param listed - The labels of a provision.
 * @param data - The labels of the data.
 * @param kind - Whether the provision permits or denies.
 * @returns Whether the provision covers the data.
 */
export function labelHolds(listed: readonly Coding[], data: Labels, kind: Kind): Truth {
  return kind === 'permit' ? permits(readLabels(listed), data) : some(listed.map((label) => denies(label, data)));
}

function permits(listed: Labels, data: Labels): Truth {
  const asked: Truth[] = [];
  if (listed.level >= 0) {
    asked.push(data.level <= listed.level);
  }
  if (listed.sensitivities.length) {
    asked.push(
      data.sensitivities.every((code) => coveredBy(code, listed)) &&
        (data.sensitivities.length > 0 || listed.level >= 0)
    );
  }
  if (listed.others.length) {
    asked.push(listed.others.some((label) => data.others.some((other) => sameCoding(label, other))));
  }
  return data.level < 0 || !asked.length ? undefined : every(asked);
}

function denies(label: Coding, data: Labels): Truth {
  const { level, sensitivities } = readLabels([label]);
  const unassessed = data.level < 0 ? undefined : false;
  if (level >= 0) {
    return data.level < 0 ? undefined : data.level >= level;
  }
  const [denied] = sensitivities;
  if (denied !== undefined) {
    const relation = (code: string): Truth =>
      isA(code, denied) || (isA(denied, code) || !knows(code) || !knows(denied) ? undefined : false);
    return some([...data.sensitivities.map(relation), unassessed]);
  }
  const readable = label.system && label.code && normalSystem(label.system) !== V3_CONFIDENTIALITY;
  return readable ? some([data.others.some((other) => sameCoding(label, other)), unassessed]) : undefined;
}

function coveredBy(sensitivity: string, listed: Labels): boolean {
  return listed.sensitivities.some((code) => isA(sensitivity, code));
}

/**
 * The HRex policy `#regular` (rule 8): labelled, at most N, and no sensitivity.
 *
 * @param data - The labels of the data.
 * @returns True if the data are regular.
 */
export function isRegular(data: Labels): boolean {
  return data.level >= 0 && data.level <= NORMAL && data.sensitivities.length === 0;
}

/**
 * Whether a provision names every restricted label of the data: each sensitivity, V, and R unless a named sensitivity is the reason for it.
 *
 * @param listed - The labels of the deciding provision.
 * @param data - The labels of the data.
 * @returns True if it does, or if there is nothing to name.
 */
export function namesRestrictions(listed: readonly Coding[], data: Labels): boolean {
  const named = readLabels(listed);
  const sensitive = data.sensitivities.length > 0;
  const explained = data.level <= NORMAL || named.level >= data.level || (sensitive && LEVELS[data.level] === 'R');
  return data.level !== -2 && explained && data.sensitivities.every((code) => coveredBy(code, named));
}
