/** A journal in the place of an extraction's own that none has written: an archive can bring it, and it is not obeyed. docs/restore.md, "The journal". */
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryName } from '../../src/engine/archive/index.js';
import { blocksOf, directory, file, indexed } from '../support/forge/archive.js';
import { lendWorkers } from '../support/lent-workers.js';
import { failure, goodBlocks, Place } from './support.js';

lendWorkers();

let place: Place;
/** The directory that is extracted to, and the journal beside it. */
let dags: string;
let journal: string;
/** A staging directory as an extraction to there makes it. */
let staging: string;
beforeEach(() => {
  place = new Place();
  dags = join(place.to, 'dags');
  journal = `${dags}.extract.restore-journal.json`;
  staging = join(place.to, temporaryName('dags'));
  mkdirSync(dags);
  writeFileSync(join(dags, 'mine'), 'mine');
});
afterEach(() => place.remove());

const inodeOf = (path: string) => String(lstatSync(path, { bigint: true }).ino);
const base = (fields: object) => ({
  ...{ version: 1, started: '2026-06-01T08:00:00Z', state: 'undone', renames: [], carried: [] },
  ...{
    databases: null,
    transaction: null,
    datastore: null,
    temporary: [staging],
    discard: { paths: [], databases: [] },
  },
  ...fields,
});

/** Expects an extraction, dry or not, to refuse this journal, and to touch nothing. */
async function refuses(fields: object, says: string): Promise<void> {
  writeFileSync(journal, JSON.stringify(base(fields)));
  const archive = place.put(indexed(goodBlocks()));
  const before = place.look();
  for (const dryRun of [true, false]) {
    const { code, message, hint } = await failure(place.extract(archive, ['a'], { to: dags, dryRun }));
    expect({ dryRun, fields, code, message }).toEqual({
      ...{ dryRun, fields, code: 'RECOVERY_FAILED' },
      message: expect.stringContaining(`${journal} is none of this program: ${says}`),
    });
    expect(hint).toMatch(/an archive may have brought it.*nothing was changed/);
    expect(place.look()).toEqual(before);
  }
}

test('that names something to be removed: it came out of an archive', async () => {
  const victim = join(place.outside, 'canary');
  for (const state of ['undone', 'committed']) {
    const text = JSON.stringify(base({ state, temporary: [victim] }));
    const entries = [directory('workspace/'), file('workspace/dags.extract.restore-journal.json', text)];
    await place.extract(indexed(blocksOf({ workspace: [entries] })), ['.'], { to: place.to, force: true });
    expect(readFileSync(journal, 'utf8')).toBe(text);
    const { code, message } = await failure(place.extract(indexed(goodBlocks()), ['a'], { to: dags }));
    expect({ code, message }).toEqual({
      code: 'RECOVERY_FAILED',
      message: expect.stringContaining(`it would remove ${JSON.stringify(victim)}`),
    });
    expect(existsSync(victim)).toBe(true);
    // It is the user's to look at; with it gone, all is as ever.
    rmSync(journal);
  }
  await place.extract(indexed(goodBlocks()), ['a'], { to: dags });
});

test('that names more than an extraction does', async () => {
  const mine = join(dags, 'mine');
  const databases = { staged: 'leoflow_dev', live: 'leoflow_dev', previous: null };
  const ofNone = 'it is not that of an extraction';
  await refuses({ discard: { paths: [mine], databases: [] }, state: 'committed' }, ofNone);
  await refuses({ discard: { paths: [], databases: ['leoflow_dev'] }, datastore: 'x' }, ofNone);
  await refuses({ carried: [{ from: `${place.to}/x`, to: mine }] }, ofNone);
  await refuses({ temporary: [] }, ofNone);
  await refuses({ databases, datastore: 'x' }, 'it has not the fields of one');
  await refuses({ databases, datastore: null }, 'it has not the fields of one');
  await refuses({ temporary: [join(place.to, temporaryName('other'))] }, 'it would remove');
  await refuses({ temporary: [join(place.outside, temporaryName('dags'))] }, 'it would remove');
  await refuses({ temporary: [`${staging}/../canary`] }, 'it has not the fields of one');
  for (const field of ['started', 'state', 'temporary', 'discard', 'databases', 'datastore'])
    await refuses({ [field]: 7 }, 'it has not the fields of one');
  await refuses({ renames: [null] }, 'it has not the fields of one');
});

test('that moves anything but between its staging directory and the target', async () => {
  const mine = join(dags, 'mine');
  const moves = async (...renames: { from: string; to: string }[]) =>
    refuses(
      { state: 'committing', renames: renames.map((step) => ({ inode: inodeOf(mine), ...step })) },
      'it would move',
    );
  const staged = { from: join(staging, 'workspace/mine'), to: mine };
  await moves({ ...staged, to: join(place.outside, 'canary') });
  await moves({ ...staged, to: dags });
  await moves({ ...staged, from: join(place.outside, 'mine') });
  await moves({ from: join(dags, 'other'), to: mine });
  await moves(staged, { from: mine, to: join(place.outside, 'mine.before-extract-2026') });
  await moves(staged, { from: mine, to: `${mine}.before-extract-x/mine` });
  // One of a million inodes would be the right one.
  await moves(staged, { ...staged, from: join(staging, 'beside/mine') });
  symlinkSync(place.outside, join(dags, 'link'));
  await moves({ from: join(staging, 'workspace/link/canary'), to: join(dags, 'link/canary') });
});

test('that is an extraction’s own is obeyed', async () => {
  const [a, aside] = [join(dags, 'a'), join(dags, 'a.before-extract-2026-06-01T080000Z')];
  writeFileSync(aside, 'the old one');
  writeFileSync(a, 'the new one');
  const renames = [
    { from: a, to: aside, inode: inodeOf(aside) },
    { from: join(staging, 'workspace/a'), to: a, inode: inodeOf(a) },
  ];
  writeFileSync(journal, JSON.stringify(base({ state: 'committing', renames })));
  const notes: string[] = [];
  const onEvent = (event: { type: string; message?: string }) =>
    event.type === 'note' && notes.push(event.message ?? '');
  await place.extract(indexed(goodBlocks()), ['z1'], { to: dags, onEvent });
  expect(notes).toEqual(['an earlier extraction that was broken off was undone first']);
  expect(readFileSync(a, 'utf8')).toBe('the old one');
  for (const path of [journal, staging, aside]) expect(existsSync(path)).toBe(false);
});
