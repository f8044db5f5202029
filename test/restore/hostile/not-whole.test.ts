/** Archives that are cut off, that have something behind them, or that are something else altogether. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  blocksOf,
  directory,
  file,
  goodWorkspace,
  indexed,
  largeFile,
  membersOf,
  streamed,
  tarOf,
} from '../../support/forge/archive.js';
import { member, plainGzip } from '../../support/forge/members.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { isRoot } from '../../support/tree.js';
import { Arena, failure } from './arena.js';

lendWorkers();

let arena: Arena;
beforeAll(() => {
  arena = new Arena();
});
afterAll(() => arena?.remove());

const blocks = blocksOf({
  workspace: [goodWorkspace(), [largeFile('workspace/x', Buffer.alloc(5000, 'large\n'), 2048)]],
});
const members = membersOf(blocks);
const REFERENCE = readFileSync(fileURLToPath(new URL('../../fixtures/reference-v1.tar.gz', import.meta.url)));
const truncated = { code: 'ARCHIVE_TRUNCATED', kind: 'failed', says: 'cut off' } as const;
const behind = { code: 'ARCHIVE_DAMAGED', kind: 'failed', says: 'behind its end' } as const;
const something = (says: string) => ({ code: 'NOT_AN_ARCHIVE', kind: 'failed', says }) as const;

describe('cut off', () => {
  test('behind every member, and one byte before and after', async () => {
    const whole = Buffer.concat(members);
    let at = 0;
    for (const { length } of members.slice(0, -1)) {
      at += length;
      for (const cut of [at - 1, at, at + 1]) await arena.refuses(whole.subarray(0, cut), truncated);
    }
    await arena.refuses(whole.subarray(0, -1), truncated);
  });

  test('anywhere in the first member', async () => {
    const [first] = members as [Buffer];
    for (const cut of [1, 2, 3, 9, 10, 11, 24, 25, 26, 100, first.length - 9, first.length - 5, first.length - 1])
      await arena.refuses(first.subarray(0, cut), truncated);
  });

  test('in a stream, behind every entry: the tar inside is cut off too', async () => {
    const entries = blocks.flat();
    for (let count = 0; count < entries.length; count += 1) {
      const tar = tarOf([entries.slice(0, count)]);
      const says = count === 0 ? 'there is no tar archive in it' : 'cut off';
      await arena.refuses(plainGzip(tar), count === 0 ? something(says) : truncated);
    }
  });

  test('in a stream, in the middle of an entry', async () => {
    const tar = tarOf(blocks);
    for (const cut of [511, 513, 700, 1024, 3000, tar.length - 1025, tar.length - 1023, tar.length - 512])
      await arena.refuses(
        plainGzip(tar.subarray(0, cut)),
        cut < 512 ? something('there is no tar archive') : truncated,
      );
  });

  test('in a stream, anywhere in its bytes', async () => {
    const { length } = REFERENCE;
    for (const cut of [1, 5, 9, 10, 18, 100, 5000, length >> 1, length - 9, length - 8, length - 4, length - 1])
      await arena.refuses(REFERENCE.subarray(0, cut), truncated);
  });

  test('with a proper end behind the cut: SHA256SUMS is missing, though promised', async () => {
    const says = 'the archive has no SHA256SUMS, though its manifest promises one';
    const without = blocksOf({ sums: () => null });
    for (const archive of [streamed(without), indexed(without)]) await arena.refuses(archive, { ...truncated, says });
    const half = [blocks[0] ?? [], blocks.at(-1) ?? []];
    for (const archive of [streamed(half), indexed(half)]) await arena.refuses(archive, { ...truncated, says });
  });
});

describe('something behind the end', () => {
  const garbage: Record<string, Buffer> = {
    'one zero': Buffer.alloc(1),
    'a record of zeros': Buffer.alloc(512),
    'half a MiB of zeros': Buffer.alloc(1 << 19),
    'one byte': Buffer.from('x'),
    text: Buffer.from('this is no part of it\n'),
    'the magic of gzip': Buffer.from([0x1f, 0x8b]),
    'bytes of all kinds': Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 89) & 255)),
    'a member of something else': gzipSync('something else'),
  };
  for (const [what, bytes] of Object.entries(garbage)) {
    test(`${what}, of a stream`, async () => {
      const says = /behind its end|incorrect|unknown/;
      // What may yet become a member is one that is cut off.
      const begins = what === 'one byte' || what === 'the magic of gzip';
      await arena.refuses(Buffer.concat([streamed(blocks), bytes]), begins ? truncated : { ...behind, says });
    });
    test(`${what}, of members`, async () => {
      const says = 'there is no member of it at byte';
      await arena.refuses(Buffer.concat([...members, bytes]), bytes.length < 25 ? truncated : { ...behind, says });
    });
  }
  test('a member that is empty but for zeros, of a stream', () =>
    arena.restore(Buffer.concat([streamed(blocks), gzipSync(Buffer.alloc(512))]), { dryRun: true }));
  for (const [what, bytes] of Object.entries({ 'a member of ours': members[1], itself: Buffer.concat(members) })) {
    test(what, async () => {
      await arena.refuses(Buffer.concat([streamed(blocks), bytes as Buffer]), behind);
      for (const dryRun of [true, false]) {
        // Workers go ahead: which of the two is noticed first is a matter of time.
        const { message } = await failure(arena.restore(Buffer.concat([...members, bytes as Buffer]), { dryRun }));
        expect(message).toMatch(/behind its end|out of order or twice|stands in it twice|there is more than one/);
      }
    });
  }

  test('zeros, and then a member, at every place around the chunks it is read in', async () => {
    const stream = streamed(blocks);
    const late = gzipSync('late');
    for (const zeros of [
      1,
      (256 << 10) - stream.length - 1,
      (256 << 10) - stream.length,
      (512 << 10) - stream.length,
      1 << 20,
    ])
      await arena.refuses(Buffer.concat([stream, Buffer.alloc(zeros), late]), behind);
  });
});

describe('something else', () => {
  const text = Buffer.from('this is a text, and not even a short one. '.repeat(50));
  const tar = tarOf(blocks);
  const others: Record<string, Buffer> = {
    'an empty file': Buffer.alloc(0),
    'a text': text,
    'a plain tar archive': tar,
    zeros: Buffer.alloc(100_000),
    'a zlib stream': deflateSync(tar),
    'half the magic and something else': Buffer.from([0x1f, 0x20, 0x20, 0x20]),
  };
  for (const [what, bytes] of Object.entries(others)) {
    test(what, () => arena.refuses(bytes, something(bytes.length === 0 ? 'it is empty' : 'it is not gzip')));
  }
  for (const [tool, args] of Object.entries({ xz: ['-c'], bzip2: ['-c'] })) {
    test(`a tar archive compressed by ${tool}`, async () => {
      const python = `import sys, ${tool === 'xz' ? 'lzma as m' : 'bz2 as m'}; sys.stdout.buffer.write(m.compress(sys.stdin.buffer.read()))`;
      const bytes = execFileSync('python3', ['-c', python, ...args], { input: tar });
      await arena.refuses(bytes, something('it is not gzip'));
    });
  }
  const gzipped: Record<string, Buffer> = {
    'gzip of a text': text,
    'gzip of a short text': Buffer.from('hello'),
    'gzip of nothing': Buffer.alloc(0),
    'gzip of gzip': streamed(blocks),
    'gzip of random bytes': Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 7 + i * 31) & 255)),
  };
  for (const [what, bytes] of Object.entries(gzipped)) {
    test(what, () => arena.refuses(gzipSync(bytes), something('there is no tar archive in it')));
    test(`${what}, with our subfields`, () =>
      arena.refuses(member(bytes), {
        code: bytes.length === 0 ? 'NOT_AN_ARCHIVE' : 'ARCHIVE_DAMAGED',
        kind: 'failed',
        says: /\w/,
      }));
  }
  test('a tar archive with nothing in it', async () => {
    const missing = { code: 'MANIFEST_MISSING', kind: 'refused', says: 'the archive has no MANIFEST.json' } as const;
    await arena.refuses(gzipSync(Buffer.alloc(1024)), missing);
    await arena.refuses(member(Buffer.alloc(1024)), missing);
  });
  test('a tar archive of other things', async () => {
    const other = [[directory('src/'), file('src/main.c', 'int main;'), file('README', 'x')], blocks.at(-1) ?? []];
    const missing = { code: 'MANIFEST_MISSING', kind: 'refused', says: 'the archive has no MANIFEST.json' } as const;
    for (const archive of [streamed(other), indexed(other)]) await arena.refuses(archive, missing);
  });
});

describe('gzip that does not hold together', () => {
  const good = streamed(blocks);
  const flip = (at: number, bits = 0xff) => {
    const bytes = Buffer.from(good);
    const index = at < 0 ? bytes.length + at : at;
    bytes[index] = (bytes[index] as number) ^ bits;
    return bytes;
  };
  const damaged = (says: string | RegExp) => ({ code: 'ARCHIVE_DAMAGED', kind: 'failed', says }) as const;
  test('a wrong CRC', () => arena.refuses(flip(-8), damaged('incorrect data check')));
  test('a wrong length', () => arena.refuses(flip(-4), damaged('incorrect length check')));
  test('an unknown method', () => arena.refuses(flip(2, 1), damaged('unknown compression method')));
  test('flags that are reserved', () => arena.refuses(flip(3, 0x80), damaged('unknown header flags set')));
  test('a flag for what is not there', () => arena.refuses(flip(3, 2), damaged(/\w/)));
  test('a second member with a wrong CRC', async () => {
    const tar = tarOf(blocks);
    const second = gzipSync(tar.subarray(1000));
    second[second.length - 8] = (second[second.length - 8] as number) ^ 1;
    await arena.refuses(Buffer.concat([gzipSync(tar.subarray(0, 1000)), second]), damaged('incorrect data check'));
  });
});

describe('the input', () => {
  test('is a stream of a hostile archive', async () => {
    const hostile = streamed(blocksOf({ workspace: [[file('workspace/../../planted')]] }));
    for (const archive of [hostile, Buffer.concat(members).subarray(0, -50)]) {
      const pieces = Array.from({ length: Math.ceil(archive.length / 100) }, (_, i) =>
        archive.subarray(i * 100, i * 100 + 100),
      );
      const refusal =
        archive === hostile ? ({ code: 'ARCHIVE_UNSAFE', kind: 'refused', says: 'climbs out' } as const) : truncated;
      await arena.refuses(() => Readable.from(pieces), refusal);
    }
  });
  test('is a stream with nothing in it', () => arena.refuses(() => Readable.from([]), something('it is empty')));
  test('is a stream that breaks off', () =>
    arena.refuses(
      () =>
        Readable.from(
          (async function* () {
            yield members[0];
            throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
          })(),
        ),
      { code: 'INPUT_UNREADABLE', kind: 'failed', says: 'i/o error' },
    ));
  test('is not there', () =>
    arena.refuses(() => join(arena.base, 'nowhere.tar.gz'), {
      code: 'INPUT_NOT_FOUND',
      kind: 'failed',
      says: 'nowhere.tar.gz: no such file',
    }));
  test('is a directory', () =>
    arena.refuses(() => arena.outside, { code: 'INPUT_UNREADABLE', kind: 'failed', says: 'is not a regular file' }));
  test('is a FIFO that nobody writes into', async () => {
    const fifo = join(arena.base, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await arena.refuses(() => fifo, { code: 'INPUT_UNREADABLE', kind: 'failed', says: 'fifo is not a regular file' });
    rmSync(fifo);
  });
  test('may not be read', async () => {
    const path = join(arena.base, 'secret.tar.gz');
    writeFileSync(path, Buffer.concat(members));
    chmodSync(path, 0);
    // Root reads it all the same.
    if (isRoot) await arena.restore(path, { dryRun: true });
    else await arena.refuses(() => path, { code: 'INPUT_UNREADABLE', kind: 'failed', says: 'permission denied' });
    rmSync(path);
  });
  test('lies in a directory that is none', async () => {
    mkdirSync(join(arena.base, 'sub'));
    const error = await failure(arena.restore(join(arena.archive, 'x')));
    expect(error.code).toMatch(/^INPUT_/);
    rmSync(join(arena.base, 'sub'), { recursive: true });
  });
});
