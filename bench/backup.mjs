/**
 * How fast `leoflow lite backup` is, how much memory it takes, and what the same costs with `pg_dump`, `tar` and `pigz`. See README.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeHome } from '../scripts/sample/home.mjs';
import { findPostgres } from '../scripts/sample/postgres.mjs';
import { startCluster } from './datastore.mjs';
import { measureNode, measureShell, median, run } from './measure.mjs';
import { machine, markdown } from './report.mjs';
import { makeTree } from './trees.mjs';

/** @typedef {import('./measure.mjs').Cost} Cost */
/** Something that makes an archive of a tree and a database. @typedef {{ name: string; archive: string; measure: () => Promise<Cost> }} Contender */

const LEOFLOW = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const DEFAULT_DIRECTORY = join(tmpdir(), 'leoflow-bench');

const HELP = `npm run bench:backup -- [options]
  --dir <dir>     where trees and cluster are kept for the next time (default: ${DEFAULT_DIRECTORY})
  --runs <n>      measured runs of each contender (default: 3)
  --tree <name>   mixed or small; repeatable (default: both)
  --workers <n>   repeatable (default: 1 and 2)
  --json <file>   write the results there too, as JSON (default: to standard output, after the tables)
  --quick         a hundredth of the size and one run: shows that it works, measures nothing
`;

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: DEFAULT_DIRECTORY },
    runs: { type: 'string', default: '3' },
    tree: { type: 'string', multiple: true, default: ['mixed', 'small'] },
    workers: { type: 'string', multiple: true, default: ['1', '2'] },
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else await bench();

