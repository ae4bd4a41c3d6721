/** Trends as bars: SVG that is drawn here, so that the page needs no script. Pure. */
import { escapeHtml } from '../../html.ts';
import { SPANS } from '../trend.ts';
import type { Span } from '../trend.ts';
import type { Line } from './report.ts';
import { numberText } from './say.ts';

const HEIGHT = 56;
const STEP = 8;
const BAR = 6;

/** Presentation attributes, not only classes: where a server forbids styles, as Medplum does, the bars still have a colour. */
const FILLS = ['#1d6fd1', '#d97706'];

const NAMES: Readonly<Record<Span, string>> = { hours: '48 hours', days: '30 days' };

/**
 * Draws one span of up to two lines, stacked.
 *
 * @param lines - The lines.
 * @param span - Which values.
 * @param unit - What they are.
 * @param now - Milliseconds since the epoch.
 * @returns A `figure` that says in words what it shows.
 */
export function chart(lines: readonly Line[], span: Span, unit: string, now: number): string {
  const { count, ms } = SPANS[span];
  const at = (index: number): number[] => lines.map((line) => line[span][index] ?? 0);
  const sums = Array.from({ length: count }, (_, index) => at(index).reduce((a, b) => a + b, 0));
  const top = Math.max(...sums);
  const bars = sums.flatMap((sum, index) => {
    const from = (Math.floor(now / ms) - count + 1 + index) * ms;
    return sum > 0 ? [bar(index, at(index), top, titleOf(lines, index, span, unit, from))] : [];
  });
  const summary =
    top === 0
      ? `Nothing in ${NAMES[span]}.`
      : `${lines.map(({ label }) => label).join(' and ')}, by the ${span === 'hours' ? 'hour' : 'day'}, in ${NAMES[span]}: at most ${numberText(top)} ${unit}, ${numberText(sums.at(-1) ?? 0)} in the last.`;
  return [
    `<figure class="chart"><figcaption><span>${NAMES[span]}</span><span>${top === 0 ? '' : `at most ${numberText(top)} ${escapeHtml(unit)}`}</span></figcaption>`,
    `<svg role="img" aria-label="${escapeHtml(summary)}" viewBox="0 0 ${count * STEP} ${HEIGHT + 1}" width="100%" height="${HEIGHT}" preserveAspectRatio="none">`,
    `<rect x="0" y="${HEIGHT}" width="${count * STEP}" height="1" fill="#8a97a8"/>`,
    ...bars,
    `</svg><div class="ends"><span>${dateText((Math.floor(now / ms) - count + 1) * ms, span)}</span><span>${dateText(now, span)}</span></div></figure>`,
  ].join('');
}

function bar(index: number, values: readonly number[], top: number, title: string): string {
  let y = HEIGHT;
  const parts = values.map((value, place) => {
    // What is there is seen, however small it is beside the highest.
    const height = value > 0 ? Math.max(2, Math.round((value / top) * HEIGHT)) : 0;
    y = Math.max(0, y - height);
    return height === 0
      ? ''
      : `<rect class="s${place}" x="${index * STEP + 1}" y="${y}" width="${BAR}" height="${height}" fill="${FILLS[place]}"/>`;
  });
  return `<g><title>${escapeHtml(title)}</title>${parts.join('')}</g>`;
}

function titleOf(lines: readonly Line[], index: number, span: Span, unit: string, from: number): string {
  const values = lines.map((line) => `${line.label} ${numberText(line[span][index] ?? 0)} ${unit}`);
  return `${dateText(from, span)}: ${values.join(', ')}`;
}

function dateText(ms: number, span: Span): string {
  const iso = new Date(ms).toISOString();
  return span === 'hours' ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
}
