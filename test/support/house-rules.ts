/**
 * The house rules as functions over a file map: `test/architecture.test.ts` asks them of `src/`, and of planted
 * violations, so that every rule is known to be able to fail.
 */
import { posix } from 'node:path';
import ts from 'typescript';

/** Path relative to `src/`, with `/`, → text. */
export type Files = ReadonlyMap<string, string>;

/** What a rule finds: `file: what is wrong`, nothing when all is well. */
export type Rule = (files: Files) => string[];

/** Lowest first. A file may import from layers below its own. */
const LAYERS: readonly (readonly string[])[] = [
  ['platform.d.ts', 'fhir'],
  ['ports.ts'],
  ['config', 'observability'],
  ['rules', 'queue', 'remote'],
  ['flows'],
  ['bots'],
];

/** Folders whose subfolders are strangers to each other; the files directly in them are shared by all. */
const DIVIDED = ['rules', 'flows'];

/** What Lambda, vm context and Fission all have; of Node's modules, those that platform.d.ts declares. */
const PACKAGES = ['@medplum/core', '@medplum/fhirtypes'];

const declaredModules = (files: Files): string[] =>
  [...(files.get('platform.d.ts') ?? '').matchAll(/^declare module '(.+)'/gm)].map(([, name = '']) => name);

const isOutside = (file: string): boolean => file.endsWith('.io.ts');
const isPure = (file: string): boolean => !isOutside(file) && !file.startsWith('bots/') && !file.endsWith('.d.ts');
const layerOf = (file: string): number => LAYERS.findIndex((names) => names.includes(file.split('/')[0] ?? ''));

/** The files that must not know their neighbours: a top folder, or a subfolder of a divided one. */
function unitOf(file: string): string {
  const [top = '', next = ''] = file.split('/');
  return DIVIDED.includes(top) && file.split('/').length > 2 ? `${top}/${next}` : top;
}

interface Import {
  readonly file: string;
  /** As written. */
  readonly name: string;
  /** Relative to `src/`; undefined for a package. */
  readonly target: string | undefined;
}

function importsOf(file: string, text: string): Import[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName: name }) => ({
    file,
    name,
    target: name.startsWith('.') ? posix.join(posix.dirname(file), name) : undefined,
  }));
}

const imports = (files: Files): Import[] => [...files].flatMap(([file, text]) => importsOf(file, text));

const show = ({ file, name }: Import): string => `${file}: imports ${name}`;

function parse(file: string, text: string): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
}

/** Reports every node on which `finding` has something to say, with its line. */
function search(
  files: Files,
  applies: (file: string) => boolean,
  finding: (node: ts.Node) => string | undefined
): string[] {
  return [...files].flatMap(([file, text]) => {
    if (!applies(file)) {
      return [];
    }
    const source = parse(file, text);
    const found: string[] = [];
    const visit = (node: ts.Node): void => {
      const what = finding(node);
      if (what) {
        found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1}: ${what}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

const everywhere = (): boolean => true;

/** `x.name` or `x['name']`: the object's text and the name. */
function access(node: ts.Node): { of: string; name: string } | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    return { of: node.expression.getText(), name: node.name.text };
  }
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return { of: node.expression.getText(), name: node.argumentExpression.text };
  }
  return undefined;
}

/** A use of a global or import by this name: not a property, not a declaration of a member. */
function isUseOf(node: ts.Node, name: string): boolean {
  return (
    ts.isIdentifier(node) &&
    node.text === name &&
    !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) &&
    !(ts.isPropertyAssignment(node.parent) && node.parent.name === node) &&
    !ts.isTypeElement(node.parent) &&
    !ts.isClassElement(node.parent)
  );
}

function effectOf(node: ts.Node): string | undefined {
  if (ts.isAwaitExpression(node) || (ts.isForOfStatement(node) && node.awaitModifier)) {
    return 'awaits';
  }
  if (node.kind === ts.SyntaxKind.AsyncKeyword) {
    return 'is async';
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) {
    return 'reads the clock';
  }
  if (ts.isCallExpression(node) && node.expression.getText() === 'Date') {
    return 'reads the clock';
  }
  const { of, name } = access(node) ?? {};
  if (of === 'Date' && name === 'now') {
    return 'reads the clock';
  }
  if ((of === 'Math' && name === 'random') || isUseOf(node, 'randomUUID') || isUseOf(node, 'randomBytes')) {
    return 'rolls dice';
  }
  if (isUseOf(node, 'console')) {
    return 'prints';
  }
  return isUseOf(node, 'fetch') && ts.isCallExpression(node.parent) ? 'sends requests' : undefined;
}

