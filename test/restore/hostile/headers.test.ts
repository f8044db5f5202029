/** Headers that lie: kinds that no workspace holds, sizes, checksums, PAX records. */
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { blocksOf, directory, type Forged, file, indexed, raw, streamed, tarOf } from '../../support/forge/archive.js';
import { plainGzip } from '../../support/forge/members.js';
import { base256, END, gnuLong, header, MTIME, pax, paxRecord, rawPax, records } from '../../support/forge/tar.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { Arena, everyWay, refusesEveryWay } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());
const refused = refusesEveryWay(() => arena);
const damaged = (says: string | RegExp) => ({ code: 'ARCHIVE_DAMAGED', says }) as const;

describe('kinds', () => {
  for (const [kind, type] of Object.entries({ 'a character device': '3', 'a block device': '4', 'a FIFO': '6' })) {
    const says = '"workspace/x" is a device or a FIFO';
    refused(kind, () => [raw(records({ name: 'workspace/x', type }))], { code: 'ARCHIVE_UNSAFE', says });
    refused(`${kind} outside of the workspace`, () => [raw(records({ name: 'unknown', type }))], {
      code: 'ARCHIVE_UNSAFE',
      says: '"unknown" is a device or a FIFO',
    });
  }
  for (const type of ['S', 'D', 'M', 'N', 'A', 'Z', '8', '9', '\x01', '\x7f', ' '])
    refused(
      `the type ${JSON.stringify(type)}`,
      () => [raw(records({ name: 'workspace/x', type }))],
      damaged('"workspace/x" is of the unknown type "'),
    );
  refused(
    'a sparse file, as GNU tar writes it in PAX format',
    () => [
      raw(
        pax({
          'GNU.sparse.major': '1',
          'GNU.sparse.minor': '0',
          'GNU.sparse.name': 'workspace/x',
          'GNU.sparse.realsize': '4096',
        }),
        records({ name: 'workspace/GNUSparseFile.0/x' }, '0\n'),
      ),
    ],
    damaged('sparse'),
  );
  refused(
    'a sparse file of version 0.1',
    () => [
      raw(pax({ 'GNU.sparse.size': '99999999999', 'GNU.sparse.map': '0,512' }), records({ name: 'workspace/x' }, 'x')),
    ],
    damaged('sparse'),
  );
  refused(
    'a directory with content',
    () => [raw(records({ name: 'workspace/x/', type: '5' }, 'content'))],
    damaged('the directory "workspace/x/" has content'),
  );
  refused(
    'a symlink with content',
    () => [raw(records({ name: 'workspace/x', type: '2', linkname: 'a' }, 'content'))],
    damaged('the symlink "workspace/x" has content'),
  );
  refused(
    'a hard link with content',
    () => [raw(records({ name: 'workspace/x', type: '1', linkname: 'workspace/y' }, 'content'))],
    damaged('the hardlink "workspace/x" has content'),
  );
  refused('a symlink without target', () => [raw(records({ name: 'workspace/x', type: '2' }))], {
    code: 'ARCHIVE_UNSAFE',
    says: 'the link "workspace/x" has no target',
  });

  describe('that are restored', () => {
    let arena: Arena;
    beforeEach(() => {
      arena = new Arena();
    });
    afterEach(() => arena.remove());
    const entries = [
      directory('workspace/0/', { mode: 0o6755 }),
      file('workspace/a', 'set', { mode: 0o6755 }),
      file('workspace/b', 'sticky', { mode: 0o1644 }),
      file('workspace/c', 'contiguous', { type: '7' }),
      file('workspace/d', 'old', { type: '\0', magic: '' }),
      raw(records({ name: 'workspace/e/', type: '\0', magic: '' })),
      raw(records({ name: 'unknown', type: '0' }, 'of a newer writer')),
      file('workspace/f', '', { mtime: base256(-1n, 12) }),
      {
        ...file('workspace/g'),
        records: Buffer.concat([
          pax({ mtime: '-1.5', 'SCHILY.xattr.user.x': Buffer.from([0, 0xff]) }),
          records({ name: 'workspace/g' }),
        ]),
      },
      { ...file('workspace/h'), records: Buffer.concat([rawPax(''), records({ name: 'workspace/h' })]) },
    ] satisfies Forged[];
    const global: Forged = raw(pax({ comment: 'of git archive' }, 'g'));
    for (const [way, archive] of Object.entries(everyWay([global, ...entries]))) {
      if (way.includes('reverse')) continue;
      test(`without setuid and setgid, ${way}`, async () => {
        await arena.restore(archive);
        const tree = arena.restored();
        const modes = Object.fromEntries([...tree].map(([path, { kind, mode }]) => [path, `${kind} ${mode}`]));
        expect(modes).toMatchObject({
          0: 'directory 755',
          a: 'file 755',
          b: 'file 1644',
          c: 'file 644',
          d: 'file 644',
          e: 'directory 644',
        });
        expect(tree.get('f')?.mtime).toBe(-1);
        expect(tree.get('g')?.mtime).toBe(-2);
        expect(tree.get('h')?.mtime).toBe(MTIME);
        expect([...tree.keys()]).toEqual(['', '0', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
      });
    }
  });
});

test('directories that nobody may enter are restored so, the workspace itself among them', async () => {
  const own = new Arena();
  const closed = [
    directory('workspace/', { mode: 0 }),
    directory('workspace/a/', { mode: 0o200 }),
    directory('workspace/a/b/', { mode: 0 }),
  ];
  const archive = blocksOf({
    workspace: [[...closed, file('workspace/a/b/c', 'x', { mode: 0 }), file('workspace/d', 'x')]],
  });
  try {
    await own.restore(indexed(archive));
    expect(statSync(own.workspace).mode & 0o777).toBe(0);
    chmodSync(own.workspace, 0o700);
    expect(statSync(join(own.workspace, 'a')).mode & 0o777).toBe(0o200);
    chmodSync(join(own.workspace, 'a'), 0o700);
    expect(statSync(join(own.workspace, 'a', 'b')).mode & 0o777).toBe(0);
    chmodSync(join(own.workspace, 'a', 'b'), 0o700);
    expect(statSync(join(own.workspace, 'a', 'b', 'c')).mode & 0o777).toBe(0);
  } finally {
    own.remove();
  }
});

test('a time beyond what the file system holds is restored as near as it goes', async () => {
  const own = new Arena();
  const times = { a: 2n ** 52n, b: -(2n ** 52n) };
  const files = Object.entries(times).map(([name, time]) =>
    file(`workspace/${name}`, '', { mtime: base256(time, 12) }),
  );
  try {
    await own.restore(indexed(blocksOf({ workspace: [files] })));
    expect(own.restored().get('a')?.mtime).toBeGreaterThan(2 ** 31);
    expect(own.restored().get('b')?.mtime).toBeLessThan(0);
  } finally {
    own.remove();
  }
});

describe('sizes', () => {
  const claim = (size: string | Buffer, content = 'x') => [raw(records({ name: 'workspace/x', size }, content))];
  refused('that are no number', () => claim('12x4567'), damaged('the size of an entry is not a number: "12x4567"'));
  refused('of digits that are not octal', () => claim('0000000008\0'), damaged('is not a number'));
  refused('negative, as text', () => claim('-1'), damaged('is not a number: "-1"'));
  refused('negative, in base 256', () => claim(base256(-1n, 12)), damaged('an entry has a negative size'));
  refused(
    'negative and huge',
    () => claim(base256(-(2n ** 62n), 12)),
    damaged('the size of an entry is impossible: -'),
  );
  refused(
    '2^63',
    () => claim(base256(2n ** 63n, 12)),
    damaged('the size of an entry is impossible: 9223372036854775808'),
  );
  refused('2^64 - 1', () => claim(base256(2n ** 64n - 1n, 12)), damaged('is impossible'));
  refused('that fill all bits', () => claim(Buffer.alloc(12, 0xff)), damaged('negative size'));
  refused('2^53', () => claim(base256(2n ** 53n, 12)), damaged('is impossible: 9007199254740992'));
  refused(
    'that fall short of the content',
    () => claim('00000000001\0', 'x'.repeat(600)),
    damaged(/padding of an entry is not empty|checksum of a tar header is wrong/),
  );
  refused(
    'of mode and time that are no numbers',
    () => [raw(records({ name: 'workspace/x', mode: 'rwxr-x' }))],
    damaged('the mode of an entry is not a number'),
  );
  refused(
    'of a time beyond all bounds',
    () => [raw(records({ name: 'workspace/x', mtime: base256(2n ** 80n, 12) }))],
    damaged('the mtime of an entry is impossible'),
  );

  for (const [what, size] of Object.entries({
    'a little': '00000010000\0',
    '8 GiB': '77777777777\0',
    '8 PiB': base256(2n ** 53n - 1n, 12),
  })) {
    test(`that claim ${what} more than there is`, async () => {
      const blocks = blocksOf({ workspace: [[...claim(size)]] });
      await arena.refuses(streamed(blocks), { code: 'ARCHIVE_TRUNCATED', kind: 'failed', says: 'cut off' }, {});
      await arena.refuses(indexed(blocks), {
        code: 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: 'ends in the middle of an entry',
      });
    });
  }
  for (const size of ['\0\x00000002000 ', '\x0000000002000', '  \x000002000 '])
    refused(
      `behind a NUL: ${JSON.stringify(size)}`,
      () => claim(size, 'x'.repeat(1024)),
      damaged('the size of an entry is not a number: "'),
    );
  for (const field of ['mode', 'mtime'] as const)
    refused(
      `of a ${field} behind a NUL`,
      () => [raw(records({ name: 'workspace/x', [field]: '\x00000644' }))],
      damaged(`the ${field} of an entry is not a number: "\\u00000`),
    );
  for (const size of ['', '-1', '1e3', '0x10', '9223372036854775808', '18446744073709551616', '1'.repeat(5000), ' 1'])
    refused(
      `in PAX: ${size.slice(0, 30)}`,
      () => [raw(pax({ size }), records({ name: 'workspace/x' }, 'x'))],
      damaged(`a PAX size is impossible: "${size.slice(0, 30)}`),
    );
  for (const mtime of ['', 'now', '1e99', `1${'0'.repeat(400)}`, '--1'])
    refused(
      `of a PAX time: ${mtime.slice(0, 30)}`,
      () => [raw(pax({ mtime }), records({ name: 'workspace/x' }, 'x'))],
      damaged('a PAX mtime is impossible: "'),
    );
});

describe('header checksums', () => {
  refused(
    'that are wrong',
    () => [raw(records({ name: 'workspace/x', checksumError: 1 }, 'x'))],
    damaged('the checksum of a tar header is wrong'),
  );
  refused(
    'of signed bytes, wrong either way',
    () => [raw(records({ name: 'workspace/é', checksumError: -512 }, 'x'))],
    damaged('the checksum of a tar header is wrong'),
  );
  refused(
    'of a PAX header',
    () => [
      raw(
        records({ name: 'PaxHeader', type: 'x', checksumError: 1 }, paxRecord('path', 'workspace/x')),
        records({ name: 'x' }),
      ),
    ],
    damaged('the checksum of a tar header is wrong'),
  );
  refused(
    'that are no number',
    () => {
      const record = header({ name: 'workspace/x' });
      record.write('garbage!', 148, 'latin1');
      return [raw(record)];
    },
    damaged('the checksum of an entry is not a number'),
  );

  test('of the first entry', async () => {
    const tar = tarOf(blocksOf());
    tar[0] = (tar[0] as number) ^ 1;
    await arena.refuses(plainGzip(tar), {
      code: 'ARCHIVE_DAMAGED',
      kind: 'failed',
      says: 'the checksum of a tar header is wrong',
    });
  });
});

describe('PAX records', () => {
  const lies: Record<string, string | Buffer> = {
    'a length of 0': '0 path=workspace/x\n',
    'a length that is too great': '99 path=workspace/x\n',
    'a length that is too small': '10 path=workspace/x\n',
    'a length that ends before the key': '2 path=workspace/x\n',
    'a negative length': '-1 path=workspace/x\n',
    'a length of 2^64': '18446744073709551616 path=workspace/x\n',
    'a length in letters': 'ab path=workspace/x\n',
    'no length': 'path=workspace/x\n',
    'no end': '20 path=workspace/xy',
    'a second one that is none': Buffer.concat([paxRecord('path', 'workspace/x'), Buffer.from('7 a=b')]),
    'nothing but zeros': Buffer.alloc(100),
    'bytes that are no text': Buffer.alloc(600, 0xff),
  };
  for (const [what, content] of Object.entries(lies))
    refused(
      `with ${what}`,
      () => [raw(rawPax(content), records({ name: 'workspace/x' }, 'x'))],
      damaged('a PAX record lies about its length'),
    );
  refused(
    'without a key',
    () => [raw(rawPax('5 =x\n'), records({ name: 'workspace/x' }))],
    damaged('a PAX record has no key'),
  );
  refused(
    'of 2 MiB',
    () => [raw(pax({ comment: 'x'.repeat(2 << 20) }), records({ name: 'workspace/x' }))],
    damaged('a PAX or GNU record of 2097'),
  );
  refused(
    'that claim 8 GiB',
    () => [raw(header({ name: 'PaxHeader', type: 'x', size: '77777777777\0' }))],
    damaged('a PAX or GNU record of 8589934591 bytes'),
  );
  for (const key of ['path', 'linkpath'])
    refused(
      `with a ${key} that is empty`,
      () => [raw(pax({ [key]: '' }), records({ name: 'workspace/x', type: '2', linkname: 'a' }))],
      damaged(`a PAX ${key} is empty`),
    );
  refused(
    'that give every entry one name',
    () => [raw(pax({ path: 'workspace/x' }, 'g')), file('workspace/a')],
    damaged('a global PAX record names a path'),
  );
  refused(
    'that give every entry one size',
    () => [raw(pax({ size: '1' }, 'g')), file('workspace/a')],
    damaged('a global PAX record names a path or a size'),
  );
  for (const [what, meta] of Object.entries({
    'PAX records': pax({ path: 'workspace/x' }),
    'a GNU long name': gnuLong('L', 'workspace/x'),
  })) {
    test(`${what} without an entry behind`, async () => {
      const ends = {
        code: 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: 'its last entry has a PAX record but no header',
      } as const;
      await arena.refuses(streamed(blocksOf({ behind: [raw(meta)] })), ends);
      await arena.refuses(indexed(blocksOf({ end: Buffer.concat([meta, END]) })), ends);
      const alone = indexed(blocksOf({ behind: [raw(meta)] }));
      await arena.refuses(alone, { ...ends, says: 'ends in the middle of an entry' });
    });
  }
});

describe('headers that speak of one entry', () => {
  const x = pax({ path: 'workspace/x' });
  const [long, longLink] = [gnuLong('L', 'workspace/x'), gnuLong('K', 'a')];
  const entry = records({ name: 'workspace/x', type: '2', linkname: 'a' });
  const twice = (type: string) => damaged(`two headers of the type "${type}" stand before one entry`);
  refused('two of PAX', () => [raw(x, pax({ comment: 'x' }), entry)], twice('x'));
  refused('two of PAX, the first one empty', () => [raw(rawPax(''), x, entry)], twice('x'));
  refused('two long names', () => [raw(long, gnuLong('L', 'workspace/y'), entry)], twice('L'));
  refused('two long link targets', () => [raw(longLink, longLink, entry)], twice('K'));
  refused('two long names, and another between', () => [raw(long, longLink, long, entry)], twice('L'));
  const both = damaged('a PAX record and a GNU record name one entry or its target');
  for (const [what, ahead] of Object.entries({ 'a long name': long, 'a long link target': longLink })) {
    const record = pax(ahead === long ? { path: 'workspace/x' } : { linkpath: 'a' });
    refused(`${what} and PAX`, () => [raw(ahead, record, entry)], both);
    refused(`PAX and ${what}`, () => [raw(record, ahead, entry)], both);
  }
  const between = damaged('a header for the whole archive stands between an entry and its PAX or GNU record');
  const volume = records({ name: 'label', type: 'V' });
  const global = pax({ comment: 'x' }, 'g');
  for (const [what, ahead] of Object.entries({
    PAX: x,
    'empty PAX': rawPax(''),
    'a long name': long,
    'a long link target': longLink,
  })) {
    refused(`${what}, and a label of the archive`, () => [raw(ahead, volume, entry)], between);
    refused(`${what}, and PAX for all`, () => [raw(ahead, global, entry)], between);
  }

  test('are taken where they say different things, and a field of NULs is 0', async () => {
    const own = new Arena();
    const entries = [
      raw(volume, global, longLink, long, entry),
      raw(gnuLong('L', 'workspace/y'), pax({ mtime: '5' }), records({ name: 'cut' })),
      file('workspace/z', '', { size: Buffer.alloc(12), mtime: Buffer.alloc(12) }),
    ];
    entries[1] = { ...(entries[1] as Forged), line: file('workspace/y').line as string };
    try {
      for (const [way, archive] of Object.entries(everyWay(entries))) {
        if (way.includes('reverse')) continue;
        await own.restore(archive);
        const tree = own.restored();
        expect([...tree.keys()]).toEqual(['', 'x', 'y', 'z']);
        expect([tree.get('y')?.mtime, tree.get('z')?.mtime]).toEqual([5, 0]);
      }
    } finally {
      own.remove();
    }
  });
});

describe('between entries', () => {
  refused(
    'a padding that holds something',
    () => {
      const content = records({ name: 'workspace/x' }, 'x');
      content[700] = 1;
      return [raw(content)];
    },
    damaged('the padding of an entry is not empty'),
  );
  refused(
    'a single empty record',
    () => [raw(Buffer.alloc(512)), file('workspace/x')],
    damaged(/a single empty record|in the middle of an entry/),
  );

  test('a padding that holds something, in a file with members of its own', async () => {
    const dirty = Buffer.alloc(600, 'x');
    const archive = indexed(
      blocksOf({
        workspace: [
          [
            {
              records: Buffer.alloc(0),
              split: { header: header({ name: 'workspace/x', size: 100 }), content: dirty, step: 1 << 20 },
            },
          ],
        ],
      }),
    );
    await arena.refuses(archive, { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: /holds more than its file|padding/ });
    const little = Buffer.alloc(512, 'x');
    const hidden = indexed(
      blocksOf({
        workspace: [
          [
            {
              records: Buffer.alloc(0),
              split: { header: header({ name: 'workspace/x', size: 100 }), content: little, step: 1 << 20 },
            },
          ],
        ],
      }),
    );
    await arena.refuses(hidden, {
      code: 'ARCHIVE_DAMAGED',
      kind: 'failed',
      says: 'the padding of an entry is not empty',
    });
  });
  test('an end with one empty record, two blocks with one each', async () => {
    const half = END.subarray(512);
    await arena.refuses(streamed(blocksOf({ end: half })), {
      code: 'ARCHIVE_TRUNCATED',
      kind: 'failed',
      says: 'cut off',
    });
    await arena.refuses(indexed(blocksOf({ end: half })), {
      code: 'ARCHIVE_DAMAGED',
      kind: 'failed',
      says: 'ends in the middle',
    });
    await arena.refuses(indexed(blocksOf({ end: half, behind: [raw(half)] })), {
      code: 'ARCHIVE_DAMAGED',
      kind: 'failed',
      says: 'ends in the middle',
    });
  });
  test('something behind the end', async () => {
    const end = Buffer.concat([END, header({ name: 'workspace/late' })]);
    for (const archive of [streamed(blocksOf({ end })), indexed(blocksOf({ end }))])
      await arena.refuses(archive, {
        code: 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: 'behind its end-of-archive marker',
      });
  });
  test('more empty records behind the end, as tar writes them', async () => {
    const end = Buffer.alloc(20 * 512);
    for (const archive of [streamed(blocksOf({ end })), indexed(blocksOf({ end }))])
      await arena.restore(archive, { dryRun: true });
  });
});
