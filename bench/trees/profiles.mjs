/**
 * What trees consist of: which kinds of files, how many, how large, in which directories.
 */

/**
 * @typedef {object} Part
 * @property {string} folder below the root
 * @property {import('./text.mjs').TextKind | 'noise'} kind
 * @property {string} extension
 * @property {number} share of the tree's bytes
 * @property {number} mean bytes of a file, where the number of files is not given
 * @property {number} depth of directories below the folder
 * @property {number} fanout files in a directory
 */

/** @typedef {Part & { files: number; bytes: number }} SizedPart */

/** @typedef {'dags' | 'data' | 'blobs' | 'mixed' | 'flat' | 'giant'} ProfileName */

/** @type {Part[]} */
const DAGS = [
  { folder: 'dags', kind: 'python', extension: '.py', share: 0.6, mean: 7_000, depth: 4, fanout: 20 },
  { folder: 'config', kind: 'yaml', extension: '.yaml', share: 0.15, mean: 2_000, depth: 3, fanout: 40 },
  { folder: 'sql', kind: 'sql', extension: '.sql', share: 0.25, mean: 5_000, depth: 3, fanout: 30 },
];

/** @type {Part[]} */
const DATA = [
  { folder: 'data', kind: 'csv', extension: '.csv', share: 0.3, mean: 80_000, depth: 2, fanout: 100 },
  { folder: 'events', kind: 'jsonl', extension: '.jsonl', share: 0.2, mean: 150_000, depth: 2, fanout: 50 },
  { folder: 'logs', kind: 'log', extension: '.log', share: 0.1, mean: 40_000, depth: 3, fanout: 50 },
  { folder: 'notebooks', kind: 'notebook', extension: '.ipynb', share: 0.1, mean: 60_000, depth: 1, fanout: 40 },
  { folder: 'exports', kind: 'csv', extension: '.csv', share: 0.3, mean: 48_000_000, depth: 0, fanout: 1000 },
];

/** @type {Part[]} */
const BLOBS = [
  { folder: 'parquet', kind: 'noise', extension: '.parquet', share: 0.4, mean: 500_000, depth: 2, fanout: 50 },
  { folder: 'images', kind: 'noise', extension: '.png', share: 0.3, mean: 200_000, depth: 1, fanout: 200 },
  { folder: 'models', kind: 'noise', extension: '.bin', share: 0.3, mean: 64_000_000, depth: 0, fanout: 1000 },
];

/** @param {Part[]} parts */
const third = (parts) => parts.map((part) => ({ ...part, share: part.share / 3 }));

/** @type {Record<ProfileName, { says: string; parts: Part[] }>} */
export const PROFILES = {
  mixed: {
    says: 'a third each of dags, data and blobs, by bytes',
    parts: [...third(DAGS), ...third(DATA), ...third(BLOBS)],
  },
  dags: { says: 'many small Python, YAML and SQL files in a deep tree', parts: DAGS },
  data: { says: 'CSV, JSON lines, logs, notebooks; some large CSV files', parts: DATA },
  blobs: { says: 'what no compressor makes smaller: as parquet, images and models are', parts: BLOBS },
  flat: {
    says: 'small files in one directory',
    parts: [{ folder: 'flat', kind: 'python', extension: '.py', share: 1, mean: 4_000, depth: 0, fanout: 1000 }],
  },
  giant: {
    says: 'one large CSV file',
    parts: [
      {
        folder: 'export',
        kind: 'csv',
        extension: '.csv',
        share: 1,
        mean: Number.POSITIVE_INFINITY,
        depth: 0,
        fanout: 1,
      },
    ],
  },
};

/** Directories that no archive holds, one for every so many of the files that belong there. */
export const EXCLUDED = [
  { path: '__pycache__/cached.cpython-312.pyc', every: 100 },
  { path: '.venv/lib/python3.12/site-packages/module.py', every: 1_000 },
  { path: 'node_modules/package/index.js', every: 1_500 },
  { path: '.git/objects/00/object', every: 3_000 },
];

/**
 * The parts of a tree of that size.
 *
 * @param {ProfileName} profile
 * @param {number} bytes in all
 * @param {number} [files] in all; without it, as many as are usual for the profile
 * @returns {SizedPart[]}
 */
export function partsOf(profile, bytes, files) {
  const { parts } = PROFILES[profile];
  const usual = parts.map(({ share, mean }) => Math.max(1, Math.round((share * bytes) / mean)));
  const factor = files === undefined || profile === 'giant' ? 1 : files / usual.reduce((sum, count) => sum + count, 0);
  const counts = usual.map((count) => Math.max(1, Math.round(count * factor)));
  if (factor !== 1 && files !== undefined) {
    // What rounding has left over goes to the part with the most files.
    const most = counts.indexOf(Math.max(...counts));
    const others = counts.reduce((sum, count, index) => (index === most ? sum : sum + count), 0);
    counts[most] = Math.max(1, files - others);
  }
  return parts.map((part, index) => ({
    ...part,
    files: /** @type {number} */ (counts[index]),
    bytes: part.share * bytes,
  }));
}
