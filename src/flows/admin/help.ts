/** The action that tells of all actions, and the joining of the tables. Pure. */
import { adminAction } from '../action.ts';
import type { Actions, Parameters } from '../action.ts';

/** One line of help. */
export interface HelpRow {
  readonly action: string;
  readonly effect: 'read' | 'change';
  /** Names; those that may be left out stand in brackets. */
  readonly parameters: string;
  readonly why: string;
}

/**
 * Joins the tables of the areas.
 *
 * @param tables - One per area.
 * @returns All actions, `help` first.
 * @throws Error when two areas name an action alike: the bundle would not do what one of them says.
 */
export function join(...tables: readonly Actions[]): Actions {
  const rows = tables.flatMap((table) => Object.entries(table));
  const names = rows.map(([name]) => name);
  const twice = names.find((name, i) => name === 'help' || names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new Error(`two admin actions are named ${twice}`);
  }
  const actions: Record<string, Actions[string]> = {};
  actions['help'] = adminAction({
    effect: 'read',
    why: 'The actions that there are.',
    parameters: { topic: { kind: 'code', why: 'Only actions that begin with this.' } },
    run: (_deps, { topic = '' }) =>
      Promise.resolve({ actions: helpOf(actions).filter(({ action }) => action.startsWith(topic)) }),
  });
  return Object.assign(actions, Object.fromEntries(rows));
}

/**
 * @param actions - All actions.
 * @returns A line for each.
 */
export function helpOf(actions: Actions): HelpRow[] {
  return Object.entries(actions).map(([action, { effect, why, parameters }]) => ({
    action,
    effect,
    parameters: namesOf(parameters),
    why,
  }));
}

function namesOf(parameters: Parameters): string {
  return Object.entries(parameters)
    .map(([name, { isRequired }]) => (isRequired ? name : `[${name}]`))
    .join(' ');
}
