/**
 * What the runs of one contender come to, and how ours compares.
 */
import { median, spread } from './statistics.mjs';

/** @typedef {import('./contest.mjs').Result} Result */
/** @typedef {import('./match.mjs').Section} Section */

/**
 * @typedef {object} Summary medians of all runs
 * @property {string} name
 * @property {boolean} ours
 * @property {number} wallMs
 * @property {number} factor its time ÷ that of ours, both of the same round; NaN where ours has not run
 * @property {number} spread from the fastest to the slowest run, as a share of the median
 * @property {number} userMs
 * @property {number} systemMs
 * @property {number} speed bytes of the tree (and of the dump, where all have it) per second
 * @property {number | null} peakBytes the worst run's
 * @property {number} size
 */

/**
 * Those that have run.
 *
 * @param {Section} section
 * @param {'backup' | 'restore'} direction
 * @returns {Summary[]}
 */
export function summaries(section, direction) {
  const { tree } = section;
  const took = section[direction].filter(({ runs }) => runs.length > 0);
  const reference = took.find(({ ours }) => ours)?.runs ?? [];
  return took.map(({ name, ours, size, runs }) => {
    const walls = runs.map(({ wallMs }) => wallMs);
    const wallMs = median(walls);
    const bytes = tree.bytes + (direction === 'backup' ? tree.dumpBytes : 0);
    return {
      name,
      ours,
      wallMs,
      factor: factorOf(
        walls,
        reference.map((run) => run.wallMs),
      ),
      spread: spread(walls),
      userMs: median(runs.map(({ userMs }) => userMs)),
      systemMs: median(runs.map(({ systemMs }) => systemMs)),
      speed: (bytes / wallMs) * 1000,
      peakBytes: peakOf(runs),
      size,
    };
  });
}

/**
 * How many times as long: the median over the rounds. The speed of a machine that others share changes within minutes by more than contenders differ, and
 * then it is only within a round that they have met the same one.
 *
 * @param {number[]} times
 * @param {number[]} others of the same rounds
 */
function factorOf(times, others) {
  return median(times.slice(0, others.length).map((time, round) => time / (others[round] ?? Number.NaN)));
}

/** What happens between two looks only the kernel's own mark knows. @param {Result['runs']} runs @returns {number | null} */
function peakOf(runs) {
  const peaks = runs.flatMap(({ peakBytes, highWaterBytes }) =>
    peakBytes === null ? [] : [Math.max(peakBytes, highWaterBytes ?? 0)],
  );
  return peaks.length === 0 ? null : Math.max(...peaks);
}

/** @param {Section} section @param {'backup' | 'restore'} direction @returns {Summary | undefined} */
export function oursOf(section, direction) {
  return summaries(section, direction).find(({ ours }) => ours);
}

/**
 * The deflate limit: the time that deflating alone would take all cores, and our share of it (1: as fast as that; above it where blocks are stored).
 *
 * @param {Section} section
 * @returns {{ oneCore: number; allCores: number; sampleBytes: number; ms: number; share: number | null } | null}
 */
export function limitOf(section) {
  const { limits, tree, cores } = section;
  if (limits.length === 0) return null;
  const oneCore = median(limits.map((limit) => limit.oneCore));
  const allCores = median(limits.map((limit) => limit.allCores));
  const msAt = (/** @type {number} */ speed) => ((tree.bytes + tree.dumpBytes) / (cores * speed)) * 1000;
  const ms = msAt(oneCore);
  const ours = section.backup.find((result) => result.ours && result.runs.length > 0);
  const share =
    ours === undefined
      ? null
      : factorOf(
          limits.map((limit) => msAt(limit.oneCore)),
          ours.runs.map(({ wallMs }) => wallMs),
        );
  return { oneCore, allCores, sampleBytes: limits[0]?.sampleBytes ?? 0, ms, share };
}

/**
 * How ours spent its time: phases by the engine's own events, and how much of the time its threads were computing.
 *
 * @param {Section} section
 * @param {'backup' | 'restore'} direction
 * @returns {{ phases: { phase: string; ms: number }[]; main: number; workers: number; others: number } | null} shares of one core, `workers` of each
 */
export function spentBy(section, direction) {
  const [workers = 1] = section.workers;
  const runs = section[direction].find(({ ours, runs }) => ours && runs.length > 0)?.runs;
  if (runs === undefined) return null;
  const spans = runs.map(({ phases, wallMs }) =>
    [{ phase: 'start', ms: 0 }, ...phases].map(({ phase, ms }, index) => ({
      phase,
      ms: (phases[index]?.ms ?? wallMs) - ms,
    })),
  );
  const share = (/** @type {(threads: number[]) => number} */ of) =>
    median(runs.map(({ threadMs, wallMs }) => of(threadMs) / wallMs));
  const sum = (/** @type {number[]} */ values) => values.reduce((total, value) => total + value, 0);
  return {
    phases: (spans[0] ?? []).map(({ phase }, index) => ({
      phase,
      ms: median(spans.map((span) => span[index]?.ms ?? 0)),
    })),
    main: share((threads) => threads[0] ?? 0),
    workers: share((threads) => sum(threads.slice(1, 1 + workers)) / workers),
    others: share((threads) => sum(threads.slice(1 + workers))),
  };
}
