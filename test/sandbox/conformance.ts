import { accessRules } from './conformance/access.ts';
import { Api } from './conformance/api.ts';
import type { Driver } from './conformance/api.ts';
import { auditRules } from './conformance/audit.ts';
import { conditionalRules } from './conformance/conditions.ts';
import { executeRules } from './conformance/execute.ts';
import { limitRules } from './conformance/limits.ts';
import { pagingRules } from './conformance/paging.ts';
import { resourceRules } from './conformance/resources.ts';
import { searchRules } from './conformance/search.ts';
import { subscriptionRules } from './conformance/subscriptions.ts';
import { transactionRules } from './conformance/transactions.ts';

/**
 * The rules of a real Medplum 5.0.10 that the sandbox keeps, one test each, over HTTP. The numbers are facts of
 * `platform.md`. With another driver the same suite runs against a real server.
 * @param driver - Called when a test starts.
 */
export function conformance(driver: () => Driver): void {
  // A new caller each time: the rules move the clock, and a token lives an hour.
  const main = (): Api => new Api(driver().baseUrl, driver().client);

  resourceRules(main);
  conditionalRules(main);
  transactionRules(main);
  searchRules(main);
  pagingRules(main);
  accessRules(driver, main);
  executeRules(driver, main);
  subscriptionRules(driver, main);
  auditRules(driver, main);
  limitRules(driver, main);
}
