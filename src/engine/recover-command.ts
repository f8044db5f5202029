/**
 * The command line that recovers a home, for people to type.
 */
import { defaultHome } from './install/index.js';

/** Words that a shell takes as they are. */
const PLAIN = /^[\w%+,./:=@-]+$/;

/** `leoflow lite restore --recover`, with the home where it is not the usual one. */
export function recoverCommand(home: string): string {
  const word = PLAIN.test(home) ? home : `'${home.replaceAll("'", "'\\''")}'`;
  return `leoflow lite restore --recover${isUsual(home) ? '' : ` --home ${word}`}`;
}

function isUsual(home: string): boolean {
  try {
    return home === defaultHome();
  } catch {
    // Nobody knows where that would be.
    return false;
  }
}
