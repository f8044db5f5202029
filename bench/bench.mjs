/**
 * The bench: `npm run bench -- --help`. What is measured and how: README.md.
 *
 *     trees, a datastore                        made once, kept
 *     for each tree: contests                   backups in turn, restores in turn, every result checked
 *     results → JSON → document → terminal, Markdown, HTML
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findPostgres } from '../scripts/sample/postgres.mjs';
import { compareRatios, GUARD, guardDocument, ratiosOf } from './guard.mjs';
import { machineFacts } from './machine.mjs';
import { match, scratchOf } from './match.mjs';
import { HELP, parseOptions, UsageError } from './options.mjs';
import { documentOf } from './report/document.mjs';
import { htmlPage } from './report/html.mjs';
import { readReport, reportOf, writeReport } from './report/report.mjs';
import { markdown, terminalText } from './report/text.mjs';
import { scalingSeries } from './scaling.mjs';
import { startCluster } from './trees/datastore.mjs';
import { makeTree } from './trees/generate.mjs';
import { realTree } from './trees/real-tree.mjs';
import { openWorkDirectory } from './work-directory.mjs';

/** @typedef {import('./options.mjs').Options} Options */
/** @typedef {import('./report/report.mjs').Report} Report */

const BASELINE = fileURLToPath(new URL('baseline.json', import.meta.url));
const DOCS = fileURLToPath(new URL('../docs', import.meta.url));

