/**
 * Series: how time and memory of ours grow with bytes, with files, and with workers.
 */
import { match, scratchOf } from './match.mjs';
import { fitLine } from './statistics.mjs';
import { oursOf } from './summary.mjs';
import { makeTree } from './trees/generate.mjs';

/** Bytes of a file in the series of files, on average. */
const FILE_BYTES = 4_000;

/** @typedef {'size' | 'files' | 'workers'} SeriesName */
/** @typedef {{ x: number; section: import('./match.mjs').Section }} Point */
/** @typedef {{ name: SeriesName; points: Point[] }} Series */

/** What stands on the axes of each series: `per` is one of what a fitted line counts. */
export const AXES = /** @type {const} */ ({
  size: { title: 'size of the tree', axis: 'size of the tree, GB', per: 'GB', scale: 1e-9, profile: 'mixed' },
  files: {
    title: 'number of files',
    axis: 'number of files, thousands',
    per: 'thousand files',
    scale: 1e-3,
    profile: 'dags',
  },
  workers: {
    title: 'number of workers',
    axis: 'number of worker threads',
    per: 'worker',
    scale: 1,
    profile: 'mixed',
  },
});

/**
 * @param {object} options
 * @param {{ sizes: number[]; counts: number[]; workers: number[]; bytes: number }} options.points `bytes`: of the tree for the numbers of workers
 * @param {string} options.directory where trees are kept
 * @param {string} options.scratch
 * @param {Pick<Parameters<typeof match>[0], 'cluster' | 'level' | 'peerLevel' | 'cores' | 'workers' | 'runs' | 'cold' | 'signal' | 'say'>} options.how
 * @param {(series: Series[]) => void} options.onPoint told of all there is, after each point
 */
export async function scalingSeries({ points, directory, scratch, how, onPoint }) {
  const { signal, say } = how;
  const [usual = 1] = how.workers;
  /** @type {{ name: SeriesName; x: number; bytes: number; files?: number; workers: number }[]} */
  const plans = [
    ...points.sizes.map((x) => ({ name: /** @type {const} */ ('size'), x, bytes: x, workers: usual })),
    ...points.counts.map((x) => ({
      name: /** @type {const} */ ('files'),
      x,
      bytes: x * FILE_BYTES,
      files: x,
      workers: usual,
    })),
    ...points.workers.map((x) => ({ name: /** @type {const} */ ('workers'), x, bytes: points.bytes, workers: x })),
  ];
  /** @type {Map<SeriesName, Series>} */
  const series = new Map();
  for (const [number, { name, x, bytes, files, workers }] of plans.entries()) {
    const { profile } = AXES[name];
    say(`\nseries of ${name}, ${x.toLocaleString('en-US')}: the tree …`);
    const tree = await makeTree({ directory, profile, bytes, signal, ...(files === undefined ? {} : { files }) });
    const section = await match({
      ...how,
      tree,
      workers: [workers],
      scratch: scratchOf(scratch, number),
      directions: ['backup', 'restore'],
      takesPart: () => false,
      limited: false,
    });
    const one = series.get(name) ?? { name, points: [] };
    one.points.push({ x, section });
    series.set(name, one);
    onPoint([...series.values()]);
  }
}

/**
 * The series of several reports: points of the same series are put together, in their order.
 *
 * @param {readonly { scaling: Series[] }[]} reports
 * @returns {Series[]}
 */
export function mergeSeries(reports) {
  /** @type {Map<SeriesName, Point[]>} */
  const points = new Map();
  for (const { name, points: more } of reports.flatMap((report) => report.scaling)) {
    points.set(name, [...(points.get(name) ?? []), ...more]);
  }
  return Array.from(points, ([name, all]) => ({ name, points: all.toSorted((a, b) => a.x - b.x) }));
}

/**
 * A series as numbers, in the units of its axis, with the line through them: seconds; for workers, MB/s.
 *
 * @param {Series} series
 * @param {'backup' | 'restore'} direction
 */
export function lineOf({ name, points }, direction) {
  const { scale } = AXES[name];
  const values = points.flatMap(({ x, section }) => {
    const ours = oursOf(section, direction);
    if (ours === undefined) return [];
    // By what there really was: sizes of generated trees are near to what was asked for.
    const real = { size: section.tree.bytes, files: section.tree.files, workers: x }[name];
    const y = name === 'workers' ? ours.speed / 1e6 : ours.wallMs / 1000;
    return [{ x: real * scale, y, peakBytes: ours.peakBytes }];
  });
  return { values, line: values.length < 3 ? null : fitLine(values) };
}
