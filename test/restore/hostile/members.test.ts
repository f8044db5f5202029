/** Members that lie: of their size, of their kind, of what is in them. docs/format.md, "Members". */
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, directory, file, goodWorkspace, largeFile, membersOf, tarOf } from '../../support/forge/archive.js';
import { type Lies, member } from '../../support/forge/members.js';
import { END, header } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, type Refusal } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const MIB = 1 << 20;
const content = Buffer.alloc(5000, 'large\n');
/** Manifest; block of the workspace; large file as F, C, C, C; F and C each for dump and checksums; end. */
const good = membersOf(blocksOf({ workspace: [goodWorkspace(), [largeFile('workspace/x', content, 2048)]] }));
const [MANIFEST, BLOCK, FIRST, SECOND, THIRD, LAST] = [0, 1, 2, 3, 4, 5];
const block = tarOf([goodWorkspace()]);
const first = header({ name: 'workspace/x', size: content.length });
const offsetOf = (index: number) => good.slice(0, index).reduce((sum, { length }) => sum + length, 0);

/** The good archive with members exchanged for others. */
const withMembers = (...exchanges: [index: number, ...Buffer[]][]) =>
  Buffer.concat(good.flatMap((one, index) => (exchanges.find(([at]) => at === index)?.slice(1) as Buffer[]) ?? [one]));

function refused(name: string, archive: () => Buffer, code: Refusal['code'], says: string | RegExp): void {
  const kind = code === 'ARCHIVE_UNSAFE' ? 'refused' : 'failed';
  test(name, () => arena.refuses(archive(), { code, kind, says }));
}
const damaged = (name: string, archive: () => Buffer, says: string | RegExp) =>
  refused(name, archive, 'ARCHIVE_DAMAGED', says);

test('none of these lies, and the archive is good', async () => {
  const { workspace } = await arena.restore(Buffer.concat(good), { dryRun: true });
  expect(workspace).toMatchObject({ files: 2, bytes: 15 + content.length, directories: 3, links: 1 });
});

describe('the size of a member', () => {
  const at = `the member at byte ${offsetOf(BLOCK)}`;
  const lie = (size: number) => withMembers([BLOCK, member(block, { size })]);
  const { length } = good[BLOCK] as Buffer;
  for (const size of [0, 1, 25, 34]) damaged(`${size}`, () => lie(size), `${at} says it has ${size} bytes`);
  damaged(
    'one byte too small',
    () => lie(length - 1),
    /there is no member of it at byte \d+|more than a block may hold/,
  );
  damaged(
    'one byte too great',
    () => lie(length + 1),
    /there is no member of it at byte \d+|more than a block may hold/,
  );
  damaged(
    'into the next member',
    () => lie(length + 30),
    /there is no member of it at byte \d+|more than a block may hold/,
  );
  damaged('together with the next one', () => lie(length + (good[FIRST] as Buffer).length), 'continues no file');
  damaged('4 GiB', () => lie(0xffffffff), `${at} says it has 4294967295 bytes`);
  damaged('2 GiB', () => lie(0x80000000), `${at} says it has 2147483648 bytes`);
  refused(
    'just past the end',
    () => lie(Buffer.concat(good).length - offsetOf(BLOCK) + 1),
    'ARCHIVE_TRUNCATED',
    'cut off',
  );
  damaged('up to the end', () => lie(Buffer.concat(good).length - offsetOf(BLOCK)), 'the member at byte');

  test('4 GiB that the file really has', async () => {
    const path = join(dirname(arena.base), 'lfarena-four-gib.tar.gz');
    const fd = openSync(path, 'w');
    try {
      const lying = Buffer.concat([good[MANIFEST] as Buffer, member(block, { size: 0xffffffff })]);
      writeSync(fd, lying);
      ftruncateSync(fd, offsetOf(BLOCK) + 0xffffffff);
      const before = process.memoryUsage.rss();
      await arena.refuses(() => path, {
        code: 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: 'says it has 4294967295 bytes',
      });
      expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MIB);
    } finally {
      closeSync(fd);
      rmSync(path);
    }
  });

  test('members that overlap: one inside of the stored bytes of another', async () => {
    // Walked by its GZ, the outer one ends where the inner one begins; inflated, it goes on behind.
    const inner = member(Buffer.concat([file('workspace/planted', 'x').records]));
    const outer = member(block, {
      deflated: stored(Buffer.concat([block, inner, Buffer.alloc(512 - (inner.length % 512))])),
    });
    const at = outer.indexOf(inner);
    outer.writeUInt32LE(at, 16);
    const archive = withMembers([BLOCK, outer]);
    await arena.refuses(archive, {
      code: 'ARCHIVE_DAMAGED',
      kind: 'failed',
      says: /the member at byte \d+|there is no member of it/,
    });
  });
});

