/** What is said of archives that are good, damaged in every way, of somebody else, or none. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Verdict } from '../../src/index.js';
import type { Member } from '../support/archive.js';
import { membersOf } from '../support/archive.js';
import {
  blocksOf,
  directory,
  file,
  goodWorkspace,
  indexed,
  largeFile,
  MANIFEST,
  manifest,
  raw,
  streamed,
  symlink,
} from '../support/forge/archive.js';
import { plainGzip } from '../support/forge/members.js';
import { header, pax, records } from '../support/forge/tar.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { backup, verify } from '../support/library.js';
import { MIB, put } from '../support/tree.js';
import { Shelf, said } from './support.js';

const REFERENCE = readFileSync(fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url)));
lendWorkers();

const shelf = new Shelf();
let install: TestInstall;
let whole: Buffer;
let members: Member[];

beforeAll(async () => {
  install = await createInstall();
  const { workspace } = install;
  // An archive of ours in an archive of ours, not deflated again: full of members that are none of the outer one.
  put(
    join(workspace, 'inner.tar.gz'),
    indexed(blocksOf({ workspace: [[directory('workspace/'), file('workspace/x', noise(300_000))]] })),
  );
  put(join(workspace, 'large.bin'), noise(2 * MIB + 1000));
  for (let i = 0; i < 5; i += 1) put(join(workspace, `small/${i}.txt`), `number ${i}\n`.repeat(100));
  put(join(workspace, 'zz/last'), Buffer.alloc(900_000, 'the last block\n'));
  put(join(workspace, 'zz/more'), noise(900_000));
  await backup({ home: install.home, output: install.archive, workers: 2 });
  whole = readFileSync(install.archive);
  members = membersOf(whole);
});
afterAll(async () => {
  await install?.remove();
  shelf.remove();
});

/** Bytes that deflate makes nothing of, the same every time. */
function noise(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = bytes;
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer[at] = state >>> 24;
  }
  return buffer;
}

/** A copy with some bytes changed. */
function changed(...ats: number[]): Buffer {
  const bytes = Buffer.from(whole);
  for (const at of ats) bytes[at] = (bytes[at] as number) ^ 0x55;
  return bytes;
}

/** The member whose block holds this text. */
function holding(text: string): Member {
  const member = members.find(({ block }) => block.includes(text));
  if (member === undefined) throw new Error(`no member holds ${text}`);
  return member;
}

describe('good', () => {
  test('one of ours, with counts', async () => {
    expect(await shelf.verdict(whole)).toMatchObject({
      verdict: 'good',
      size: whole.length,
      members: members.length,
      checksums: true,
      files: 9,
      directories: 3,
      links: 0,
      replayed: null,
      problems: [],
      entries: [],
      manifest: { manifest_version: 1, schema_version: 15 },
    });
  });

  test('of the Leoflow binary: it says that there are no checksums', async () => {
    expect(await shelf.verdict(REFERENCE)).toMatchObject({
      verdict: 'good',
      members: null,
      checksums: false,
      files: 7,
    });
  });

  test('repacked, as one stream: the checksums are in it all the same', async () => {
    const repacked = await shelf.verdict(plainGzip(gunzipSync(whole)));
    expect(repacked).toMatchObject({ verdict: 'good', members: null, checksums: true, files: 9 });
  });

  test('by somebody who writes members without a seal', async () => {
    expect(await shelf.verdict(indexed(blocksOf()))).toMatchObject({ verdict: 'good', checksums: true });
  });

  test('from a stream', async () => {
    const { verdicts } = await verify({ archives: [Readable.from([whole])], workers: 1 });
    expect(verdicts[0]).toMatchObject({ archive: null, verdict: 'good', size: whole.length });
  });
});

