/**
 * What a bot can touch in the source, read from its code: from `handler` on, every function and table that it can reach, the
 * methods of the port that are used there, and the types that searches and reads there begin with.
 */
import { join, relative } from 'node:path';
import ts from 'typescript';
import { REPLICATED_TYPES } from '../../src/config/policy.ts';

const root = join(import.meta.dirname, '..', '..');

/** What a method of `SourceFhir` does to the source. A method without a row here fails the test that asks. */
const PORT: Readonly<Record<string, readonly { readonly type?: string; readonly interactions: readonly string[] }[]>> =
  {
    read: [{ interactions: ['read', 'search'] }],
    search: [{ interactions: ['search'] }],
    record: [{ type: 'AuditEvent', interactions: ['create'] }],
    // A conditional create looks first; a conditional update may find, make or replace.
    ensure: [{ type: 'Basic', interactions: ['search', 'create'] }],
    save: [{ type: 'Basic', interactions: ['search', 'create', 'update'] }],
    replace: [{ type: 'Basic', interactions: ['update'] }],
    ensureConsent: [{ type: 'Consent', interactions: ['search', 'create'] }],
    replaceConsent: [{ type: 'Consent', interactions: ['update'] }],
    append: [
      { type: 'Basic', interactions: ['update'] },
      { type: 'AuditEvent', interactions: ['create'] },
    ],
    commit: [
      ...REPLICATED_TYPES.map((type) => ({ type, interactions: ['create', 'update'] })),
      { type: 'Basic', interactions: ['update'] },
      { type: 'Provenance', interactions: ['create'] },
      { type: 'AuditEvent', interactions: ['create'] },
    ],
    remove: [{ type: 'AuditEvent', interactions: ['delete'] }],
    store: [{ type: 'Binary', interactions: ['create'] }],
    load: [{ type: 'Binary', interactions: ['read'] }],
    discard: [{ type: 'Binary', interactions: ['delete'] }],
    enlist: [{ type: 'Task', interactions: ['search', 'create'] }],
    change: [{ type: 'Task', interactions: ['update'] }],
    dismiss: [{ type: 'Task', interactions: ['delete'] }],
  };

/** What the code of one bot can do. */
export interface Touched {
  /** Type → interactions. */
  readonly types: ReadonlyMap<string, ReadonlySet<string>>;
  /** The codes of control resources that it names. */
  readonly controlCodes: ReadonlySet<string>;
  /** Methods of the port without a row in the table. */
  readonly unknown: readonly string[];
}

let program: ts.Program | undefined;

function load(): ts.Program {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { fileNames, options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  return ts.createProgram(fileNames, options);
}

/**
 * Reads what a bot can touch.
 *
 * @param bot - The bot's name.
 * @param replicated - The types that a table, not the code, names.
 * @returns What it can touch.
 */
export function touchedBy(bot: string, replicated: readonly string[]): Touched {
  program ??= load();
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(join(root, 'src', 'bots', `${bot}.ts`));
  const handler = file?.statements.find((each) => ts.isFunctionDeclaration(each) && each.name?.text === 'handler');
  if (!handler) {
    throw new Error(`src/bots/${bot}.ts has no function handler`);
  }
  const heads = new Set<string>();
  const methods = new Set<string>();
  const controlCodes = new Set<string>();
  let hasHistory = false;

  const seen = new Set<ts.Node>();
  const open: ts.Node[] = [handler];
  const follow = (node: ts.Identifier): void => {
    let symbol = ts.isShorthandPropertyAssignment(node.parent)
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : checker.getSymbolAtLocation(node);
    if (symbol && symbol.flags & ts.SymbolFlags.Alias) {
      symbol = checker.getAliasedSymbol(symbol);
    }
    for (const declaration of symbol?.declarations ?? []) {
      const path = relative(root, declaration.getSourceFile().fileName);
      const isOurs = path.startsWith('src') && !path.endsWith('.d.ts');
      // The adapter of the source is the port's other side: what the port's methods mean stands in the table.
      const isAdapter = path.endsWith('source.io.ts');
      const isCode =
        ts.isFunctionDeclaration(declaration) ||
        ts.isVariableDeclaration(declaration) ||
        ts.isClassDeclaration(declaration);
      if (isOurs && !isAdapter && isCode) {
        open.push(declaration);
      }
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) {
      return;
    }
    if (ts.isIdentifier(node)) {
      // Figures have the names of types as labels, and ask for none of them.
      const isLabel = node.text === 'REPLICATED_TYPES' && /src\/flows\/metrics\//.test(node.getSourceFile().fileName);
      if (isLabel) {
        return;
      }
      follow(node);
      const owner = checker.getSymbolAtLocation(node)?.declarations?.[0]?.parent;
      if (owner && ts.isInterfaceDeclaration(owner) && owner.name.text === 'SourceFhir') {
        methods.add(node.text);
      }
      // A table of the manifest decides which types these are.
      if (node.text === 'REPLICATED_TYPES' || node.text === 'isReplicated') {
        replicated.forEach((type) => heads.add(type));
      }
    }
    const text = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) ? node.text : undefined;
    const head = /^([A-Z][A-Za-z]+)[/?]/.exec(text ?? '')?.[1];
    // Those ask the replica, name the bot itself, or write down whom an event is about.
    const isElsewhere = /src\/(remote\/|observability\/|bots\/wire)/.test(node.getSourceFile().fileName);
    if (head && !isElsewhere) {
      heads.add(head);
    }
    // A bare name in a list of types to walk over.
    if (
      ts.isStringLiteral(node) &&
      (ts.isAsExpression(node.parent) || ts.isArrayLiteralExpression(node.parent)) &&
      /^[A-Z][a-zA-Z]+$/.test(node.text)
    ) {
      heads.add(node.text);
    }
    hasHistory ||=
      (ts.isTemplateMiddleOrTemplateTail(node) || ts.isStringLiteralLike(node)) && /\/_history(\?|$)/.test(node.text);
    if (ts.isObjectLiteralExpression(node)) {
      const of = (name: string): ts.Expression | undefined =>
        node.properties.filter(ts.isPropertyAssignment).find((each) => each.name.getText() === name)?.initializer;
      const code = of('code');
      // By its type, so that a code may have a name.
      const value = code && checker.getTypeAtLocation(code);
      if (of('system')?.getText().endsWith('.control') && value?.isStringLiteral()) {
        controlCodes.add(value.value);
      }
    }
    ts.forEachChild(node, visit);
  };
  for (let next = open.pop(); next; next = open.pop()) {
    if (!seen.has(next)) {
      seen.add(next);
      visit(next);
    }
  }

  const types = new Map<string, Set<string>>();
  const add = (type: string, interactions: readonly string[]): void => {
    types.set(type, new Set([...(types.get(type) ?? []), ...interactions]));
  };
  for (const { type, interactions } of [...methods].flatMap((method) => PORT[method] ?? [])) {
    (type ? [type] : [...heads]).forEach((each) => add(each, interactions));
  }
  // Histories are read of whatever was found, so of any type but those that are written.
  [...heads].forEach((type) => hasHistory && type !== 'Basic' && add(type, ['history']));
  return { types, controlCodes, unknown: [...methods].filter((method) => !PORT[method]) };
}