describe('the kind of a block', () => {
  damaged('unknown', () => withMembers([BLOCK, member(block, { kind: 'X' })]), 'there is no member of it at byte');
  damaged(
    'other subfields',
    () => {
      const other = Buffer.from(good[BLOCK] as Buffer);
      other.write('BC', 12, 'latin1');
      return withMembers([BLOCK, other]);
    },
    'there is no member of it at byte',
  );
  damaged('a continuation of nothing', () => withMembers([BLOCK, member(block, { kind: 'C' })]), 'continues no file');
  refused(
    'a continuation at the very beginning',
    () => Buffer.concat([good[SECOND] as Buffer, ...good]),
    'NOT_AN_ARCHIVE',
    'there is no tar archive in it',
  );
  damaged(
    'a file that is said to begin, and is whole entries',
    () => withMembers([BLOCK, member(block, { kind: 'F' })]),
    /no file|more than its file/,
  );
  damaged(
    'whole entries that are none',
    () => withMembers([FIRST, member(first)]),
    /ends in the middle|continues no file/,
  );
  damaged(
    'a directory that continues',
    () => withMembers([FIRST, member(directory('workspace/x/').records, { kind: 'F' })]),
    '"workspace/x/" continues in other members, but is no file',
  );
  damaged('a first block of zeros', () => withMembers([FIRST, member(END, { kind: 'F' })]), 'begins no file');
  damaged('an empty first block', () => withMembers([FIRST, member(Buffer.alloc(0), { kind: 'F' })]), 'begins no file');
  damaged(
    'a first block with half a header',
    () => withMembers([FIRST, member(first.subarray(0, 256), { kind: 'F' })]),
    'begins no file',
  );
});

describe('the blocks of a large file', () => {
  damaged('one is missing', () => withMembers([THIRD]), 'the file "workspace/x" is not complete');
  damaged('the last one is missing', () => withMembers([LAST]), 'the file "workspace/x" is not complete');
  damaged('all are missing', () => withMembers([SECOND], [THIRD], [LAST]), 'the file "workspace/x" is not complete');
  damaged(
    'one is there twice',
    () => withMembers([LAST, good[LAST] as Buffer, good[LAST] as Buffer]),
    /continues no file|more than its file/,
  );
  damaged(
    'one is there twice in the middle',
    () => withMembers([THIRD, good[THIRD] as Buffer, good[THIRD] as Buffer]),
    /continues no file|more than its file/,
  );
  refused(
    'two are exchanged',
    () => {
      const [a, b] = [Buffer.alloc(2048, 'a'), Buffer.alloc(2048, 'b')];
      const right = Buffer.concat([a, b]);
      const members = membersOf(blocksOf({ workspace: [[largeFile('workspace/x', right, 2048)]] }));
      return Buffer.concat(
        [0, 1, 3, 2, ...Array.from({ length: members.length - 4 }, (_, i) => i + 4)].map((at) => members[at] as Buffer),
      );
    },
    'CHECKSUM_MISMATCH',
    '"workspace/x" differs',
  );
  damaged(
    'one is of another size',
    () => withMembers([THIRD, member(content.subarray(2048, 3072), { kind: 'C' })]),
    /not complete|more than its file/,
  );
  damaged(
    'one has more behind the file',
    () => withMembers([LAST, member(Buffer.alloc(4096, 'x'), { kind: 'C' })]),
    'holds more than its file',
  );
  damaged(
    'the header claims less',
    () => withMembers([FIRST, member(header({ name: 'workspace/x', size: 100 }), { kind: 'F' })]),
    'holds more than its file',
  );
  damaged(
    'the header claims more',
    () => withMembers([FIRST, member(header({ name: 'workspace/x', size: 2 ** 32 }), { kind: 'F' })]),
    '"workspace/x" is not complete',
  );
  refused(
    'the header has another name',
    () => withMembers([FIRST, member(header({ name: 'workspace/y', size: content.length }), { kind: 'F' })]),
    'CHECKSUM_MISMATCH',
    '"workspace/y" is not listed, "workspace/x" is missing',
  );
  refused(
    'the header climbs out',
    () =>
      withMembers([FIRST, member(header({ name: 'workspace/../../planted', size: content.length }), { kind: 'F' })]),
    'ARCHIVE_UNSAFE',
    'climbs out',
  );
  refused(
    'the header is that of the workspace',
    () => withMembers([FIRST, member(header({ name: 'workspace', size: content.length }), { kind: 'F' })]),
    'ARCHIVE_UNSAFE',
    'the workspace itself is not a directory',
  );
});

