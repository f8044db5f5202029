/** Extractions that are broken off, at every step that changes something: by a signal, by kill -9, by a disk that takes no more. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ExtractOptions } from '../../src/index.js';
import { start } from '../restore/faults.js';
import { indexed } from '../support/forge/archive.js';
import { lendWorkers } from '../support/lent-workers.js';
import { isRoot } from '../support/tree.js';
import { failure, goodBlocks, Place } from './support.js';

lendWorkers();

let place: Place;
let archive: string;
let options: ExtractOptions & { archive: string };
beforeEach(() => {
  place = new Place();
  mkdirSync(join(place.base, 'tmp'));
  archive = place.put(indexed(goodBlocks()));
  // Two files make way, and a directory takes something in: a dozen moves.
  mkdirSync(join(place.to, 'dags'));
  for (const name of ['a', 'dags/etl.py']) writeFileSync(join(place.to, name), 'mine');
  options = { archive, patterns: ['a', 'dags', 'z1'], to: place.to, force: true, workers: 1 };
});
afterEach(() => place.remove());

const run = (fault: Parameters<typeof start>[2]['fault']) =>
  start('extract', options, { base: place.base, ...(fault && { fault }) }).ended;

/** What is in the target, as extracted. */
function isExtracted(): boolean {
  return readFileSync(join(place.to, 'a'), 'utf8') === 'the file a';
}

describe('by kill -9', () => {
  test('at any call: the target is as it was, or the next extraction puts it so first; then all of it is there', async () => {
    const before = place.look();
    const log = join(place.base, 'calls.log');
    expect((await run({ calls: 'files', at: 0, log })).result).toBeDefined();
    const calls = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(calls.filter((call) => call.startsWith('rename ')).length).toBeGreaterThan(7);
    place.remove();

    for (let at = 1; at <= calls.length; at += 1) {
      place = new Place();
      mkdirSync(join(place.base, 'tmp'));
      archive = place.put(indexed(goodBlocks()));
      mkdirSync(join(place.to, 'dags'));
      for (const name of ['a', 'dags/etl.py']) writeFileSync(join(place.to, name), 'mine');
      options = { ...options, archive, to: place.to };
      const { status } = await run({ calls: 'files', at, signal: 'SIGKILL' });
      expect({ at, status }).toEqual({ at, status: null });

      // One that fails undoes what was broken off, and clears.
      const second = await failure(place.extract(archive, ['nothing']));
      expect({ at, code: second.code }).toEqual({ at, code: 'ENTRY_NOT_FOUND' });
      const names = readdirSync(place.base).filter((name) => /partial|journal/.test(name));
      expect({ at, call: calls[at - 1], names }).toEqual({ at, call: calls[at - 1], names: [] });
      if (isExtracted()) expect(calls[at - 1]).toMatch(/journal|partial|rm /);
      else {
        const [now, then] = [place.look(), new Map(before)].map((seen) => {
          for (const path of [...seen.keys()]) if (/^tmp|tar\.gz$/.test(path)) seen.delete(path);
          return [...seen].map(([path, { kind, mode, content }]) => [
            path,
            kind,
            mode,
            path === 'target/canary' || path === 'outside/canary' ? '' : content,
          ]);
        });
        expect({ at, now }).toEqual({ at, now: then });
      }
      if (at < calls.length) place.remove();
    }
  });
});

describe('by a call that fails', () => {
  test('at any call from the first move on: everything is undone, and said', async () => {
    const before = place.look();
    for (let at = 1; ; at += 1) {
      const { error, result } = await run({ calls: 'files', from: 'place', like: 'rename', at, code: 'EIO' });
      if (result !== undefined) {
        expect(at).toBeGreaterThan(9);
        break;
      }
      expect({ at, code: error?.code }).toEqual({ at, code: 'COMMIT_FAILED' });
      const now = place.look();
      for (const seen of [before, now])
        for (const path of [...seen.keys()]) if (path.startsWith('tmp')) seen.delete(path);
      expect({ at, now }).toEqual({ at, now: before });
    }
    expect(isExtracted()).toBe(true);
  });
});

test('and what it replaced is gone: nothing is touched, and it is said what to do', async () => {
  const { status } = await run({ calls: 'files', from: 'place', like: 'rename', at: 6, signal: 'SIGKILL' });
  expect(status).toBe(null);
  execFileSync('sh', ['-c', 'chmod -R u+rwX "$1" && rm -r "$1"', 'sh', place.to]);
  const error = await failure(place.extract(archive, ['z1']));
  expect(error).toMatchObject({
    code: 'RECOVERY_FAILED',
    message: expect.stringMatching(/^what was at \S+ is not there any more, nor at \S+\.before-extract-\S+$/),
    hint: expect.stringMatching(
      /^put it back under one of these names, then extract to the same directory again: .*; where it is gone for good, remove \S+\.restore-journal\.json and begin again\. Nothing was changed$/,
    ),
  });
  rmSync(/remove (\S+)/.exec(error.hint ?? '')?.[1] ?? '');
  await place.extract(archive, ['z1']);
  expect(readdirSync(place.to)).toEqual(['z1']);
});

test('by a signal: nothing is left', async () => {
  const before = place.look();
  const stop = new AbortController();
  const error = await failure(
    place.extract(archive, ['dags'], {
      force: true,
      signal: stop.signal,
      onEvent: (event) => event.type === 'progress' && stop.abort(),
    }),
  );
  expect(error.code).toBe('INTERRUPTED');
  expect(place.look()).toEqual(before);
});

if (isRoot)
  test('by a disk that is full: nothing is left, and it is said', async () => {
    const small = join(place.base, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]);
    try {
      writeFileSync(join(small, 'canary'), 'here');
      for (const to of [small, join(small, 'new')]) {
        const error = await failure(place.extract(archive, ['dags'], { to }));
        expect(error).toMatchObject({
          code: 'STAGING_FULL',
          message: expect.stringMatching(/^no room to (restore "|extract: )/),
        });
        expect(error.hint).toMatch(/free some space.*nothing was changed/);
        expect(readdirSync(small)).toEqual(['canary']);
      }
      // What fits is extracted.
      await place.extract(archive, ['a', 'dags/sub'], { to: small });
      expect(readdirSync(small).sort()).toEqual(['a', 'canary', 'dags']);
    } finally {
      execFileSync('umount', [small]);
      rmSync(small, { recursive: true });
    }
  });

test('by another one that works on the same directory', async () => {
  const first = start('extract', options, {
    base: place.base,
    fault: { calls: 'files', from: 'place', at: 2, signal: 'SIGSTOP' },
  });
  await first.stopped();
  const error = await failure(place.extract(archive, ['z1']));
  expect(error).toMatchObject({ code: 'INSTALL_BUSY', message: expect.stringContaining('leoflow lite extract') });
  first.resume();
  expect((await first.ended).result).toBeDefined();
  expect(isExtracted()).toBe(true);
});
