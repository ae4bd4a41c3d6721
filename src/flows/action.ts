/**
 * What the bot `admin` can be asked to do. An area exports a table of its actions; `src/bots/actions.ts` joins the tables. Help, the
 * command line and docs/admin.md are made from the same rows.
 */
import type { Bots } from '../ports.ts';
import type { Role } from '../rules/access/role.ts';
import type { Deps } from './deps.ts';

/** One parameter of an action. */
export interface Parameter {
  /**
   * `text`: up to 500 characters, never written down. `code`: letters, digits and `._:-`. `id`: of a resource. `date`: a FHIR date.
   * `list`: an array of codes, or `A,B`;
   * `references`: the same of `Type/id`. `patient`: `Patient/<id>`, an id, or a `pt_` token; the action gets the id of a Patient that
   * exists. `token`: one that we minted.
   */
  readonly kind: 'text' | 'code' | 'id' | 'date' | 'integer' | 'boolean' | 'list' | 'references' | 'patient' | 'token';
  readonly why: string;
  readonly isRequired?: true;
  /** All that a `code`, or each of a `list`, may be. */
  readonly choices?: readonly string[];
  /** Of an `integer`; from 0 to a million unless said otherwise. */
  readonly min?: number;
  readonly max?: number;
}

export type Parameters = Readonly<Record<string, Parameter>>;

type ValueOf<P extends Parameter> = P['kind'] extends 'integer'
  ? number
  : P['kind'] extends 'boolean'
    ? boolean
    : P['kind'] extends 'list' | 'references'
      ? readonly string[]
      : string;

/** What an action is given: one value per parameter, checked. */
export type ValuesOf<T extends Parameters> = {
  readonly [K in keyof T]: T[K] extends { readonly isRequired: true } ? ValueOf<T[K]> : ValueOf<T[K]> | undefined;
};

/** The run, on behalf of an ADMIN. There is no way to the replica: what needs one is the work of another bot, which is asked. */
export interface AdminDeps extends Pick<
  Deps,
  'config' | 'source' | 'clock' | 'log' | 'correlationId' | 'bot' | 'deadlineAt'
> {
  /** Who asks, `Practitioner/id` and the like, as the platform says; never what the caller says. */
  readonly requester: string | undefined;
  /** In which role they were let in. */
  readonly role: Role;
  readonly bots: Bots;
}

/** One action, `area/verb` in its table. */
export interface AdminAction {
  /** `change` is written to the trail before it runs as well: what cannot be written down is not done. */
  readonly effect: 'read' | 'change';
  readonly why: string;
  readonly parameters: Parameters;
  /**
   * @param deps - The run.
   * @param values - Checked parameters.
   * @returns What the caller gets, as JSON. What is still not as asked stands in `problems`, sentences of ours. Rows of equal shape (`{failed: [{…}, …]}`) are shown as tables by `npm run admin`.
   * @throws Fault `input-invalid` for what no single parameter can know; any other Fault. Nothing that quotes data.
   */
  run(deps: AdminDeps, values: Readonly<Record<string, unknown>>): Promise<object>;
}

/** The actions of an area, by `area/verb`. */
export type Actions = Readonly<Record<string, AdminAction>>;

/**
 * Writes an action down with the types of its parameters.
 *
 * @param row - The action.
 * @returns The same.
 */
export function adminAction<const T extends Parameters>(
  row: Omit<AdminAction, 'parameters' | 'run'> & {
    readonly parameters: T;
    run(deps: AdminDeps, values: ValuesOf<T>): Promise<object>;
  }
): AdminAction {
  return row;
}
