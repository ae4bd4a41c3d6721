/** What the server has against a record, in our words: its own may quote the record. Pure. */
import type { RefusedIssue } from '../../ports.ts';
import { safePath } from '../../rules/ingest/validate.ts';
import type { Issue } from '../../rules/ingest/validate.ts';

/** What Medplum says of what is no R4, and what we make of it. */
const SENTENCES: readonly (readonly [RegExp, Issue['code'], string])[] = [
  [/^Missing required property/, 'required', 'is required'],
  [/^Invalid additional property/, 'structure', 'has an element that R4 does not know'],
  [
    /^Invalid (JSON type|null|.*(format|range))|^(Unexpected|Expected)|^(Array|Attribute)/i,
    'structure',
    'is not of its type',
  ],
  [/^Constraint /, 'invalid', 'breaks a constraint of R4'],
  [/too (large|long)|larger than/i, 'too-long', 'is too large'],
  [/reference/i, 'not-found', 'has a reference that cannot be resolved'],
];

/**
 * @param issues - Of the server.
 * @returns The same as issues of ours; never none.
 */
export function refusalOf(issues: readonly RefusedIssue[]): Issue[] {
  const said = issues.map(({ text, expression }): Issue => {
    const [, code, sentence] = SENTENCES.find(([pattern]) => pattern.test(text)) ?? [
      undefined,
      'invalid' as const,
      undefined,
    ];
    const isUnknown = /^Invalid additional property/.test(text);
    const path = isUnknown ? expression?.replace(/\.[^.]*$/, '') : expression;
    return {
      code,
      ...(path && { expression: safePath(path) }),
      text: sentence ?? 'The server does not take it as FHIR R4.',
    };
  });
  return said.length > 0 ? said : [{ code: 'invalid', text: 'The server does not take it as FHIR R4.' }];
}