describe('a damaged member', () => {
  test('of small files: those that it hit, and no other', async () => {
    const { offset, raw } = holding('number 3');
    const verdict = await shelf.verdict(changed(offset + raw.length - 40));
    expect(verdict.verdict).toBe('damaged');
    expect(verdict.entries.length).toBeGreaterThan(0);
    for (const { name } of verdict.entries) expect(name).toMatch(/^workspace\/(inner|small|zz)/);
  });

  test('in the middle of a large file', async () => {
    const middle = members.find(({ kind, raw }) => kind === 'C' && raw.length > MIB) as Member;
    const verdict = said(await shelf.verdict(changed(middle.offset + 5000)));
    expect(verdict.entries).toEqual(['workspace/large.bin differs']);
    expect(verdict.messages).toEqual([expect.stringContaining(`the member at byte ${middle.offset} `)]);
  });

  test('two of them: both are reported, and what lies between is not', async () => {
    const large = members.find(({ kind, raw }) => kind === 'C' && raw.length > MIB) as Member;
    const dump = members.find(
      ({ block, kind }) => kind === 'C' && block.includes('PostgreSQL database dump'),
    ) as Member;
    const verdict = await shelf.verdict(changed(large.offset + 5000, dump.offset + 400));
    expect(verdict).toMatchObject({ verdict: 'damaged', problemCount: 2 });
    expect(verdict.entries.map(({ name }) => name).sort()).toEqual(['datastore.sql', 'workspace/large.bin']);
  });

  test('SHA256SUMS itself: it is named, and nothing else is', async () => {
    const sums = members.at(-2) as Member;
    const { entries, verdict } = said(await shelf.verdict(changed(sums.offset + 60)));
    expect({ entries, verdict }).toEqual({ entries: ['SHA256SUMS may be damaged'], verdict: 'damaged' });
  });

  test('the trailer alone: no entry is hit', async () => {
    const { offset, raw } = holding('number 3');
    const archives = [8, 4, 3, 2, 1].map((back) => changed(offset + raw.length - back));
    for (const verdict of await shelf.verdicts(archives)) {
      expect(said(verdict)).toMatchObject({ verdict: 'damaged', entries: [] });
    }
  });
});

describe('a damaged header of a member', () => {
  const fields = {
    magic: 0,
    flags: 3,
    time: 5,
    system: 9,
    'extra length': 10,
    'name of GZ': 12,
    'size, a little': 16,
    'size, a lot': 18,
    kind: 24,
    'name of LC': 25,
    seal: 30,
  };

  for (const [field, at] of Object.entries(fields)) {
    test(`${field}: what is behind it is read`, async () => {
      const bytes = changed((members[1] as Member).offset + at, (members.at(-6) as Member).offset + 400);
      const verdict = await shelf.verdict(bytes);
      expect(verdict.verdict).toBe('damaged');
      // The second damage is in the dump, at the other end.
      expect(verdict.entries.map(({ name }) => name)).toContain('datastore.sql');
      expect(verdict.entryCount).toBeLessThan(9);
    });
  }

  test('two of them: what lies between is read, and nothing is damaged but headers', async () => {
    const pairs = [
      [1, -6],
      [1, 3],
      [2, 4],
      [-5, -3],
    ] as const;
    const both = pairs.map((pair) => pair.map((index) => members.at(index)) as [Member, Member]);
    const verdicts = await shelf.verdicts(both.map(([one, other]) => changed(one.offset, other.offset)));
    for (const [index, { problems, entries }] of verdicts.entries()) {
      const [first, second] = pairs[index] as (typeof pairs)[number];
      const [one, other] = both[index] as [Member, Member];
      const gaps = [one, other].map(
        ({ offset, raw }) => `from byte ${offset} to byte ${offset + raw.length} there is no`,
      );
      expect(problems.map(({ message }) => message)).toEqual(gaps.map((gap) => expect.stringContaining(gap)));
      expect({ first, second, entries }).toEqual({ first, second, entries: [] });
    }
  });

  test('two of them, with what stands behind them: what lies between is not named', async () => {
    const [one, other] = [holding('inner.tar.gz'), holding('number 3')];
    const bytes = Buffer.from(whole);
    for (const { offset } of [one, other]) bytes.fill(0, offset, offset + 4096);
    const { entries, verdict } = said(await shelf.verdict(bytes));
    expect(verdict).toBe('damaged');
    expect(entries.length).toBeGreaterThan(0);
    for (const entry of entries) expect(entry).toMatch(/^workspace\/(inner|small|zz)/);
  });

  test('of the first one, which makes it look like somebody else’s', async () => {
    const ats = [0, 3, 4, 9, 10, 12, 16, 20, 24, 25, 29];
    const verdicts = await shelf.verdicts(ats.map((at) => changed(at)));
    expect(verdicts.map(({ verdict }, index) => [ats[index], verdict])).toEqual(ats.map((at) => [at, 'damaged']));
  });

  test('of the last one', async () => {
    const { offset } = members.at(-1) as Member;
    const { messages, entries } = said(await shelf.verdict(changed(offset + 12)));
    expect(messages.at(-1)).toContain(`from byte ${offset} on there is nothing in it that can be read`);
    expect(entries).toEqual([]);
  });

  test('beside an archive that lies in this one: its members are not taken for ours', async () => {
    const inner = members.find(({ block }) => block.includes('inner.tar.gz')) as Member;
    const { entries, verdict } = said(await shelf.verdict(changed(inner.offset + 16)));
    expect(verdict).toBe('damaged');
    expect(entries.filter((entry) => entry.startsWith('workspace/x '))).toEqual([]);
  });
});

