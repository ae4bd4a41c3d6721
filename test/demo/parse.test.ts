import { describe, expect, test } from 'vitest';
import { parseInput } from '../../scripts/demo/parse.ts';

const patient = { resourceType: 'Patient', id: 'a' };
const contents = (text: string): unknown => {
  const parsed = parseInput(1, text);
  return 'entries' in parsed ? parsed.entries.map(({ content }) => content) : parsed.problem;
};

describe('an input', () => {
  test.each([
    ['a Bundle', JSON.stringify({ resourceType: 'Bundle', type: 'history', entry: [{ resource: patient }] })],
    ['an array', JSON.stringify([patient])],
    ['one resource', JSON.stringify(patient)],
    ['a resource over several lines, after a byte order mark', `\uFEFF${JSON.stringify(patient, undefined, 2)}`],
  ])('may be %s', (_name, text) => {
    expect(contents(text)).toEqual([patient]);
  });

  test('may be NDJSON; a broken line is an entry without content', () => {
    const line = JSON.stringify(patient);
    expect(contents(`${line}\r\n\r\n{broken\n${line}\n`)).toEqual([patient, undefined, patient]);
  });

  test('keeps addresses, and counts from 1', () => {
    const text = JSON.stringify({ resourceType: 'Bundle', entry: [{}, { fullUrl: 'urn:uuid:1', resource: patient }] });
    expect(parseInput(3, text)).toEqual({
      entries: [
        { input: 3, index: 1, content: undefined },
        { input: 3, index: 2, fullUrl: 'urn:uuid:1', content: patient },
      ],
    });
  });

  test.each([
    ['', 'is empty'],
    ['{}', 'is neither a Bundle, nor a resource, nor an array of resources'],
    ['"John"', 'is neither a Bundle, nor a resource, nor an array of resources'],
    ['[]', 'holds no resources'],
    ['{"resourceType":"Bundle"}', 'holds no resources'],
    ['{"resourceType":"Bundle","entry":{}}', 'is a malformed Bundle: `entry` is not an array'],
    ['{\n  "name" John Smith }', 'is not valid JSON (line 2, column 10)'],
    ['{ "name": John Smith }', 'is not valid JSON'],
  ])('%j is refused, and not quoted', (text, problem) => {
    expect(contents(text)).toBe(problem);
  });
});
