/** What is there already: directories take in what is new, files make way only if so asked, and nothing is written through a link. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leoflow, underModes } from '../support/cli.js';
import { blocksOf, directory, file, indexed } from '../support/forge/archive.js';
import { lendWorkers } from '../support/lent-workers.js';
import { goodBlocks, Place } from './support.js';

const ARCHIVE = indexed(goodBlocks());
const KEPT = /\.before-extract-\d{4}-\d\d-\d\dT\d{6}Z$/;

lendWorkers();

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const at = (path: string) => join(place.to, path);
const text = (path: string) => readFileSync(at(path), 'utf8');

describe('a directory', () => {
  test('takes in what is new, and stays as it is itself', async () => {
    mkdirSync(at('dags'));
    chmodSync(at('dags'), 0o711);
    writeFileSync(at('dags/own.py'), 'own');
    const result = await place.extract(ARCHIVE, ['dags']);
    expect(readdirSync(at('dags')).sort()).toEqual(['etl.py', 'hello.py', 'large.bin', 'own.py', 'sub']);
    expect(statSync(at('dags')).mode & 0o777).toBe(0o711);
    expect(text('dags/own.py')).toBe('own');
    expect(result.made.sort()).toEqual(['etl.py', 'hello.py', 'large.bin', 'sub'].map((name) => at(`dags/${name}`)));
  });

  test('takes it in also where it is closed to its owner', async () => {
    mkdirSync(at('dags'));
    chmodSync(at('dags'), 0o500);
    await place.extract(ARCHIVE, ['dags/sub', 'dags/etl.py']);
    expect(readdirSync(at('dags')).sort()).toEqual(['etl.py', 'sub']);
    expect(statSync(at('dags')).mode & 0o777).toBe(0o500);
  });

  test('never makes way for a file', async () => {
    mkdirSync(at('a/b'), { recursive: true });
    for (const force of [false, true])
      await place.refuses(
        ARCHIVE,
        ['a', 'dags'],
        { code: 'TARGET_EXISTS', says: 'target/a" (a directory)', kind: 'refused' },
        { force },
      );
  });
});

describe('a file', () => {
  beforeEach(() => {
    mkdirSync(at('dags'));
    writeFileSync(at('dags/etl.py'), 'mine');
    chmodSync(at('dags/etl.py'), 0o600);
  });

  test('is in the way, and then nothing at all is extracted', async () => {
    const error = await place.refuses(ARCHIVE, ['dags', 'a'], {
      ...{ code: 'TARGET_EXISTS', says: /in the way: ".*target\/dags\/etl\.py"$/, kind: 'refused' },
    });
    expect(error.hint).toContain('--force');
  });

  test('makes way with --force, and is kept', async () => {
    const dry = await place.extract(ARCHIVE, ['dags', 'a'], { force: true, dryRun: true });
    expect(dry.replaced).toEqual([{ what: at('dags/etl.py'), where: at('dags/etl.py') }]);
    expect(text('dags/etl.py')).toBe('mine');

    const result = await place.extract(ARCHIVE, ['dags', 'a'], { force: true });
    expect(text('dags/etl.py')).toBe('print("etl")\n');
    const [kept] = readdirSync(at('dags')).filter((name) => KEPT.test(name));
    expect(kept).toMatch(/^etl\.py\./);
    expect(text(`dags/${kept}`)).toBe('mine');
    expect(statSync(at(`dags/${kept}`)).mode & 0o777).toBe(0o600);
    expect(result.replaced).toEqual([{ what: at('dags/etl.py'), where: at(`dags/${kept}`) }]);
    expect(result.made).not.toContain(at('dags/etl.py'));
  });

  test('is not replaced before all is read and checked', async () => {
    const wrong = blocksOf({
      workspace: [
        [
          directory('workspace/'),
          directory('workspace/dags/'),
          file('workspace/dags/etl.py', 'new'),
          file('workspace/x', 'x'),
        ],
      ],
      sums: (right) => right.replace(/^\w{64}(?= {2}workspace\/x$)/m, '0'.repeat(64)),
    });
    const refusal = { code: 'CHECKSUM_MISMATCH', says: '"workspace/x" differs' } as const;
    await place.refuses(indexed(wrong), ['dags', 'x'], refusal, { force: true });
    // What is wrong with others is not what was asked for.
    await place.extract(indexed(wrong), ['dags'], { force: true });
    expect(text('dags/etl.py')).toBe('new');
  });

  test('where a directory is needed is refused, with --force, too', async () => {
    rmSync(at('dags'), { recursive: true });
    writeFileSync(at('dags'), 'a file');
    for (const force of [false, true])
      await place.refuses(
        ARCHIVE,
        ['dags'],
        { code: 'TARGET_EXISTS', says: 'no directory, and one is needed there' },
        { force },
      );
  });

  test('many of them are counted, and some named', async () => {
    const names = Array.from({ length: 9 }, (_, n) => `f${n}`);
    for (const name of names) writeFileSync(at(name), '');
    const blocks = blocksOf({
      workspace: [[directory('workspace/'), ...names.map((name) => file(`workspace/${name}`, name))]],
    });
    await place.refuses(indexed(blocks), ['.'], { code: 'TARGET_EXISTS', says: /f0", .*f4" and 4 more$/ });
  });
});

describe('a link', () => {
  test('in the place of a directory is never followed', async () => {
    symlinkSync('../outside', at('dags'));
    for (const force of [false, true])
      await place.refuses(
        ARCHIVE,
        ['dags'],
        { code: 'TARGET_EXISTS', says: 'no directory, and one is needed there' },
        { force },
      );
    expect(readdirSync(place.outside)).toEqual(['canary']);
  });

  test('nor deeper', async () => {
    mkdirSync(at('dags'));
    symlinkSync(place.outside, at('dags/sub'));
    await place.refuses(ARCHIVE, ['dags/sub/x.py'], { code: 'TARGET_EXISTS', says: 'dags/sub"' }, { force: true });
  });

  test('in the place of a file makes way as a file does: what it leads to stays', async () => {
    symlinkSync('../outside/canary', at('a'));
    await place.refuses(ARCHIVE, ['a'], { code: 'TARGET_EXISTS', says: 'target/a"' });
    const { replaced } = await place.extract(ARCHIVE, ['a'], { force: true });
    expect(lstatSync(at('a')).isFile()).toBe(true);
    expect(text('a')).toBe('the file a');
    expect(readFileSync(join(place.outside, 'canary'), 'utf8')).toBe(place.outside);
    expect(readlinkSync(replaced[0]?.where ?? '')).toBe('../outside/canary');
  });
});

test('a file of the workspace and one beside it cannot be the same', async () => {
  const blocks = blocksOf({ workspace: [[directory('workspace/'), file('workspace/config.yaml', 'mine')]] });
  await place.refuses(indexed(blocks), ['config.yaml', '.'], { code: 'TARGET_EXISTS', says: 'two files would be' });
  await place.extract(indexed(blocks), ['config.yaml', 'workspace']);
  expect(text('workspace/config.yaml')).toBe('mine');
});

describe('the target', () => {
  test('is no file', async () => {
    await place.refuses(ARCHIVE, ['a'], { code: 'STAGING_WRITE', says: 'it is no directory' }, { to: at('canary') });
    await place.refuses(ARCHIVE, ['a'], { code: 'STAGING_WRITE', says: 'not a directory' }, { to: at('canary/below') });
  });

  test('is made with the directories above it, and where nothing comes of it, not', async () => {
    const to = join(place.base, 'x/y/z');
    await place.refuses(ARCHIVE, ['nothing'], { code: 'ENTRY_NOT_FOUND', says: 'nothing' }, { to });
    await place.extract(ARCHIVE, ['a'], { to });
    expect(readdirSync(to)).toEqual(['a']);
    expect(readdirSync(join(place.base, 'x/y'))).toEqual(['z']);
  });

  test('that may be written to in a directory that may not is staged in itself', async () => {
    const archive = at('snap.tar.gz');
    writeFileSync(archive, ARCHIVE);
    chmodSync(place.base, 0o555);
    try {
      const { status, stderr } = await leoflow(['lite', 'extract', archive, 'a', '--to', place.to], {
        under: underModes,
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.any(String) });
    } finally {
      chmodSync(place.base, 0o700);
    }
    expect(readdirSync(place.to).sort()).toEqual(['a', 'canary', 'snap.tar.gz']);
  });
});
