/**
 * Signals become an `AbortSignal`: the first asks the engine to stop and clean up, a second one ends the process at once.
 */
import { signalStatus } from './exit.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const satisfies readonly NodeJS.Signals[];

/**
 * One wish to stop often arrives twice: from the terminal and from npm, from a closing terminal and its shell, from `timeout` by
 * process and by group. A signal this soon after the first, in milliseconds, is the same wish.
 */
const ECHO_MS = 500;

/** Listening for signals, until {@link SignalWatch.stop}. */
export interface SignalWatch {
  /** Fires with the first signal. */
  readonly aborted: AbortSignal;
  /** The first signal, once there was one. */
  readonly received: NodeJS.Signals | undefined;
  /** Gives the signals back. */
  stop(): void;
}

/**
 * Starts to listen for SIGINT, SIGTERM and SIGHUP.
 *
 * @param onFirst told of the first signal, before the `AbortSignal` fires
 */
export function watchSignals(onFirst: (signal: NodeJS.Signals) => void): SignalWatch {
  const controller = new AbortController();
  let first: { signal: NodeJS.Signals; at: number } | undefined;

  const listener = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (first === undefined) {
      first = { signal, at: now };
      onFirst(signal);
      controller.abort();
    } else if (now - first.at > ECHO_MS) {
      process.exit(signalStatus(signal));
    }
  };

  for (const signal of SIGNALS) process.on(signal, listener);
  return {
    aborted: controller.signal,
    get received() {
      return first?.signal;
    },
    stop() {
      for (const signal of SIGNALS) process.off(signal, listener);
    },
  };
}
