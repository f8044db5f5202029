/** What the calls of the library have in common. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { backup, diff, extract, restore, setup, verify } from '../src/index.js';

const base = mkdtempSync(join(tmpdir(), 'leoflow-library-'));
const home = join(base, 'home');
const input = join(base, 'snap.tar.gz');

afterAll(() => rmSync(base, { recursive: true }));

test.each([
  ['backup', (workers: number) => backup({ home, output: input, workers })],
  ['restore', (workers: number) => restore({ home, input, workers })],
  ['verify', (workers: number) => verify({ archives: [input], workers })],
  ['diff', (workers: number) => diff({ from: input, to: input, workers })],
  ['extract', (workers: number) => extract({ archive: input, patterns: ['x'], to: base, workers })],
])('%s() wants a whole number of workers, and does nothing without', async (_, call) => {
  for (const workers of [0, 1.5, -1, Number.NaN, 1025]) {
    await expect(call(workers)).rejects.toMatchObject({
      code: 'USAGE',
      message: `workers must be a whole number from 1 to 1024, not ${workers}`,
    });
  }
  expect(readdirSync(base)).toEqual([]);
});

test('setup() that is stopped makes nothing, whenever that is', async () => {
  await expect(setup({ home, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'INTERRUPTED' });
  const stop = new AbortController();
  const stopped = setup({ home, signal: stop.signal });
  stop.abort();
  await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
  expect(readdirSync(base)).toEqual([]);
});