async function bench() {
  const scale = values.quick ? 0.01 : 1;
  const runs = values.quick ? 1 : Number(values.runs);
  const before = machine();
  const bin = findPostgres();
  if (bin === null) throw new Error('the bench needs PostgreSQL (Debian: apt-get install postgresql)');
  mkdirSync(values.dir, { recursive: true });
  const directory = realpathSync(values.dir);
  const scratch = mkdtempSync(join(directory, 'run-'));

  const stop = new AbortController();
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.once(signal, () => stop.abort(new Error(`interrupted by ${signal}`)));
  }
  /** @type {import('../scripts/sample/postgres.mjs').Server | undefined} */
  let server;
  try {
    say('the cluster …');
    const { pgdata } = await startCluster({
      directory,
      bin,
      bytes: 220e6 * scale,
      signal: stop.signal,
      onSpawn: (started) => {
        server = started;
      },
    });
    const trees = [];
    for (const name of values.tree) {
      if (name !== 'mixed' && name !== 'small') throw new Error(`there is no tree called ${name}`);
      say(`${name}: the tree …`);
      /** @type {Tree} */
      const tree = { name, ...makeTree(directory, name, scale) };
      const contenders = contendersOf({ tree, scratch, bin, pgdata });
      trees.push(await compete({ tree, contenders, runs, signal: stop.signal }));
    }
    const report = { machine: before, quick: values.quick, runs, trees };
    process.stdout.write(markdown(report));
    const json = `${JSON.stringify(report, null, 2)}\n`;
    if (values.json === undefined) process.stdout.write(`\n${json}`);
    else writeFileSync(values.json, json);
  } finally {
    await server?.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @typedef {{ name: 'mixed' | 'small'; root: string; files: number; bytes: number }} Tree */

/**
 * @param {{ tree: Tree; scratch: string; bin: string; pgdata: string }} place
 * @returns {Contender[]}
 */
function contendersOf({ tree, scratch, bin, pgdata }) {
  const { name, root } = tree;
  const home = join(scratch, name);
  makeHome({ home, workspace: root, bin });
  const dsn = `postgres://leoflow@/${name}?host=${encodeURIComponent(pgdata)}`;
  /** @type {Contender[]} */
  const contenders = values.workers.map((workers) => {
    const archive = join(scratch, `${workers}.tar.gz`);
    const where = ['--home', home, '--dsn', dsn, '-o', archive];
    return {
      name: `leoflow, ${workers} worker${workers === '1' ? '' : 's'}`,
      archive,
      measure: () => measureNode([LEOFLOW, 'lite', 'backup', ...where, '--workers', workers, '--quiet']),
    };
  });
  if (spawnSync('pigz', ['--version']).status !== 0) return contenders;
  // As one would by hand: dump, pack, flush to the disk.
  const line = `pg_dump --clean --if-exists --no-owner --no-privileges -h "$PGDATA" -U leoflow -f "$SCRATCH/datastore.sql" ${name}
    tar cf - -C "$SCRATCH" datastore.sql -C "$PLACE" workspace | pigz -6 > "$ARCHIVE"
    sync "$ARCHIVE"`;
  const archive = join(scratch, 'pigz.tar.gz');
  const PATH = `${bin}:${process.env.PATH}`;
  const env = { PATH, PGDATA: pgdata, SCRATCH: scratch, PLACE: dirname(root), ARCHIVE: archive };
  return [
    ...contenders,
    {
      name: `pg_dump, then tar | pigz -6 (${availableParallelism()} threads)`,
      archive,
      measure: () => measureShell(line, env),
    },
  ];
}

/**
 * Runs all contenders in turn, as often as asked for.
 *
 * @param {{ tree: Tree; contenders: Contender[]; runs: number; signal: AbortSignal }} match
 * @returns {Promise<import('./report.mjs').TreeReport>}
 */
async function compete({ tree, contenders, runs, signal }) {
  const { name, files, bytes } = tree;
  say(`${name}: reading it once, so that all of them find it in memory …`);
  await shell('tar cf - "$TREE" 2> /dev/null | cat > /dev/null', { TREE: tree.root });
  const records = contenders.map((contender) => ({ contender, size: 0, costs: /** @type {Cost[]} */ ([]) }));
  let dumpBytes = 0;
  for (let n = 1; n <= runs; n += 1) {
    for (const record of records) {
      signal.throwIfAborted();
      const { contender, costs } = record;
      const cost = await contender.measure();
      say(`${name}: run ${n} of ${runs}, ${contender.name}: ${(cost.wallMs / 1000).toFixed(1)} s`);
      costs.push(cost);
      record.size = statSync(contender.archive).size;
      if (n === 1) dumpBytes = await check(contender, tree);
      rmSync(contender.archive);
    }
  }
  const results = records.map(({ contender, size, costs }) => ({
    name: contender.name,
    size,
    wallMs: median(costs.map((cost) => cost.wallMs)),
    userMs: median(costs.map((cost) => cost.userMs)),
    systemMs: median(costs.map((cost) => cost.systemMs)),
    // Of memory the worst run counts.
    peakBytes: costs.reduce(
      (peak, cost) => (cost.peakBytes === null ? null : Math.max(peak ?? 0, cost.peakBytes)),
      /** @type {number | null} */ (null),
    ),
    costs,
  }));
  return { name, files, bytes, dumpBytes, results };
}

/**
 * Whether an archive holds the tree: the number of files, and by tar's own comparison every byte, mode and time.
 *
 * @param {Contender} contender
 * @param {Tree} tree
 * @returns {Promise<number>} the size of the dump in it
 */
async function check({ name, archive }, { root, files }) {
  const env = { ARCHIVE: archive, PLACE: dirname(root) };
  const listed = Number(await shell(`tar tzf "$ARCHIVE" workspace | grep -vc '/$'`, env));
  if (listed !== files) throw new Error(`${name}: ${listed} files in the archive, ${files} in the tree`);
  // Owners are not part of an archive.
  await shell(`(tar dzf "$ARCHIVE" -C "$PLACE" workspace || true) | (! grep -Ev ': (Uid|Gid) differs$')`, env);
  const dump = await shell('tar tzvf "$ARCHIVE" datastore.sql', env);
  return Number(dump.trim().split(/\s+/)[2]);
}

/** @param {string} line @param {Record<string, string>} env */
function shell(line, env) {
  return run('bash', ['-c', `set -eo pipefail\n${line}`], env);
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}
