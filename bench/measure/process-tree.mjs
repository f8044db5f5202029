/**
 * What a process and all its descendants hold in memory, and what each thread of the largest one has computed: read from /proc while they run.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds between two looks: each takes processor time from what is measured, and that of a process of many threads takes most. */
const INTERVAL_MS = 200;
const PAGE_BYTES = 4096;

/**
 * @typedef {object} Observed
 * @property {number | null} peakBytes highest sum of the proportional set sizes (PSS) of all processes at one time, looked at whenever their resident sets are
 *   larger than ever before; null where there is no /proc
 * @property {number | null} highWaterBytes highest resident set of any single process, as the kernel keeps it: no spike escapes it
 * @property {number[]} threadMs processor time of each thread of the process that computed most: the main thread, then the others, busiest first
 */

/** Looks at a process tree until it is told to stop. */
export class ProcessTree {
  /** @type {Observed} */
  observed = { peakBytes: null, highWaterBytes: null, threadMs: [] };
  #root;
  #timer;
  /** The highest sum of resident sets so far, in bytes. */
  #resident = 0;

  /** @param {number} pid */
  constructor(pid) {
    this.#root = pid;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  /** @returns {Observed} */
  stop() {
    clearInterval(this.#timer);
    return this.observed;
  }

  #look() {
    const { observed } = this;
    const pids = descendants(this.#root);
    for (const pid of pids) {
      const highWater = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`));
      observed.highWaterBytes = Math.max(observed.highWaterBytes ?? 0, Number(highWater?.[1] ?? 0) * 1024);
      const threads = threadTimes(pid);
      if (total(threads) >= total(observed.threadMs)) observed.threadMs = threads;
    }
    const resident = total(pids.map((pid) => Number(read(`/proc/${pid}/statm`).split(' ')[1] ?? 0) * PAGE_BYTES));
    if (resident <= this.#resident) return;
    this.#resident = resident;
    const sum = total(pids.map(proportionalBytes));
    if (sum > 0) observed.peakBytes = Math.max(observed.peakBytes ?? 0, sum);
  }
}

/** The kernel counts this page by page, and the process waits. @param {number} pid */
function proportionalBytes(pid) {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** @param {number} pid @returns {number[]} it and all below it */
function descendants(pid) {
  const children = listed(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(descendants)];
}

/** @param {number} pid @returns {number[]} milliseconds: the main thread's, then the others', most first */
function threadTimes(pid) {
  const times = listed(`/proc/${pid}/task`).map((thread) => ({
    main: Number(thread) === pid,
    // Its first number: nanoseconds on a processor.
    ms: Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0]) / 1e6,
  }));
  const others = times.filter(({ main }) => !main).map(({ ms }) => ms);
  return [...times.filter(({ main }) => main).map(({ ms }) => ms), ...others.sort((a, b) => b - a)];
}

/** @param {number[]} values */
function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

/** What is gone by now says nothing. @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** @param {string} path */
function listed(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