/** The names a file takes from `fhir/sealed.ts`, other than types. A namespace or a re-export takes all of them. */
function takenFromEnvelope(file: string, text: string): string[] {
  const all = ['seal', 'open'];
  return parse(file, text).statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) {
      return [];
    }
    const from = statement.moduleSpecifier;
    if (!from || !ts.isStringLiteral(from) || !from.text.endsWith('/sealed.ts')) {
      return [];
    }
    const named = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : statement.exportClause;
    if (named && (ts.isNamedImports(named) || ts.isNamedExports(named))) {
      return named.elements
        .map((element) => (element.propertyName ?? element.name).text)
        .filter((name) => all.includes(name));
    }
    const isTypeOnly = ts.isImportDeclaration(statement) ? statement.importClause?.isTypeOnly : statement.isTypeOnly;
    return isTypeOnly ? [] : all;
  });
}

/** How many lines hold code: neither blank nor only comment. */
export function linesOfCode(text: string): number {
  const source = parse('count.ts', text);
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) {
      return;
    }
    const children = node.getChildren(source);
    if (children.length > 0) {
      children.forEach(visit);
    } else if (node.getWidth(source) > 0) {
      const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
      for (let line = lineAt(node.getStart(source)); line <= lineAt(node.getEnd()); line++) {
        lines.add(line);
      }
    }
  };
  visit(source);
  return lines.size;
}

/** A bot is a file in `bots/` that exports a handler; the others there (`wire.ts`) serve the bots. */
export const isBot = (file: string, text: string): boolean =>
  file.startsWith('bots/') && /^export (async function|function|const) handler\b/m.test(text);

const SUPPRESSION = /@ts-(ignore|nocheck|expect-error)|eslint-disable/;

export const RULES = {
  'every file has a layer': (files) =>
    [...files.keys()].filter((file) => layerOf(file) < 0).map((file) => `${file}: in no layer`),

  'imports go down a layer': (files) =>
    imports(files)
      .filter(({ file, target }) => target !== undefined && layerOf(target) >= 0 && layerOf(target) > layerOf(file))
      .map(show),

  'siblings do not import each other': (files) =>
    imports(files)
      .filter(({ file, target }) => {
        if (target === undefined || layerOf(target) !== layerOf(file)) {
          return false;
        }
        const [own, other] = [unitOf(file), unitOf(target)];
        return own !== other && !own.startsWith(`${other}/`);
      })
      .map(show),

  'src imports itself, bots.config.json and what every runtime has': (files) => {
    const packages = [...PACKAGES, ...declaredModules(files)];
    return imports(files)
      .filter(({ name, target }) =>
        target === undefined ? !packages.includes(name) : !files.has(target) && target !== '../bots.config.json'
      )
      .map(show);
  },

  'what touches the outside is named .io.ts': (files) => search(files, isPure, effectOf),

  'pure files import no .io.ts': (files) =>
    imports(files)
      .filter(({ file, target, name }) => isPure(file) && (name === 'node:timers/promises' || isOutside(target ?? '')))
      .map(show),

  'rules contain no .io.ts': (files) =>
    [...files.keys()]
      .filter((file) => file.startsWith('rules/') && isOutside(file))
      .map((file) => `${file}: is an .io.ts`),

  'only bots/wire.ts knows the adapters': (files) =>
    imports(files)
      .filter(({ file, target }) => {
        const folder = /^(remote|observability)\//.exec(target ?? '')?.[0];
        return folder && isOutside(target ?? '') && file !== 'bots/wire.ts' && !file.startsWith(folder);
      })
      .map(show),

  'only rules/deid seals, only remote opens': (files) =>
    [...files].flatMap(([file, text]) =>
      takenFromEnvelope(file, text)
        .filter((name) => !file.startsWith(name === 'seal' ? 'rules/deid/' : 'remote/'))
        .map((name) => `${file}: imports ${name}`)
    ),

  'a bot has at most 30 lines of code': (files) =>
    [...files].flatMap(([file, text]) => {
      const lines = isBot(file, text) ? linesOfCode(text) : 0;
      return lines > 30 ? [`${file}: ${lines} lines of code`] : [];
    }),

  // A log line is a stored AuditEvent; one file decides what may stand in it.
  'only observability prints': (files) =>
    search(
      files,
      (file) => !/^observability\/.*\.io\.ts$/.test(file) && !file.endsWith('.d.ts'),
      (node) => (isUseOf(node, 'console') ? 'prints' : undefined)
    ),

  'only bots/wire.ts reads the secrets, and nothing the headers of an event': (files) =>
    search(files, everywhere, (node) => {
      const { of, name } = access(node) ?? {};
      if (of !== 'event' || !name) {
        return undefined;
      }
      const isWire = node.getSourceFile().fileName === 'bots/wire.ts';
      return name === 'headers' || (name === 'secrets' && !isWire) ? `reads event.${name}` : undefined;
    }),

  'no any': (files) =>
    search(files, everywhere, (node) => (node.kind === ts.SyntaxKind.AnyKeyword ? 'uses any' : undefined)),

  'no suppressions': (files) =>
    [...files].flatMap(([file, text]) =>
      text
        .split('\n')
        .flatMap((line, index) => (SUPPRESSION.test(line) ? [`${file}:${index + 1}: suppresses a check`] : []))
    ),
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;
