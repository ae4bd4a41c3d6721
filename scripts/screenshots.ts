/** `npm run screenshots`: the pictures of the README, taken of sandboxes in a real browser. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { CHROMIUM, openBrowser, openPage } from './browser.ts';
import { ROOT } from './deploy/manifest.ts';
import { showConsole } from './screenshots/console.ts';
import { statusPage } from './screenshots/status.ts';

const FOLDER = join(ROOT, 'docs', 'images');
/** Text stays sharp, and a picture below 150 kB. */
const QUALITY = 70;

async function main(): Promise<number> {
  if (CHROMIUM === undefined) {
    console.error('No Chromium here: set CHROMIUM_PATH.');
    return 1;
  }
  mkdirSync(FOLDER, { recursive: true });
  const html = await statusPage();
  const browser = await openBrowser();
  try {
    const { page } = await openPage(browser);
    await page.setContent(html);
    await take(page, 'status.jpg', true);
    await showConsole(browser, (site) => take(site, 'console.jpg', false));
  } finally {
    await browser.close();
  }
  return 0;
}

async function take(page: Page, name: string, fullPage: boolean): Promise<void> {
  const path = join(FOLDER, name);
  await page.screenshot({ path, fullPage, type: 'jpeg', quality: QUALITY });
  console.log(`docs/images/${name}: ${Math.round(statSync(path).size / 1000)} kB`);
}

process.exitCode = await main();
