/** From when on something that should have happened is late. The bots `health` and `status` judge alike. */

/** Three sweeps that did not happen; a day without any. */
export const SWEEP_LATE_MS = 15 * 60_000;
export const SWEEP_LOST_MS = 24 * 3_600_000;
/** A job waits for seconds when all is well, and for hours when the replica is down. */
export const JOBS_LATE_MS = 3_600_000;
