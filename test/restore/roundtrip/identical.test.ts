/** What a backup has taken comes back as it was: docs/restore.md. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInstall, type TestInstall } from '../../support/install.js';
import { backup, restore } from '../../support/library.js';
import { postgresBin, serverAccount, startCluster } from '../../support/postgres.js';
import { growOddTree, look, type Seen } from '../../support/tree.js';

let install: TestInstall;
let before: { tree: Map<string, Seen>; dump: string; config: string; setup: string };

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 3000);
  // What a restore drops on purpose, and what no archive holds.
  for (const [path, { mode }] of look(install.workspace)) {
    if (path.startsWith('bytes:')) execFileSync('rm', ['-rf', '--', join(install.workspace, path)]);
    if (mode !== undefined && (Number.parseInt(mode, 8) & 0o6000) !== 0) {
      chmodSync(join(install.workspace, path), Number.parseInt(mode, 8) & ~0o6000);
    }
  }
  before = {
    tree: archived(install.workspace),
    dump: dumpOf(install.cluster.url),
    config: readFileSync(join(install.home, 'config.yaml'), 'utf8'),
    setup: readFileSync(join(install.home, 'setup.json'), 'utf8'),
  };
  await backup({ home: install.home, output: install.archive });
});

afterAll(() => install.remove());

describe('backup and restore', () => {
  it.each([1, 4])('over the install itself, with %i workers', async (workers) => {
    writeFileSync(join(install.workspace, 'new since the backup'), 'x');
    await install.cluster.psql(`CREATE TABLE newer (n int); DELETE FROM run;`);

    const result = await restore({ input: install.archive, home: install.home, force: true, workers });

    expect(archived(install.workspace)).toEqual(before.tree);
    expect(dumpOf(install.cluster.url)).toBe(before.dump);
    expect(readFileSync(join(install.home, 'config.yaml'), 'utf8')).toBe(before.config);
    expect(readFileSync(join(install.home, 'setup.json'), 'utf8')).toBe(before.setup);
    expect(result.changes).toEqual([]);
    const kept = result.previous.find(({ what }) => what === install.workspace)?.where ?? '';
    expect(readFileSync(join(kept, 'new since the backup'), 'utf8')).toBe('x');
  });

  it('into a home that is not there yet', async () => {
    const user = join(install.base, 'bob');
    mkdirSync(user);
    const account = serverAccount();
    if (account !== undefined) chownSync(user, account.uid, account.gid);
    const home = join(user, '.leoflow');

    await restore({ input: install.archive, home, workspace: join(user, 'flows') });

    expect(archived(join(user, 'flows'))).toEqual(before.tree);
    expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toBe(
      before.config.replace(install.workspace, join(user, 'flows')),
    );
    const cluster = await startCluster({ dir: join(home, 'pgdata'), adopt: true });
    try {
      expect(dumpOf(cluster.url)).toBe(before.dump);
    } finally {
      await cluster.stop();
      rmSync(join(home, 'pgdata'), { recursive: true });
    }
  });
});

/** The tree without what no archive holds: the directories that the rules leave out, and special files. */
function archived(root: string): Map<string, Seen> {
  const tree = look(root);
  for (const [path, { kind }] of tree) if (kind === 'other') tree.delete(path);
  return tree;
}

/** A dump, without the random key of its lock. */
function dumpOf(url: string): string {
  const dump = execFileSync(join(postgresBin(), 'pg_dump'), ['--no-owner', `--dbname=${url}`], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, '');
}