describe('what a trailer says', () => {
  const pieces: [string, number, Buffer, string][] = [
    ['entries', BLOCK as number, block, 'E'],
    ['the header of a file', FIRST as number, first, 'F'],
    ['content', SECOND as number, content.subarray(0, 2048), 'C'],
  ];
  for (const [of, index, bytes, kind] of pieces) {
    const lie = (lies: Lies) => withMembers([index, member(bytes, { kind, ...lies })]);
    const at = `the member at byte ${offsetOf(index)}`;
    describe(`of ${of}`, () => {
      damaged('a wrong CRC', () => lie({ crc: 0 }), `${at} has a wrong CRC`);
      damaged(
        'a size of 0',
        () => lie({ isize: 0 }),
        new RegExp(`${at} |member at byte .* holds more than its file|not complete`),
      );
      damaged(
        'a size that is 512 too small',
        () => lie({ isize: bytes.length - 512 }),
        new RegExp(`${at} |not complete|more than its file`),
      );
      damaged(
        'a size that is 512 too great',
        () => lie({ isize: bytes.length + 512 }),
        new RegExp(`${at} |more than its file`),
      );
      damaged(
        'a size over 8 MiB',
        () => lie({ isize: 8 * MIB + 1 }),
        `${at} says it inflates to 8388609 bytes, more than a block may hold`,
      );
      damaged('a size of 4 GiB', () => lie({ isize: 0xffffffff }), `${at} says it inflates to 4294967295 bytes`);
      damaged(
        'deflated data that is none',
        () => lie({ deflated: Buffer.alloc(100, 0xff) }),
        `${at} cannot be inflated`,
      );
      damaged(
        'deflated data that is cut off',
        () => lie({ deflated: deflateRawSync(bytes).subarray(0, -3) }),
        new RegExp(`${at} |begins no file`),
      );
      damaged(
        'something behind the deflated data',
        () => lie({ deflated: Buffer.concat([deflateRawSync(bytes), Buffer.alloc(7)]) }),
        `${at} ends before its data does`,
      );
      damaged(
        'another member behind the deflated data',
        () => lie({ deflated: Buffer.concat([deflateRawSync(bytes), good[BLOCK] as Buffer]) }),
        `${at} ends before its data does`,
      );
      damaged(
        'more than it says: a bomb of 100 MiB',
        () => lie({ deflated: deflateRawSync(Buffer.concat([bytes, Buffer.alloc(100 * MIB)])) }),
        new RegExp(`${at} cannot be inflated`),
      );
      damaged(
        'a bomb that says so',
        () =>
          lie({
            deflated: deflateRawSync(Buffer.concat([bytes, Buffer.alloc(100 * MIB)])),
            isize: bytes.length + 100 * MIB,
          }),
        `${at} says it inflates to`,
      );
    });
  }
  damaged(
    'a block that is no whole records',
    () => withMembers([BLOCK, member(block.subarray(0, -1))]),
    'does not hold whole records',
  );
});

describe('the first member', () => {
  test('without subfields that we know makes it a stream, and that is good', async () => {
    for (const lies of [{ kind: 'X' }, { kind: 'e' }]) {
      const archive = withMembers([MANIFEST, member(tarOf([blocksOf()[0] ?? []]), lies)]);
      const { workspace } = await arena.restore(archive, { dryRun: true });
      expect(workspace?.files).toBe(2);
    }
  });
  damaged(
    'a bomb',
    () => withMembers([MANIFEST, member(block, { deflated: deflateRawSync(Buffer.alloc(100 * MIB)) })]),
    'the member at byte 0 cannot be inflated',
  );
  damaged(
    'a wrong CRC',
    () => withMembers([MANIFEST, member(tarOf([blocksOf()[0] ?? []]), { crc: 1 })]),
    'the member at byte 0 has a wrong CRC',
  );
});

describe('the end', () => {
  const end = good.at(-1) as Buffer;
  const body = good.slice(0, -1);
  refused('is missing', () => Buffer.concat(body), 'ARCHIVE_TRUNCATED', 'cut off');
  damaged('is there twice', () => Buffer.concat([...good, end]), 'behind its end-of-archive marker');
  damaged(
    'stands in the middle',
    () => Buffer.concat([...good.slice(0, 2), end, ...good.slice(2)]),
    'behind its end-of-archive marker',
  );
  refused(
    'stands before the dump',
    () => Buffer.concat([...good.slice(0, 6), ...good.slice(8), ...good.slice(6, 8)]),
    'ARCHIVE_TRUNCATED',
    'cut off',
  );
  damaged(
    'stands before the checksums',
    () => Buffer.concat([...good.slice(0, 8), end, ...good.slice(8, -1)]),
    'behind its end-of-archive marker',
  );
});

test('members with nothing in them, also half a million of them, are no more than that', async () => {
  const nothing = member(Buffer.alloc(0));
  const few = withMembers([BLOCK, nothing, good[BLOCK] as Buffer, nothing]);
  await arena.restore(few, { dryRun: true });
  // Too many to know where each is.
  const many = withMembers([BLOCK, good[BLOCK] as Buffer, Buffer.alloc(530_000 * nothing.length, nothing)]);
  const { workspace } = await arena.restore(many, { dryRun: true });
  expect(workspace).toMatchObject({ files: 2, bytes: 15 + content.length });
});

/** A stored deflate block. */
function stored(bytes: Buffer): Buffer {
  const start = Buffer.from([1, 0, 0, 0, 0]);
  start.writeUInt16LE(bytes.length, 1);
  start.writeUInt16LE(bytes.length ^ 0xffff, 3);
  return Buffer.concat([start, bytes]);
}
