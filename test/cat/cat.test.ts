/** The content of one file of an archive, and what is checked of it. docs/cli.md, "leoflow lite cat". */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CatResult } from '../../src/index.js';
import { bothWays, failure, goodBlocks, LARGE } from '../extract/support.js';
import { withIndex } from '../index/support.js';
import { untar } from '../support/archive.js';
import {
  blocksOf,
  CONFIG,
  DUMP,
  directory,
  file,
  hardlink,
  indexed,
  largeFile,
  membersOf,
  streamed,
  tarOf,
} from '../support/forge/archive.js';
import { plainGzip } from '../support/forge/members.js';
import { cat } from '../support/library.js';
import { Shelf } from '../verify/support.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));

let shelf: Shelf;
beforeAll(() => {
  shelf = new Shelf();
});
afterAll(() => shelf.remove());

/** Prints a file of an archive into the memory. */
async function printed(
  archive: Buffer | string,
  name: string,
): Promise<{ content: Buffer; result: CatResult; notes: string[] }> {
  const sink = new Sink();
  const notes: string[] = [];
  const path = typeof archive === 'string' ? archive : shelf.put(archive);
  const result = await cat({ archive: path, name, output: sink, onEvent: ({ message }) => void notes.push(message) });
  return { content: sink.content, result, notes };
}

class Sink extends Writable {
  #pieces: Buffer[] = [];

  override _write(piece: Buffer, _: BufferEncoding, done: () => void): void {
    this.#pieces.push(Buffer.from(piece));
    done();
  }

