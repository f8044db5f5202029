/**
 * What a Node.js program would take from npm: `tar` (node-tar) and `archiver`, each in a process of its own.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkArchive, checkTree, restoredWorkspace } from './check.mjs';
import { missingPackage, peerDump } from './contender.mjs';

/** @typedef {import('./contender.mjs').Arena} Arena */
/** @typedef {import('./contender.mjs').Contender} Contender */

const TAR = fileURLToPath(new URL('npm-tar.mjs', import.meta.url));
const ARCHIVER = fileURLToPath(new URL('npm-archiver.mjs', import.meta.url));

/** @param {Arena} arena @returns {Contender[]} */
export function npmBackups(arena) {
  const { tree, scratch, peerLevel: level } = arena;
  const dump = peerDump(arena);
  return [
    { name: 'npm tar', module: 'tar', script: TAR, mode: 'pack ' },
    { name: 'npm archiver', module: 'archiver', script: ARCHIVER, mode: '' },
  ].map(({ name, module, script, mode }) => {
    const output = join(scratch, `npm-${module}.tar.gz`);
    const line = `${dump.line}"$NODE" "$SCRIPT" ${mode}"$ARCHIVE" "$TREE" ${level} ${dump.file === null ? '' : `'${dump.file}'`}\nsync "$ARCHIVE"`;
    return /** @type {Contender} */ ({
      name,
      direction: 'backup',
      missing: missingPackage(module),
      line,
      env: { NODE: process.execPath, SCRIPT: script, ARCHIVE: output, TREE: tree.root },
      output,
      check: (thorough) => checkArchive(arena, { file: output, compressed: true, root: '.', thorough }),
    });
  });
}

/** @param {Arena} arena @param {string} archive one of ours @returns {Contender[]} */
export function npmRestores(arena, archive) {
  const output = join(arena.scratch, 'npm-tar-restored');
  return [
    {
      name: 'npm tar',
      direction: 'restore',
      missing: missingPackage('tar'),
      line: '"$NODE" "$SCRIPT" unpack "$ARCHIVE" "$TARGET"\nsync -f "$TARGET"',
      env: { NODE: process.execPath, SCRIPT: TAR, ARCHIVE: archive, TARGET: output },
      output,
      prepare: async () => void mkdirSync(output),
      check: (thorough) => checkTree(arena, restoredWorkspace(output), thorough),
    },
  ];
}
