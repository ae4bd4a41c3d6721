/**
 * Which unit codes may leave. UCUM allows any text in {annotations} and many atoms in [brackets], so a unit is free text in
 * disguise unless its atoms are checked against a list.
 */

const METRIC =
  'm|g|s|l|L|mol|osm|eq|U|J|W|N|Pa|Hz|K|Cel|V|A|C|F|Ohm|S|Wb|T|H|lm|lx|Gy|Sv|Bq|Ci|kat|cd|bar|cal|bel|B|sr|rad|t|u|eV|dyn|erg|P|St|b|\\[iU\\]|\\[IU\\]|m\\[H2O\\]|m\\[Hg\\]|\\[Cal\\]';
const PLAIN =
  "min|h|d|wk|mo|a|%|deg|'|''|\\[degF\\]|\\[in_i\\]|\\[ft_i\\]|\\[yd_i\\]|\\[mi_i\\]|\\[lb_av\\]|\\[oz_av\\]|\\[foz_us\\]|\\[tsp_us\\]|\\[tbs_us\\]|\\[cup_us\\]|\\[gal_us\\]|\\[pt_us\\]|\\[qt_us\\]|\\[oz_tr\\]|\\[psi\\]|\\[pH\\]|\\[drp\\]|\\[diop\\]|\\[arb'U\\]|\\[CFU\\]|\\[PFU\\]|\\[TCID_50\\]|\\[EID_50\\]|\\[APL'U\\]|\\[GPL'U\\]|\\[MPL'U\\]|\\[hnsf'U\\]|\\[ka'U\\]|\\[beth'U\\]|\\[todd'U\\]|\\[tb'U\\]|\\[ppm\\]|\\[ppb\\]|\\[ppth\\]|\\[pptr\\]|\\[HPF\\]|\\[LPF\\]|\\[BAU\\]|\\[AU\\]|\\[Ch\\]|\\[gr\\]";
const TERM = new RegExp(
  `^(?:\\d{1,4}|10[*^](?:[+-]?\\d{1,2})?|(?:(?:da|[YZEPTGMkhdcmunpfazy])?(?:${METRIC})|${PLAIN})(?:[+-]?\\d)?)$`
);

const ANNOTATIONS: ReadonlySet<string> = new Set(
  '#|score|count|nominal|ratio|index|index_val|T-score|Z-score|logMAR|INR|pH|titer|beats|breaths|cells|RBC|RBCs|WBC|WBCs|1.73_m2|1.73m2|pack-years|fraction|CFU|copies|creat|presence|percentile|CAE|M.o.M|S_CO_ratio|events|steps|times'.split(
    '|'
  )
);

const MAX_DIGITS = 6;

const NOTE = /\{([^{}]*)\}/g;

/** The units of nearly all observations, so that the grammar is not asked. */
const COMMON: ReadonlySet<string> = new Set(
  '%|/min|mm[Hg]|cm|kg|kg/m2|g/dL|mg/dL|mmol/L|10*3/uL|10*6/uL|fL|pg|U/L|mL/min|mL/min/{1.73_m2}|Cel|{score}|meq/L|ng/mL|ug/dL|m[IU]/L|mL|mg|g|a|d|h|min'.split(
    '|'
  )
);

/**
 * The code under which a unit may leave. An annotation has no meaning in UCUM (§6), so one that we do not know is left out:
 * `mg{anything}/dL` is `mg/dL`, and an annotation alone is `1`.
 *
 * @param code - A code of http://unitsofmeasure.org.
 * @returns The code, perhaps without annotations, or undefined when an atom is unknown.
 */
export function ucumCode(code: unknown): string | undefined {
  if (typeof code !== 'string' || code.length === 0 || code.length > 40) return undefined;
  if (COMMON.has(code)) return code;
  // Numbers in terms and exponents could be put together to a telephone number.
  if (code.replace(/\D/g, '').length > MAX_DIGITS) return undefined;
  const kept = code.replace(NOTE, (whole, note: string, at: number) =>
    ANNOTATIONS.has(note) ? whole : unity(code, at)
  );
  const bare = kept.replace(NOTE, (_whole, _note, at: number) => unity(kept, at));
  const terms = bare.replace(/^\//, '').split(/[./()]+/);
  // A parenthesis opens or closes with an empty term at an end.
  return terms.every(
    (term, i) => TERM.test(term) || (term === '' && bare.includes('(') && (i === 0 || i === terms.length - 1))
  )
    ? kept
    : undefined;
}

/** What an annotation leaves behind: nothing after a unit, and 1 where it was the whole term. */
function unity(code: string, at: number): string {
  return at === 0 || '/.('.includes(code.charAt(at - 1)) ? '1' : '';
}
