/**
 * The end of a process whose terminal has gone. On its way out Node.js puts a terminal's settings back, and aborts with a core dump where that terminal is
 * not there any more. Ending by SIGHUP, as a shell expects of a closed terminal, avoids that.
 */
import { isatty } from 'node:tty';

/** The standard descriptors that are terminals. */
export function ownTerminals(): number[] {
  return [0, 1, 2].filter((descriptor) => isatty(descriptor));
}

/** Whether one of these is not there any more. */
export function isGone(terminals: readonly number[]): boolean {
  return terminals.some((descriptor) => !isatty(descriptor));
}
