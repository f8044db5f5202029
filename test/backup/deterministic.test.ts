/** The same workspace gives the same bytes, whoever packs it, and however often. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Member, membersOf } from '../support/archive.js';
import { backup } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { growOddTree, MIB, put } from '../support/tree.js';

let install: TestInstall;
let runs = 0;

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 5_000);
  put(join(install.workspace, 'contents', 'large'), randomBytes(9 * MIB));
  for (let i = 0; i < 40; i += 1)
    put(join(install.workspace, 'contents', 'middling', String(i)), randomBytes(i * 10_000));
});
afterAll(() => install?.remove());

/** The members of an archive that hold the workspace: behind those of the manifest, before those of the dump. */
async function workspaceMembers(options: {
  home?: string;
  dsn?: string;
  workers: number;
  exclude?: string[];
}): Promise<Member[]> {
  runs += 1;
  const output = join(install.base, `${runs}.tar.gz`);
  await backup({ home: install.home, output, ...options });
  const members = membersOf(readFileSync(output));
  const dump = members.findIndex(
    ({ block, kind }) => kind === 'F' && block.toString('latin1', 0, 14) === 'datastore.sql\0',
  );
  expect(dump).toBeGreaterThan(20);
  return members.slice(1, dump);
}

const bytes = (members: Member[]) => Buffer.concat(members.map(({ raw }) => raw));

test('with 1 worker and with 4, and in two runs', async () => {
  const first = bytes(await workspaceMembers({ workers: 1 }));
  for (const workers of [4, 1]) {
    // Not toEqual: it would print megabytes.
    expect({ workers, same: bytes(await workspaceMembers({ workers })).equals(first) }).toEqual({
      workers,
      same: true,
    });
  }
});

test('wherever the tree lies, and in whatever order it was made', async () => {
  const { home, workspace, dsn } = install.another();
  // Another directory order: of the names in reverse, as far as the file system minds.
  const script = 'cd "$1" && find . -print0 | sort -rz | tar c --null --no-recursion -T - | tar xp -C "$2"';
  execFileSync('bash', ['-c', script, 'bash', install.workspace, workspace], {
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Link counts and fractions of seconds differ; modes, times and contents do not.
  const copy = await workspaceMembers({ home, dsn, workers: 3 });
  expect(bytes(copy).equals(bytes(await workspaceMembers({ workers: 3 })))).toBe(true);
});

test('what is left out leaves no trace', async () => {
  const before = bytes(await workspaceMembers({ workers: 2 }));
  const { mtime } = statSync(install.workspace);
  for (let i = 0; i < 2000; i += 1) put(join(install.workspace, 'node_modules', String(i)), 'x');
  utimesSync(install.workspace, mtime, mtime);
  expect(bytes(await workspaceMembers({ workers: 2 })).equals(before)).toBe(true);
});
