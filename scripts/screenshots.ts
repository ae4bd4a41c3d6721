/** `npm run screenshots`: the pictures of the README, taken of a sandbox in a real browser. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { CHROMIUM, openBrowser, openPage } from './browser.ts';
import { ROOT } from './deploy/manifest.ts';
import { statusPage } from './screenshots/status.ts';

const FOLDER = join(ROOT, 'docs', 'images');

async function main(): Promise<number> {
  if (CHROMIUM === undefined) {
    console.error('No Chromium here: set CHROMIUM_PATH.');
    return 1;
  }
  mkdirSync(FOLDER, { recursive: true });
  const html = await statusPage();
  const browser = await openBrowser();
  try {
    await take(browser, 'status.jpg', html);
  } finally {
    await browser.close();
  }
  return 0;
}

async function take(browser: Browser, name: string, html: string): Promise<void> {
  const { page } = await openPage(browser, { viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
  await page.setContent(html);
  const path = join(FOLDER, name);
  await page.screenshot({ path, fullPage: true, type: 'jpeg', quality: 70 });
  console.log(`docs/images/${name}: ${Math.round(statSync(path).size / 1000)} kB`);
}

process.exitCode = await main();
