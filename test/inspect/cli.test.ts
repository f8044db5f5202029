/** `leoflow lite inspect` as people and scripts run it. */
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, jsonLines, leoflow, recordingTerminal } from '../cli/support.js';
import { Shelf, withIndex } from '../index/support.js';
import { blocksOf, directory, file, indexed, largeFile, MANIFEST, manifest } from '../support/forge/archive.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const HOME = '/nonexistent/.leoflow';
const shelf = new Shelf();
let archive: string;

beforeAll(() => {
  const rules = '{"out":".git","d":2,"f":1}\n{"out":"*.log\\u001b (--exclude)","d":0,"f":12}\n';
  const workspace = [
    [directory('workspace/'), directory('workspace/dags/'), file('workspace/dags/a\u001b[31m.py', 'a'.repeat(600))],
    [largeFile('workspace/data.bin', Buffer.alloc(1400))],
  ];
  archive = shelf.put(Buffer.concat(withIndex({ workspace, index: (right) => right + rules })));
});
afterAll(() => shelf.remove());

describe('for people', () => {
  test('all of it, in a table', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'inspect', '--home', HOME, archive]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'Reading the archive\nLooking at what is here\n' });
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(`Archive: ${archive}`);
    expect(stdout).toMatch(/^ {2}size {7}[\d.]+ k?B, 11 members; [\d.]+ k?B of [\d.]+ k?B read$/m);
    expect(stdout).toMatch(/^ {2}made {7}2026-05-28T14:30:45Z by a forger$/m);
    expect(stdout).toMatch(/^ {2}leoflow {4}v0\.0\.1-prealpha\.20, schema 15, PostgreSQL 15\.18$/m);
    expect(stdout).toMatch(
      /^ {2}from {7}home \/home\/alice\/\.leoflow\n {13}workspace \/home\/alice\/leoflow\n {13}hostname here/m,
    );
    expect(stdout).toMatch(/^ {2}manifest {3}manifest version 1, checksums SHA256SUMS, index INDEX\.jsonl$/m);
    expect(stdout).toMatch(/^ {2}parts {6}config {6}[ \d.]+ B, [\d.]+ B in the archive$/m);
    expect(stdout).toMatch(/^ {2}workspace {2}2 files, 2 directories, 0 links, 2\.00 kB$/m);
    expect(stdout).toMatch(/^ {2}top dirs {5}600 B {2}30% {2}workspace\/dags\/ \(1 file\)$/m);
    expect(stdout).toMatch(
      /^ {2}top files {2}1\.40 kB {2}70% {2}workspace\/data\.bin\n {15}600 B {2}30% {2}workspace\/dags\/a\\x1b\[31m\.py$/m,
    );
    expect(stdout).toMatch(
      /^ {2}left out {3}\.git {19}2 directories, 1 file\n {13}\*\.log\\x1b \(--exclude\) {2}12 files$/m,
    );
    expect(stdout).toMatch(
      /^ {2}schema {5}15 in the archive, up to 26 can be restored here \(leoflow-snapshot itself/m,
    );
    expect(stdout).toMatch(/^ {2}postgres {3}dump of PostgreSQL 13\.1; /m);
    expect(stdout).toMatch(/^ {2}restore {4}can(not)? be restored to \/nonexistent\/\.leoflow/m);
    expect(stdout).not.toContain('0f0f');
  });

  test('an archive that is not complete: what it lacks', async () => {
    const lacking = shelf.put(Buffer.concat(withIndex({ index: (right) => `${right}{"incomplete":2}\n` })), 'lacking');
    const { status, stdout } = await leoflow(['lite', 'inspect', '--home', HOME, lacking]);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^ {2}left out {3}nothing\n {2}complete {3}no: 2 paths are missing from the archive, or changed while being read$/m,
    );
    const whole = await leoflow(['lite', 'inspect', '--home', HOME, archive]);
    expect(whole.stdout).not.toContain('complete');
    const json = await leoflow(['lite', 'inspect', '--json', '--home', HOME, lacking]);
    expect(jsonLines(json.stdout).at(-1)).toMatchObject({ incomplete: 2 });
  });

  test('bars on a terminal', async () => {
    const stdout = recordingTerminal(100);
    await command(['lite', 'inspect', '--home', HOME, archive], { stdout, env: { TERM: 'xterm', NO_COLOR: '1' } });
    expect(stdout.text).toMatch(/1\.40 kB {2}70% \[#{14}-{6}\] {2}workspace\/data\.bin/);
    expect(stdout.text).toMatch(/^ {13}workspace .* in the archive +\[#*-*\]$/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
    expect(stdout.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  test('--top', async () => {
    const { stdout } = await leoflow(['lite', 'inspect', '--home', HOME, '--top', '1', archive]);
    expect(stdout).toContain('workspace/data.bin');
    expect(stdout).not.toContain('a\\x1b');
  });

  test('an archive of the Leoflow binary: all of it is read, and it says so', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'inspect', '--home', HOME, REFERENCE]);
    expect(status).toBe(0);
    expect(stderr).toContain('note: the archive has no index: all of it has to be read\n');
    expect(stdout).toMatch(/^ {2}size .*B, one gzip stream; all of it read, as it has no index$/m);
    expect(stdout).toMatch(/^ {2}left out {3}the archive does not say$/m);
  });

  test('a manifest that says odd things', async () => {
    const fields = {
      ...MANIFEST,
      extra: '\u001b[2J',
      more: { a: [1] },
      long: 'x'.repeat(5000),
      datastore: { database: 'a\nb' },
    };
    const odd = shelf.put(indexed(blocksOf({ manifest: [manifest(fields)] })), 'odd');
    const { stdout } = await leoflow(['lite', 'inspect', '--home', HOME, odd]);
    expect(stdout).toContain('extra \\x1b[2J, more {…}, long xxxx');
    expect(stdout).toContain('database a\\nb');
    expect(stdout.split('\n').every((line) => line.length < 1000)).toBe(true);
  });
});

describe('for programs', () => {
  test('phases and the result', async () => {
    const { status, stdout } = await leoflow(['lite', 'inspect', '--json', '--home', HOME, archive]);
    expect(status).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines.slice(0, -1)).toEqual([
      { type: 'phase', phase: 'read' },
      { type: 'phase', phase: 'judge' },
    ]);
    expect(lines.at(-1)).toMatchObject({
      ...{ type: 'result', command: 'inspect', status: 0, archive, source: 'index', members: 11 },
      ...{ workspace: { files: 2, directories: 2, links: 0, bytes: 2000 }, outlook: { home: HOME } },
      incomplete: 0,
      leftOut: [
        { rule: '.git', directories: 2, files: 1 },
        { rule: '*.log\u001b (--exclude)', directories: 0, files: 12 },
      ],
    });
    expect(typeof lines.at(-1)?.bytesRead).toBe('number');
    expect(stdout).not.toContain('0f0f');
  });

  test('a manifest that says little of its source, and things that nobody knows', async () => {
    const fields = { ...MANIFEST, source: { home: '/home/alice/.leoflow', more: [1] }, datastore: {} };
    const terse = shelf.put(indexed(blocksOf({ manifest: [manifest(fields)] })), 'terse');
    const { status, stdout } = await leoflow(['lite', 'inspect', '--json', '--home', HOME, terse]);
    expect(status).toBe(0);
    expect(jsonLines(stdout).at(-1)?.manifest).toEqual(fields);
  });

  test('from standard input', async () => {
    const fd = openSync(archive, 'r');
    try {
      const { status, stdout } = await leoflow(
        ['lite', 'inspect', '--json', '-q', '--home', HOME, '-'],
        {},
        undefined,
        fd,
      );
      expect(status).toBe(0);
      expect(jsonLines(stdout)).toEqual([expect.objectContaining({ archive: null, source: 'index' })]);
    } finally {
      closeSync(fd);
    }
  });

  test('errors', async () => {
    const newer = shelf.put(indexed(blocksOf({ manifest: [manifest({ ...MANIFEST, manifest_version: 7 })] })), 'newer');
    const { status, stdout } = await leoflow(['lite', 'inspect', '--json', newer]);
    expect(status).toBe(4);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', error: { code: 'MANIFEST_VERSION' }, status: 4 });
  });
});

test('wrong usage', async () => {
  for (const argv of [[], ['a', 'b'], ['--top', 'x', 'a'], ['--top', '1001', 'a'], ['--top', '-1', 'a'], ['']])
    expect(await command(['lite', 'inspect', ...argv])).toMatchObject({ status: 2 });
});
