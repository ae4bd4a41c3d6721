/** One look for all pages: colours by role, for light and for dark, and the few shapes that pages share. Pure. */

/** A pair of colours of one role; text roles have a contrast of at least 4.5 on `page`, `card` and `soft` (WCAG 2.2, 1.4.3; a test computes it). */
export const COLOURS = {
  page: ['#f4f6f9', '#0e131a'],
  card: ['#ffffff', '#161d27'],
  soft: ['#eef2f7', '#1d2632'],
  line: ['#d7dee7', '#2c3847'],
  edge: ['#79879a', '#66758a'],
  ink: ['#16202c', '#e9eef5'],
  quiet: ['#4d5b6c', '#a5b3c4'],
  source: ['#1d5bb8', '#86b6ff'],
  replica: ['#08705f', '#54d3bf'],
  good: ['#136c3d', '#61d699'],
  warn: ['#8a5200', '#f4bb55'],
  bad: ['#b0241c', '#ff958b'],
} as const satisfies Readonly<Record<string, readonly [light: string, dark: string]>>;

const declared = (index: 0 | 1): string =>
  Object.entries(COLOURS)
    .map(([role, pair]) => `--${role}:${pair[index]}`)
    .join(';');

/** The style sheet that all pages begin with. */
export const BASE_STYLE = `
:root{color-scheme:light dark;${declared(0)}}
@media (prefers-color-scheme:dark){:root{${declared(1)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere;-webkit-text-size-adjust:100%}
h1,h2,h3,p,ul,ol,dl,dd,figure{margin:0}
ul,ol{padding:0;list-style:none}
h1{font-size:1.25rem;line-height:1.3;letter-spacing:-.01em}
h2{font-size:1.05rem;line-height:1.3}
h3{font-size:.95rem}
a{color:var(--source)}
code{font:.87em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
main,.wide{max-width:76rem;margin:0 auto;padding:0 1.25rem}
.quiet{color:var(--quiet)}
.small{font-size:.85rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem;min-width:0}
.pill{display:inline-flex;align-items:center;gap:.45em;border:1px solid currentColor;border-radius:99px;padding:.1em .75em;font-weight:600;font-size:.85rem;white-space:nowrap}
.pill::before{content:"";width:.55em;height:.55em;border-radius:50%;background:currentColor}
.good,.healthy{color:var(--good)}
.warn,.degraded{color:var(--warn)}
.bad,.unhealthy{color:var(--bad)}
:focus-visible{outline:3px solid var(--source);outline-offset:2px;border-radius:6px}
@media (prefers-reduced-motion:reduce){*,*::before,*::after{animation:none!important;transition:none!important}}
`.trim();
