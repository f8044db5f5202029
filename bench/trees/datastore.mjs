/**
 * The cluster that is dumped: made and filled the first time, started for every bench. Without a size it has the few rows that any install has.
 */
import { createWriteStream, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makeHome } from '../../scripts/sample/home.mjs';
import { INITDB_ARGUMENTS, Server, SOCKET_PATH_BYTES, serverAccount } from '../../scripts/sample/postgres.mjs';
import { randomOf } from '../../scripts/sample/random.mjs';
import { sentence } from '../../scripts/sample/text.mjs';
import { run } from '../measure/run.mjs';

/** Changes whenever what is generated changes. */
const GENERATION = 2;
const DATABASE = 'bench';

/** @typedef {{ server: Server; bin: string; pgdata: string; dsn: string; bytes: number; dump: string }} Cluster `dump`: the line of bash that dumps it to standard output */

/**
 * @param {object} options
 * @param {string} options.directory where it is kept
 * @param {string} options.bin of PostgreSQL
 * @param {number} options.bytes of the dump, about; 0: the few rows of any install
 * @param {AbortSignal} options.signal
 * @param {(server: Server) => void} options.onSpawn told before it answers
 * @returns {Promise<Cluster>}
 */
export async function startCluster({ directory, bin, bytes, signal, onSpawn }) {
  const home = join(directory, `cluster-${bytes}-${GENERATION}`);
  const pgdata = join(home, 'pgdata');
  if (Buffer.byteLength(join(pgdata, '.s.PGSQL.5432')) > SOCKET_PATH_BYTES) {
    throw new Error(`${directory} is too long a path for a socket; choose a shorter --dir`);
  }
  const account = serverAccount();
  const env = {
    BIN: bin,
    PGDATA: pgdata,
    HOME_OF_IT: home,
    ACCOUNT: account === null ? '' : `${account.uid}:${account.gid}`,
  };
  const filled = join(home, 'filled');
  for (const name of readdirSync(directory)) {
    if (name.startsWith('cluster-')) await endStray(join(directory, name, 'pgdata'));
  }
  if (!existsSync(filled)) {
    rmSync(home, { recursive: true, force: true });
    makeHome({ home, workspace: directory, bin });
    const asServer = account === null ? '' : `setpriv --reuid=${account.uid} --regid=${account.gid} --clear-groups`;
    const line = `if [ -n "$ACCOUNT" ]; then chown -R -h "$ACCOUNT" "$HOME_OF_IT"; fi
      cd / && ${asServer} "$BIN/initdb" -D "$PGDATA" ${INITDB_ARGUMENTS.join(' ')}`;
    await run({ line, env, signal });
  }
  const log = join(home, 'dev', 'postgres.log');
  const server = await Server.start({ bin, pgdata, log, account, signal, onSpawn });
  const connect = '-h "$PGDATA" -U leoflow';
  if (!existsSync(filled)) {
    const tables = fileURLToPath(new URL('../../scripts/sample/datastore.sql', import.meta.url));
    const psql = `"$BIN/psql" -Xq -v ON_ERROR_STOP=1 ${connect}`;
    await run({ line: `${psql} -d postgres -c 'CREATE DATABASE ${DATABASE}'`, env, signal });
    await run({ line: `${psql} -d ${DATABASE} -v scale=10 -f "$TABLES"`, env: { ...env, TABLES: tables }, signal });
    if (bytes > 0) {
      const rows = join(directory, 'rows.copy');
      await makeRows(rows, bytes);
      const table = 'CREATE TABLE xcom_large (id bigint PRIMARY KEY, key text, value jsonb)';
      const line = `${psql} -d ${DATABASE} -c '${table}'
        ${psql} -d ${DATABASE} -c 'COPY xcom_large FROM STDIN' < "$ROWS"
        ${psql} -d ${DATABASE} -c 'VACUUM ANALYZE'`;
      await run({ line, env: { ...env, ROWS: rows }, signal });
      rmSync(rows);
    }
    writeFileSync(filled, '');
  }
  const dsn = `postgres://leoflow@/${DATABASE}?host=${encodeURIComponent(pgdata)}`;
  const dump = `'${bin}/pg_dump' --clean --if-exists --no-owner --no-privileges -h '${pgdata}' -U leoflow ${DATABASE}`;
  return { server, bin, pgdata, dsn, bytes, dump };
}

/** Ends a server in our directory whose bench was killed. @param {string} pgdata */
async function endStray(pgdata) {
  const file = join(pgdata, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  const ours = () => existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(pgdata);
  if (ours()) process.kill(pid, 'SIGQUIT');
  for (let tries = 0; tries < 50 && ours(); tries += 1) await sleep(100);
}

/**
 * Rows for `COPY … FROM STDIN`.
 *
 * @param {string} file
 * @param {number} bytes
 */
async function makeRows(file, bytes) {
  await pipeline(
    function* () {
      const random = randomOf('rows');
      for (let [id, size] = [0, 0]; size < bytes; ) {
        // In pieces of a reasonable size for the stream.
        let piece = '';
        for (; piece.length < 1 << 16; id += 1) {
          const value = {
            rows: random.int(100_000),
            at: random.int(2 ** 31),
            message: sentence(random, 8 + random.int(24)),
          };
          piece += `${id}\treturn_value_${random.int(40)}\t${JSON.stringify(value)}\n`;
        }
        size += piece.length;
        yield piece;
      }
    },
    createWriteStream(`${file}.unfinished`),
  );
  renameSync(`${file}.unfinished`, file);
}
