/**
 * One call of the engine as a command makes it: signals stop it, a reporter tells of it, and it ends with a status.
 */
import { describeFailure, EXIT } from '../exit.js';
import type { Listener } from '../listeners/listener.js';
import type { ReportedEvent, Reporter } from '../reporters/reporter.js';
import { watchSignals } from '../signals.js';

/** What the engine is given to talk to us, and to listen. */
export interface Hooks<P extends string> {
  signal: AbortSignal;
  onEvent(event: ReportedEvent<P>): void;
  /** For an engine that tells more than may wait in memory. */
  pace(): Promise<void>;
}

/**
 * Calls the engine. Whatever it throws is told, not thrown.
 *
 * @param statusOf the exit status of a result. Default: 0
 * @param listeners who else is told how it ended
 * @returns the exit status
 */
export async function underReporter<P extends string, R>(
  reporter: Reporter<P, R>,
  call: (hooks: Hooks<P>) => Promise<R>,
  statusOf: (result: R) => number = () => EXIT.done,
  listeners: readonly Listener<R>[] = [],
): Promise<number> {
  const signals = watchSignals((signal) => reporter.stopping(signal));
  try {
    const result = await call({
      signal: signals.aborted,
      onEvent: (event) => reporter.event(event),
      pace: () => reporter.ready(),
    });
    const status = statusOf(result);
    for (const listener of listeners) await listener.done(result, status, signals.aborted);
    reporter.done(result, status);
    return status;
  } catch (error) {
    const failure = describeFailure(error, signals.received);
    for (const listener of listeners) await listener.failed(failure);
    reporter.failed(failure);
    return failure.status;
  } finally {
    signals.stop();
  }
}
