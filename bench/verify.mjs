/**
 * How fast `leoflow lite verify` is, against `gzip -t` on the same archive: in turns, medians. `gzip -t` compares the CRC of each member, and nothing else.
 *
 *     npm run build && node bench/verify.mjs snap.tar.gz [runs] [workers]
 */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machineFacts } from './machine.mjs';
import { run } from './measure/run.mjs';
import { median, spread } from './statistics.mjs';

const LEOFLOW = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const [archive, runs = '5', workers = '2'] = process.argv.slice(2);
if (archive === undefined) {
  process.stderr.write('usage: node bench/verify.mjs <archive> [runs] [workers]\n');
  process.exit(2);
}
const env = { NODE: process.execPath, LEOFLOW, ARCHIVE: archive, WORKERS: workers };
const contenders = [
  { name: 'gzip -t', line: 'gzip -t "$ARCHIVE"' },
  { name: 'leoflow lite verify', line: '"$NODE" "$LEOFLOW" lite verify --quiet --workers "$WORKERS" "$ARCHIVE"' },
].map((contender) => ({ ...contender, costs: /** @type {import('./measure/run.mjs').Cost[]} */ ([]) }));

const machine = machineFacts('.');
// The first run of each only fills the page cache.
for (let n = 0; n <= Number(runs); n += 1) {
  for (const { name, line, costs } of contenders) {
    const { cost } = await run({ line, env });
    if (n === 0) continue;
    costs.push(cost);
    process.stderr.write(`run ${n}: ${name}: ${(cost.wallMs / 1000).toFixed(2)} s\n`);
  }
}
const results = contenders.map(({ name, costs }) => {
  const walls = costs.map(({ wallMs }) => wallMs);
  return {
    name,
    wallMs: median(walls),
    spread: spread(walls),
    peakBytes: Math.max(...costs.map((cost) => cost.peakBytes ?? 0)),
  };
});
const [gzip, leoflow] = results;
const ratio = (gzip?.wallMs ?? Number.NaN) / (leoflow?.wallMs ?? Number.NaN);
process.stdout.write(`${JSON.stringify({ machine, archiveBytes: statSync(archive).size, results, ratio }, null, 2)}\n`);
