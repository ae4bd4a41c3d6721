/** The colours of the pages, by arithmetic; the browser tests look at what became of them. */
import { expect, test } from 'vitest';
import { COLOURS } from '../../src/flows/page-style.ts';
import { escapeHtml } from '../../src/flows/html.ts';

function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

const BACKGROUNDS = ['page', 'card', 'soft'] as const;
const TEXTS = ['ink', 'quiet', 'source', 'replica', 'good', 'warn', 'bad'] as const;

test.each(BACKGROUNDS.flatMap((below) => TEXTS.map((text) => [text, below] as const)))(
  '%s on %s: 4.5',
  (text, below) => {
    for (const theme of [0, 1] as const) {
      expect(contrast(COLOURS[text][theme], COLOURS[below][theme])).toBeGreaterThanOrEqual(4.5);
    }
  }
);

test.each(BACKGROUNDS)('the edge of a control on %s: 3 (WCAG 2.2, 1.4.11)', (below) => {
  for (const theme of [0, 1] as const) {
    expect(contrast(COLOURS.edge[theme], COLOURS[below][theme])).toBeGreaterThanOrEqual(3);
  }
});

test('the arithmetic knows black on white, and grey that is too pale', () => {
  expect(contrast('#000000', '#ffffff')).toBe(21);
  expect(contrast('#777777', '#ffffff')).toBeLessThan(4.5);
});

test('no text begins an element or ends an attribute', () => {
  expect(escapeHtml(`<script>"'&`)).toBe('&lt;script&gt;&quot;&#39;&amp;');
});
