/**
 * A pause in long loops, in which signals come through.
 */
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './errors.js';

/** Gives the event loop its turn: only there a signal comes. @throws INTERRUPTED */
export async function nextTurn(signal: AbortSignal): Promise<void> {
  await setImmediate();
  throwIfAborted(signal);
}
