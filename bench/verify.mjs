/**
 * How fast `leoflow lite verify` is, against `gzip -t` on the same archive: in turns, medians. `gzip -t` compares the CRC of each member, and nothing else.
 *
 *     npm run build && node bench/verify.mjs --archive snap.tar.gz
 *     npm run build && node bench/verify.mjs                       # backs up a tree of 2.2 GB first, and keeps it for the next time
 */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeHome } from '../scripts/sample/home.mjs';
import { findPostgres } from '../scripts/sample/postgres.mjs';
import { startCluster } from './datastore.mjs';
import { measureNode, measureShell, median, run } from './measure.mjs';
import { machine } from './report.mjs';
import { makeTree } from './trees.mjs';

const LEOFLOW = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const { values } = parseArgs({
  options: {
    archive: { type: 'string' },
    dir: { type: 'string', default: join(tmpdir(), 'leoflow-bench') },
    runs: { type: 'string', default: '5' },
    workers: { type: 'string', default: '2' },
    scale: { type: 'string', default: '1' },
  },
});

const before = machine();
const archive = values.archive ?? (await ownArchive(values.dir, Number(values.scale)));
const contenders = {
  'gzip -t': () => measureShell('gzip -t "$ARCHIVE"', { ARCHIVE: archive }),
  'leoflow lite verify': () =>
    measureNode([LEOFLOW, 'lite', 'verify', '--quiet', '--workers', values.workers, archive]),
};
/** @type {Record<string, import('./measure.mjs').Cost[]>} */
const costs = {};
// The first run of each only fills the page cache.
for (let n = 0; n <= Number(values.runs); n += 1) {
  for (const [name, measure] of Object.entries(contenders)) {
    const cost = await measure();
    if (n === 0) continue;
    costs[name] = [...(costs[name] ?? []), cost];
    process.stderr.write(`run ${n}: ${name}: ${(cost.wallMs / 1000).toFixed(2)} s\n`);
  }
}
const results = Object.entries(costs).map(([name, list]) => ({
  name,
  wallMs: median(list.map(({ wallMs }) => wallMs)),
  cpuMs: median(list.map(({ userMs, systemMs }) => userMs + systemMs)),
  peakBytes: list.reduce((peak, { peakBytes }) => Math.max(peak, peakBytes ?? 0), 0) || null,
}));
const [gzip, leoflow] = results;
const ratio = (gzip?.wallMs ?? Number.NaN) / (leoflow?.wallMs ?? Number.NaN);
const size = statSync(archive).size;
process.stdout.write(
  `${JSON.stringify({ machine: before, size, workers: Number(values.workers), results, ratio }, null, 2)}\n`,
);

/**
 * @param {string} dir
 * @param {number} scale
 */
async function ownArchive(dir, scale) {
  mkdirSync(dir, { recursive: true });
  const directory = realpathSync(dir);
  const path = join(directory, `verify-${scale}.tar.gz`);
  if (existsSync(path)) return path;
  const bin = findPostgres();
  if (bin === null) throw new Error('the bench needs PostgreSQL (Debian: apt-get install postgresql), or --archive');
  const { root } = makeTree(directory, 'mixed', scale);
  const home = mkdtempSync(join(directory, 'home-'));
  const { signal } = new AbortController();
  const { server, pgdata } = await startCluster({ directory, bin, bytes: 220e6 * scale, signal, onSpawn: () => {} });
  try {
    makeHome({ home, workspace: root, bin });
    const dsn = `postgres://leoflow@/mixed?host=${encodeURIComponent(pgdata)}`;
    await run(process.execPath, [LEOFLOW, 'lite', 'backup', '--home', home, '--dsn', dsn, '-o', path, '--quiet']);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
  return path;
}
