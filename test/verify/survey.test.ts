/** What it takes to find the members of a file that is damaged all over. docs/cli.md, "leoflow lite verify". */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { type Piece, surveyMembers } from '../../src/engine/archive/index.js';
import { member } from '../support/forge/members.js';
import { records } from '../support/forge/tar.js';
import { Shelf } from './support.js';

const shelf = new Shelf();
afterAll(() => shelf.remove());

const block = records({ name: 'workspace/x' });
const small = member(block);
/** Where a member should be, and is none: neither its header nor what stands behind it. */
const broken = Buffer.alloc(200, 'no member');

/** Calls that have read something in this process. */
const readsSoFar = () => Number(/^syscr: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);

async function survey(bytes: Buffer, signal = new AbortController().signal) {
  const fd = openSync(shelf.put(bytes), 'r');
  try {
    const before = readsSoFar();
    const pieces: Piece[] = [];
    for await (const piece of surveyMembers(fd, bytes.length, signal)) pieces.push(piece);
    const gaps = pieces.flatMap((piece) => (piece.type === 'gap' ? [piece] : []));
    return { members: pieces.length - gaps.length, gaps, reads: readsSoFar() - before };
  } finally {
    closeSync(fd);
  }
}

const runOf = (count: number) => Buffer.concat(Array.from({ length: count }, () => small));

describe('a file with many members and few bytes in between that are none', () => {
  test('all members between two breaks are found', async () => {
    const found = await survey(Buffer.concat([small, broken, runOf(20_000), broken, runOf(10)]));
    const behind = small.length + broken.length + 20_000 * small.length;
    expect(found.members).toBe(1 + 20_000 + 10);
    expect(found.gaps).toEqual([
      { type: 'gap', from: small.length, to: small.length + broken.length },
      { type: 'gap', from: behind, to: behind + broken.length },
    ]);
    expect(found.reads).toBeLessThan(10 * 20_000);
  });

  test('no place is looked at again and again where no walk gets far', async () => {
    const runs = Array.from({ length: 100 }, () => [runOf(300), broken]).flat();
    const bytes = Buffer.concat([small, broken, ...runs]);
    const found = await survey(bytes);
    expect(found.gaps).toEqual([{ type: 'gap', from: small.length, to: bytes.length }]);
    expect(found.reads).toBeLessThan(10 * 100 * 300);
  });

  test('a header alone that is broken hides nothing, however little lies between two', async () => {
    const bent = Buffer.from(small);
    bent.fill(0, 0, 25);
    const found = await survey(Buffer.concat([small, bent, small, bent, bent, small]));
    expect(found.members).toBe(3);
    const at = (index: number) => index * small.length;
    expect(found.gaps.map(({ from, to }) => [from, to])).toEqual([1, 3, 4].map((index) => [at(index), at(index + 1)]));
  });

  test('it ends when it is told to', async () => {
    const stop = new AbortController();
    const bytes = Buffer.alloc(64 << 20, 'nothing');
    const surveyed = survey(bytes, stop.signal);
    const before = readsSoFar();
    setImmediate(() => stop.abort());
    await expect(surveyed).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(readsSoFar() - before).toBeLessThan(10);
  });
});
