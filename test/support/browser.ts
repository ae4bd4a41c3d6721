/** What tests ask of a page in a real browser. */
import type { Page } from 'playwright-core';
import { CHROMIUM } from '../../scripts/browser.ts';

/** Said with each test that is skipped. */
export const NO_CHROMIUM = CHROMIUM === undefined ? ' (SKIPPED: no Chromium here; set CHROMIUM_PATH)' : '';

/** Whether anything sticks out to the right. */
export function isTooWide(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');
}

/** A text that is too pale on what lies behind it. */
export interface Pale {
  readonly text: string;
  readonly ratio: number;
}

/** The contrast of each visible text with its background (WCAG 2.2, 1.4.3), as the browser has computed the colours; those below 4.5. */
export async function paleTexts(page: Page): Promise<{ readonly pale: readonly Pale[]; readonly count: number }> {
  return page.evaluate(CONTRAST);
}

/** Runs in the page. */
const CONTRAST = `(() => {
  const parse = (colour) => {
    const [r = 0, g = 0, b = 0, a = 1] = (colour.match(/[\\d.]+/g) ?? []).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    if (!element) return { r: 255, g: 255, b: 255, a: 1 };
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own : over(own, behind(element.parentElement));
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const pale = [];
  let count = 0;
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element || !element.checkVisibility() || element.closest('svg,:disabled,option')) continue;
    count++;
    const below = behind(element);
    const [a, b] = [luminance(over(parse(getComputedStyle(element).color), below)), luminance(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) pale.push({ text: node.textContent.trim().slice(0, 40), ratio });
  }
  return { pale, count };
})()`;
