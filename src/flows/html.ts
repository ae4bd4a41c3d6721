/** Text for pages. Pure. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * @param text - Anything.
 * @returns It as text of an HTML document, also within quotes: it can begin no element and end no attribute.
 */
export function escapeHtml(text: string | number): string {
  return String(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
