/**
 * The command line.
 */
import { accessSync, constants } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_LEVEL } from '../dist/engine/backup.js';
import { PROFILES } from './trees/profiles.mjs';

export const DEFAULT_DIRECTORY = join(tmpdir(), 'leoflow-bench');
/** What is measured by default, in some ten minutes on two cores: one tree with everybody, and two with those that there is a number to hold against. */
/** @type {readonly { profile: import('./trees/profiles.mjs').ProfileName; bytes: number; peers?: string[] }[]} */
const DEFAULT_TREES = [
  { profile: 'mixed', bytes: 400e6 },
  { profile: 'dags', bytes: 100e6, peers: ['tar | pigz', 'tar | bgzip', 'tar xzf'] },
  { profile: 'blobs', bytes: 400e6, peers: ['tar cf', 'tar xzf'] },
];

export const HELP = `npm run bench -- [options]

Backs up and restores trees with leoflow and with what people would use instead, in turn, checks every result, and says how they compare.
Without options: ${DEFAULT_TREES.map(({ profile, bytes }) => `${profile} of ${bytes / 1e6} MB`).join(', ')}, the latter two with few peers; ten to
thirteen minutes on two cores.

What is packed
  --profile <name>     repeatable:
${Object.entries(PROFILES)
  .map(([name, { says }]) => `                         ${name.padEnd(7)}${says}`)
  .join('\n')}
  --size <bytes>       of each tree: 500M, 4G (default: 400M)
  --files <n>          in each tree: 100k, 1M (default: as many as are usual for the profile)
  --tree <dir>         a directory of yours, as it is; repeatable
  --dump-size <bytes>  of the datastore, which is then part of every contender's work (default: a few rows, dumped by ours only)

How
  --runs <n>           measured runs of each contender (default: 3)
  --level <1-9>        of ours, and of the deflate limit (default: that of ours, ${DEFAULT_LEVEL})
  --peer-level <1-9>   of gzip, pigz, bgzip and the npm packages (default: 6, which is theirs)
  --workers <n>        of ours; repeatable, the first is the one that is compared (default: ${availableParallelism()} and 1, cores and one)
  --contender <text>   only those with this in their names, and ours; repeatable: pigz, bgzip, restic, 'tar xzf' …
  --direction <name>   backup or restore (default: both)
  --cold               nothing is in the page cache when a run begins: it is emptied before each, which is for root and a tree on a disk
  --quick              small trees and one run, in a minute: shows that it works, measures little
  --dir <dir>          where trees are kept for the next time (default: ${DEFAULT_DIRECTORY})

Series of ours alone, with the line through the points
  --scaling            instead of the above: 1, 2, 4, 8 GB; 10k, 100k, 1M files; 1, 2, 4 workers. 30 GB of disk, an hour or so
  --sizes, --counts, --worker-counts <a,b,c>
                       other points; '' leaves a series out. Workers pack a mixed tree of --size (default: 1G)

Results
  --json <file>        write them there (default: results/<time>.json in --dir)
  --publish            write docs/benchmarks.md and docs/benchmarks.html, too
  --report <file>      measure nothing: put such files together into one report; repeatable

Comparison with bench/baseline.json (npm run bench:check)
  --check              measure what the baseline holds, compare ratios, fail (status 1) where one is worse by more than the tolerance
  --update             measure it, and write it as the new baseline

Examples
  npm run bench -- --profile mixed --size 4G --files 100k
  npm run bench -- --tree /usr/lib/python3 --contender pigz --runs 5
  npm run bench -- --scaling --sizes 1G,2G --counts '' --worker-counts ''
  npm run bench -- --report mixed.json --report scaling.json --publish
`;

/** What is written to for the page cache to be emptied. */
const PAGE_CACHE = '/proc/sys/vm/drop_caches';

/** Wrong words on the command line. */
export class UsageError extends Error {}

/**
 * A tree that is to be measured; `peers` are the only ones that take part, where they are given.
 *
 * @typedef {({ profile: import('./trees/profiles.mjs').ProfileName; bytes: number; files?: number } | { path: string }) & { peers?: string[] }} Wanted
 */
/** @typedef {ReturnType<typeof parseOptions>} Options */

