/** `leoflow lite verify` as people and scripts run it. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, jsonLines, leoflow } from '../cli/support.js';
import { withIndex } from '../index/support.js';
import { blocksOf, directory, file, indexed } from '../support/forge/archive.js';
import { Shelf } from './support.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const shelf = new Shelf();
let good: string;
let bad: string;

beforeAll(() => {
  const nasty = file('workspace/a\u001b[31m\nb', 'x'.repeat(2000));
  const escaped = { ...nasty, line: `\\${(nasty.line ?? '').replace('\n', '\\n')}` };
  const archive = indexed(blocksOf({ workspace: [[directory('workspace/'), escaped, file('workspace/c', 'fine')]] }));
  good = shelf.put(archive, 'good.tar.gz');
  const wrong = blocksOf({
    workspace: [[directory('workspace/'), escaped, file('workspace/c', 'fine')]],
    sums: (right) => right.replace(/^\\\w{64}/m, `\\${'0'.repeat(64)}`),
  });
  bad = shelf.put(indexed(wrong), 'bad.tar.gz');
});
afterAll(() => shelf.remove());

test('an archive that is not complete is good, and says what it lacks', async () => {
  const lacking = shelf.put(Buffer.concat(withIndex({ index: (right) => `${right}{"incomplete":1}\n` })), 'lacking');
  const { status, stdout } = await leoflow(['lite', 'verify', lacking]);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^good: .*lacking: 1 file of .*; incomplete: 1 path is missing from the archive, or changed while being read$/m,
  );
});

describe('the exit status', () => {
  test('0 where all are good', async () => {
    const { status, stdout } = await leoflow(['lite', 'verify', good, REFERENCE]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('2 archives of 2 good') });
    expect(stdout).toContain(`good: ${good}: 2 files of`);
    expect(stdout).toContain('no checksums in it to compare');
  });

  test('1 where one is damaged, is none, or is not there; the others are looked at all the same', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'verify', bad, '/nonexistent', thisFile(), good]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^DAMAGED: .*bad\.tar\.gz$/m);
    expect(stdout).toContain('entries    workspace/a\\x1b[31m\\nb differs');
    expect(stdout).toMatch(/^NOT AN ARCHIVE: \/nonexistent\n +why +the archive \/nonexistent: no such file/m);
    expect(stdout).toContain('it is not gzip');
    expect(stdout).toMatch(/^good: .*good\.tar\.gz/m);
    expect(stdout).toContain('1 archive of 4 good');
    expect(stderr).toContain('Looking for what is damaged');
  });

  test('2 without an archive, or with standard input twice', async () => {
    expect(await command(['lite', 'verify'])).toMatchObject({ status: 2, stderr: expect.stringContaining('archive') });
    expect(await command(['lite', 'verify', '-', '-'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('only once'),
    });
    expect(await command(['lite', 'verify', '', good])).toMatchObject({ status: 2 });
  });
});

test('--quiet says nothing of good ones, and of bad ones on standard error', async () => {
  expect(await leoflow(['lite', 'verify', '-q', good])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  const { status, stdout, stderr } = await leoflow(['lite', 'verify', '-q', good, bad]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^DAMAGED: /);
});

test('--json: a line per archive, and all of them in the result', async () => {
  const { status, stdout, stderr } = await leoflow(['lite', 'verify', '--json', good, bad]);
  const lines = jsonLines(stdout);
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
  const verdicts = lines.filter(({ type }) => type === 'verdict');
  expect(verdicts).toMatchObject([
    { verdict: { archive: good, verdict: 'good', problems: [] } },
    { verdict: { archive: bad, verdict: 'damaged', problems: [{ code: 'CHECKSUM_MISMATCH' }], entryCount: 1 } },
  ]);
  expect(lines.at(-1)).toMatchObject({
    type: 'result',
    command: 'verify',
    good: false,
    status: 1,
    verdicts: verdicts.map(({ verdict }) => verdict),
  });
});

test('from standard input', async () => {
  const stdin = openSync(good, 'r');
  try {
    const { status, stdout } = await leoflow(['lite', 'verify', '-'], {}, () => undefined, stdin);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('good: standard input: 2 files') });
  } finally {
    closeSync(stdin);
  }
});

test('memory does not depend on the archive: 256 MiB are enough for two workers', async () => {
  const content = Buffer.alloc(1 << 20, 'abc');
  const many = Array.from({ length: 150 }, (_, index) => [
    file(`workspace/${String(index).padStart(4, '0')}`, content),
  ]);
  const archive = shelf.put(indexed(blocksOf({ workspace: [[directory('workspace/')], ...many] })), 'large.tar.gz');
  const hook = fileURLToPath(new URL('../support/peak-memory.cjs', import.meta.url));
  const peak = join(shelf.directory, 'peak');
  const env = { NODE_OPTIONS: `--require ${hook}`, PEAK_MEMORY_FILE: peak };
  expect((await leoflow(['lite', 'verify', '-q', '--workers', '2', archive], env)).status).toBe(0);
  expect(Number(readFileSync(peak, 'utf8'))).toBeLessThan(256 << 20);
});

function thisFile(): string {
  return fileURLToPath(import.meta.url);
}
