/**
 * Reports as a document: headings, paragraphs, tables and charts, in the order in which they are read. Terminal, Markdown and HTML render it.
 */
import { judge } from '../goals.mjs';
import { AXES, lineOf, mergeSeries } from '../scaling.mjs';
import { limitOf, oursOf, spentBy, summaries } from '../summary.mjs';

/** @typedef {import('./report.mjs').Report} Report */
/** @typedef {import('../match.mjs').Section} Section */

/**
 * @typedef {{ type: 'heading'; level: 1 | 2 | 3; text: string }
 *   | { type: 'paragraph'; text: string }
 *   | { type: 'table'; columns: string[]; rows: { cells: string[]; ours: boolean }[] }
 *   | { type: 'chart'; chart: Chart }} Block
 */

/**
 * What is drawn, without a word on how.
 *
 * @typedef {{ kind: 'bars'; title: string; axis: string; limit?: { value: number; text: string }; bars: { name: string; ours: boolean; value: number; low?: number; high?: number }[] }
 *   | { kind: 'lines'; title: string; x: string; y: string; limit?: { value: number; text: string }; lines: { name: string; points: { x: number; y: number }[]; fit: import('../statistics.mjs').Line | null }[] }} Chart
 */

const COLD = 'Nothing was in the page cache when a run began.';

const DIRECTIONS = /** @type {const} */ (['backup', 'restore']);

/**
 * @param {Report[]} reports
 * @returns {Block[]}
 */
export function documentOf(reports) {
  return [
    heading(1, 'Benchmarks'),
    paragraph(
      'leoflow lite backup and restore, and what people would use instead: whole processes on the same tree with the same exclusions, in turn, each result checked before its time counts. How it is measured: bench/README.md.',
    ),
    ...reports.flatMap(machineBlocks),
    ...verdictBlocks(reports),
    ...reports.flatMap((report) => report.sections.flatMap((section) => sectionBlocks(section, report.runs))),
    ...mergeSeries(reports).flatMap(seriesBlocks),
  ];
}

/** @param {Report} report @returns {Block[]} */
function machineBlocks({ command, quick, machine, runs }) {
  const { date, cpu, cores, memoryBytes, system, fileSystem, load, versions } = machine;
  const facts = `${date.slice(0, 16).replace('T', ' ')} UTC: ${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB of memory, ${system}, ${fileSystem}; load before: ${load}. Medians of ${runs} run${runs === 1 ? '' : 's'}: ${command}`;
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    paragraph(facts),
    paragraph(`${names.join(', ')}.`),
    ...(quick ? [paragraph('This was a quick run: it shows that everything works, and measures little.')] : []),
  ];
}

/** @param {Report[]} reports @returns {Block[]} */
function verdictBlocks(reports) {
  const verdicts = judge(reports);
  if (verdicts.length === 0) return [];
  const rows = verdicts.map(({ goal, where, value, holds }) => row([goal, where, value, holds ? 'yes' : 'NO']));
  return [heading(2, 'The numbers to hold'), { type: 'table', columns: ['goal', 'on', 'measured', 'holds'], rows }];
}

/** @param {Section} section @param {number} runs @returns {Block[]} */
function sectionBlocks(section, runs) {
  const { name, files, bytes, dumpBytes } = section.tree;
  const dump = dumpBytes > 0 ? `, and a dump of ${megabytes(dumpBytes)} MB` : '';
  const blocks = [
    heading(2, `${name}: ${count(files)} file${files === 1 ? '' : 's'}, ${megabytes(bytes)} MB${dump}`),
    ...(section.cold ? [paragraph(COLD)] : []),
    ...DIRECTIONS.flatMap((direction) => directionBlocks(section, direction, runs)),
  ];
  const limit = limitOf(section);
  if (limit !== null) {
    const { oneCore, allCores, sampleBytes, share } = limit;
    const ours = share === null ? '' : ` Ours reaches ${(100 * share).toFixed(0)} % of it.`;
    blocks.push(
      paragraph(
        `Deflate limit: one core deflates ${megabytes(oneCore)} MB/s of this tree from memory at level ${section.level} (a sample of ${megabytes(sampleBytes)} MB), so ${section.cores} cores would take ${seconds(limit.ms)} s for all of it; at the same time they reach ${megabytes(allCores)} MB/s.${ours}`,
      ),
    );
  }
  return blocks;
}

