/**
 * Results as people read them: Markdown tables.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} size bytes of the archive
 * @property {number} wallMs
 * @property {number} userMs
 * @property {number} systemMs
 * @property {number | null} peakBytes
 * @property {import('./measure.mjs').Cost[]} costs of every run
 */

/** @typedef {{ name: string; files: number; bytes: number; dumpBytes: number; results: Result[] }} TreeReport */
/** @typedef {{ machine: ReturnType<typeof machine>; quick: boolean; runs: number; trees: TreeReport[] }} Report */

/** What the numbers were measured on. */
export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    zlib: process.versions.zlib,
    load: Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0]),
  };
}

const COLUMNS = ['', 'wall s', 'user s', 'system s', 'MB/s', 'archive MB', 'peak MiB', 'times as fast as the first'];

/** @param {Report} report */
export function markdown({ machine, quick, runs, trees }) {
  const { cpu, cores, memoryBytes, node, load } = machine;
  const lines = [
    `${cpu}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB, Node.js ${node}; medians of ${runs} interleaved runs, load before: ${load}`,
  ];
  if (quick) lines.push('', '`--quick`: too small to measure anything');
  for (const { name, files, bytes, dumpBytes, results } of trees) {
    const amounts = `${files.toLocaleString('en-US')} files of ${(bytes / 1e9).toFixed(2)} GB`;
    lines.push('', `**${name}**: ${amounts}, dump of ${(dumpBytes / 1e6).toFixed(0)} MB`, '');
    lines.push(row(COLUMNS), row(COLUMNS.map((_, column) => (column === 0 ? '---' : '---:'))));
    for (const result of results) {
      const { wallMs, peakBytes } = result;
      lines.push(
        row([
          result.name.replaceAll('|', '\\|'),
          ...[wallMs, result.userMs, result.systemMs].map((ms) => (ms / 1000).toFixed(1)),
          ((bytes + dumpBytes) / wallMs / 1000).toFixed(0),
          (result.size / 1e6).toFixed(1),
          peakBytes === null ? '' : (peakBytes / 2 ** 20).toFixed(0),
          ((results[0]?.wallMs ?? Number.NaN) / wallMs).toFixed(2),
        ]),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/** @param {string[]} cells */
function row(cells) {
  return `| ${cells.join(' | ')} |`;
}
