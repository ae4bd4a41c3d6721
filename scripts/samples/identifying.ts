/**
 * Every string of a record that names its people: what must not be found anywhere in what leaves. It is written apart
 * from the de-identification rules on purpose, and looks at shapes of FHIR data instead of paths: what finds leaks must
 * not share the blind spots of what prevents them.
 */
import type { Resource } from '@medplum/fhirtypes';

/** A string to look for. */
export interface IdentifyingString {
  readonly kind: 'name' | 'address' | 'telecom' | 'identifier' | 'birth-date' | 'display' | 'free-text';
  readonly value: string;
}

/** Shorter strings are found in everything. */
const MIN_LENGTH = 4;
/** A free text this short is a code in disguise (`Positive`). */
const MIN_TEXT_LENGTH = 16;

/** Elements of the type Identifier under other names. */
const IDENTIFIERS: ReadonlySet<string> = new Set(['masterIdentifier', 'groupIdentifier', 'requisition']);
const TEXTS: ReadonlySet<string> = new Set(
  'text valueString onsetString comment description patientInstruction title conclusion series'.split(' ')
);

type Tree = Readonly<Record<string, unknown>>;
type Visitor = (key: string, value: unknown, parent: Tree) => void;

/**
 * Lists what identifies somebody: names, addresses below the state, telecom, identifiers and original ids, birth and
 * death dates, displays of references, and free text that is not the display of a code.
 *
 * @param input - A Bundle, or any resource.
 * @returns Each string once.
 */
export function identifyingStrings(input: Resource): IdentifyingString[] {
  const vocabulary = displaysOf(input);
  // A person may be called Blood or English: names are looked for whatever codes are called.
  const isVocabulary = (kind: IdentifyingString['kind'], value: string): boolean =>
    (kind === 'display' || kind === 'free-text') && vocabulary.has(value.trim().toLowerCase());
  const found = new Map<string, IdentifyingString>();
  const add = (kind: IdentifyingString['kind'], ...values: readonly unknown[]): void => {
    for (const value of values.flat()) {
      if (typeof value === 'string' && value.trim().length >= MIN_LENGTH && !isVocabulary(kind, value)) {
        found.set(value.trim(), found.get(value.trim()) ?? { kind, value: value.trim() });
      }
    }
  };
  const addText = (value: unknown): void => {
    if (typeof value === 'string' && value.trim().length >= MIN_TEXT_LENGTH) {
      add('free-text', value);
    }
  };
  visit(input, (key, value, parent) => {
    if (isHumanName(key, value)) {
      const { text, family, given } = value;
      add(
        'name',
        text,
        family,
        given,
        typeof family === 'string' ? firstsOf(given).map((first) => `${first} ${family}`) : []
      );
    } else if (isAddress(key, value)) {
      add('address', value['text'], value['line'], value['city'], value['district'], value['postalCode']);
    } else if (key === 'identifier' || IDENTIFIERS.has(key)) {
      add('identifier', ...listOf(value).map((one) => one['value']));
    } else if (key === 'telecom') {
      add('telecom', ...listOf(value).map((one) => one['value']));
    } else if (
      key === 'id' &&
      typeof value === 'string' &&
      'resourceType' in parent &&
      /\d/.test(value) &&
      value.length >= 8
    ) {
      add('identifier', value);
    } else if (key === 'birthDate' || key === 'deceasedDateTime') {
      add('birth-date', value);
    } else if (key === 'display' && !('code' in parent)) {
      add('display', value);
    } else if (key === 'name' && typeof value === 'string' && 'resourceType' in parent) {
      add('name', value);
    } else if (key === 'lotNumber') {
      add('identifier', value);
    } else if (key === 'div') {
      addText(plain(value));
    } else if (key === 'authorString' || (key === 'valueString' && 'url' in parent && parent['url'] !== 'text')) {
      add('name', value);
    } else if (TEXTS.has(key)) {
      addText(value);
    }
  });
  return [...found.values()];
}

/** What a code is called is no secret, also where it is repeated as text. */
function displaysOf(input: Resource): ReadonlySet<string> {
  const displays = new Set<string>();
  visit(input, (key, value, parent) => {
    if (key === 'display' && 'code' in parent && typeof value === 'string') {
      displays.add(value.trim().toLowerCase());
    }
  });
  return displays;
}

function visit(value: unknown, visitor: Visitor): void {
  if (Array.isArray(value)) {
    value.forEach((item) => visit(item, visitor));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      for (const one of key === 'name' || key === 'address' || key === 'contact' ? listOrSelf(child) : [child]) {
        visitor(key, one, value as Tree);
      }
      visit(child, visitor);
    }
  }
}

const listOrSelf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);
const listOf = (value: unknown): readonly Tree[] =>
  listOrSelf(value).filter((item): item is Tree => typeof item === 'object' && item !== null);
const firstsOf = (given: unknown): readonly string[] =>
  Array.isArray(given) ? given.filter((one): one is string => typeof one === 'string') : [];

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isHumanName(key: string, value: unknown): value is Tree {
  return (
    (key === 'name' || key.endsWith('HumanName')) &&
    isTree(value) &&
    ('family' in value || 'given' in value || 'text' in value)
  );
}

function isAddress(key: string, value: unknown): value is Tree {
  return (key === 'address' || key.endsWith('Address')) && isTree(value);
}

function plain(div: unknown): string {
  return typeof div === 'string'
    ? div
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim()
    : '';
}