/** @param {Section} section @param {'backup' | 'restore'} direction @param {number} runs @returns {Block[]} */
function directionBlocks(section, direction, runs) {
  const results = section[direction];
  if (results.length === 0) return [];
  const rows = summaries(section, direction).sort((a, b) => a.wallMs - b.wallMs);
  const ours = oursOf(section, direction);
  const columns = ['', 'wall s', ...(runs > 1 ? ['spread'] : []), 'user s', 'system s', 'MB/s'];
  if (direction === 'backup') columns.push('size MB', 'size ÷ ours');
  columns.push('peak MiB', 'time ÷ ours');
  const table = rows.map((one) =>
    row(
      [
        one.name,
        seconds(one.wallMs),
        ...(runs > 1 ? [`${(100 * one.spread).toFixed(0)} %`] : []),
        seconds(one.userMs),
        seconds(one.systemMs),
        (one.speed / 1e6).toFixed(0),
        ...(direction === 'backup'
          ? [megabytes(one.size), ours === undefined ? '' : (one.size / ours.size).toFixed(2)]
          : []),
        one.peakBytes === null ? '' : mebibytes(one.peakBytes).toFixed(0),
        ours === undefined ? '' : one.factor.toFixed(2),
      ],
      one.ours,
    ),
  );
  const title = direction === 'backup' ? 'Backup' : 'Restore';
  return [
    heading(3, `${title}, ${section.tree.name}`),
    { type: 'table', columns, rows: table },
    ...absentBlocks(results),
    ...spentBlocks(section, direction),
    ...chartBlocks(section, direction, rows),
  ];
}

/** @param {import('../contest.mjs').Result[]} results @returns {Block[]} */
function absentBlocks(results) {
  return results.flatMap(({ name, missing, failed }) => {
    if (missing !== null) return [paragraph(`${name} did not take part: it is not installed (${missing}).`)];
    return failed === null ? [] : [paragraph(`${name} failed, and does not count: ${failed}`)];
  });
}

