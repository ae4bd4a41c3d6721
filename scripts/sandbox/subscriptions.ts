import { resourceMatchesSubscriptionCriteria } from '@medplum/core';
import type { WithId } from '@medplum/core';
import type { Bot, Extension, Project, Resource, Subscription } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import type { Trace } from './audit.ts';
import type { Bots } from './bots.ts';
import type { SandboxClock } from './clock.ts';
import type { Faults } from './faults.ts';
import type { Change, Store } from './store.ts';
import type { WorkCount } from './work-count.ts';

/** BullMQ's concurrency in the real server, over all projects (platform.md §2.1). */
const PARALLEL = 20;

const SUPPORTED_INTERACTION = 'https://medplum.com/fhir/StructureDefinition/subscription-supported-interaction';

interface Job {
  readonly subscriptionId: string;
  readonly change: Change;
  readonly trace: Trace;
}

/**
 * Subscriptions whose endpoint is a Bot. Each version that matches gets one run with exactly that version; jobs start in
 * the order of versions, and up to twenty run at once, so an older version can finish last.
 */
export class Subscriptions {
  readonly #queue: Job[] = [];
  readonly #store: Store;
  readonly #bots: Bots;
  readonly #work: WorkCount;
  readonly #faults: Faults;
  readonly #clock: SandboxClock;
  #evaluation: Promise<void> = Promise.resolve();
  #running = 0;

  constructor(store: Store, bots: Bots, work: WorkCount, faults: Faults, clock: SandboxClock) {
    this.#store = store;
    this.#bots = bots;
    this.#work = work;
    this.#faults = faults;
    this.#clock = clock;
  }

  /** Queues the jobs of a committed change. Evaluation is asynchronous in core, hence the chain: it keeps the order. */
  changed(change: Change, trace: Trace): void {
    const { resource } = change.version;
    const subscriptions = this.#active();
    if (!resource || change.type === 'AuditEvent' || subscriptions.length === 0 || this.#faults.loses(change)) {
      return;
    }
    const done = this.#work.begin();
    this.#evaluation = this.#evaluation.then(async () => {
      for (const subscription of subscriptions) {
        if (await this.#matches(subscription, change, resource)) {
          const { copies, delayMs } = this.#faults.deliveryOf();
          for (let copy = 0; copy < copies; copy++) {
            this.#work.begin();
            void this.#deliver({ subscriptionId: subscription.id, change, trace }, delayMs);
          }
        }
      }
      done();
    });
  }

  #active(): WithId<Subscription>[] {
    const rows = [...(this.#store.table('Subscription').withTerm('t:active') ?? [])];
    return rows
      .sort((a, b) => a.position - b.position)
      .map((row) => row.current.resource as WithId<Subscription>)
      .filter((subscription) => subscription.status === 'active');
  }

  /** A criteria that cannot be evaluated never fires, and nobody is told (platform.md §2.6). */
  async #matches(subscription: Subscription, change: Change, resource: Resource): Promise<boolean> {
    try {
      return await resourceMatchesSubscriptionCriteria({
        resource,
        subscription: withOneInteraction(subscription),
        context: { interaction: change.interaction, project: {} as WithId<Project> },
        getPreviousResource: async () => change.previous?.resource,
      });
    } catch {
      return false;
    }
  }

  /** An event that is late comes after what happened later. */
  async #deliver(job: Job, delayMs: number): Promise<void> {
    if (delayMs > 0) {
      const arrived = this.#clock.lapse?.needed();
      await this.#clock.sleep(delayMs);
      arrived?.();
    }
    this.#queue.push(job);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < PARALLEL && this.#queue.length > 0) {
      const job = this.#queue.shift() as Job;
      this.#running++;
      void this.#run(job).finally(() => {
        this.#running--;
        this.#work.end();
        this.#pump();
      });
    }
  }

  /** What was queued may be out of date: a deleted subscription, bot or resource ends the job (workers/subscription.ts). */
  async #run({ subscriptionId, change, trace }: Job): Promise<void> {
    const subscription = this.#current<Subscription>('Subscription', subscriptionId);
    const [, botId = ''] = subscription?.channel.endpoint?.split('/') ?? [];
    const bot = this.#current<Bot>('Bot', botId);
    const isThere = change.interaction === 'delete' || this.#current(change.type, change.id) !== undefined;
    if (!subscription || subscription.status !== 'active' || !bot || !isThere) {
      return;
    }
    const resource = JSON.parse(change.version.text ?? '{}') as WithId<Resource>;
    await this.#bots.run({
      bot,
      trigger: 'subscription',
      subscription,
      requester: resource.meta?.author,
      input: change.interaction === 'delete' ? { deletedResource: resource } : resource,
      contentType: 'application/fhir+json',
      headers: {
        'Content-Type': 'application/fhir+json',
        'X-Medplum-Subscription': subscription.id,
        'X-Medplum-Interaction': change.interaction,
        ...(change.interaction === 'delete' && { 'X-Medplum-Deleted-Resource': `${change.type}/${change.id}` }),
        'x-trace-id': trace.traceId,
      },
      trace: { requestId: randomUUID(), traceId: trace.traceId },
    });
  }

  #current<T extends Resource>(type: string, id: string): WithId<T> | undefined {
    return this.#store.row(type, id)?.current.resource as WithId<T> | undefined;
  }
}

/** 5.0.10 reads the first of these extensions only; core 5.2.13 reads them all (platform.md §2.5). */
function withOneInteraction(subscription: Subscription): Subscription {
  const isInteraction = (extension: Extension): boolean => extension.url === SUPPORTED_INTERACTION;
  const first = subscription.extension?.find(isInteraction);
  return first
    ? { ...subscription, extension: subscription.extension?.filter((e) => e === first || !isInteraction(e)) ?? [] }
    : subscription;
}