describe('not whole', () => {
  test('cut behind every member, and in it', async () => {
    const cuts = members.slice(1).flatMap(({ offset }) => [offset, offset + 10]);
    const verdicts = await shelf.verdicts(cuts.map((cut) => whole.subarray(0, cut)));
    for (const [index, cut] of cuts.entries()) {
      const { verdict, codes } = said(verdicts[index] as Verdict);
      expect({ cut, verdict, code: codes[0] }).toEqual({ cut, verdict: 'damaged', code: 'ARCHIVE_TRUNCATED' });
    }
  });

  test('members that changed places, are there twice, or are missing', async () => {
    const raws = members.map(({ raw }) => raw);
    const swapped = [...raws];
    [swapped[2], swapped[3]] = [raws[3] as Buffer, raws[2] as Buffer];
    const cases = [swapped, raws.toSpliced(2, 0, raws[2] as Buffer), raws.toSpliced(2, 1), raws.toSpliced(-3, 2)];
    const verdicts = await shelf.verdicts(cases.map((archive) => Buffer.concat(archive)));
    for (const { verdict } of verdicts) expect(verdict).not.toBe('good');
  });

  test('without the SHA256SUMS that its manifest promises', async () => {
    for (const archive of [indexed, streamed]) {
      const { verdict, codes, messages } = said(await shelf.verdict(archive(blocksOf({ sums: () => null }))));
      expect({ verdict, codes }).toEqual({ verdict: 'damaged', codes: ['ARCHIVE_TRUNCATED'] });
      expect(messages[0]).toContain('has no SHA256SUMS');
    }
  });

  test('something behind its end', async () => {
    const behind = [Buffer.from('x'), Buffer.alloc(512), gzipSync('more'), whole];
    const archives = [whole, REFERENCE].flatMap((archive) => behind.map((more) => Buffer.concat([archive, more])));
    const verdicts = await shelf.verdicts(archives);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(archives.map(() => 'damaged'));
  });

  test('without a dump', async () => {
    const verdict = said(await shelf.verdict(indexed(blocksOf({ dump: [] }))));
    expect(verdict).toMatchObject({ verdict: 'damaged', messages: [expect.stringContaining('no datastore.sql')] });
  });
});

describe('content that is whole, but not as it is listed', () => {
  const workspace = [goodWorkspace(), [largeFile('workspace/x', Buffer.alloc(5000, 'x'), 2048)]];
  const wrong = (right: string) =>
    right.replace(/^\w{64}(?= {2}workspace\/x$)/m, '0'.repeat(64)).replace(/^.*config\.yaml\n/m, '');

  for (const [way, pack] of Object.entries({ 'as members': indexed, 'as a stream': streamed })) {
    test(way, async () => {
      const verdict = said(await shelf.verdict(pack(blocksOf({ workspace, sums: wrong }))));
      expect(verdict.codes).toEqual(['CHECKSUM_MISMATCH']);
      expect(verdict.entries.sort()).toEqual(['config.yaml is not listed', 'workspace/x differs']);
    });
  }
});

describe('somebody else’s', () => {
  test('flipped bytes are found, and the entry in which a stream breaks off is named', async () => {
    const ats: number[] = [];
    for (let at = 20; at < REFERENCE.length; at += 4999) ats.push(at);
    const flipped = ats.map((at) => {
      const bytes = Buffer.from(REFERENCE);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      return bytes;
    });
    const named = new Set<string>();
    for (const [index, { verdict, entries }] of (await shelf.verdicts(flipped)).entries()) {
      expect({ at: ats[index], verdict }).not.toEqual({ at: ats[index], verdict: 'good' });
      for (const { name } of entries) named.add(name);
    }
    expect([...named].some((name) => name.startsWith('workspace/') || name === 'datastore.sql')).toBe(true);
  });

  test('repacked, and changed on the way: the file is named', async () => {
    const tar = gunzipSync(whole);
    const at = tar.indexOf('number 3');
    tar[at] = 0x4e;
    expect(said(await shelf.verdict(plainGzip(tar)))).toMatchObject({
      codes: ['CHECKSUM_MISMATCH'],
      entries: ['workspace/small/3.txt differs'],
    });
  });

  test('a tar header with a wrong checksum, in a member that is whole', async () => {
    const broken = { records: header({ name: 'workspace/b', type: '2', linkname: 'x', checksumError: 1 }) };
    const blocks = blocksOf({ workspace: [[directory('workspace/'), symlink('workspace/a', 'x'), broken]] });
    expect(said(await shelf.verdict(indexed(blocks)))).toMatchObject({
      verdict: 'damaged',
      messages: [expect.stringContaining('checksum of a tar header')],
    });
  });
});

