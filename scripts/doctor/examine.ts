/** All checks, in the order in which one would repair things: what stands above may be the cause of what stands below. */
import { auditedCallers, namesRedacted, replicaAuditSaved } from './checks/audit.ts';
import { botsDeployed, policiesNarrow, quota, subscriptions } from './checks/bots.ts';
import { lastReconciliation, oldestJob, watermarkAge } from './checks/progress.ts';
import { partnerReachable, partnerSettings } from './checks/partner.ts';
import { replicaConditional, replicaExpunge, replicaReachable, replicaToken } from './checks/replica.ts';
import {
  clockSkew,
  leakedConnections,
  projectAdmin,
  projectFeatures,
  replicaFeatures,
  serverReachable,
  serverVersion,
} from './checks/server.ts';
import { ingestSenders } from './checks/senders.ts';
import { scrapeClient } from './checks/scrape.ts';
import { keysStrong, placeholderSecrets, secretsValid } from './checks/settings.ts';
import { auditMirrorLag, auditSealed, auditSigned } from './checks/trail.ts';
import type { Facts } from './facts.ts';
import type { Finding, Judgement } from './finding.ts';

/** Name → judgement. The names are what monitoring and the README refer to. */
export const CHECKS = {
  'server-reachable': serverReachable,
  'server-version': serverVersion,
  'project-admin': projectAdmin,
  'project-features': projectFeatures,
  'secrets-valid': secretsValid,
  'keys-strong': keysStrong,
  'placeholder-secrets': placeholderSecrets,
  'bots-deployed': botsDeployed,
  subscriptions: subscriptions,
  'policies-narrow': policiesNarrow,
  quota: quota,
  'ingest-senders': ingestSenders,
  'replica-reachable': replicaReachable,
  'replica-token': replicaToken,
  'replica-features': replicaFeatures,
  'replica-conditional': replicaConditional,
  'replica-expunge': replicaExpunge,
  'replica-audit-saved': replicaAuditSaved,
  'audit-names-redacted': namesRedacted,
  'audited-callers': auditedCallers,
  'audit-signed': auditSigned,
  'audit-sealed': auditSealed,
  'audit-mirror-lag': auditMirrorLag,
  'partner-settings': partnerSettings,
  'partner-reachable': partnerReachable,
  'clock-skew': clockSkew,
  'leaked-connections': leakedConnections,
  'oldest-job': oldestJob,
  'watermark-age': watermarkAge,
  'last-reconciliation': lastReconciliation,
  'scrape-client': scrapeClient,
} as const satisfies Record<string, (facts: Facts) => Judgement>;

export type CheckName = keyof typeof CHECKS;

/**
 * @param facts - What was gathered.
 * @returns One finding per check.
 */
export function examine(facts: Facts): Finding[] {
  return Object.entries(CHECKS).map(([name, judge]) => ({ name, ...judge(facts) }));
}
