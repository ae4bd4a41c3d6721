import { beforeAll, describe, expect, test } from 'vitest';
import { accept } from '../../scripts/demo/accept.ts';
import { loadDefinitions } from '../../scripts/sandbox/definitions.ts';

beforeAll(loadDefinitions);

const judge = (content: unknown): unknown => {
  const { accepted, problems } = accept([{ input: 1, index: 1, content }]);
  return accepted.length > 0 ? 'accepted' : problems[0]?.message;
};

describe('an entry', () => {
  test.each([
    [undefined, 'is not a resource'],
    ['John', 'is not a resource'],
    [{ id: 'John' }, 'has no resourceType'],
    [{ resourceType: 'John' }, 'is of a type that FHIR R4 does not have, or that is no data'],
    [{ resourceType: 'Project' }, 'is of a type that FHIR R4 does not have, or that is no data'],
    [{ resourceType: 'UserConfiguration' }, 'is of a type that FHIR R4 does not have, or that is no data'],
    [{ resourceType: 'HumanName' }, 'is of a type that FHIR R4 does not have, or that is no data'],
    [{ resourceType: 'Patient' }, 'accepted'],
    [{ resourceType: 'Claim' }, 'accepted'],
  ])('%j is judged by its form', (content, judgement) => {
    expect(judge(content)).toBe(judgement);
  });

  test('is refused when it is larger than the source takes', () => {
    const note = [{ text: 'x'.repeat(10 * 1024 * 1024) }];
    expect(judge({ resourceType: 'Observation', note })).toMatch(/^is 10\.0 MiB large/);
  });
});
