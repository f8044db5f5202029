/** A journal beside the home that no restore has written: it is not obeyed. docs/restore.md, "The journal". */
import { existsSync, lstatSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryName } from '../../../src/engine/archive/index.js';
import { stagedName } from '../../../src/engine/datastore/index.js';
import { blocksOf, indexed } from '../../support/forge/archive.js';
import { recover } from '../faults.js';
import { Arena, failure } from './arena.js';

let arena: Arena;
let journal: string;
/** What a restore stages, and where that goes. */
let staging: string;
let config: string;
beforeEach(() => {
  arena = new Arena();
  journal = `${arena.home}.restore-journal.json`;
  staging = join(arena.user, temporaryName('leoflow'));
  config = join(arena.home, temporaryName('config.yaml'));
});
afterEach(() => arena.remove());

const inodeOf = (path: string) => String(lstatSync(path, { bigint: true }).ino);
const suffix = '.before-restore-2026-06-01T080000Z';
const base = (fields: object) => ({
  ...{ version: 1, started: '2026-06-01T08:00:00Z', state: 'committing', renames: moves(), carried: [] },
  ...{ databases: null, transaction: null, datastore: null, temporary: [staging, config] },
  ...{ discard: { paths: [], databases: [] }, ...fields },
});

/** Of a restore that was broken off before it moved anything. */
function moves(): { from: string; to: string; inode: string }[] {
  const [workspace, file] = [arena.workspace, join(arena.home, 'config.yaml')];
  return [
    { from: workspace, to: workspace + suffix, inode: inodeOf(workspace) },
    { from: join(staging, 'workspace'), to: workspace, inode: '1' },
    { from: file, to: file + suffix, inode: inodeOf(file) },
    { from: config, to: file, inode: '2' },
  ];
}

async function refuses(fields: object, says: string): Promise<void> {
  writeFileSync(journal, JSON.stringify(base(fields)));
  const before = arena.look();
  for (const call of [() => recover({ home: arena.home }), () => arena.restore(indexed(blocksOf()))]) {
    const { code, message, hint } = await failure(call());
    expect({ fields, code, message }).toEqual({
      ...{ fields, code: 'RECOVERY_FAILED' },
      message: expect.stringContaining(`${journal} is none of this program: ${says}`),
    });
    expect(hint).toContain('nothing was changed');
    rmSync(arena.archive, { force: true });
    expect(arena.look()).toEqual(before);
  }
}

test('that names something to be removed', async () => {
  const canary = join(arena.outside, 'canary');
  for (const state of ['undone', 'committed', 'committing']) {
    for (const path of [canary, arena.workspace, join(arena.user, temporaryName('other'))])
      await refuses({ state, temporary: [staging, config, path] }, `it would remove ${JSON.stringify(path)}`);
    const paths = [arena.workspace];
    await refuses({ state, discard: { paths, databases: [] } }, `it would remove ${JSON.stringify(arena.workspace)}`);
  }
  expect(existsSync(canary)).toBe(true);
});

test('that names databases that no restore has made, or keeps', async () => {
  const databases = { staged: stagedName(), live: 'leoflow_dev', previous: null };
  const noFields = 'it has not the fields of one';
  await refuses({ datastore: 'x', databases: { ...databases, staged: 'leoflow_dev' } }, noFields);
  await refuses({ datastore: 'x', databases: { ...databases, previous: 'postgres' } }, noFields);
  await refuses({ datastore: null, databases }, noFields);
  await refuses({ datastore: 'x', transaction: '1; DROP' }, noFields);
  const discard = { paths: [], databases: ['leoflow_dev'] };
  await refuses({ datastore: 'x', databases, discard }, 'it would drop "leoflow_dev"');
});

test('that moves anything but what was staged into its place, and what is there aside', async () => {
  const at = async (index: number, change: object) => {
    const renames = moves().map((step, at) => (at === index ? { ...step, ...change } : step));
    await refuses({ renames }, 'it would move');
  };
  await at(0, { to: join(arena.outside, 'leoflow') });
  await at(0, { from: join(arena.user, 'canary') });
  await at(1, { to: join(arena.outside, 'directory') });
  await at(1, { from: join(arena.outside, 'directory') });
  await at(1, { from: join(staging, 'else') });
  await at(3, { to: join(arena.home, 'canary') });
  await refuses({ renames: [...moves(), ...moves()] }, 'it would move two things to one place');
  symlinkSync(arena.outside, staging);
  await at(9, {});
});

test('that carries anything over but from the previous workspace into the same place', async () => {
  const { workspace, outside } = arena;
  const carries = (from: string, to: string) => refuses({ carried: [{ from, to }] }, 'it would move');
  await carries(join(outside, 'canary'), join(workspace, 'canary'));
  await carries(join(workspace + suffix, '.git'), join(outside, '.git'));
  await carries(join(workspace + suffix, '.git'), join(workspace, 'x'));
  symlinkSync(outside, join(workspace, 'link'));
  await carries(join(workspace + suffix, 'link/directory'), join(workspace, 'link/directory'));
});

test('that is a restore’s own is obeyed, also under another name of the home', async () => {
  const carried = [{ from: join(arena.workspace + suffix, '.git'), to: join(arena.workspace, '.git') }];
  symlinkSync(arena.user, join(arena.base, 'alias'));
  for (const home of [arena.home, join(arena.base, 'alias', '.leoflow')]) {
    const before = arena.look();
    writeFileSync(journal, JSON.stringify(base({ carried })));
    expect((await recover({ home })).outcome).toBe('undone');
    expect(arena.look()).toEqual(before);
  }
});
