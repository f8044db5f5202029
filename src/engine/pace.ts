/**
 * Waiting for whoever is told: what they have not taken yet would pile up in memory.
 */
import { interrupted, throwIfAborted } from './errors.js';

/** Holds the work up until whoever is told of it has taken what there is: a promise per call. */
export type Pace = () => Promise<void>;

/** Waits for the pace of whoever is told, but not longer than until the signal fires. @throws INTERRUPTED, and whatever the pace rejects with */
export async function keepPace(pace: Pace | undefined, signal: AbortSignal): Promise<void> {
  if (pace === undefined) return;
  throwIfAborted(signal);
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(interrupted());
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([pace(), stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
