/** How far a run is, as one line. Pure. */

/** What an answer of the bot says of a run. */
export interface Reached {
  /** Patients that were looked at. */
  readonly walked: number;
  /** Copies that were written. */
  readonly enqueued: number;
}

/** Where this command began to look: somebody else may have begun the run. */
export interface Since extends Reached {
  /** Milliseconds, as `now`. */
  readonly at: number;
}

const WIDTH = 30;

/**
 * @param reached - How far the run is.
 * @param total - Patients there are.
 * @param since - Where this command began to look.
 * @param now - Milliseconds.
 * @returns For example `███░░░  50 %  100 of 200 patients  2600 copies  130/s  20 s left`; without a rate when there is none yet.
 */
export function progressLine({ walked, enqueued }: Reached, total: number, since: Since, now: number): string {
  const share = total > 0 ? Math.min(1, walked / total) : 1;
  const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
  const seconds = (now - since.at) / 1000;
  const patients = walked - since.walked;
  const rate = seconds > 0 ? `  ${Math.round((enqueued - since.enqueued) / seconds)}/s` : '';
  const left = Math.max(0, total - walked);
  const eta = patients > 0 && seconds > 0 ? `  ${durationOf((left / patients) * seconds)} left` : '';
  return `${bar}  ${Math.floor(share * 100)} %  ${walked} of ${total} patients  ${enqueued} copies${rate}${eta}`;
}

function durationOf(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) {
    return `${Math.round(seconds)} s`;
  }
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
