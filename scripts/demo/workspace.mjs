/**
 * The demo's workspace: some thousands of made-up files of every kind that matters to a backup.
 */
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { noise, randomOf } from '../sample/random.mjs';
import { csvTable, notebook, pythonSource, sentence, yamlFile } from '../sample/text.mjs';

const TEAMS = ['billing', 'crm', 'growth', 'ledger', 'logistics', 'platform', 'pricing', 'risk'];

/**
 * Makes the workspace.
 *
 * @param {string} root does not exist yet
 * @returns {{ files: number; leftOut: string[] }} files that belong in the archive, and the paths that do not
 */
export function makeWorkspace(root) {
  const random = randomOf('demo workspace');
  let written = 0;
  /** @type {string[]} */
  const directories = [];
  const write = (/** @type {string} */ path, /** @type {string | Buffer} */ content, mode = 0o644) => {
    const file = join(root, path);
    if (directories.at(-1) !== dirname(file)) {
      mkdirSync(dirname(file), { recursive: true });
      directories.push(dirname(file));
    }
    writeFileSync(file, content);
    chmodSync(file, mode);
    const time = 1_770_000_000 + random.int(9_000_000);
    utimesSync(file, time, time);
    written += 1;
  };

  write('leoflow.yaml', yamlFile(random, 600));
  write('README.md', `# Flows\n\n${Array.from({ length: 40 }, () => sentence(random, 14)).join('\n')}\n`);
  for (const team of TEAMS) {
    for (let n = 0; n < 150; n += 1) {
      write(`dags/${team}/${random.favour(['load', 'check', 'report'])}_${n}.py`, pythonSource(random, sizes(random)));
    }
    for (let n = 0; n < 60; n += 1) write(`config/${team}/flow_${n}.yaml`, yamlFile(random, 1500));
    for (let n = 0; n < 90; n += 1) write(`data/${team}/part-${n}.csv`, csvTable(random, 2 * sizes(random)));
    for (let n = 0; n < 30; n += 1) write(`notebooks/${team}/${n}.ipynb`, notebook(random, 8000));
    for (let n = 0; n < 10; n += 1)
      write(`models/${team}/${n}.bin`, noise(`${team} ${n}`, 80_000 + random.int(80_000)));
  }
  // Larger than a block: these are cut into segments, packed by several workers at once.
  write('data/all.csv', csvTable(random, 6_000_000));
  write('models/all.parquet', noise('all', 5_000_000));
  // What backups trip over.
  write('scripts/run.sh', '#!/bin/sh\nexec python3 -m flows "$@"\n', 0o755);
  write('empty.txt', '');
  write('tools/venv', 'A regular file called venv: it belongs to its owner, and is kept.\n');
  write('data/Übersicht für Köln, [2026] {final}.csv', csvTable(random, 3000));
  write(`data/${'a long directory name/'.repeat(12)}${'long'.repeat(40)}.csv`, csvTable(random, 500));
  write('secrets/key.pem', 'not a key\n', 0o600);
  mkdirSync(join(root, 'inbox'));
  symlinkSync('dags/billing', join(root, 'latest'));
  symlinkSync('/nowhere/at all', join(root, 'dangling'));
  write('.leoflowignore', '# left out by the user\n*.tmp\n/scratch/\n');
  const files = written;

  /** @type {[path: string, files: string[]][]} */
  const excluded = [
    ['.svn', ['wc.db', 'format', 'pristine/00/0.svn-base']],
    ['.venv', ['pyvenv.cfg', 'bin/activate', 'lib/python3.12/site-packages/leoflow/__init__.py']],
    ['dags/billing/__pycache__', ['load_0.cpython-312.pyc', 'load_1.cpython-312.pyc']],
    ['tools/ui/node_modules', ['left/index.js', 'left/package.json', 'right/index.js']],
    ['scratch', ['1.csv', '2.csv']],
  ];
  for (const [directory, names] of excluded) {
    for (const name of names) write(`${directory}/${name}`, sentence(random, 30));
  }
  write('data/half-written.tmp', csvTable(random, 2000));
  const inPathOrder = directories.sort().reverse();
  for (const directory of [...inPathOrder, root]) utimesSync(directory, 1_780_000_000, 1_780_000_000);
  return { files, leftOut: [...excluded.map(([directory]) => directory), 'data/half-written.tmp'] };
}

/** Sizes as in a real tree: most files are small, some are not. @param {import('../sample/random.mjs').Random} random */
function sizes(random) {
  return 400 + random.int(4000) + (random.int(12) === 0 ? random.int(60_000) : 0);
}
