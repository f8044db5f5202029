/**
 * The whole story, for real, on an install made up for the occasion: `npm run demo [-- archive.tar.gz]`.
 *
 *     leoflow setup, leoflow lite                   an install, in one temporary directory
 *     sample rows, a sample workspace               and a copy of everything, to compare
 *     leoflow lite backup                           the only thing that stays is the archive
 *     tar, gzip, sha256sum                          what standard tools say of it
 *     leoflow uninstall --purge                     all is lost
 *     leoflow setup, lite restore, lite             and back again
 *     diff, find, psql                              nothing is missing
 *
 * As root, all of it runs as an ordinary user: PostgreSQL refuses root. Whatever happens, the server is stopped and the temporary directory is gone at the end.
 */
import { copyFileSync, existsSync, constants as fsConstants, mkdirSync, rmSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lite } from './demo/lite.mjs';
import { giveTo, makeTemporary, Refusal, requirePostgres } from './demo/place.mjs';
import { conclude, heading, prompt, say, Terminal } from './demo/terminal.mjs';
import { makeWorkspace } from './demo/workspace.mjs';
import { plainEnvironment, serverAccount } from './sample/postgres.mjs';
import { placeProgram } from './sample/program.mjs';

const SAMPLE = fileURLToPath(new URL('sample', import.meta.url));

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
  const bin = requirePostgres();
  const account = serverAccount();
  const temporary = makeTemporary(account);
  /** @type {Set<Lite>} */
  const lites = new Set();
  const remove = () => rmSync(temporary, { recursive: true, force: true, maxRetries: 5 });
  const atExit = () => {
    for (const lite of lites) lite.kill();
    remove();
  };
  process.once('exit', atExit);
  try {
    const terminal = await story({ bin, account, temporary, lites });
    copyFileSync(join(temporary, 'home', 'snap.tar.gz'), archive, fsConstants.COPYFILE_EXCL);
    heading('What happened');
    for (const { line, ms } of terminal.times) say(`${`${(ms / 1000).toFixed(1)} s`.padStart(8)}  ${line}`);
  } finally {
    for (const lite of lites) await lite.stop();
    remove();
    process.removeListener('exit', atExit);
  }
  const size = (statSync(archive).size / 1e6).toFixed(1);
  say(`\nThe server is stopped and ${temporary} is gone. What stays is the archive (${size} MB, made-up data):`);
  say(`  ${relative(process.cwd(), archive).startsWith('..') ? archive : relative(process.cwd(), archive)}`);
  say(`Done in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

/**
 * @param {object} stage
 * @param {string} stage.bin
 * @param {ReturnType<typeof serverAccount>} stage.account
 * @param {string} stage.temporary
 * @param {Set<Lite>} stage.lites
 * @returns {Promise<Terminal>}
 */
async function story({ bin, account, temporary, lites }) {
  const home = join(temporary, 'home');
  const workspace = join(home, 'leoflow');
  mkdirSync(home);
  const path = [placeProgram(temporary, account), bin, ...ownPath()].join(':');
  copySamples(temporary);
  giveTo(temporary, account);
  const pgdata = join(home, '.leoflow', 'pgdata');
  const env = { ...plainEnvironment(), HOME: home, DEMO: temporary, PATH: path, PGHOST: pgdata, PGUSER: 'leoflow' };
  const terminal = new Terminal({ env, account, cwd: home, signal: stop.signal });
  const startLite = async () => {
    const lite = new Lite(terminal.start('leoflow lite'), join(home, '.leoflow'));
    lites.add(lite);
    await lite.up();
    return lite;
  };

  heading('A machine with nothing but Node.js and PostgreSQL');
  if (account !== null)
    say(`PostgreSQL refuses to run as root, so all commands are those of the user ${account.name}.`);
  prompt(
    `export DEMO=${temporary} HOME=$DEMO/home PATH=$DEMO/bin:${bin}:$PATH PGHOST=$HOME/.leoflow/pgdata PGUSER=leoflow`,
  );
  await terminal.run('leoflow setup');
  const first = await startLite();

  heading('Some work');
  await terminal.run('psql -Xq -d leoflow_dev -v scale=90 -f "$DEMO/datastore.sql"');
  const tree = makeWorkspace(workspace);
  giveTo(workspace, account);
  say(`~/leoflow: a workspace of ${tree.files} files, and some that do not belong in a backup`);
  await terminal.run('cp -a ~/leoflow ~/.leoflow/config.yaml "$DEMO"    # to compare');
  await terminal.run('psql -Xq -d leoflow_dev -f "$DEMO/rows.sql" > "$DEMO/rows"; cat "$DEMO/rows"');

  heading('The backup');
  await terminal.run('leoflow lite backup --output ~/snap.tar.gz');

  heading('What standard tools say of it');
  await terminal.run('tar tzvf ~/snap.tar.gz | head -n 8');
  await terminal.run('gzip -t ~/snap.tar.gz && mkdir "$DEMO/copy" && tar xzpf ~/snap.tar.gz -C "$DEMO/copy"');
  const sums = await terminal.read('cd "$DEMO/copy" && sha256sum -c SHA256SUMS');
  conclude(`a sound archive, ${sums.split('\n').length - 1} checksums, all OK`);

  heading('All is lost');
  await terminal.run('leoflow uninstall --purge --yes');
  // It has stopped the server; `leoflow lite` takes a moment to notice.
  await first.end();
  const left = await terminal.read('ls -A');
  process.stdout.write(left);
  if (left !== 'snap.tar.gz\n') throw new Error('there should be nothing but the archive');
  conclude('nothing is left but the archive');

  heading('And back again');
  await terminal.run('leoflow setup');
  await terminal.run('leoflow lite restore --input ~/snap.tar.gz');
  const lite = await startLite();

  heading('The comparison');
  const differences = await terminal.read('diff -r --no-dereference "$DEMO/leoflow" ~/leoflow', { statuses: [0, 1] });
  process.stdout.write(differences.replaceAll(temporary, '$DEMO'));
  const expected = tree.leftOut.map(
    (path) => `Only in ${dirname(join(temporary, 'leoflow', path))}: ${basename(path)}`,
  );
  if (differences.trimEnd().split('\n').sort().join('\n') !== expected.sort().join('\n')) {
    throw new Error('the workspace differs in more than what the rules leave out');
  }
  conclude('every file is as it was; nothing is missing but what the rules leave out');
  const listing = 'find . -printf "%P %M %Ts %l\\n" | sort';
  const more = await terminal.read(
    `(cd "$DEMO/leoflow"; ${listing}) > "$DEMO/tree"; (cd ~/leoflow; ${listing}) | comm -13 "$DEMO/tree" -`,
  );
  if (more !== '') throw new Error(`modes, times or links differ:\n${more}`);
  conclude('so are modes, times and links');
  await terminal.run('psql -Xq -d leoflow_dev -f "$DEMO/rows.sql" | diff "$DEMO/rows" -');
  conclude('the same rows in every table');
  await terminal.run('diff "$DEMO/config.yaml" ~/.leoflow/config.yaml');
  conclude('the same settings and secrets');
  if ((await lite.stop()) !== 0) throw new Error('leoflow lite did not stop in good order');
  return terminal;
}

/** The directories of `PATH` but for those with a Leoflow in them: ours would pass `setup`, `lite` and `uninstall` on to it. */
function ownPath() {
  return (process.env.PATH ?? '').split(':').filter((directory) => !existsSync(join(directory, 'leoflow')));
}

/** The account may not be able to read this repository. @param {string} target */
function copySamples(target) {
  for (const name of ['datastore.sql', 'rows.sql']) copyFileSync(join(SAMPLE, name), join(target, name));
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
