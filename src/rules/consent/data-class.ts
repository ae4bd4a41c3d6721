/** Resource → class(es) of data, by type, category, LOINC, ICD-10 and security label: one table. */
import type { Coding, Resource } from '@medplum/fhirtypes';
import { DATA_CLASSES } from '../../fhir/data-classes.ts';
import type { DataClass } from '../../fhir/data-classes.ts';
import { V3_ACT_CODE } from '../../fhir/systems.ts';
import { normalSystem } from './coding.ts';
import type { Facts } from './facts.ts';
import { factsOf } from './facts.ts';

/**
 * Types that are one class. Observation and DiagnosticReport are not here: they may be anything, and say what by category or code.
 * FamilyMemberHistory is genetic information (45 CFR 160.103: "the manifestation of a disease or disorder in family members").
 */
const TYPES: Readonly<Partial<Record<DataClass, string>>> = {
  DEMOGRAPHICS: 'Patient',
  ENCOUNTERS: 'Encounter EpisodeOfCare',
  LAB_RESULTS: 'Specimen',
  MEDICATIONS: 'MedicationRequest MedicationStatement MedicationAdministration MedicationDispense',
  CONDITIONS: 'Condition',
  ALLERGIES: 'AllergyIntolerance',
  PROCEDURES: 'Procedure ImagingStudy',
  IMMUNIZATIONS: 'Immunization ImmunizationEvaluation ImmunizationRecommendation',
  CLINICAL_NOTES: 'DocumentReference Composition ClinicalImpression',
  CARE_PLANS: 'CarePlan CareTeam Goal ServiceRequest NutritionOrder',
  GENETICS: 'MolecularSequence FamilyMemberHistory',
};

/** Categories of Observation (observation-category) and DiagnosticReport (v2-0074, LOINC parts of US Core). */
const CATEGORIES: Readonly<Partial<Record<DataClass, string>>> = {
  VITAL_SIGNS: 'vital-signs',
  LAB_RESULTS: 'laboratory LAB BG BLB CH HM IMM MB MCB MYC OSL PAR SR TX URN VR',
  PROCEDURES: 'imaging procedure therapy CTH EC EN PF',
  // Social history, surveys, examinations and activity are what clinicians write down; the closed list has no class nearer.
  CLINICAL_NOTES:
    'social-history survey exam activity CP PAT SP AU CT CUS IMG NMR NMS OUS PHY RAD RUS RX VUS XRC LP29684-5 LP29708-2 LP7839-6 LP29693-6 LP31405-4',
  GENETICS: 'GE CG',
};

/** FHIR's vital signs, the commonest laboratory codes, and the codes of the HL7 genetic report (LOINC 81247-9). */
const LOINC: Readonly<Partial<Record<DataClass, string>>> = {
  VITAL_SIGNS:
    '85353-1 9279-1 8867-4 2708-6 59408-5 8310-5 8331-1 8302-2 9843-4 8287-5 29463-7 3141-9 39156-5 59576-9 77606-2 85354-9 55284-4 8480-6 8462-4 8478-0 72514-3',
  LAB_RESULTS:
    '2339-0 2345-7 15074-8 1558-6 4548-4 17856-6 2160-0 38483-4 33914-3 62238-1 3094-0 6299-2 2951-2 2947-0 2823-3 6298-4 2075-0 2069-3 2028-9 20565-8 17861-6 49765-1 1751-7 2885-2 1975-2 1742-6 1920-8 6768-6 2093-3 2571-8 2085-9 18262-6 13457-7 718-7 4544-3 20570-8 6690-2 789-8 777-3 785-6 786-4 787-2 788-0 3016-3 14959-1 9318-7 5902-2 6301-6 2276-4 2857-1 1988-5 10839-9 94500-6 24323-8 51990-0 24320-4 57698-3 58410-2 24357-6',
  GENETICS:
    '81247-9 51969-4 55233-1 55232-3 51968-6 69548-6 48018-6 48004-6 48005-3 48002-0 48013-7 48019-4 48003-8 47998-0 47999-8 48006-1 51958-7 53034-5 53037-8 81252-9 81253-7 81254-5 81255-2 81258-6 81259-4 81290-9 81291-7 81293-3 81304-8 82155-3 83005-9 84413-4 51963-7 51961-1 50397-9 36908-2 21636-6 21640-8 35464-7 38404-0 41103-3 53627-6 62374-4 92821-8',
};

const OBSERVATION_CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category';
const CATEGORY_SYSTEMS = [OBSERVATION_CATEGORY, 'http://terminology.hl7.org/CodeSystem/v2-0074', 'http://loinc.org'];
const GENETIC_PROFILE = /genomics-reporting|observation-genetics|hlaresult|\/family-member-history-genetic/;

const byType = invert(TYPES);
const byCategory = invert(CATEGORIES);
const byLoinc = invert(LOINC);

function invert(table: Readonly<Partial<Record<DataClass, string>>>): ReadonlyMap<string, DataClass> {
  return new Map(
    Object.entries(table).flatMap(([name, codes]) => codes.split(' ').map((code) => [code, name as DataClass] as const))
  );
}

/**
 * The classes of a resource.
 *
 * @param resource - The resource.
 * @param facts - Its facts, if they are already at hand.
 * @returns Every class that its type, categories, codes or labels show; empty if it cannot be classified.
 */
export function classify(resource: Resource, facts: Facts = factsOf(resource, 0)): readonly DataClass[] {
  const found = new Set<DataClass | undefined>([byType.get(resource.resourceType), geneticsOf(resource, facts)]);
  if (resource.resourceType === 'Observation' || resource.resourceType === 'DiagnosticReport') {
    for (const coding of (resource.category ?? []).flatMap((concept) => concept.coding ?? [])) {
      const system = normalSystem(coding.system) ?? '';
      const known = CATEGORY_SYSTEMS.includes(system) ? byCategory.get(coding.code ?? '') : undefined;
      if (!known && system === OBSERVATION_CATEGORY) {
        // A category that R4 does not know: part of the resource is of no class of ours, so a permit cannot cover it.
        return found.has('GENETICS') ? ['GENETICS'] : [];
      }
      found.add(known);
    }
    for (const coding of resource.code?.coding ?? []) {
      found.add(loincClass(coding));
    }
  }
  return DATA_CLASSES.filter((name) => found.has(name));
}

function loincClass(coding: Coding): DataClass | undefined {
  return normalSystem(coding.system) === 'http://loinc.org' ? byLoinc.get(coding.code ?? '') : undefined;
}

/** Any genetic code at any depth, a genetic profile, a label GDIS, or ICD-10-CM Z14 (carrier) and Z15 (susceptibility). */
function geneticsOf(resource: Resource, facts: Facts): DataClass | undefined {
  const isGenetic =
    facts.codings.some(
      (c) => loincClass(c) === 'GENETICS' || (/icd-10/.test(c.system ?? '') && /^Z1[45]/.test(c.code ?? ''))
    ) ||
    facts.labels.some((label) => label.code === 'GDIS' && normalSystem(label.system) === V3_ACT_CODE) ||
    (resource.meta?.profile ?? []).some((profile) => GENETIC_PROFILE.test(profile));
  return isGenetic ? 'GENETICS' : undefined;
}
