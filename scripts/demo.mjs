/**
 * The main job, for real, on an install made up for the occasion: `npm run demo [-- archive.tar.gz]`.
 *
 *     find PostgreSQL                                   or install it, or say how
 *     make a home, a cluster, sample rows, a workspace  all in one temporary directory
 *     leoflow lite backup                               the only thing that stays is the archive
 *     look at it, and prove it, with standard tools     tar, gzip, sha256sum, diff, psql
 *
 * Whatever happens, the server is stopped and the temporary directory is gone at the end.
 */
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { conclude, heading, prompt, say, Terminal } from './demo/terminal.mjs';
import { makeWorkspace } from './demo/workspace.mjs';
import { makeHome } from './sample/home.mjs';
import {
  findPostgres,
  INITDB_ARGUMENTS,
  plainEnvironment,
  Server,
  SOCKET_PATH_BYTES,
  serverAccount,
  serverArguments,
} from './sample/postgres.mjs';

const SOCKET_IN_TEMPORARY = '/leoflow-demo-XXXXXX/.leoflow/pgdata/.s.PGSQL.5432';
const HERE = dirname(fileURLToPath(import.meta.url));

/** A reason to stop that needs no explanation but itself. */
class Refusal extends Error {}

const stop = new AbortController();
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => stop.abort(signal));
}
// Whoever reads along has gone.
process.stdout.on('error', () => stop.abort('SIGPIPE'));
const started = performance.now();
try {
  await demo(archivePath(process.argv.slice(2)));
} catch (error) {
  if (stop.signal.aborted) {
    say(`\nInterrupted by ${stop.signal.reason}. Nothing is left behind.`);
    process.exitCode = 128 + constants.signals[/** @type {NodeJS.Signals} */ (stop.signal.reason)];
  } else {
    process.stderr.write(`\nerror: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = error instanceof Refusal && error.cause === 'usage' ? 2 : 1;
  }
}

/** @param {string} archive absolute */
async function demo(archive) {
  const bin = findPostgres() ?? installPostgres();
  const account = serverAccount();
  const temporary = makeTemporary(account);
  /** @type {Server | null} */
  let server = null;
  const atExit = () => {
    server?.kill();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once('exit', atExit);
  let proved = false;
  try {
    server = await story({ archive, bin, account, temporary, onServer: (started) => (server = started) });
    proved = true;
  } finally {
    await server?.stop();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
    process.removeListener('exit', atExit);
    if (!proved && existsSync(archive)) {
      if (stop.signal.aborted) rmSync(archive);
      else say(`\nThe archive is kept for you to look at: ${archive}`);
    }
  }
  const size = (statSync(archive).size / 1e6).toFixed(1);
  say(`\nThe server is stopped and ${temporary} is gone. What stays is the archive (${size} MB, made-up data):`);
  say(`  ${relative(process.cwd(), archive).startsWith('..') ? archive : relative(process.cwd(), archive)}`);
  say(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

/**
 * @param {object} stage
 * @param {string} stage.archive
 * @param {string} stage.bin
 * @param {ReturnType<typeof serverAccount>} stage.account
 * @param {string} stage.temporary
 * @param {(server: Server) => void} stage.onServer
 * @returns {Promise<Server>}
 */
async function story({ archive, bin, account, temporary, onServer }) {
  const home = join(temporary, '.leoflow');
  const workspace = join(temporary, 'leoflow');
  const pgdata = join(home, 'pgdata');
  const terminal = new Terminal(
    { ...plainEnvironment(), DEMO: temporary, PATH: `${bin}:${process.env.PATH}`, PGHOST: pgdata, PGUSER: 'leoflow' },
    stop.signal,
  );

  heading('A Leoflow Lite install, made up for this demo');
  prompt(`export DEMO=${temporary} PATH=${bin}:$PATH PGHOST=$DEMO/.leoflow/pgdata PGUSER=leoflow`);
  makeHome({ home, workspace, bin });
  if (account !== null) chownAll(temporary, account);
  const tree = makeWorkspace(workspace);
  say(`$DEMO/leoflow: a workspace of ${tree.files} files, and some that do not belong in a backup`);
  await terminal.read(`initdb -D "$PGHOST" ${INITDB_ARGUMENTS.join(' ')}`, { as: account });
  const quoted = serverArguments('"$PGHOST"').join(' ');
  prompt(`postgres ${quoted} >> "$DEMO/.leoflow/dev/postgres.log" 2>&1 &`, account?.name);
  const log = join(home, 'dev', 'postgres.log');
  const server = await Server.start({ bin, pgdata, log, account, signal: stop.signal, onSpawn: onServer });
  await terminal.run('psql -Xq -d postgres -c "CREATE DATABASE leoflow_dev"');
  await terminal.run(`psql -Xq -d leoflow_dev -v scale=90 -f ${own('sample/datastore.sql')}`);

  heading('The backup');
  await terminal.run(`node ${own('../dist/cli/main.js')} lite backup --home "$DEMO/.leoflow" -o ${quote(archive)}`);

  heading('What plain tar says');
  const listing = `tar tzvf ${quote(archive)}`;
  await terminal.run(`${listing} | head -n 12`);
  await terminal.run(`${listing} | tail -n 3`);
  await terminal.run(`${listing} | cut -c1 | sort | uniq -c    # - files, d directories, l links`);

  heading('The proof');
  await terminal.run(`gzip -t ${quote(archive)}`);
  conclude('a sound gzip file');
  await terminal.run(`mkdir "$DEMO/copy" && tar xzpf ${quote(archive)} -C "$DEMO/copy"`);
  const sums = await terminal.read('cd "$DEMO/copy" && sha256sum -c SHA256SUMS');
  conclude(`${count(sums)} checksums, all OK`);
  const differences = await terminal.read('diff -r --no-dereference "$DEMO/leoflow" "$DEMO/copy/workspace"', {
    statuses: [0, 1],
  });
  process.stdout.write(differences.replaceAll(temporary, '$DEMO'));
  const expected = tree.leftOut.map((path) => `Only in ${dirname(join(workspace, path))}: ${basename(path)}`);
  if (differences.trimEnd().split('\n').sort().join('\n') !== expected.sort().join('\n')) {
    throw new Error('the copy differs from the workspace in more than what the rules leave out');
  }
  conclude('nothing differs but what the rules leave out');
  const find = 'find . -printf "%P %M %Ts %l\\n" | sort';
  await terminal.run(
    `cd "$DEMO/leoflow" && ${find} > "$DEMO/tree" && cd "$DEMO/copy/workspace" && ${find} > "$DEMO/archived"`,
  );
  const changed = await terminal.read('comm -13 "$DEMO/tree" "$DEMO/archived"    # modes, times, links');
  if (changed !== '') throw new Error(`modes, times or links differ:\n${changed}`);
  conclude('modes, times and links are those of the workspace');
  await terminal.run('psql -Xq -d postgres -c "CREATE DATABASE leoflow_copy"');
  await terminal.read(
    'PGOPTIONS="-c client_min_messages=warning" psql -Xq -v ON_ERROR_STOP=1 -d leoflow_copy -f "$DEMO/copy/datastore.sql"',
  );
  const rows = own('sample/rows.sql');
  await terminal.run(`psql -Xq -d leoflow_dev -f ${rows} > "$DEMO/rows"`);
  await terminal.run(`psql -Xq -d leoflow_copy -f ${rows} | diff "$DEMO/rows" -`);
  await terminal.run('cat "$DEMO/rows"');
  conclude('the same rows in both databases');
  return server;
}

/** @param {string[]} args @returns {string} */
function archivePath(args) {
  if (args.length > 1 || args[0]?.startsWith('-')) {
    throw new Refusal('usage: npm run demo [-- archive.tar.gz]', { cause: 'usage' });
  }
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  const path = resolve(args[0] ?? `leoflow-backup-${stamp}Z.tar.gz`);
  if (existsSync(path)) throw new Refusal(`${path} exists already; the demo replaces nothing`);
  return path;
}

/** @returns {string} the directory of the programs */
function installPostgres() {
  const command = 'apt-get update && apt-get install -y postgresql';
  const debian = existsSync('/etc/debian_version');
  say('The demo needs PostgreSQL (initdb, postgres, psql, pg_dump), and there is none on this machine.');
  if (!debian) throw new Refusal('install PostgreSQL with the package manager of your system, and run this again');
  if (process.getuid?.() !== 0) {
    throw new Refusal(`install it with this command, and run the demo again:\n  sudo sh -c '${command}'`);
  }
  prompt(command);
  const { status } = spawnSync('sh', ['-c', command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  const bin = findPostgres();
  if (status !== 0 || bin === null) throw new Refusal('PostgreSQL could not be installed, see above');
  return bin;
}

/**
 * A temporary directory whose socket path is short enough, and which the server's account can reach.
 *
 * @param {ReturnType<typeof serverAccount>} account
 */
function makeTemporary(account) {
  const reachable = (/** @type {string} */ directory) =>
    spawnSync('sh', ['-c', 'cd "$1"', 'sh', directory], {
      cwd: '/',
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    }).status === 0;
  for (const candidate of [tmpdir(), '/tmp', '/var/tmp']) {
    if (!existsSync(candidate)) continue;
    const parent = realpathSync(candidate);
    if (Buffer.byteLength(parent + SOCKET_IN_TEMPORARY) > SOCKET_PATH_BYTES || !reachable(parent)) continue;
    return mkdtempSync(join(parent, 'leoflow-demo-'));
  }
  throw new Refusal('no temporary directory will do: set TMPDIR to a short path that everybody can reach');
}

/** @param {string} path @param {{ uid: number; gid: number }} account */
function chownAll(path, { uid, gid }) {
  for (const entry of ['', ...readdirSync(path, { recursive: true })]) {
    const file = join(path, String(entry));
    // The link to PostgreSQL's own programs is not followed.
    if (!statSync(file).isDirectory() || realpathSync(file) === file) chownSync(file, uid, gid);
  }
}

/** A file of this repository, as one types it from the current directory. @param {string} path */
function own(path) {
  return quote(relative(process.cwd(), join(HERE, path)) || '.');
}

/** @param {string} text */
function quote(text) {
  return /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {string} text */
function count(text) {
  return text.split('\n').length - 1;
}
