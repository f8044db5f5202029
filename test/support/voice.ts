/** One voice: what every error, hint and note must be like, whoever says it. */
import { expect } from 'vitest';

/** Names that begin with a capital wherever they stand. */
const NAMES = /^(PostgreSQL|Leoflow|MANIFEST|SHA256SUMS|LEOFLOW_|Node\.js|[A-Z_]+=)/;

/** A sentence in a line of its own: begins small, unless with a name, and ends without a full stop. */
export function expectOneVoice(said: string, what = 'message'): void {
  expect(/^[A-Z]/.test(said) && !NAMES.test(said), `a ${what} that begins with a capital: ${said}`).toBe(false);
  // What another program has said, behind a colon, is said as it was.
  expect(/^[^:]*\.$/.test(said), `a ${what} that ends with a full stop: ${said}`).toBe(false);
  expect(/\S/.test(said), `a ${what} that says nothing`).toBe(true);
}

/** The same of all that a command has printed on standard error. */
export function expectOneVoiceOf(stderr: string): void {
  for (const [, what = '', said = ''] of stderr.matchAll(/^(error|hint|note): (.*)$/gm)) expectOneVoice(said, what);
}
