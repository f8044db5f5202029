/**
 * The cluster that is dumped: made and filled the first time, started for every run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeHome } from '../scripts/sample/home.mjs';
import {
  INITDB_ARGUMENTS,
  plainEnvironment,
  Server,
  SOCKET_PATH_BYTES,
  serverAccount,
} from '../scripts/sample/postgres.mjs';
import { run } from './measure.mjs';
import { makeRows } from './trees.mjs';

/** @typedef {{ server: Server; pgdata: string }} Cluster */

/**
 * Starts the cluster. It has a database per tree: `mixed` with much in it, `small` with little.
 *
 * @param {object} options
 * @param {string} options.directory where it is kept
 * @param {string} options.bin of PostgreSQL
 * @param {number} options.bytes size of the rows in `mixed`
 * @param {AbortSignal} options.signal
 * @param {(server: Server) => void} options.onSpawn told before it answers
 * @returns {Promise<Cluster>}
 */
export async function startCluster({ directory, bin, bytes, signal, onSpawn }) {
  const home = join(directory, `cluster-${bytes}`);
  const pgdata = join(home, 'pgdata');
  if (Buffer.byteLength(join(pgdata, '.s.PGSQL.5432')) > SOCKET_PATH_BYTES) {
    throw new Error(`${directory} is too long a path for a socket; choose a shorter --dir`);
  }
  const account = serverAccount();
  const filled = join(home, 'filled');
  if (!existsSync(filled)) {
    rmSync(home, { recursive: true, force: true });
    makeHome({ home, workspace: directory, bin });
    if (account !== null) await run('chown', ['-R', '-h', `${account.uid}:${account.gid}`, home]);
    const { status, stderr } = spawnSync(join(bin, 'initdb'), ['-D', pgdata, ...INITDB_ARGUMENTS], {
      cwd: '/',
      env: plainEnvironment(),
      encoding: 'utf8',
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
    if (status !== 0) throw new Error(`initdb: ${stderr}`);
  }
  const log = join(home, 'dev', 'postgres.log');
  const server = await Server.start({ bin, pgdata, log, account, signal, onSpawn });
  if (!existsSync(filled)) {
    await fill(join(bin, 'psql'), pgdata, await makeRows(directory, bytes));
    writeFileSync(filled, '');
  }
  return { server, pgdata };
}

/** @param {string} program @param {string} pgdata @param {string} rows a file for COPY */
async function fill(program, pgdata, rows) {
  const psql = (/** @type {string} */ database, /** @type {string[]} */ args, input = '/dev/null') =>
    run(program, ['-Xq', '-v', 'ON_ERROR_STOP=1', '-h', pgdata, '-U', 'leoflow', '-d', database, ...args], {}, input);
  const tables = fileURLToPath(new URL('../scripts/sample/datastore.sql', import.meta.url));
  for (const database of ['mixed', 'small']) {
    await psql('postgres', ['-c', `CREATE DATABASE ${database}`]);
    await psql(database, ['-v', 'scale=10', '-f', tables]);
  }
  await psql('mixed', ['-c', 'CREATE TABLE xcom_large (id bigint PRIMARY KEY, key text, value jsonb)']);
  await psql('mixed', ['-c', 'COPY xcom_large FROM STDIN'], rows);
  await psql('mixed', ['-c', 'VACUUM ANALYZE']);
}