const stop = new AbortController();
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => stop.abort(signal));
}
try {
  const args = process.argv.slice(2);
  const options = parseOptions(args);
  if (options.help) process.stdout.write(HELP);
  else if (options.reports.length > 0) publish(options.reports.map(readReport), options);
  else if (options.check) await guard(options);
  else await bench(options, commandOf(args));
} catch (error) {
  if (stop.signal.aborted) {
    say(`\ninterrupted by ${stop.signal.reason}; trees stay for the next time, everything else is removed`);
    process.exitCode = 128 + constants.signals[/** @type {NodeJS.Signals} */ (stop.signal.reason)];
  } else {
    say(`error: ${error instanceof Error ? error.message : error}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

/** What to type to measure the same; where the numbers went is nobody else's business. @param {string[]} args */
function commandOf(args) {
  const words = args.filter(
    (word, index) => word !== '--json' && args[index - 1] !== '--json' && !word.startsWith('--json='),
  );
  return ['npm run bench', ...(words.length > 0 ? ['--', ...words.map(quoted)] : [])].join(' ');
}

/** @param {Options} options @param {string} command */
async function bench(options, command) {
  const file =
    options.json ?? join(options.directory, 'results', `${new Date().toISOString().replaceAll(':', '')}.json`);
  mkdirSync(dirname(file), { recursive: true });
  // What has been measured is kept, whatever becomes of the rest.
  const report = await measure(options, command, (part) => writeReport(file, part));
  publish([report], options);
  say(`\nthese numbers: ${file}`);
}

/**
 * @param {Options} options
 * @param {string} command
 * @param {(report: Report) => void} keep told of the report after each tree, and each point of a series
 * @returns {Promise<Report>}
 */
async function measure(options, command, keep = () => {}) {
  const { level, peerLevel, runs, quick, scaling } = options;
  const bin = findPostgres();
  if (bin === null) throw new Error('the bench needs PostgreSQL for a datastore (Debian: apt-get install postgresql)');
  const work = openWorkDirectory(options.directory);
  const { directory, scratch } = work;
  const machine = machineFacts(directory);
  const { signal } = stop;
  /** @type {import('../scripts/sample/postgres.mjs').Server | undefined} */
  let server;
  const kill = () => server?.kill();
  process.once('exit', kill);
  try {
    say('the datastore …');
    const cluster = await startCluster({
      directory,
      bin,
      bytes: options.dumpBytes,
      signal,
      onSpawn: (started) => {
        server = started;
      },
    });
    const how = {
      cluster,
      level,
      peerLevel,
      cores: availableParallelism(),
      workers: options.workers,
      runs,
      cold: options.cold,
      signal,
      say,
    };
    const report = reportOf({ command, quick, runs, machine, sections: [], scaling: [] });
    if (scaling !== null) {
      const onPoint = (/** @type {import('./scaling.mjs').Series[]} */ series) => {
        report.scaling = series;
        keep(report);
      };
      await scalingSeries({ points: scaling, directory, scratch, how, onPoint });
      return report;
    }
    for (const [number, wanted] of options.trees.entries()) {
      const tree = await treeOf(wanted, directory);
      const chosen = wanted.peers ?? options.contenders;
      const section = await match({
        ...how,
        tree,
        quick,
        scratch: scratchOf(scratch, number),
        directions: options.directions,
        takesPart: (name) => chosen.length === 0 || chosen.some((text) => name.includes(text)),
      });
      report.sections.push(section);
      keep(report);
    }
    return report;
  } finally {
    await server?.stop();
    say('removing what was only for now …');
    work.close();
    process.removeListener('exit', kill);
  }
}

/** @param {import('./options.mjs').Wanted} wanted @param {string} directory */
async function treeOf(wanted, directory) {
  const { signal } = stop;
  if ('path' in wanted) return realTree(wanted.path, signal);
  let shown = performance.now();
  return makeTree({
    directory,
    ...wanted,
    signal,
    onProgress: ({ files, bytes }) => {
      if (performance.now() - shown < 2_000) return;
      shown = performance.now();
      say(`${wanted.profile}: the tree, ${files} files and ${(bytes / 1e6).toFixed(0)} MB so far …`);
    },
  });
}

/** @param {Report[]} reports @param {Options} options */
function publish(reports, { directory, publish: toDocs }) {
  const blocks = documentOf(reports);
  process.stdout.write(terminalText(blocks));
  const place = toDocs ? DOCS : join(directory, 'results');
  mkdirSync(place, { recursive: true });
  for (const [name, text] of /** @type {const} */ ([
    ['benchmarks.md', `${markdown(blocks)}\nThe same with charts: [benchmarks.html](benchmarks.html).\n`],
    ['benchmarks.html', htmlPage(blocks)],
  ])) {
    writeFileSync(join(place, name), text);
    say(`written: ${join(place, name)}`);
  }
}

/** @param {Options} options */
async function guard(options) {
  const { update } = options;
  if (!update && !existsSync(BASELINE)) {
    throw new Error(
      'there is no bench/baseline.json yet; make one on a quiet machine: npm run bench:check -- --update',
    );
  }
  const { trees, runs } = GUARD;
  const command = `npm run bench:check${update ? ' -- --update' : ''}`;
  const report = await measure({ ...options, trees, workers: [availableParallelism()], runs, scaling: null }, command);
  const ratios = ratiosOf(report.sections);
  if (update) {
    const { date: created, cpu, cores, versions } = report.machine;
    const { commit = 'unknown' } = versions;
    writeFileSync(BASELINE, `${JSON.stringify({ created, commit, cpu, cores, ratios }, null, 2)}\n`);
    say(`\n${ratios.length} ratios are the new baseline: ${BASELINE}`);
    return;
  }
  /** @type {import('./guard.mjs').Baseline} */
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8'));
  const comparisons = compareRatios(baseline, ratios);
  process.stdout.write(terminalText(guardDocument(comparisons)));
  const { cpu, cores } = report.machine;
  if (baseline.cpu !== cpu || baseline.cores !== cores) {
    const [then, now] = [baseline, { cpu, cores }].map((one) => `${one.cores} cores of ${one.cpu}`);
    say(`the baseline was made on ${then}, this machine has ${now}: ratios differ for that reason alone`);
  }
  if (comparisons.some(({ worse }) => worse)) process.exitCode = 1;
}

/** A word as a shell takes it. @param {string} word */
function quoted(word) {
  return /^[\w%+,./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}
