/** A session that holds a table locked: pg_dump, the real one, waits for it as long as a test likes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Cluster, plainEnvironment, postgresBin } from './postgres.js';

/** Locks a table against everybody. @returns lets it go */
export async function lockTable(cluster: Cluster, table: string): Promise<() => Promise<void>> {
  const child = spawn(join(postgresBin(), 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', cluster.url], {
    env: plainEnvironment(),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  child.stdin.write(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n`);
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.includes('locked')) break;
  }
  return async () => {
    child.stdin.end();
    await ended;
  };
}
