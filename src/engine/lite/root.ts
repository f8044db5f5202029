/**
 * PostgreSQL refuses to run as root. Under sudo an install belongs to the user who called it, and its server runs as that user; an install that is
 * root's own can never start.
 */
import { ownerOf } from '../ownership.js';

/** What a person who is root reads. */
export const ROOT_REFUSED = 'PostgreSQL refuses to run as root, so an install of root cannot start';

/** What to do instead. @param command as it is typed */
export function rootAdvice(command: string): string {
  return `run this as an ordinary user, for example: su - <user> -c '${command}'`;
}

/** Whether we are root, and a home is root's own, or would be. */
export async function isRootsOwn(home: string): Promise<boolean> {
  return process.getuid?.() === 0 && (await ownerOf(home)) === null;
}
