/** Texts of settings out of Project secrets, and what is wrong with them. Pure. */
import { problemOf } from './check.ts';
import type { Setting } from './settings.ts';
import type { Values } from './sign-in.ts';

/** As Medplum hands them over: `event.secrets`. */
export type Secrets = Readonly<Record<string, { readonly valueString?: string } | undefined>>;

/**
 * @param secrets - `event.secrets`.
 * @param settings - Rows of the table.
 * @returns Their texts: by name, else by an alias, else the default.
 */
export function valuesOf(secrets: Secrets, settings: readonly Setting[]): Values {
  return new Map(
    settings.map((setting) => [
      setting.name,
      [setting.name, ...(setting.aliases ?? [])].map((name) => secrets[name]?.valueString?.trim()).find(Boolean) ??
        setting.fallback,
    ])
  );
}

/**
 * @param values - From `valuesOf`.
 * @param settings - The rows.
 * @param production - True when the environment is production.
 * @returns Problems by name, without values.
 */
export function problemsOf(values: Values, settings: readonly Setting[], production: boolean): string[] {
  return settings.flatMap((setting) => {
    const value = values.get(setting.name);
    if (value === undefined) {
      return setting.optional ? [] : [`${setting.name} is missing`];
    }
    const problem = problemOf(setting, value, production);
    return problem ? [`${setting.name} ${problem}`] : [];
  });
}
