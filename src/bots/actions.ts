/** What the bot `admin` can be asked: the tables of the areas, joined. */
import { join } from '../flows/admin/help.ts';
import { AUDIT_ACTIONS } from '../flows/audit/actions.io.ts';
import { CONSENT_ACTIONS } from '../flows/consent/actions.io.ts';
import { EXPLAIN_ACTIONS } from '../flows/sync/actions.io.ts';
import { PARTNER_ACTIONS } from '../flows/partner/actions.io.ts';
import { PROOF_ACTIONS } from '../flows/proof/actions.io.ts';
import { QUEUE_ACTIONS } from '../flows/queue/actions.io.ts';
import { RECONCILIATION_ACTIONS } from '../flows/reconcile/actions.io.ts';

/** All actions; an area joins by its table. */
export const ACTIONS = join(
  AUDIT_ACTIONS,
  CONSENT_ACTIONS,
  EXPLAIN_ACTIONS,
  PARTNER_ACTIONS,
  PROOF_ACTIONS,
  QUEUE_ACTIONS,
  RECONCILIATION_ACTIONS
  // One line for each area.
);
