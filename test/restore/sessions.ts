/** Sessions on a database, as a running Leoflow has them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '../support/cli.js';
import { type Cluster, plainEnvironment, postgresBin } from '../support/postgres.js';

const clients: ChildProcess[] = [];

/** A session on the live database that is idle until it is ended. @returns its process on the server */
export function connect(cluster: Cluster): Promise<{ pid: string }> {
  return open(cluster, cluster.url, 'SELECT 1;');
}

/** A session on another database that lets nobody make, rename or drop one, but see what there is. */
export function freezeDatabases(cluster: Cluster): Promise<{ pid: string }> {
  return open(cluster, cluster.urlOf('postgres'), 'BEGIN; LOCK TABLE pg_database IN SHARE MODE;');
}

async function open(cluster: Cluster, url: string, sql: string): Promise<{ pid: string }> {
  const client = spawn(join(postgresBin(), 'psql'), ['-XAtq', '-d', url, '-f', '-'], {
    env: { ...plainEnvironment(), PGAPPNAME: 'leoflow server' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  clients.push(client);
  client.stdin.write(`${sql}\n`);
  const find = () =>
    cluster.psql(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'leoflow server' AND state ~ '^idle' AND query <> ''",
    );
  await until(async () => (await find()) !== '', 'a session');
  return { pid: await find() };
}

/** Ends them all. */
export function disconnectAll(): void {
  for (const client of clients.splice(0)) client.kill('SIGKILL');
}