describe('what is no archive, or none for us', () => {
  test('anything else, and nothing', async () => {
    const others = {
      'not gzip': Buffer.from('text\n'),
      'it is empty': Buffer.alloc(0),
      'no tar archive': gzipSync('text'),
    };
    for (const [says, bytes] of Object.entries(others)) {
      expect(said(await shelf.verdict(bytes))).toMatchObject({
        verdict: 'not-an-archive',
        codes: ['NOT_AN_ARCHIVE'],
        messages: [expect.stringContaining(says)],
      });
    }
    expect(said(await shelf.verdict('/nonexistent/x'))).toMatchObject({
      verdict: 'not-an-archive',
      codes: ['INPUT_NOT_FOUND'],
    });
    expect(said(await shelf.verdict(shelf.directory))).toMatchObject({ codes: ['INPUT_UNREADABLE'] });
    expect(said(await shelf.verdict(streamed(blocksOf({ manifest: [] }))))).toMatchObject({
      verdict: 'not-an-archive',
      codes: ['MANIFEST_MISSING'],
    });
  });

  test('of a newer format, or hostile', async () => {
    const newer = blocksOf({ manifest: [manifest({ ...MANIFEST, manifest_version: 2 })] });
    expect(said(await shelf.verdict(indexed(newer)))).toMatchObject({
      verdict: 'refused',
      codes: ['MANIFEST_VERSION'],
    });
    const long = raw(pax({ linkpath: 'x'.repeat(1 << 19) }), records({ name: 'workspace/x', type: '2' }));
    for (const entry of [file('workspace/../../x'), long]) {
      const hostile = blocksOf({ workspace: [[directory('workspace/'), entry]] });
      for (const archive of [indexed(hostile), streamed(hostile)])
        expect(said(await shelf.verdict(archive))).toMatchObject({ verdict: 'refused', codes: ['ARCHIVE_UNSAFE'] });
    }
  });

  test('a newer schema is no damage', async () => {
    const newer = blocksOf({ manifest: [manifest({ ...MANIFEST, schema_version: 999 })] });
    expect((await shelf.verdict(indexed(newer))).verdict).toBe('good');
  });

  test('many names: the first hundred, and how many there are', async () => {
    const many = Array.from({ length: 250 }, (_, index) => file(`workspace/${String(index).padStart(3, '0')}`, 'x'));
    const blocks = blocksOf({
      workspace: [[directory('workspace/'), ...many]],
      sums: (right) => right.replace(/^\w{64}(?= {2}workspace)/gm, '0'.repeat(64)),
    });
    const { entries, entryCount } = await shelf.verdict(indexed(blocks));
    expect({ listed: entries.length, entryCount }).toEqual({ listed: 100, entryCount: 250 });
  });
});

test('several archives: a verdict on each, in their order', async () => {
  const archives = [
    shelf.put(whole, 'a'),
    shelf.put(Buffer.from('text'), 'b'),
    shelf.put(changed(2000), 'c'),
    shelf.put(REFERENCE, 'd'),
  ];
  const events: string[] = [];
  const { good, verdicts } = await verify({
    archives,
    workers: 2,
    onEvent: (event) => {
      if (event.type === 'verdict') events.push(event.verdict.archive ?? '');
    },
  });
  expect(good).toBe(false);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(['good', 'not-an-archive', 'damaged', 'good']);
  expect(events).toEqual(archives);
});

test('no place for temporary files is no fault of the archive', async () => {
  const before = process.env.TMPDIR;
  process.env.TMPDIR = '/nonexistent/tmp';
  try {
    await expect(verify({ archives: [install.archive], workers: 1 })).rejects.toMatchObject({
      code: 'STAGING_WRITE',
      hint: expect.stringContaining('TMPDIR'),
    });
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});

test('it can be interrupted, and leaves nothing open', async () => {
  const stop = new AbortController();
  const archives = Array.from({ length: 20 }, () => shelf.put(whole));
  const verified = verify({
    archives,
    workers: 1,
    signal: stop.signal,
    onEvent: ({ type }) => type === 'verdict' && stop.abort(),
  });
  await expect(verified).rejects.toMatchObject({ code: 'INTERRUPTED' });
});