  get content(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

/** The error, and what had been printed before. */
async function refusal(archive: Buffer, name: string) {
  const sink = new Sink();
  const { code, message, hint } = await failure(cat({ archive: shelf.put(archive), name, output: sink }));
  return { code, message, hint, printed: sink.content.length };
}

for (const [way, archive] of Object.entries(bothWays(goodBlocks()))) {
  describe(`of an archive as ${way}`, () => {
    test('any file, small, large and beside the workspace', async () => {
      const contents: Record<string, string | Buffer> = {
        ...{
          'workspace/a': 'the file a',
          'workspace/dags/hello.py': 'print("hello")\n',
          'workspace/dags.txt': 'beside',
        },
        ...{ 'workspace/dags/sub/x.py': 'print("x")\n', 'workspace/z[1]': 'brackets', './workspace/z1': 'none' },
        ...{ 'workspace/dags/large.bin': LARGE, 'config.yaml': CONFIG, 'datastore.sql': DUMP },
      };
      for (const [name, content] of Object.entries(contents)) {
        const { content: found, result } = await printed(archive, name);
        expect({ name, equal: found.equals(Buffer.from(content as string)) }).toEqual({ name, equal: true });
        expect(result).toMatchObject({
          checksum: true,
          bytes: found.length,
          size: archive.length,
          name: name.replace('./', ''),
        });
        expect(result.sha256).toMatch(/^[0-9a-f]{64}$/);
      }
      expect((await printed(archive, 'SHA256SUMS')).result.checksum).toBe(false);
    });

    test('no directory, no link, nothing that is not there', async () => {
      const outcomes = [
        'workspace/dags',
        'workspace',
        'workspace/dags/sub/link',
        'dags/etl.py',
        'nothing',
        '../etc/passwd',
        '',
      ];
      const said = [];
      for (const name of outcomes) said.push(await refusal(archive, name));
      expect(said.map(({ code }) => code)).toEqual([
        ...[
          'ENTRY_NO_FILE',
          'ENTRY_NO_FILE',
          'ENTRY_NO_FILE',
          'ENTRY_NOT_FOUND',
          'ENTRY_NOT_FOUND',
          'ENTRY_NOT_FOUND',
          'ENTRY_NOT_FOUND',
        ],
      ]);
      expect(said[0]).toMatchObject({
        message: '"workspace/dags" is a directory',
        hint: expect.stringContaining('extract'),
      });
      expect(said[2]?.message).toBe('"workspace/dags/sub/link" is a link to "../etl.py"');
      expect(said[3]?.hint).toBe('did you mean workspace/dags/etl.py? leoflow lite list says what is in it');
      expect(said[4]?.hint).toBe('leoflow lite list says what is in it');
    });
  });
}

test('an archive of the Leoflow binary, which has no checksums', async () => {
  const { content, result, notes } = await printed(REFERENCE, 'workspace/etl/run.sh');
  expect(content.length).toBe(19);
  expect(result.checksum).toBe(false);
  expect(notes).toEqual(['the archive is one stream: all of it has to be read']);
});

test('an archive repacked by tar', async () => {
  const unpacked = join(shelf.directory, 'unpacked');
  untar(shelf.put(indexed(goodBlocks())), unpacked);
  const repacked = join(shelf.directory, 'repacked.tar.gz');
  execFileSync('tar', ['czf', repacked, '-C', unpacked, '.']);
  const { content, result } = await printed(repacked, 'workspace/dags/etl.py');
  expect(content.toString()).toBe('print("etl")\n');
  expect(result.checksum).toBe(true);
});

describe('what is damaged', () => {
  const wrongSum = (name: string) => (right: string) =>
    right.replace(new RegExp(`^\\w{64}(?=  ${name}$)`, 'm'), '0'.repeat(64));
  const withSums = (sums: (right: string) => string | null) =>
    blocksOf({
      workspace: [[directory('workspace/'), file('workspace/a', 'aaaa')], [largeFile('workspace/big', LARGE)]],
      sums,
    });

  test('a checksum that is wrong: of what one member holds before anything is printed', async () => {
    const found = await refusal(indexed(withSums(wrongSum('workspace/a'))), 'workspace/a');
    expect(found).toMatchObject({ code: 'CHECKSUM_MISMATCH', printed: 0 });
    expect(found.message).not.toContain('trusted');
  });

  test('… and of everything else at its end, which is said', async () => {
    for (const [archive, name] of [
      [indexed(withSums(wrongSum('workspace/big'))), 'workspace/big'],
      [streamed(withSums(wrongSum('workspace/big'))), 'workspace/big'],
      [streamed(withSums(wrongSum('workspace/a'))), 'workspace/a'],
    ] as const) {
      const found = await refusal(archive, name);
      expect(found).toMatchObject({ code: 'CHECKSUM_MISMATCH', printed: name === 'workspace/a' ? 4 : LARGE.length });
      expect(found.message).toMatch(
        /is not as listed in the SHA256SUMS of the archive; what was printed is not to be trusted$/,
      );
    }
  });

  test('one that is missing', async () => {
    const without = withSums((right) => right.replace(/^.* {2}workspace\/a\n/m, ''));
    for (const archive of [indexed(without), streamed(without)])
      expect(await refusal(archive, 'workspace/a')).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  });

  test('checksums without a line feed are not read to their end', async () => {
    const endless = withSums(() => Buffer.alloc(3 << 20, 'a').toString());
    const damaged = { code: 'ARCHIVE_DAMAGED', message: expect.stringContaining('a line of its SHA256SUMS is none') };
    expect(await refusal(indexed(endless), 'workspace/a')).toMatchObject({ ...damaged, printed: 0 });
    // The tar ends in the middle of them: whoever reads that far says so.
    const cut = plainGzip(tarOf(endless).subarray(0, -(1 << 20)));
    expect(await refusal(cut, 'workspace/a')).toMatchObject(damaged);
  });

  test('a member of it, after those before it are printed', async () => {
    const members = membersOf(withSums((right) => right));
    const last = members[5] as Buffer;
    last[last.length - 6] = (last[last.length - 6] as number) ^ 1;
    const found = await refusal(Buffer.concat(members), 'workspace/big');
    expect(found).toMatchObject({ code: 'ARCHIVE_DAMAGED', printed: 2 << 20 });
    expect(found.message).toContain('what was printed is not to be trusted');
    // What is wrong elsewhere is nobody's business here.
    expect((await printed(Buffer.concat(members), 'workspace/a')).content.toString()).toBe('aaaa');
  });

  test('an archive that is cut off', async () => {
    const archive = streamed(withSums((right) => right));
    const found = await refusal(archive.subarray(0, archive.length - 30), 'workspace/a');
    expect(found).toMatchObject({ code: 'ARCHIVE_TRUNCATED', message: expect.stringContaining('not to be trusted') });
    const members = indexed(withSums((right) => right));
    expect(await refusal(members.subarray(0, -30), 'workspace/a')).toMatchObject({
      code: 'ARCHIVE_TRUNCATED',
      printed: 0,
    });
  });

  test('a name that stands twice in a stream', async () => {
    const twice = blocksOf({
      workspace: [[directory('workspace/'), file('workspace/a', '1'), file('workspace/a', '2')]],
    });
    expect(await refusal(streamed(twice), 'workspace/a')).toMatchObject({ code: 'ARCHIVE_UNSAFE', printed: 1 });
  });

  test('a hard link has its content elsewhere', async () => {
    const linked = blocksOf({
      workspace: [[directory('workspace/'), file('workspace/a', '1'), hardlink('workspace/b', 'workspace/a')]],
    });
    expect(await refusal(streamed(linked), 'workspace/b')).toMatchObject({
      ...{ code: 'ENTRY_NO_FILE', message: '"workspace/b" is a hard link: its content stands in "workspace/a"' },
    });
  });
});

test('only the members that hold it are read, whatever an index says', async () => {
  const name = (n: number) => `workspace/d${String(n).padStart(3, '0')}`;
  const workspace = [
    [directory('workspace/')],
    ...Array.from({ length: 60 }, (_, n) => [
      directory(`${name(n)}/`),
      file(`${name(n)}/noise`, randomBytes(1 << 16)),
      file(`${name(n)}/x.py`, `${n}`),
    ]),
  ];
  const lie = (right: string) => right.replaceAll('d017/x.py', 'd017/y.py');
  for (const archive of [indexed(blocksOf({ workspace })), Buffer.concat(withIndex({ workspace, index: lie }))]) {
    for (const n of [0, 17, 59]) {
      const { content, result } = await printed(archive, `${name(n)}/x.py`);
      expect(content.toString()).toBe(`${n}`);
      expect(result.bytesRead).toBeLessThan(archive.length / 8);
    }
  }
});
