/** What an ADMIN may ask for an auditor. */
import { Fault } from '../../observability/fault.ts';
import { adminAction } from '../action.ts';
import type { Actions } from '../action.ts';
import { gatherEvidence } from './gather.io.ts';
import { pageOf } from './page.ts';
import { proofOf } from './plan.ts';

export const PROOF_ACTIONS: Actions = {
  'consent/proof': adminAction({
    effect: 'read',
    why: 'For an auditor: what was consented, shared and erased, when and by which rule. Nothing identified.',
    parameters: {
      token: { kind: 'token', isRequired: true, why: 'The token by which the replica knows the patient: pt_…' },
      format: { kind: 'code', choices: ['json', 'page'], why: 'page: a document for reading, instead of JSON.' },
    },
    async run({ source, config }, { token, format }) {
      const evidence = await gatherEvidence(source, config.systems, token);
      if (!evidence) {
        throw new Fault('patient-unknown');
      }
      const proof = proofOf(token, evidence, config.systems);
      return format === 'page' ? { page: pageOf(proof) } : proof;
    },
  }),
};
