/** A FHIR resource in a line that people can read, whatever its type, original or copy. Pure. */
import type { CodeableConcept, Coding, Quantity, Resource } from '@medplum/fhirtypes';
import type { Line } from './view.ts';

const KINDS: Readonly<Record<string, string>> = {
  Patient: 'Person',
  Encounter: 'Visit',
  Observation: 'Measurement',
  Condition: 'Diagnosis',
  AllergyIntolerance: 'Allergy',
  ServiceRequest: 'Order',
  CarePlan: 'Care plan',
  MedicationRequest: 'Medication',
  Procedure: 'Procedure',
  Immunization: 'Immunization',
  DiagnosticReport: 'Report',
  DocumentReference: 'Document',
};

const SYSTEMS: Readonly<Record<string, string>> = {
  'http://loinc.org': 'LOINC',
  'http://snomed.info/sct': 'SNOMED CT',
  'http://www.nlm.nih.gov/research/umls/rxnorm': 'RxNorm',
  'http://hl7.org/fhir/sid/icd-10-cm': 'ICD-10',
  'http://hl7.org/fhir/sid/cvx': 'CVX',
  'http://terminology.hl7.org/CodeSystem/v3-ActCode': 'visit',
};

/** Where the types keep what they are about, and when it was. */
const CODES = ['code', 'vaccineCode', 'medicationCodeableConcept', 'type', 'class', 'category'];
const DATES = [
  'birthDate',
  'effectiveDateTime',
  'effectiveInstant',
  'period',
  'onsetDateTime',
  'occurrenceDateTime',
  'performedDateTime',
  'performedPeriod',
  'authoredOn',
  'recordedDate',
  'issued',
  'date',
  'created',
];

type Tree = Readonly<Record<string, unknown>>;

/**
 * @param resourceType - A FHIR type.
 * @returns A word for it.
 */
export function kindOf(resourceType: string): string {
  return KINDS[resourceType] ?? resourceType;
}

/**
 * @param resource - A resource.
 * @returns What it says, and when.
 */
export function lineOf(resource: Resource): Line {
  const tree = resource as unknown as Tree;
  const title = nameOf(tree) ?? CODES.map((element) => conceptText(tree[element])).find(Boolean) ?? 'without a code';
  const { quantity, components } = valuesOf(tree);
  const facts = [
    quantity && quantityText(quantity),
    ...components.map(quantityText),
    conceptText(tree['valueCodeableConcept']),
    typeof tree['gender'] === 'string' ? tree['gender'] : undefined,
    dateOf(tree),
  ];
  return { title, detail: facts.filter(Boolean).join(' · ') };
}

/**
 * @param resource - A resource.
 * @returns Its number, where it has one.
 */
export function quantityOf(resource: Resource): Quantity | undefined {
  const { quantity } = valuesOf(resource as unknown as Tree);
  return quantity?.value === undefined ? undefined : quantity;
}

function nameOf({ name }: Tree): string | undefined {
  const [first] = (Array.isArray(name) ? name : []) as { text?: string; given?: string[]; family?: string }[];
  return first && (first.text ?? [...(first.given ?? []), first.family ?? ''].join(' ').trim());
}

function valuesOf(tree: Tree): { readonly quantity: Quantity | undefined; readonly components: readonly Quantity[] } {
  const components = (tree['component'] ?? []) as { valueQuantity?: Quantity }[];
  return {
    quantity: tree['valueQuantity'] as Quantity | undefined,
    components: components.flatMap(({ valueQuantity }) => valueQuantity ?? []),
  };
}

function quantityText({ value, unit, code }: Quantity): string {
  return `${value ?? '?'} ${unit ?? code ?? ''}`.trim();
}

/** Copies have codes and no labels: then the code itself is the text. */
function conceptText(value: unknown): string | undefined {
  const concept = (Array.isArray(value) ? value[0] : value) as (CodeableConcept & Coding) | undefined;
  const coding: Coding | undefined = concept?.coding?.[0] ?? (concept?.code ? concept : undefined);
  const label = concept?.text ?? coding?.display ?? concept?.display;
  return label ?? (coding?.code ? `${SYSTEMS[coding.system ?? ''] ?? 'code'} ${coding.code}` : undefined);
}

function dateOf(tree: Tree): string | undefined {
  for (const element of DATES) {
    const value = tree[element] as string | { start?: string } | undefined;
    const text = typeof value === 'string' ? value : value?.start;
    if (text) {
      return element === 'birthDate' ? `born ${text}` : text.slice(0, 10);
    }
  }
  return undefined;
}
