/** The report as one page: no script, nothing from elsewhere. Pure. */
import { createHash } from 'node:crypto';
import { escapeHtml } from '../../html.ts';
import { BASE_STYLE } from '../../page-style.ts';
import { chart } from './chart.ts';
import type { Finding, State } from './judge.ts';
import type { Figure, Report, Section } from './report.ts';

const STYLE = `${BASE_STYLE}
header{padding:1.4rem 0 0}
header .wide{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1rem}
header h1{flex:1 1 auto}
.found{margin-top:1rem;display:grid;gap:.6rem}
.found li{border-left:4px solid currentColor;background:var(--card);border-radius:0 10px 10px 0;padding:.7rem 1rem}
.found strong,.found span{display:block}
.found span{color:var(--quiet)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem;margin:1rem 0 2rem}
.grid .card{display:flex;flex-direction:column}
.key{margin-top:auto}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.2rem,1fr));gap:.8rem 1rem;margin:.9rem 0 1rem}
.figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.figures dd{font-size:1.5rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.figures dt{font-size:.8rem;line-height:1.35;color:var(--quiet)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));gap:.6rem 1.4rem}
.chart figcaption,.ends{display:flex;justify-content:space-between;gap:.5rem;font-size:.75rem;color:var(--quiet);font-variant-numeric:tabular-nums}
.chart svg{display:block;margin:.25rem 0}
.s0{fill:var(--source)}
.s1{fill:var(--warn)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.8rem;color:var(--quiet);margin-bottom:.5rem}
.key li::before{content:"";display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.45em;background:var(--source)}
.key li:nth-child(2)::before{background:var(--warn)}
footer{border-top:1px solid var(--line);padding:1rem 0 2rem}
`;

const WORDS: Readonly<Record<State, string>> = {
  healthy: 'All is well',
  degraded: 'Needs a look',
  unhealthy: 'Not well',
};

/**
 * @param report - The report.
 * @returns An HTML document that loads nothing and runs nothing: its policy allows its own style, by hash.
 */
export function pageOf(report: Report): string {
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  const now = Date.parse(report.timestamp);
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">',
    `<title>${WORDS[report.status]} – consent sync</title><style>${STYLE}</style></head><body>`,
    `<header><div class="wide"><h1>Consent sync</h1><span class="pill ${report.status}">${WORDS[report.status]}</span>`,
    `<span class="quiet small">as of ${escapeHtml(report.timestamp.slice(0, 16).replace('T', ' '))} UTC${replicaText(report)}</span></div></header><main>`,
    report.findings.length > 0 ? `<ul class="found">${report.findings.map(findingHtml).join('')}</ul>` : '',
    `<div class="grid">${report.sections.map((section) => sectionHtml(section, now)).join('')}</div></main>`,
    '<footer><p class="wide quiet small">Counts and times only: no name, id or value of anybody is on this page. ',
    'Trends are made of the audit trail; what is waiting is known for the times at which anybody looked.</p></footer></body></html>\n',
  ].join('');
}

function replicaText({ replica }: Report): string {
  return replica === undefined
    ? ''
    : replica === 'up'
      ? ' · source and replica answer'
      : ' · the replica does not answer';
}

function findingHtml({ state, code, says, does }: Finding): string {
  return `<li class="${state}" data-code="${escapeHtml(code)}"><strong>${escapeHtml(says)}</strong><span>${escapeHtml(does)}</span></li>`;
}

function sectionHtml({ name, title, says, figures, unit, trend }: Section, now: number): string {
  const key = trend.map(({ label }) => `<li>${escapeHtml(label)}</li>`).join('');
  return [
    `<section class="card" aria-labelledby="${name}"><h2 id="${name}">${escapeHtml(title)}</h2><p class="quiet small">${escapeHtml(says)}</p>`,
    `<dl class="figures">${figures.map(figureHtml).join('')}</dl>`,
    `<ul class="key">${key}</ul>`,
    `<div class="charts">${chart(trend, 'hours', unit, now)}${chart(trend, 'days', unit, now)}</div></section>`,
  ].join('');
}

function figureHtml({ name, label, text }: Figure): string {
  return `<div data-figure="${name}"><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(text)}</dd></div>`;
}
