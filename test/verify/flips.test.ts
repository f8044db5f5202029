/** One byte of an archive is changed, anywhere, to anything: it is found, and where an entry is hit, that entry is named. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Verdict } from '../../src/index.js';
import { entriesOf, type Member, membersOf } from '../support/archive.js';
import { createInstall } from '../support/install.js';
import { backup, verify } from '../support/library.js';
import { put } from '../support/tree.js';

const SEED = Number(process.env.FUZZ_SEED ?? 20261123);
/** Flips that are verified together. */
const BATCH = 50;
const BATCHES = 20;
/** Bytes in front of a deflated block and behind it, as docs/format.md has it. */
const HEADER = 33;
const TRAILER = 8;
/** Where in it the member's size stands. */
const GZ_SIZE = 16;

/** A dump of a few kilobytes. */
const SQL = `CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (15, false);
  CREATE TABLE dag AS SELECT n, md5(n::text) AS source FROM generate_series(1, 50) n;`;

let directory: string;
let whole: Buffer;
let members: Member[];
/** The tar inside, and where each member's block begins in it. */
let tar: Buffer;
let starts: number[];
/** Entries with the bytes of the tar that are theirs: headers, content. */
let entries: { name: string; isFile: boolean; from: number; content: number; to: number }[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lfflip-'));
  const install = await createInstall({ sql: SQL });
  try {
    for (let i = 0; i < 40; i += 1) {
      put(
        join(install.workspace, `dags/${i}.py`),
        `print(${i}) # ${'ab'.repeat(i)}
`.repeat(i),
      );
    }
    mkdirSync(join(install.workspace, 'empty'));
    symlinkSync('dags', join(install.workspace, 'link'));
    await backup({ home: install.home, output: install.archive, workers: 2 });
    whole = readFileSync(install.archive);
  } finally {
    await install.remove();
  }
  members = membersOf(whole);
  tar = Buffer.concat(members.map(({ block }) => block));
  starts = members.map((_, index) => members.slice(0, index).reduce((sum, { block }) => sum + block.length, 0));
  entries = entriesOf(tar).map(({ name, type, offset, contentOffset, size }) => ({
    name,
    isFile: type === '0',
    from: offset,
    content: contentOffset,
    to: contentOffset + size,
  }));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Flip {
  at: number;
  xor: number;
}

/** Bytes and bits: both happen, and a bit is harder to see. */
const flip = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }).map((share) => Math.floor(share * whole.length)),
  xor: fc.oneof(
    fc.integer({ min: 1, max: 255 }),
    fc.integer({ min: 0, max: 7 }).map((bit) => 1 << bit),
  ),
});

test('1,000 flips, each found, each naming what it hit', async () => {
  const property = fc.asyncProperty(fc.array(flip, { minLength: BATCH, maxLength: BATCH }), async (flips) => {
    const verdicts = await verdictsOn(flips);
    for (const [index, verdict] of verdicts.entries()) judge(flips[index] as Flip, verdict);
  });
  await fc.assert(property, { seed: SEED, numRuns: BATCHES, endOnFailure: true });
});

test('every byte that stands around the blocks', async () => {
  const flips = members.flatMap(({ offset, raw }) => [
    ...Array.from({ length: HEADER }, (_, index) => ({ at: offset + index, xor: 1 << (index & 7) })),
    ...Array.from({ length: TRAILER }, (_, index) => ({ at: offset + raw.length - 1 - index, xor: 0x10 })),
  ]);
  for (const [index, verdict] of (await verdictsOn(flips)).entries()) judge(flips[index] as Flip, verdict);
});

test('bits that inflate to the same all the same', async () => {
  const last = members.at(-1) as Member;
  const end = last.raw.subarray(HEADER, -TRAILER);
  const silent: Flip[] = [];
  for (let at = 0; at < end.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const flipped = Buffer.from(end);
      flipped[at] = (flipped[at] as number) ^ (1 << bit);
      if (inflated(flipped)?.equals(last.block)) silent.push({ at: last.offset + HEADER + at, xor: 1 << bit });
    }
  }
  expect(silent.length).toBeGreaterThan(0);
  for (const verdict of await verdictsOn(silent)) {
    expect(verdict).toMatchObject({ verdict: 'damaged', entryCount: 0, problemCount: 1 });
    expect(verdict.problems[0]?.message).toMatch(/is not as it was written/);
  }
});

