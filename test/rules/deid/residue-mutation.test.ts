/** Every check of the residue is guarded: it is built once without each of them, and some draft must be judged otherwise. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { transform } from '../../../src/rules/deid/deidentify.ts';
import { patientKeys } from '../../../src/rules/deid/keys.ts';
import type { Evidence, residue as Residue } from '../../../src/rules/deid/residue.ts';
import { factsOf } from '../../../src/rules/deid/sweep.ts';
import { AT, aContext, anObservation, aPatient, HL7, KEY, LOINC, SNOMED, SYSTEMS, UCUM } from './support.ts';

type Draft = Record<string, unknown>;
interface Look {
  readonly draft: Draft;
  readonly evidence?: Partial<Evidence>;
  readonly hit?: string;
}

const folder = fileURLToPath(new URL('../../../src/rules/deid/', import.meta.url));
const keys = patientKeys(KEY, String(aPatient().id));
const observed = transform(anObservation(), aContext()) as unknown as Draft;
const person = transform(aPatient(), aContext()) as unknown as Draft;
const RAW = 'bcdfghjkmpqrtvwxbcdfghjkmpqrtvwx';
const own = { facts: factsOf(aPatient({ id: RAW })) };
const MASK = { url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked' };
const token = keys.token('Observation', 'o-1');
const safe = { profile: 'safe-harbor' } as const;
const patient: Partial<Evidence> = { source: aPatient() };
const harbor = { ...patient, ...safe };
const NAME = [{ text: `Patient [${keys.patientToken.slice(3, 6).toUpperCase()}]`, family: '***', given: ['***'] }];
const nested = (depth: number): Draft => (depth === 0 ? { a: 'x' } : { a: nested(depth - 1) });

const on = (changes: Draft, hit?: string, evidence: Partial<Evidence> = {}): Look => ({
  draft: { ...observed, ...changes },
  evidence,
  ...(hit && { hit }),
});
const at = (changes: Draft, hit?: string, evidence = patient): Look => ({
  draft: { ...person, ...changes },
  evidence,
  ...(hit && { hit }),
});
const status = (text: string, hit: string): Look => on({ status: text }, hit);
const coded = (system: string, code: string, hit?: string): Look =>
  on({ category: [{ coding: [{ system, code }] }] }, hit);
const unit = (code: string, hit?: string): Look => on({ valueQuantity: { value: 1, system: UCUM, code } }, hit);
const place = (address: unknown, hit?: string): Look => ({
  draft: { resourceType: 'Patient', address },
  evidence: harbor,
  ...(hit && { hit }),
});
const year = (birthDate: unknown, hit?: string, evidence = patient): Look => ({
  draft: { resourceType: 'Patient', birthDate },
  evidence,
  ...(hit && { hit }),
});

const forbidden = /'(id\|[\w|]+)'/.exec(readFileSync(`${folder}residue/elements.ts`, 'utf8'))?.[1]?.split('|') ?? [];

// One draft a line.
// prettier-ignore
const LOOKS: readonly Look[] = [
  on({}), at({}), at({ name: NAME }), unit('mmol/L'), coded(LOINC, '8302-2'), on({ valueInteger: 100_000 }), on({ valueInteger: 20_000_000 }),
  on({ type: 'allergy' }), on({ effectiveDateTime: '2019-03' }), on({ performer: [{ extension: [MASK] }] }, 'residue-element'), on({ extension: [MASK] }),
  ...forbidden.map((name) => on({ category: [{ [name]: true }] }, 'residue-element')),
  on({ valueString: true }, 'residue-element'), on({ a: nested(14) }, 'residue-element'), on({ category: [] }, 'residue-element'),
  on({ category: [['x']] }, 'residue-element'), on({ category: null }, 'residue-element'), on({ name: NAME }, 'residue-element'),
  at({ name: [{ ...NAME[0], use: 'usual' }] }, 'residue-element'), at({ contact: [{ name: { family: 'x' } }] }, 'residue-element'),
  on({ contact: [{ gender: 'x' }] }, 'residue-element'), on({ component: [{ performer: [{ actor: 'x' }] }] }, 'residue-element'),
  on({ performer: [{ actor: { status: 'x' } }] }, 'residue-element'), on({ performer: [{ actor: { extension: [MASK], status: 'x' } }] }, 'residue-element'),
  on({ performer: [{ actor: { extension: [MASK] } }] }), on({ securityLabel: [{ coding: [] }] }, 'residue-element'),
  on({ category: [{ securityLabel: [{ status: 'x' }] }] }, 'residue-element'), on({ component: [{ address: { state: 'MA' } }] }, 'residue-element'),
  on({ extension: [{ url: 'http://x', valueCode: 'masked' }] }, 'residue-element'), on({ extension: [{ ...MASK, valueCode: 'x' }] }, 'residue-element'),
  on({ extension: [{ ...MASK, extra: 'x' }] }, 'residue-element'), on({ extension: [MASK, MASK] }, 'residue-element'),
  on({ extension: [{ url: `${SYSTEMS.namespace}/encrypted-payload`, valueUri: `${SYSTEMS.namespace}/payload/${String((observed['identifier'] as Draft[])[0]?.['value'])}` }] }),
  on({ category: [{ identifier: [{ value: 'x' }], extension: [{ url: `${SYSTEMS.namespace}/encrypted-payload`, valueUri: `${SYSTEMS.namespace}/payload/x` }] }] }, 'residue-reference'),
  on({ category: [{ extension: [{ url: `${SYSTEMS.namespace}/encrypted-payload`, valueUri: `${SYSTEMS.namespace}/payload/x` }], identifier: { system: SYSTEMS.resourceToken, value: token } }] }, 'residue-element'),
  on({ subject: { reference: `Patient?identifier=${SYSTEMS.resourceToken}|${keys.patientToken}` } }, 'residue-reference'),
  on({ subject: { reference: `Patient?identifier=${SYSTEMS.patientToken}|pt_x` } }, 'residue-reference'),
  on({ encounter: { reference: `Encounter?identifier=${SYSTEMS.resourceToken}|enc_${RAW}` } }, 'residue-sweep', own),
  on({ identifier: [{ system: SYSTEMS.resourceToken, value: `obs_${RAW}` }] }, 'residue-sweep', own),
  on({ identifier: [{ system: SYSTEMS.resourceToken, value: token }, { system: 'x', value: 'y' }] }, 'residue-reference'),
  on({ identifier: [{ system: SYSTEMS.resourceToken, value: token, use: 'usual' }] }, 'residue-reference'),
  on({ identifier: [{ system: SYSTEMS.resourceToken, value: 'obs_7c1e2a90' }] }, 'residue-reference'),
  on({ identifier: [{ system: SYSTEMS.patientToken, value: token }] }, 'residue-reference'),
  on({ effectiveDateTime: '2019-02-03T16:48:38-05:00' }, 'residue-date'), on({ effectiveDateTime: '2019-02-03' }, 'residue-date'),
  { draft: { resourceType: 'Observation', effectiveDateTime: '2019-02' }, evidence: safe, hit: 'residue-date' }, on({ effectiveDateTime: '2013' }, 'residue-date'), on({ effectiveDateTime: '2018' }, 'residue-date'),
  on({ effectiveDateTime: '2022' }, 'residue-date'), on({ effectiveDateTime: '2020' }), on({ authoredOn: observed['effectiveDateTime'] }, 'residue-date'),
  year('1970'), year('1971', 'residue-date'), year('1965', 'residue-date'), year('1975', 'residue-date'), year('1970-04', 'residue-date'), year(1970, 'residue-date'), year('1971', undefined, harbor), year('1970', 'residue-date', harbor),
  year('1930', 'residue-date', { source: aPatient({ birthDate: '1930-01-01' }) }), year('1930', undefined, { source: aPatient({ birthDate: '1930-01-01', deceasedDateTime: '1990-01-01' }) }), year('1970', 'residue-date', { source: anObservation() }),
  { draft: { resourceType: 'Observation', effectiveDateTime: '2020' }, evidence: safe, hit: 'residue-date' },
  on({ component: [{ performer: [{ function: 'x' }] }] }, 'residue-element'), on({ performer: [{ actor: { extension: [{ ...MASK, valueCode: 'x' }] } }] }, 'residue-element'),
  on({ category: [{ coding: [{ system: LOINC, code: '8302-2' }, { system: LOINC, code: '8302-2', display: 'x' }] }] }, 'residue-element'),
  place([{ state: 'MA', postalCode: '021', country: 'US' }]), place([{ state: 'MA', postalCode: '000' }]), place([{ state: 'Mass' }], 'residue-element'), place([{ state: 'MA', country: 'CA' }], 'residue-element'),
  place([{ state: 'MA', type: 'x' }], 'residue-element'), place([{ postalCode: '02149' }], 'residue-element'), place([{ postalCode: '999' }], 'residue-element'), place('x', 'residue-element'),
  { draft: { resourceType: 'Patient', address: [{ postalCode: '036' }] }, evidence: { ...safe, source: aPatient({ address: [{ postalCode: '03600' }] }) }, hit: 'residue-element' },
  at({ address: [{ state: 'MA' }] }, 'residue-element'), on({ address: { state: 'MA', postalCode: '000' } }, 'residue-element'), on({ address: { state: 'MA' } }),
  on({ resourceType: 'quill x' }, 'residue-shape'), on({ reasonReference: { type: 'allergy', identifier: { system: SYSTEMS.resourceToken, value: token } } }, 'residue-shape'),
  coded('urn:oid:1.2.3', '8302-2', 'residue-shape'), coded(`${HL7}observation-category`, '00418812', 'residue-shape'), coded(`${HL7}observation-category`, 'Quillfeather', 'residue-sweep'), coded(SNOMED, '999418877', 'residue-sweep'),
  status('a@b', 'residue-shape'), status('two words', 'residue-shape'), status('x://y', 'residue-shape'), status('www.x', 'residue-shape'), status('123-45-6789', 'residue-shape'), status('02149-1234', 'residue-shape'), status('a+1234567', 'residue-shape'),
  status('x(617)', 'residue-shape'), status('617.555.0100', 'residue-shape'), status('555-0100', 'residue-shape'), status('7c1e2a90-1111-x', 'residue-shape'), status('10.1.2.3', 'residue-shape'), status('42.3601,-71.0', 'residue-shape'), status('x'.repeat(65), 'residue-shape'), status('02149', 'residue-shape'), status('Quillfeather', 'residue-sweep'),
  on({ valueInteger: Infinity }, 'residue-element'), on({ valueInteger: 999418877 }, 'residue-sweep'), on({ valueDecimal: 12345678.5 }, 'residue-shape'), on({ valueInteger: 12345678 }, 'residue-shape'), on({ valueInteger: 1e16 }, 'residue-shape'), on({ valueDecimal: 55586.75309 }, 'residue-sweep'),
  unit('{Quillfeather}', 'residue-sweep'), unit('{a@b}', 'residue-shape'), unit('x'.repeat(41), 'residue-shape'), unit('12345', 'residue-shape'), unit('1a2b3c4d5e6f7', 'residue-shape'),
];

type Fault = readonly [file: string, find: string, replace: string];

// One fault a line.
// prettier-ignore
const FAULTS: readonly Fault[] = [
  ['residue.ts', "if (depth > MAX_DEPTH) return 'residue-element';", ''],
  ['residue.ts', ' && isPair(object)', ''],
  ['residue.ts', 'return checkString(name, value, parent, scope)', 'return undefined'],
  ['residue.ts', 'return checkNumber(value, scope)', 'return undefined'],
  ['residue.ts', "if (typeof value !== 'object' || value === null) return 'residue-element';", 'if (value === null) return undefined;'],
  ['residue.ts', "if (list.length === 0) return 'residue-element';", ''],
  ['residue.ts', "Array.isArray(each) ? 'residue-element' :", 'Array.isArray(each) ? undefined :'],
  ['residue/dates.ts', "if (scope.profile === 'safe-harbor') return 'residue-date';", ''],
  ['residue/dates.ts', "return isOwn ? undefined : 'residue-date';\n}\n\n/**", 'return undefined;\n}\n\n/**'],
  ['residue/dates.ts', "scope.profile === 'safe-harbor' ? 0 : 2", '2'],
  ['residue/dates.ts', 'gap >= 0 && ', ''],
  ['residue/dates.ts', ' && gap <= most', ''],
  ['residue/dates.ts', 'isAnyAt(source, path, 0, test)', 'isAnyAt(source, ["effectiveDateTime"], 0, test)'],
  ...forbidden.map((name): Fault => ['residue/elements.ts', name === 'id' ? "'id|" : name === forbidden.at(-1) ? `|${name}'` : `|${name}|`, name === 'id' ? "'" : name === forbidden.at(-1) ? "'" : '|']),
  ['residue/elements.ts', "depth === 0 ? checkPlace(value, scope) : 'residue-element'", 'checkPlace(value, scope)'],
  ['residue/elements.ts', 'refuseUnless(isMask(value) || (depth === 0 && isPointer(value, parent, scope)))', 'undefined'],
  ['residue/elements.ts', 'refuseUnless(isPatient && (', 'refuseUnless(('],
  ['residue/elements.ts', 'isMaskedName(value, keys)', 'true'],
  ['residue/elements.ts', ': isMasked(value))', ': true)'],
  ['residue/elements.ts', "'actor', 'manipulated'].map", "'manipulated'].map"],
  ['residue/elements.ts', "(depth === 0 ? 'look-inside' : 'residue-element')]", "'look-inside']"],
  ['residue/elements.ts', 'checkIdentifier(value, scope, depth)]', "'look-inside']"],
  ['residue/elements.ts', "isYear(value, scope) ? undefined : 'residue-date'", 'undefined'],
  ['residue/elements.ts', 'return isText ? refuse :', 'return isText ? undefined :'],
  ['residue/elements.ts', 'if (depth > 0) return refuseUnless(isMasked(value));', ''],
  ['residue/elements.ts', '.every((name) => members.includes(name))', '.every(() => true)'],
  ['residue/elements.ts', 'isMask(extension) && Object', 'Object'],
  ['residue/elements.ts', ' && Object.keys(rest).length === 0', ''],
  ['residue/elements.ts', ' && value.length === 1', ''],
  ['residue/elements.ts', "one['url'] === MASK_URL && ", ''],
  ['residue/elements.ts', "one['valueCode'] === 'masked' && ", ''],
  ['residue/elements.ts', ' && Object.keys(one).length === 2', ''],
  ['residue/identity.ts', 'text.slice(0, bar) !== expected ||', ''],
  ['residue/identity.ts', " || !TOKEN.test(token)) return 'residue-reference';\n  if (sweepToken", ") return 'residue-reference';\n  if (sweepToken"],
  ['residue/identity.ts', "if (sweepToken(token, facts)) return 'residue-sweep';", ''],
  ['residue/identity.ts', ' && value.length === 1', ''],
  ['residue/identity.ts', ' || Object.keys(one).length !== 2', ''],
  ['residue/identity.ts', " || !TOKEN.test(token)) return 'residue-reference';\n  if (system", ") return 'residue-reference';\n  if (system"],
  ['residue/identity.ts', "if (system !== (token.startsWith('pt_') ? systems.patientToken : systems.resourceToken)) return 'residue-reference';", ''],
  ['residue/identity.ts', "return sweepToken(token, facts) ? 'residue-sweep' : undefined", 'return undefined'],
  ['residue/identity.ts', "identifier !== undefined && !Array.isArray(identifier)", 'false'],
  ['residue/person.ts', '!/^\\d{4}$/.test(value) ||', ''],
  ['residue/person.ts', " || typeof birthDate !== 'string') return false", ') return false'],
  ['residue/person.ts', '> 90) return false', '> 900) return false'],
  ['residue/person.ts', 'gap === 0 :', 'true :'],
  ['residue/person.ts', '/[05]$/.test(value) && ', ''],
  ['residue/person.ts', 'gap >= 0 && gap < 5', 'gap < 5'],
  ['residue/person.ts', 'gap >= 0 && gap < 5', 'gap >= 0'],
  ['residue/person.ts', '/^[A-Z]{2}$/.test(String(state)) && ', ''],
  ['residue/person.ts', "country === 'US' && ", ''],
  ['residue/person.ts', ' && Object.keys(rest).length === 0', ''],
  ['residue/person.ts', "profile !== 'safe-harbor'", 'false'],
  ['residue/person.ts', ': postalCode !== undefined)', ': false)'],
  ['residue/person.ts', ' || !/^\\d{3}$/.test(postalCode)', ''],
  ['residue/person.ts', ' || SMALL_ZIP3.test(postalCode)', ''],
  ['residue/person.ts', "return isOwn ? undefined : 'residue-element'", 'return undefined'],
  ['residue/strings.ts', "return TYPE_NAME.test(text) ? undefined : 'residue-shape'", 'return undefined'],
  ['residue/strings.ts', "COMMON_SYSTEMS.has(text) || PUBLIC_SYSTEM.test(text) ? undefined : 'residue-shape'", 'undefined'],
  ['residue/strings.ts', "if (name === 'reference') return checkReference(text, scope);", "if (name === 'reference') return undefined;"],
  ['residue/strings.ts', 'return checkUnit(text, scope)', 'return undefined'],
  ['residue/strings.ts', 'text.length > MAX_LENGTH || ', ''],
  ['residue/strings.ts', " || SHAPES.test(text)) return", ') return'],
  ...['[@\\s]|', ':\\/\\/|', 'www\\.|', '\\b\\d{3}-\\d{2}-\\d{4}\\b|', '\\b\\d{5}-\\d{4}\\b|', '\\+\\d{7}|', '\\(\\d{3}\\)|', '\\b\\d{3}[-.]\\d{3}[-.]\\d{4}\\b|', '\\b\\d{3}-\\d{4}\\b|', '[0-9a-f]{8}-[0-9a-f]{4}-|', '\\b\\d{1,3}(?:\\.\\d{1,3}){3}\\b|', '|-?\\d{1,3}\\.\\d{4,},'].map((shape): Fault => ['residue/strings.ts', shape, '']),
  ['residue/strings.ts', "if (/^\\d{5,}$/.test(text)) return 'residue-shape';", ''],
  ['residue/strings.ts', "return sweep(text, scope.facts) ? 'residue-sweep' : undefined", 'return undefined'],
  ['residue/strings.ts', "if (!Number.isFinite(value)) return 'residue-element';", ''],
  ['residue/strings.ts', "if (sweepNumber(String(size).replace('.', ''), facts)) return 'residue-sweep';", ''],
  ['residue/strings.ts', "return size < 1e7 ? undefined : 'residue-shape'", 'return undefined'],
  ['residue/strings.ts', 'size < 1e15 && ', ''],
  ['residue/strings.ts', '/^\\d{1,4}0+$/.test(String(size))', 'true'],
  ['residue/strings.ts', "return sweepNumber(text, scope.facts) ? 'residue-sweep' : undefined", 'return undefined'],
  ['residue/strings.ts', 'return checkDate(name, text, scope)', 'return undefined'],
  ['residue/strings.ts', 'return checkYear(name, text, scope)', 'return undefined'],
  ['residue/strings.ts', 'text.length > MAX_UNIT_LENGTH || ', ''],
  ['residue/strings.ts', '/[@\\s]|\\d{5}/', '/\\d{5}/'],
  ['residue/strings.ts', '/[@\\s]|\\d{5}/', '/[@\\s]/'],
  ['residue/strings.ts', "if (text.replace(/\\D/g, '').length > MAX_UNIT_DIGITS) return 'residue-shape';", ''],
  ['residue/strings.ts', "facts.words.has(word.toLowerCase())", 'false'],
];

async function faulty(fault?: Fault): Promise<typeof Residue> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}residue.ts`],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'faulty',
    logLevel: 'silent',
    plugins: [
      {
        name: 'fault',
        setup(builder) {
          builder.onLoad({ filter: /rules\/deid\/residue(?:\/\w+)?\.ts$/ }, ({ path }) => {
            const contents = readFileSync(path, 'utf8');
            return {
              contents: fault && relative(folder, path) === fault[0] ? plant(contents, fault) : contents,
              loader: 'ts',
            };
          });
        },
      },
    ],
  });
  return runInThisContext(`(() => { ${outputFiles[0]?.text}; return faulty.residue; })()`) as typeof Residue;
}

function plant(contents: string, [file, find, replace]: Fault): string {
  if (!contents.includes(find)) throw new Error(`${file} does not hold: ${find}`);
  return contents.replace(find, () => replace);
}

/** The drafts that are judged otherwise than they should be. */
function noticed(residue: typeof Residue): string[] {
  return LOOKS.flatMap(({ draft, evidence, hit }) => {
    const facts = factsOf(aPatient());
    let found: string | undefined;
    try {
      found = residue(draft, {
        keys,
        systems: SYSTEMS,
        profile: 'pseudonymised',
        at: AT,
        facts,
        source: anObservation(),
        ...evidence,
      });
    } catch {
      found = 'throws';
    }
    return found === hit ? [] : [`${JSON.stringify(draft)}: ${String(found)}, not ${String(hit)}`];
  });
}

test('without a fault every draft is judged as it should be', async () => {
  expect(forbidden.length).toBeGreaterThan(60);
  expect(noticed(await faulty())).toEqual([]);
});

describe.concurrent('without this check some draft is judged otherwise:', () => {
  test.each(FAULTS)('%s: %s', async (...fault) => {
    expect(noticed(await faulty(fault)).length).toBeGreaterThan(0);
  });
});
