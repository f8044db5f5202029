/** What an archive can cost whoever checks it: time that grows with its size, and that ends when it is told to. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  blocksOf,
  directory,
  file,
  goodWorkspace,
  hardlink,
  indexed,
  MANIFEST,
  manifest,
  raw,
  streamed,
} from '../support/forge/archive.js';
import { pax, records } from '../support/forge/tar.js';
import { verify } from '../support/library.js';
import { Shelf, said } from './support.js';

let shelf: Shelf;
beforeAll(() => {
  shelf = new Shelf();
});
afterAll(() => shelf?.remove());

const unlisted = { manifest: [manifest({ ...MANIFEST, checksums: undefined })], sums: () => null };

test('paths as deep as they can be, out of order, cost no more than their length', async () => {
  const below = '/a'.repeat(2000);
  const archive = (count: number, ...more: ReturnType<typeof file>[]) => {
    const deep = Array.from({ length: count }, (_, n) =>
      raw(pax({ path: `workspace/${99_999 - n}${below}` }), records({ name: 'x' })),
    );
    return streamed(blocksOf({ ...unlisted, workspace: [[directory('workspace/'), ...deep, ...more]] }));
  };
  expect(await shelf.verdict(archive(12_000))).toMatchObject({ verdict: 'good', files: 12_000 });
  const above = file(`workspace/99950${'/a'.repeat(30)}`, 'x');
  expect(said(await shelf.verdict(archive(100, above)))).toMatchObject({
    verdict: 'refused',
    messages: [expect.stringContaining('both as a file and as the directory of')],
  });
});

test('what cannot be together is found among more than is sorted at once', async () => {
  const many = Array.from({ length: 33_000 }, (_, n) => file(`workspace/${(n * 7919) % 33_000}`));
  const blocks = (...more: ReturnType<typeof file>[]) =>
    streamed(blocksOf({ ...unlisted, workspace: [[directory('workspace/'), ...many, ...more]] }));
  expect(await shelf.verdict(blocks(hardlink('workspace/link', 'workspace/7')))).toMatchObject({ verdict: 'good' });
  for (const [entry, message] of [
    [file('workspace/32999'), '"32999" stands in it twice'],
    [directory('workspace/32999/'), '"32999" stands in it twice'],
    [file('workspace/32999/x'), 'both as a file and as the directory of "32999/x"'],
    [hardlink('workspace/link', 'workspace/none'), 'the hard link "link" does not point to a file'],
    [hardlink('workspace/link', 'workspace/link'), 'the hard link "link" does not point to a file'],
  ] as const)
    expect(said(await shelf.verdict(blocks(entry))).messages).toEqual([expect.stringContaining(message)]);
});

test.each([
  ['a stream', streamed],
  ['members', indexed],
])('one that is interrupted when it has read all of %s finds nothing good', async (_, make) => {
  const archive = shelf.put(
    make(blocksOf({ workspace: [[...goodWorkspace(), hardlink('workspace/link', 'workspace/dags/hello.py')]] })),
  );
  const stop = new AbortController();
  const verdicts: unknown[] = [];
  const verified = verify({
    archives: [archive],
    workers: 1,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'verdict') verdicts.push(event.verdict);
      if (event.type === 'progress' && event.progress.read === event.progress.size) stop.abort();
    },
  });
  await expect(verified).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(verdicts).toEqual([]);
});
