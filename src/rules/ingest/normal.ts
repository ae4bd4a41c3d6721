/** The same record in the form that readers expect: LOINC first, units of UCUM with their code, vital signs by category. Pure. */
import { LOINC } from '../../fhir/loinc.ts';
import { isObject, listOf, mapObjects } from './elements.ts';
import type { Elements } from './elements.ts';
import { VITAL_PANELS, VITAL_UNITS } from './profile.ts';

export const UCUM = 'http://unitsofmeasure.org';
const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category';

/**
 * @param resource - A record.
 * @returns The same: in each CodeableConcept LOINC codings come first, in their order; a vital sign whose unit is given as the text of a
 *   UCUM code has the code as well, and one without a category is categorised.
 */
export function normal(resource: Elements): Elements {
  const ordered = mapObjects(resource, (node) => {
    const codings = node['coding'];
    return Array.isArray(codings) ? { ...node, coding: loincFirst(codings) } : node;
  }) as Elements;
  return resource['resourceType'] === 'Observation' ? withCategory(withUnits(ordered)) : ordered;
}

/**
 * @param node - An Observation, or a component of one.
 * @returns The UCUM codes that its vital sign allows; undefined when it is none.
 */
export function vitalUnits(node: unknown): readonly string[] | undefined {
  return codesOf(node)
    .map((code) => (Object.hasOwn(VITAL_UNITS, code) ? VITAL_UNITS[code]?.split(' ') : undefined))
    .find(Boolean);
}

function codesOf(node: unknown): string[] {
  const concept = isObject(node) ? node['code'] : undefined;
  return listOf(isObject(concept) ? concept['coding'] : undefined).flatMap((each) =>
    isObject(each) && each['system'] === LOINC && typeof each['code'] === 'string' ? [each['code']] : []
  );
}

function loincFirst(codings: readonly unknown[]): unknown[] {
  const isFirst = (each: unknown): boolean => isObject(each) && each['system'] === LOINC;
  return [...codings.filter(isFirst), ...codings.filter((each) => !isFirst(each))];
}

function withUnits(observation: Elements): Elements {
  const complete = (node: unknown): unknown => {
    const quantity = isObject(node) ? node['valueQuantity'] : undefined;
    const unit = isObject(quantity) ? (quantity['code'] ?? quantity['unit']) : undefined;
    const isBare = isObject(quantity) && (quantity['system'] ?? UCUM) === UCUM;
    return isObject(node) && isObject(quantity) && isBare && vitalUnits(node)?.includes(String(unit))
      ? { ...node, valueQuantity: { ...quantity, system: UCUM, code: unit } }
      : node;
  };
  const { component } = observation;
  return {
    ...(complete(observation) as Elements),
    ...(Array.isArray(component) && { component: component.map(complete) }),
  };
}

function withCategory(observation: Elements): Elements {
  const isVital =
    vitalUnits(observation) !== undefined || codesOf(observation).some((code) => VITAL_PANELS.includes(code));
  return isVital && observation['category'] === undefined
    ? { ...observation, category: [{ coding: [{ system: CATEGORY, code: 'vital-signs' }] }] }
    : observation;
}
