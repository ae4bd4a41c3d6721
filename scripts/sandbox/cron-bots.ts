import type { WithId } from '@medplum/core';
import type { Bot } from '@medplum/fhirtypes';
import { randomUUID } from 'node:crypto';
import type { Bots } from './bots.ts';
import type { SandboxClock, Timetable } from './clock.ts';
import { parseCron } from './cron.ts';
import type { Cron } from './cron.ts';
import type { Change, Store } from './store.ts';
import type { WorkCount } from './work-count.ts';

interface Scheduled {
  readonly text: string;
  readonly cron: Cron;
  /** A schedule starts when it is saved: ticks before that are not made up for. */
  readonly since: number;
}

/** The cron bots of one server (platform.md §1). Runs may overlap; a throw is not retried; a deleted bot just stops. */
export class CronBots implements Timetable {
  readonly #scheduled = new Map<string, Scheduled>();
  readonly #store: Store;
  readonly #bots: Bots;
  readonly #clock: SandboxClock;
  readonly #work: WorkCount;

  constructor(store: Store, bots: Bots, clock: SandboxClock, work: WorkCount) {
    this.#store = store;
    this.#bots = bots;
    this.#clock = clock;
    this.#work = work;
  }

  /** Follows what is saved: any change of `cronString` counts, whoever made it. An invalid one never runs, silently. */
  changed(change: Change): void {
    if (change.type !== 'Bot') {
      return;
    }
    const text = change.interaction === 'delete' ? undefined : (change.version.resource as Bot | undefined)?.cronString;
    const cron = text === undefined ? undefined : parseCron(text);
    if (!text || !cron) {
      this.#scheduled.delete(change.id);
    } else if (this.#scheduled.get(change.id)?.text !== text) {
      this.#scheduled.set(change.id, { text, cron, since: this.#clock.now() });
    }
  }

  nextAfter(ms: number): number | undefined {
    const due = [...this.#scheduled.values()]
      .map(({ cron, since }) => cron.nextAfter(Math.max(ms, since)))
      .filter((next) => next !== undefined);
    return due.length > 0 ? Math.min(...due) : undefined;
  }

  fire(at: number): void {
    for (const [id, { cron, since }] of this.#scheduled) {
      if (cron.nextAfter(Math.max(at - 1, since)) === at) {
        void this.#run(id);
      }
    }
  }

  settled(): Promise<void> {
    return this.#work.none();
  }

  async #run(id: string): Promise<void> {
    const row = this.#store.row('Bot', id);
    if (!row?.current.text) {
      return;
    }
    const bot = JSON.parse(row.current.text) as WithId<Bot>;
    const done = this.#work.begin();
    await this.#bots.run({
      bot,
      trigger: 'cron',
      input: bot,
      contentType: 'application/fhir+json',
      trace: { requestId: randomUUID(), traceId: randomUUID() },
    });
    done();
  }
}
