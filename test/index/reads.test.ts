/** How much of an archive is read to know what is in it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { indexMembers } from '../../src/engine/archive/index.js';
import { openContents } from '../../src/engine/contents.js';
import { cutRuns } from '../../src/engine/member-runs.js';
import { openArchive } from '../../src/engine/opened-archive.js';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  indexed,
  largeFile,
  membersOf,
  streamed,
} from '../support/forge/archive.js';
import { member } from '../support/forge/members.js';
import { header } from '../support/forge/tar.js';
import { Shelf, withIndex } from './support.js';

const MIB = 1 << 20;
let shelf: Shelf;
beforeAll(() => {
  shelf = new Shelf();
});
afterAll(() => shelf?.remove());

/** Bytes that this process has read from anything so far. */
const readSoFar = () => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);

const { signal } = new AbortController();

test('of one with an index: its end, and the headers of its members', async () => {
  const small = Array.from({ length: 2000 }, (_, n) => file(`workspace/b/${String(n).padStart(4, '0')}`, `${n}`));
  const large = [largeFile('workspace/a', randomBytes(64 * MIB)), largeFile('workspace/c', randomBytes(16 * MIB))];
  const [first, second] = large as [Forged, Forged];
  const blocks = [[directory('workspace/')], [first], [directory('workspace/b/'), ...small], [second]];
  const path = shelf.put(Buffer.concat(withIndex({ workspace: blocks })));

  const { entries, contents } = await shelf.contents(path);
  const reads: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const before = readSoFar();
    await shelf.contents(path);
    reads.push(readSoFar() - before);
  }
  // Now and then the process reads a message of the test runner in between.
  const read = Math.min(...reads);
  expect(entries).toHaveLength(2010);
  expect(contents.source).toBe('index');
  expect(contents.bytesRead).toBeLessThan(MIB / 2);
  // Looking how much that is takes a few hundred bytes, too.
  expect(read).toBeGreaterThanOrEqual(contents.bytesRead - 100);
  expect(read).toBeLessThan(contents.bytesRead + 4096);
});

test('of any other: all of it', async () => {
  const workspace = [[directory('workspace/'), file('workspace/a', randomBytes(3 * MIB))]];
  for (const archive of [streamed(blocksOf({ workspace })), indexed(blocksOf({ workspace }))]) {
    const { contents, entries } = await shelf.contents(archive);
    expect(contents.source).toBe('archive');
    expect(entries).toHaveLength(7);
    expect(contents.bytesRead).toBeGreaterThanOrEqual(archive.length);
  }
});

test('of ten thousand members, in a moment', async () => {
  const blocks = Array.from({ length: 10_000 }, (_, n) => [file(`workspace/${String(n).padStart(5, '0')}`, `${n}`)]);
  const path = shelf.put(Buffer.concat(withIndex({ workspace: blocks })));
  const opened = await openArchive(path, signal);
  try {
    const started = process.cpuUsage();
    const contents = openContents(opened, signal);
    let entries = 0;
    for await (const batch of contents.entries()) entries += batch.length;
    const { user, system } = process.cpuUsage(started);
    expect(entries).toBe(10_006);
    expect((user + system) / 1000).toBeLessThan(2000);
  } finally {
    await opened.handle.close();
  }
});

test('nothing more once it is told to stop', async () => {
  const blocks = Array.from({ length: 3000 }, (_, n) => [file(`workspace/${String(n).padStart(5, '0')}`, `${n}`)]);
  const path = shelf.put(Buffer.concat(withIndex({ workspace: blocks, step: 512 })));
  const stop = new AbortController();
  const opened = await openArchive(path, stop.signal);
  try {
    const contents = openContents(opened, stop.signal);
    const reading = (async () => {
      for await (const _ of contents.entries()) stop.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(contents.bytesRead).toBeLessThan(opened.bytesRead + 10_000);
  } finally {
    await opened.handle.close();
  }
});

describe('of a thousand large files that inflate to a thousand times their size', () => {
  const size = (8 << 20) - 512;
  const [first, ...rest] = membersOf(blocksOf({ workspace: [], dump: [] })) as [Buffer, ...Buffer[]];
  const bomb = member(Buffer.concat([header({ name: 'workspace/x', size }), Buffer.alloc(size)]), { kind: 'F' });
  const archive = Buffer.concat([first, ...Array<Buffer>(1000).fill(bomb), ...rest]);

  /** Bytes that are read until it stops; it is told to at the 500th turn of the event loop. */
  async function readUntilStopped(work: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
    const stop = new AbortController();
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (turns === 500) stop.abort();
      else setImmediate(turn);
    };
    const before = readSoFar();
    setImmediate(turn);
    await expect(work(stop.signal)).rejects.toMatchObject({ code: 'INTERRUPTED' });
    return readSoFar() - before;
  }

  test('little, until it is told to stop', async () => {
    expect(bomb.length).toBeGreaterThan(8000);
    const path = shelf.put(archive);
    expect(await readUntilStopped((signal) => openArchive(path, signal))).toBeLessThan(2 * MIB);
    const file = await open(path);
    try {
      const members = indexMembers(file.fd, archive.length) ?? [];
      expect(await readUntilStopped((signal) => cutRuns(file.fd, members, signal))).toBeLessThan(2 * MIB);
    } finally {
      await file.close();
    }
  });
});