/** @param {string[]} args */
export function parseOptions(args) {
  const { values } = parse(args);
  const quick = values.quick;
  const bytes = values.size === undefined ? undefined : amount('--size', values.size);
  const files = values.files === undefined ? undefined : amount('--files', values.files);
  if (values.cold && !mayWrite(PAGE_CACHE))
    throw new UsageError(`--cold empties the page cache, which is for root: ${PAGE_CACHE} cannot be written to`);
  const { direction } = values;
  if (direction !== undefined && direction !== 'backup' && direction !== 'restore') {
    throw new UsageError(`--direction is backup or restore, not '${direction}'`);
  }
  const profiles = (values.profile ?? []).map(profileName);
  if (profiles.length === 0 && (bytes !== undefined || files !== undefined)) profiles.push('mixed');
  /** @type {Wanted[]} */
  const trees = [
    ...profiles.map((profile) => ({
      profile,
      bytes: bytes ?? (quick ? 40e6 : 400e6),
      ...(files === undefined ? {} : { files }),
    })),
    ...(values.tree ?? []).map((path) => ({ path })),
  ];
  if (trees.length === 0) {
    for (const { profile, bytes: size, peers } of DEFAULT_TREES) {
      // Whoever names contenders wants those, in every tree.
      const few = peers !== undefined && values.contender === undefined ? { peers } : {};
      trees.push({ profile, bytes: quick ? size / 20 : size, ...few });
    }
  }
  /** @type {readonly ('backup' | 'restore')[]} */
  const directions = direction === undefined ? ['backup', 'restore'] : [direction];
  const workers = (values.workers ?? []).map((text) => amount('--workers', text));
  return {
    help: values.help,
    trees,
    dumpBytes: values['dump-size'] === undefined ? 0 : amount('--dump-size', values['dump-size']),
    runs: amount('--runs', values.runs ?? (quick ? '1' : '3')),
    level: amount('--level', values.level),
    peerLevel: amount('--peer-level', values['peer-level']),
    workers: workers.length > 0 ? workers : [...new Set([availableParallelism(), 1])],
    contenders: values.contender ?? [],
    directions,
    cold: values.cold,
    quick,
    directory: values.dir,
    scaling: values.scaling
      ? {
          sizes: list('--sizes', values.sizes),
          counts: list('--counts', values.counts),
          workers: list('--worker-counts', values['worker-counts']),
          bytes: bytes ?? 1e9,
        }
      : null,
    json: values.json,
    publish: values.publish,
    reports: values.report ?? [],
    check: values.check || values.update,
    update: values.update,
  };
}

/** @param {string[]} args */
function parse(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const texts = /** @type {const} */ ({ type: 'string', multiple: true });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  try {
    return parseArgs({
      args,
      options: {
        profile: texts,
        size: text,
        files: text,
        tree: texts,
        'dump-size': text,
        runs: text,
        level: { ...text, default: String(DEFAULT_LEVEL) },
        'peer-level': { ...text, default: '6' },
        workers: texts,
        contender: texts,
        direction: text,
        cold: flag,
        quick: flag,
        dir: { ...text, default: DEFAULT_DIRECTORY },
        scaling: flag,
        sizes: { ...text, default: '1G,2G,4G,8G' },
        counts: { ...text, default: '10k,100k,1M' },
        'worker-counts': { ...text, default: '1,2,4' },
        json: text,
        publish: flag,
        report: texts,
        check: flag,
        update: flag,
        help: { ...flag, short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @param {string} file */
function mayWrite(file) {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name */
function profileName(name) {
  if (!Object.hasOwn(PROFILES, name)) {
    throw new UsageError(`there is no profile ${name}; there are ${Object.keys(PROFILES).join(', ')}`);
  }
  return /** @type {import('./trees/profiles.mjs').ProfileName} */ (name);
}

/** `4G` is 4,000,000,000, `100k` is 100,000. @param {string} option @param {string} text */
function amount(option, text) {
  const match = /^(\d+(?:\.\d+)?)\s*([kMGT]?)B?$/i.exec(text.trim());
  const power = ['', 'k', 'm', 'g', 't'].indexOf(match?.[2]?.toLowerCase() ?? '');
  const value = Math.round(Number(match?.[1]) * 1000 ** power);
  if (!(value >= 1)) throw new UsageError(`${option} must be a number such as 3, 100k, 500M or 4G, not '${text}'`);
  return value;
}

/** @param {string} option @param {string} text */
function list(option, text) {
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => amount(option, part));
}