test('a header of which the name is cut off and the type is another: nothing is named that SHA256SUMS does not list', async () => {
  const [hit] = entries.filter(({ name }) => name.startsWith('workspace/dags/') && name.endsWith('.py'));
  if (hit === undefined) throw new Error('there is no such file');
  const index = starts.findLastIndex((start) => start <= hit.from);
  const { offset, raw, block } = members[index] as Member;
  const now = Buffer.from(block);
  const header = now.subarray(hit.from - (starts[index] as number)).subarray(0, 512);
  header.fill(0, 'workspace/dags/1'.length, 100);
  for (const type of ['0', 'P', '2', '5']) {
    header.write(type, 156);
    const member = Buffer.concat([raw.subarray(0, HEADER), deflateRawSync(now), raw.subarray(-TRAILER)]);
    member.writeUInt32LE(member.length, GZ_SIZE);
    const path = join(directory, 'header');
    writeFileSync(path, Buffer.concat([whole.subarray(0, offset), member, whole.subarray(offset + raw.length)]));
    const { verdicts } = await verify({ archives: [path], workers: 2 });
    expect({ type, ...verdicts[0] }).toMatchObject({ verdict: 'damaged', entries: [{ name: hit.name }] });
  }
});

async function verdictsOn(flips: readonly Flip[]): Promise<Verdict[]> {
  const archives = flips.map(({ at, xor }, index) => {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ xor;
    const path = join(directory, String(index));
    writeFileSync(path, bytes);
    return path;
  });
  return (await verify({ archives, workers: 2 })).verdicts;
}

function judge(flip: Flip, verdict: Verdict): void {
  const named = verdict.entries.map(({ name }) => name);
  const about = { flip, named, problems: verdict.problems };
  expect({ ...about, verdict: verdict.verdict }).toEqual({ ...about, verdict: 'damaged' });
  const index = members.findLastIndex(({ offset }) => offset <= flip.at);
  const { offset, raw, block } = members[index] as Member;
  const start = starts[index] as number;
  const here = entries.filter(({ from, to }) => from < start + block.length && to >= start);
  const files = here.filter(({ isFile }) => isFile);
  const within = flip.at - offset;
  // Only what lies there can be named; a header that hides where the next member begins may take that one along.
  if (within >= HEADER)
    expect({ ...about, elsewhere: named.filter((name) => !here.some((entry) => entry.name === name)) }).toEqual({
      ...about,
      elsewhere: [],
    });
  if (within < HEADER || within >= raw.length - TRAILER) return;

  const deflated = Buffer.from(raw.subarray(HEADER, -TRAILER));
  deflated[within - HEADER] = (deflated[within - HEADER] as number) ^ flip.xor;
  const now = inflated(deflated);
  if (now === null || now.length !== block.length) {
    // Behind the last content there is nothing that could be hit.
    if (files.length > 0 && within < raw.length - TRAILER - 8)
      expect({ ...about, count: named.length > 0 }).toEqual({ ...about, count: true });
    return;
  }
  for (const { name, content, to } of files) {
    const [from, end] = [Math.max(content - start, 0), Math.min(to - start, block.length)];
    const isHit = end > from && !now.subarray(from, end).equals(block.subarray(from, end));
    // SHA256SUMS has no checksum of its own: that it may be hit is all that can be said.
    if (name !== 'SHA256SUMS' || isHit) {
      const isNamed = named.includes(name);
      if (isHit) expect({ ...about, name, isNamed }).toEqual({ ...about, name, isNamed: true });
    }
  }
}

function inflated(deflated: Buffer): Buffer | null {
  try {
    return inflateRawSync(deflated, { maxOutputLength: 4 << 20 });
  } catch {
    return null;
  }
}
