/** A proof as a page that a person can read: no script, no style from elsewhere. */
import { escapeHtml } from '../html.ts';
import type { Proof } from './plan.ts';

type Cell = string | number | undefined;

/**
 * @param proof - The proof.
 * @returns An HTML document.
 */
export function pageOf(proof: Proof): string {
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Consent proof</title>',
    '<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid;padding:.3rem;text-align:left}</style>',
    `<h1>${text(proof.patient)}</h1><p>${proof.shared} records were shared, ${proof.erased} of them are erased.</p>`,
    table(
      'Consents',
      ['consent', 'version', 'at', 'status'],
      proof.consents.map((row) => [row.consent, row.version, row.at, row.status])
    ),
    table(
      'After each change of consent',
      ['at', 'consent', 'written', 'erased', 'history', 'found afterwards'],
      proof.runs.map((row) => [row.at, row.consent, row.put, row.withdrawn, row.history, row.found])
    ),
    table(
      'Records',
      ['token', 'first shared', 'last shared', 'under', 'provision', 'erased', 'reason', 'how'],
      proof.copies.map((row) => [
        row.token,
        row.firstSharedAt,
        row.lastSharedAt,
        row.under,
        row.provision,
        row.erasedAt,
        row.reason,
        row.erasure,
      ])
    ),
    table('Refusals', ['reason', 'times'], Object.entries(proof.refusals)),
    '</html>',
  ].join('\n');
}

function table(title: string, heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const head = heads.map((cell) => `<th scope="col">${cell}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${text(cell)}</td>`).join('')}</tr>`).join('\n');
  return `<h2>${title}</h2><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table>`;
}

function text(cell: Cell): string {
  return escapeHtml(cell ?? '');
}
