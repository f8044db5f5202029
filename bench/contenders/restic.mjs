/**
 * restic: another thing than an archive, but what many would use. Encrypted, deduplicated, compressed by zstd, in a repository of its own.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../measure/run.mjs';
import { checkSnapshot, checkTree } from './check.mjs';
import { EXCLUDE_FLAGS, missingProgram, peerDump } from './contender.mjs';

/** @typedef {import('./contender.mjs').Arena} Arena */
/** @typedef {import('./contender.mjs').Contender} Contender */

/** @param {Arena} arena @returns {{ backups: Contender[]; restores: Contender[] }} */
export function restic(arena) {
  const { place, scratch, signal } = arena;
  const missing = missingProgram('restic');
  const repository = join(scratch, 'restic');
  const env = {
    PLACE: place,
    RESTIC_REPOSITORY: repository,
    RESTIC_CACHE_DIR: join(scratch, 'restic-cache'),
    RESTIC_PASSWORD: 'bench',
  };
  const dump = peerDump(arena);
  const extra = dump.file === null ? '' : `'${dump.file}'`;
  // By way of `place`, whose path holds none of the names that are left out: restic matches them against absolute paths.
  const line = `${dump.line}cd "$PLACE/workspace"\nrestic backup --quiet ${EXCLUDE_FLAGS} . ${extra}\nsync -f "$RESTIC_REPOSITORY"`;
  const fresh = async () => {
    for (const path of [repository, env.RESTIC_CACHE_DIR]) rmSync(path, { recursive: true, force: true });
    await run({ line: 'restic init --quiet', env, signal });
  };
  const filled = async () => {
    if (existsSync(repository)) return;
    await fresh();
    await run({ line, env, signal });
  };
  const shared = { missing, env };
  const backup = { ...shared, direction: /** @type {const} */ ('backup'), line, output: repository, keeps: true };
  const check = () => checkSnapshot(arena, env, dump.file);
  const target = join(scratch, 'restic-restored');
  return {
    backups: [
      { ...backup, name: 'restic, first run', prepare: fresh, check },
      { ...backup, name: 'restic, second run', prepare: filled, check },
    ],
    restores: [
      {
        ...shared,
        name: 'restic restore',
        direction: 'restore',
        line: `restic restore latest --quiet ${dump.file === null ? '' : `--exclude '${dump.file}'`} --target "$TARGET"\nsync -f "$TARGET"`,
        env: { ...env, TARGET: target },
        output: target,
        prepare: async () => {
          await filled();
          mkdirSync(target);
        },
        // The empty directories above the dump are restored, too.
        check: (thorough) => checkTree(arena, target, thorough && dump.file === null),
      },
    ],
  };
}
