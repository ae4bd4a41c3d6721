import { describe, expect, test } from 'vitest';
import { NO_REQUESTS } from '../../scripts/demo/report.ts';
import type { Report } from '../../scripts/demo/report.ts';
import { progressOn, summary } from '../../scripts/demo/terminal.ts';

function shown(isTTY: boolean): string {
  const texts: string[] = [];
  const progress = progressOn({ isTTY, write: (text) => texts.push(text) });
  progress.begin('Patients', 2);
  progress.tick();
  progress.tick();
  progress.end();
  return texts.join('');
}

const report: Report = {
  input: { files: 1, entries: 1, repeated: 0, leftOut: 0, failed: 0 },
  types: { Patient: { inSource: 2, replicated: 1, withheldByConsent: 0, withheldByPolicy: 0, failed: 1 } },
  reasons: { 'consent-period': 2 },
  requests: { ...NO_REQUESTS, perReplicatedResource: { eventPath: 4, bulkPath: null } },
  runs: {},
  sweep: null,
  durationMs: 1234,
  problems: [{ kind: 'sync', input: 1, index: 2, type: 'Patient', message: 'was not copied', count: 3 }],
};

describe('the screen', () => {
  test('has a bar when it is a terminal, and a line when it is not', () => {
    expect(shown(true)).toContain('[===============               ] 1/2');
    expect(shown(false)).toBe('Patients: 2\n');
  });

  test('ends with the counts, what they cost, and where the problems are', () => {
    const text = summary(report, ['x.json'], false);
    expect(text).toContain('Requests per replicated resource: 4 on the event path');
    expect(text).toContain('Withheld: 2 by consent-period.');
    expect(text).toContain('Problem (sync): x.json entry 2 Patient was not copied (and 2 more)');
    expect(text).not.toContain('\u001b');
    expect(summary(report, [], true)).toContain('\u001b[31m');
  });
});
