/** `leoflow lite cat` and `leoflow lite extract` as people and scripts run them. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, jsonLines, LEOFLOW, leoflow } from '../cli/support.js';
import { goodBlocks, LARGE } from '../extract/support.js';
import { blocksOf, directory, file, indexed, largeFile, streamed } from '../support/forge/archive.js';
import { Shelf } from '../verify/support.js';

let shelf: Shelf;
let good: string;
beforeAll(() => {
  shelf = new Shelf();
  good = shelf.put(indexed(goodBlocks()), 'good.tar.gz');
});
afterAll(() => shelf.remove());

describe('cat', () => {
  test('prints the content, and nothing else', async () => {
    const { status, bytes, stderr } = await leoflow(['lite', 'cat', good, 'workspace/dags/large.bin']);
    expect({ status, equal: bytes.equals(LARGE), stderr }).toEqual({ status: 0, equal: true, stderr: '' });
  });

  test('with --json the result goes to standard error, and so does an error', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'cat', '--json', good, 'workspace/a']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'the file a' });
    expect(jsonLines(stderr)).toEqual([
      expect.objectContaining({ type: 'result', command: 'cat', bytes: 10, checksum: true, status: 0 }),
    ]);
    const failed = await leoflow(['lite', 'cat', '--json', good, 'a']);
    expect({ status: failed.status, stdout: failed.stdout }).toEqual({ status: 1, stdout: '' });
    expect(jsonLines(failed.stderr).at(-1)).toMatchObject({
      type: 'error',
      error: { code: 'ENTRY_NOT_FOUND' },
      status: 1,
    });
    const wrong = await command(['lite', 'cat', '--json', good]);
    expect(wrong).toMatchObject({ status: 2, stdout: '' });
    expect(jsonLines(wrong.stderr).at(-1)).toMatchObject({ error: { code: 'USAGE' } });
  });

  test('with --verbose says how much was read', async () => {
    const { stdout, stderr } = await leoflow(['lite', 'cat', '-v', good, 'workspace/a']);
    expect(stdout).toBe('the file a');
    expect(stderr).toMatch(/^workspace\/a: 10 B, as its checksum says; .* of .* read, /);
  });

  test('ends with status 1 and says that it is not to be trusted, where the checksum is wrong', async () => {
    const blocks = blocksOf({
      workspace: [[directory('workspace/')], [largeFile('workspace/big', LARGE)]],
      sums: (right) => right.replace(/^\w{64}(?= {2}workspace\/big$)/m, '0'.repeat(64)),
    });
    const { status, bytes, stderr } = await leoflow(['lite', 'cat', shelf.put(indexed(blocks)), 'workspace/big']);
    expect({ status, length: bytes.length }).toEqual({ status: 1, length: LARGE.length });
    expect(stderr).toMatch(
      /^error: "workspace\/big" is not as listed .*; what was printed is not to be trusted\nhint: /,
    );
  });

  test('ends quietly where the reader has had enough', () => {
    for (const [archive, name] of [
      [good, 'workspace/dags/large.bin'],
      [shelf.put(streamed(goodBlocks()), 'streamed.tar.gz'), 'workspace/dags/large.bin'],
    ]) {
      const script = `set -o pipefail; ${process.execPath} ${LEOFLOW} lite cat -q ${archive} ${name} | head -c 5`;
      const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'all w', stderr: '' });
    }
  });

  test('says that the disk is full', () => {
    const script = `${process.execPath} ${LEOFLOW} lite cat ${good} workspace/dags/large.bin > /dev/full`;
    const { status, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('the content cannot be written: no space left'),
    });
  });

  test('from standard input, to a file', () => {
    const out = join(shelf.directory, 'out');
    const script = `cat ${good} | ${process.execPath} ${LEOFLOW} lite cat - workspace/dags/large.bin > ${out}`;
    expect(spawnSync('bash', ['-c', script]).status).toBe(0);
    expect(readFileSync(out).equals(LARGE)).toBe(true);
  });
});

describe('extract', () => {
  test('says what is new and how much was read', async () => {
    const to = join(shelf.directory, 'one');
    const { status, stdout, stderr } = await leoflow(['lite', 'extract', good, 'dags', '--to', to]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^Extracted to .*one: 4 files, 3 directories, 1 link, 3\.15 MB\n {2}new {8}.*one\/dags\n {2}read {7}/,
    );
    expect(stderr).toBe('Looking for what is wanted\nStaging it\nPutting it in place\n');
    const again = await leoflow(['lite', 'extract', good, 'dags', '--to', to]);
    expect(again).toMatchObject({
      status: 4,
      stdout: '',
      stderr: expect.stringMatching(/error: something is in the way: .*\nhint: .*--force/),
    });
    const forced = await leoflow(['lite', 'extract', '-q', good, 'dags', '--to', to, '--force']);
    expect(forced).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('--json: phases, progress, and a result with what was made, replaced and read', async () => {
    const to = join(shelf.directory, 'two');
    const { status, stdout } = await leoflow(['lite', 'extract', '--json', good, 'a', '--to', to]);
    const lines = jsonLines(stdout);
    expect(status).toBe(0);
    expect(lines.flatMap(({ type, phase }) => (type === 'phase' ? [phase] : []))).toEqual(['find', 'stage', 'place']);
    expect(lines.at(-1)).toMatchObject({
      ...{
        type: 'result',
        command: 'extract',
        dryRun: false,
        archive: good,
        to,
        files: 1,
        directories: 0,
        links: 0,
        bytes: 10,
      },
      ...{
        made: [join(to, 'a')],
        madeCount: 1,
        replaced: [],
        checksums: true,
        bytesRead: expect.any(Number),
        status: 0,
      },
    });
  });

  test('--dry-run changes nothing', async () => {
    const to = join(shelf.directory, 'three');
    const { status, stdout } = await leoflow(['lite', 'extract', good, 'a', '--to', to, '--dry-run']);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^Dry run, nothing was changed: this would be extracted to /),
    });
    expect(() => openSync(to, 'r')).toThrow('ENOENT');
  });

  test('from standard input', async () => {
    const stdin = openSync(good, 'r');
    try {
      const to = join(shelf.directory, 'four');
      const { status } = await leoflow(['lite', 'extract', '-', 'a', '--to', to], {}, () => undefined, stdin);
      expect({ status, content: readFileSync(join(to, 'a'), 'utf8') }).toEqual({ status: 0, content: 'the file a' });
    } finally {
      closeSync(stdin);
    }
  });

  test('wrong usage: no pattern, an empty one, no target', async () => {
    for (const [argv, says] of [
      [[good, '--to', 'x'], "missing required argument 'pattern'"],
      [[good, '', '--to', 'x'], 'a pattern must not be empty'],
      [[good, 'a'], '--to is missing'],
      [[good, 'a', '--to', ''], '--to must not be empty'],
      [['', 'a', '--to', 'x'], 'the name of an archive must not be empty'],
    ] as const)
      expect(await command(['lite', 'extract', ...argv])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(says),
      });
  });
});

test('names with control characters do no harm to a terminal', async () => {
  const blocks = blocksOf({ workspace: [[directory('workspace/'), file('workspace/a\u001b[31mb', 'x')]] });
  const archive = shelf.put(indexed(blocks), 'odd.tar.gz');
  const { stdout } = await leoflow(['lite', 'extract', archive, '.', '--to', shelf.directory]);
  expect(stdout).toContain('a\\x1b[31mb');
  expect((await leoflow(['lite', 'extract', archive, '.', '--to', shelf.directory])).stderr).not.toContain('\u001b');
});
