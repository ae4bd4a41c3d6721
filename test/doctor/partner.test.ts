import { expect, test } from 'vitest';
import { partnerReachable, partnerSettings } from '../../scripts/doctor/checks/partner.ts';
import type { Facts, PartnerFacts } from '../../scripts/doctor/facts.ts';
import type { Answer } from '../../scripts/doctor/http.ts';

const answer = (body: unknown, problem = ''): Answer => ({
  status: problem ? 0 : 200,
  problem,
  body,
  skewMs: undefined,
  unitsLeft: undefined,
  ms: 1,
});
const well: PartnerFacts = {
  problems: [],
  metadata: answer({ resourceType: 'CapabilityStatement' }),
  token: answer({ access_token: 'x' }),
  organization: answer({ resourceType: 'Organization' }),
};
const verdicts = (partner: PartnerFacts | undefined): string[] =>
  [partnerSettings, partnerReachable].map((check) => check({ partner, source: { project: {} } } as Facts).verdict);

test.each<[string, PartnerFacts | undefined, string[]]>([
  ['none', undefined, ['ok', 'ok']],
  ['a good one', well, ['ok', 'ok']],
  ['settings that are not complete', { problems: ['PARTNER_CLIENT_ID is missing'] }, ['fail', 'ok']],
  ['no Organization', { ...well, organization: answer(undefined, 'status 404') }, ['fail', 'ok']],
  ['one that is not active', { ...well, organization: answer({ active: false }) }, ['fail', 'ok']],
  ['no answer', { ...well, metadata: answer(undefined, 'no answer') }, ['ok', 'fail']],
  ['a login page', { ...well, metadata: answer(undefined) }, ['ok', 'fail']],
  ['no token', { ...well, token: answer(undefined, 'status 400') }, ['ok', 'fail']],
])('%s', (_name, partner, expected) => {
  expect(verdicts(partner)).toEqual(expected);
});
