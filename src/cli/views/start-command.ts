/**
 * The command line that starts an install, for people to type.
 */
import { printable } from '../format.js';

/** Words that a shell takes as they are. */
const PLAIN = /^[\w%+,./:=@-]+$/;

/** @param home as it was named; undefined for the usual one */
export function startCommand(home: string | undefined): string {
  if (home === undefined) return 'leoflow lite';
  return `leoflow lite --home ${PLAIN.test(home) ? home : `'${printable(home).replaceAll("'", "'\\''")}'`}`;
}
