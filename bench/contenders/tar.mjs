/**
 * GNU tar and the compressors that people put behind it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkArchive, checkTree, restoredWorkspace } from './check.mjs';
import { EXCLUDE_FLAGS, missingProgram, peerDump } from './contender.mjs';

/** @typedef {import('./contender.mjs').Arena} Arena */
/** @typedef {import('./contender.mjs').Contender} Contender */

/** @param {Arena} arena @returns {Contender[]} */
export function tarBackups(arena) {
  const { tree, scratch, peerLevel: level, cores } = arena;
  const dump = peerDump(arena);
  const extra = dump.file === null ? '' : '-C "$SCRATCH" datastore.sql ';
  const pack = (/** @type {string} */ target) =>
    `${dump.line}tar cf ${target} --hard-dereference ${EXCLUDE_FLAGS} ${extra}-C "$TREE" .`;
  const archiver = (
    /** @type {string} */ name,
    /** @type {string | null} */ missing,
    /** @type {string | null} */ compressor,
  ) => {
    const output = join(scratch, `${name.replace(/\W+/g, '-')}.tar`);
    // As ours does by itself: what has been written is on the disk before it is done.
    const line = `${compressor === null ? pack('"$ARCHIVE"') : `${pack('-')} | ${compressor} > "$ARCHIVE"`}\nsync "$ARCHIVE"`;
    return /** @type {Contender} */ ({
      name,
      direction: 'backup',
      missing,
      line,
      env: { TREE: tree.root, SCRATCH: scratch, ARCHIVE: output },
      output,
      check: (thorough) => checkArchive(arena, { file: output, compressed: compressor !== null, root: '.', thorough }),
    });
  };
  return [
    archiver('tar cf', missingProgram('tar'), null),
    archiver(`tar | gzip -${level}`, missingProgram('gzip'), `gzip -${level}`),
    archiver(`tar | pigz -${level}`, missingProgram('pigz'), `pigz -${level} -p ${cores}`),
    archiver(`tar | bgzip -l${level}`, missingProgram('bgzip', 'tabix'), `bgzip -@ ${cores} -l ${level} -c`),
  ];
}

/** @param {Arena} arena @param {string} archive one of ours @returns {Contender[]} */
export function tarRestores(arena, archive) {
  const { scratch } = arena;
  const extractor = (/** @type {string} */ name, /** @type {string | null} */ missing, /** @type {string} */ line) => {
    const output = join(scratch, name.replace(/\W+/g, '-'));
    return /** @type {Contender} */ ({
      name,
      direction: 'restore',
      missing,
      line: `${line}\nsync -f "$TARGET"`,
      env: { ARCHIVE: archive, TARGET: output },
      output,
      prepare: async () => void mkdirSync(output),
      check: (thorough) => checkTree(arena, restoredWorkspace(output), thorough),
    });
  };
  return [
    extractor('tar xzf', missingProgram('gzip'), 'tar xzf "$ARCHIVE" -C "$TARGET"'),
    extractor('pigz -dc | tar xf', missingProgram('pigz'), 'pigz -dc < "$ARCHIVE" | tar xf - -C "$TARGET"'),
  ];
}
