/**
 * The secrets of a new install.
 */
import { randomBytes, randomInt } from 'node:crypto';

/** Letters and digits that nobody takes for one another. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const LENGTH = 20;
/** Rounds of bcrypt, as a power of two: Leoflow's own choice. */
const COST = 10;

/** A password of 116 random bits, fit to be typed. */
export function newPassword(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

/** The password's bcrypt hash, as Leoflow stores it. */
export async function hashPassword(password: string): Promise<string> {
  const { genSalt, hash } = await import('bcryptjs');
  // Leoflow writes the older mark; for passwords of less than 256 bytes both say the same.
  return hash(password, (await genSalt(COST)).replace(/^\$2b\$/, '$2a$'));
}

/** The secret that signs the sessions of the user interface: 32 random bytes in hex. */
export function newJwtSecret(): string {
  return randomBytes(32).toString('hex');
}