/** @param {Section} section @param {'backup' | 'restore'} direction @returns {Block[]} */
function spentBlocks(section, direction) {
  const spent = spentBy(section, direction);
  if (spent === null) return [];
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(0)} %`;
  const phases = spent.phases.map(({ phase, ms }) => `${phase} ${(ms / 1000).toFixed(2)} s`).join(', ');
  const [workers = 1] = section.workers;
  return [
    paragraph(
      `Ours by phase: ${phases}. Computing: ${workers > 1 ? `each of ${workers} workers` : 'the worker'} ${percent(spent.workers)} of the time, the main thread ${percent(spent.main)}, all other threads together ${percent(spent.others)}.`,
    ),
  ];
}

/** @param {Section} section @param {'backup' | 'restore'} direction @param {import('../summary.mjs').Summary[]} rows @returns {Block[]} */
function chartBlocks(section, direction, rows) {
  const { name } = section.tree;
  const runsOf = (/** @type {string} */ contender) =>
    (section[direction].find((result) => result.name === contender)?.runs ?? []).map(({ wallMs }) => wallMs / 1000);
  /** @type {Chart[]} */
  const charts = [
    {
      kind: 'bars',
      title: `${direction} of ${name}: time`,
      axis: 'seconds, less is better; the thin line goes from the fastest to the slowest run',
      bars: rows.map((one) => ({
        name: one.name,
        ours: one.ours,
        value: one.wallMs / 1000,
        low: Math.min(...runsOf(one.name)),
        high: Math.max(...runsOf(one.name)),
      })),
    },
  ];
  const limit = direction === 'backup' ? limitOf(section) : null;
  if (limit !== null && charts[0]?.kind === 'bars') charts[0].limit = { value: limit.ms / 1000, text: 'deflate limit' };
  if (direction === 'backup') {
    const bars = rows.map((one) => ({ name: one.name, ours: one.ours, value: one.size / 1e6 }));
    charts.push({
      kind: 'bars',
      title: `${direction} of ${name}: size of the result`,
      axis: 'MB, less is better',
      bars,
    });
  }
  const peaks = rows.flatMap((one) =>
    one.peakBytes === null ? [] : [{ name: one.name, ours: one.ours, value: mebibytes(one.peakBytes) }],
  );
  charts.push({
    kind: 'bars',
    title: `${direction} of ${name}: peak memory`,
    axis: 'MiB, all processes, less is better',
    bars: peaks,
  });
  return charts.map((chart) => ({ type: 'chart', chart }));
}

/** @param {import('../scaling.mjs').Series} series @returns {Block[]} */
function seriesBlocks(series) {
  const { title, axis, per, scale } = AXES[series.name];
  const what = series.name === 'workers' ? 'speed' : 'time';
  const y = series.name === 'workers' ? 'MB/s' : 'seconds';
  /** @type {Extract<Chart, { kind: 'lines' }>['lines']} */
  const times = [];
  /** @type {typeof times} */
  const memory = [];
  const words = [];
  const rows = [];
  for (const direction of DIRECTIONS) {
    const { values, line } = lineOf(series, direction);
    times.push({ name: direction, points: values, fit: line });
    const peaks = values.map(({ x, peakBytes }) => ({ x, y: mebibytes(peakBytes ?? 0) }));
    memory.push({ name: direction, points: peaks, fit: null });
    for (const value of values) {
      rows.push(
        row([
          direction,
          String(Number(value.x.toPrecision(3))),
          value.y.toFixed(2),
          mebibytes(value.peakBytes ?? 0).toFixed(0),
        ]),
      );
    }
    if (line !== null) {
      words.push(
        `${direction}: ${y} = ${line.offset.toFixed(2)} ${line.slope < 0 ? '−' : '+'} ${Math.abs(line.slope).toPrecision(3)} × ${per}, no point farther from it than ${(100 * line.worst).toFixed(1)} %`,
      );
    }
  }
  return [
    heading(2, `Growth with the ${title}`),
    ...(series.points.every(({ section }) => section.cold) ? [paragraph(COLD)] : []),
    { type: 'table', columns: ['', axis, y, 'peak MiB'], rows },
    ...series.points.flatMap(({ x, section }) => failedPoints(`${axis} ${x * scale}`, section)),
    ...words.map(paragraph),
    { type: 'chart', chart: { kind: 'lines', title: `${title}: ${what}`, x: axis, y, lines: times } },
    {
      type: 'chart',
      chart: {
        kind: 'lines',
        title: `${title}: peak memory`,
        x: axis,
        y: 'MiB',
        limit: { value: 256, text: 'goal with 2 workers: 256 MiB' },
        lines: memory,
      },
    },
  ];
}

/** @param {string} at @param {Section} section @returns {Block[]} */
function failedPoints(at, section) {
  return DIRECTIONS.flatMap((direction) =>
    absentBlocks(section[direction]).map((block) =>
      block.type === 'paragraph' ? paragraph(`${at}: ${block.text}`) : block,
    ),
  );
}

/** @param {1 | 2 | 3} level @param {string} text @returns {Block} */
const heading = (level, text) => ({ type: 'heading', level, text });
/** @param {string} text @returns {Block} */
const paragraph = (text) => ({ type: 'paragraph', text });
/** @param {string[]} cells */
const row = (cells, ours = false) => ({ cells, ours });
/** @param {number} ms */
const seconds = (ms) => (ms / 1000).toFixed(ms < 100_000 ? 2 : 1);
/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 100e6 ? 1 : 0);
/** @param {number} bytes */
const mebibytes = (bytes) => bytes / 2 ** 20;
/** @param {number} value */
const count = (value) => value.toLocaleString('en-US');
