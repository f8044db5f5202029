/** Whoever reads slowly, or not at all, makes `list` and `diff` wait; what they have not taken does not pile up in memory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/cli/program.js';
import { Shelf, withIndex } from '../index/support.js';
import { directory, file } from '../support/forge/archive.js';
import { diff } from '../support/library.js';
import { LEOFLOW, surroundings } from './support.js';

const ENTRIES = 60_000;

let shelf: Shelf;
/** One with many entries, whose index is read in small pieces, one with hardly any, and one without the first half of the many. */
let [many, few, half] = ['', '', ''];
beforeAll(() => {
  shelf = new Shelf();
  const files = Array.from({ length: ENTRIES }, (_, n) =>
    file(`workspace/${String(n).padStart(6, '0')}${'x'.repeat(60)}`, ''),
  );
  const blocks = Array.from({ length: ENTRIES / 1000 }, (_, at) => files.slice(at * 1000, (at + 1) * 1000));
  const workspace = [[directory('workspace/')], ...blocks];
  const [root = [], ...rest] = workspace;
  many = shelf.put(Buffer.concat(withIndex({ workspace, step: 64 << 10 })), 'many');
  half = shelf.put(Buffer.concat(withIndex({ workspace: [root, ...rest.slice(rest.length / 2)] })), 'half');
  few = shelf.put(Buffer.concat(withIndex({ workspace: [[directory('workspace/')]] })), 'few');
});
afterAll(() => shelf?.remove());

/** Takes one piece per turn of the loop, however many there are. */
class SlowReader extends Writable {
  /** As much has waited for it at once, in bytes. */
  most = 0;
  bytes = 0;
  lines = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.most = Math.max(this.most, this.writableLength);
    this.bytes += chunk.length;
    for (const byte of chunk) if (byte === 0x0a) this.lines += 1;
    setImmediate(done);
  }
}

describe('a reader that is slow', () => {
  test.each([
    ['names', []],
    ['--long', ['--long']],
    ['--json', ['--json', '--no-progress']],
  ])('gets all of list (%s), a piece at a time', async (_, flags) => {
    const stdout = new SlowReader();
    expect(await run(['lite', 'list', ...flags, many], surroundings({ stdout }))).toBe(0);
    stdout.end();
    await once(stdout, 'finish');
    expect(stdout.lines).toBeGreaterThanOrEqual(ENTRIES);
    expect(stdout.bytes).toBeGreaterThan(4 << 20);
    expect(stdout.most).toBeLessThan(512 << 10);
  });

  test('of diff, by its pace: no more than one batch comes before that is over', async () => {
    let [told, batch, most] = [0, 0, 0];
    let isWaiting = false;
    await diff({
      from: many,
      to: few,
      only: ['workspace'],
      workers: 2,
      onEvent: ({ type }) => {
        if (type !== 'difference') return;
        expect(isWaiting).toBe(false);
        told += 1;
        batch += 1;
        most = Math.max(most, batch);
      },
      pace: async () => {
        isWaiting = true;
        for (let turn = 0; turn < 3; turn += 1) await nextTurn();
        isWaiting = false;
        batch = 0;
      },
    });
    expect(told).toBe(ENTRIES);
    expect(most).toBeLessThanOrEqual(1000);
  });
});

describe('a pace', () => {
  test('that never ends is not waited for any more when the call is stopped', async () => {
    const stop = new AbortController();
    const compared = diff({
      from: many,
      to: few,
      only: ['workspace'],
      signal: stop.signal,
      pace: () => {
        setImmediate(() => stop.abort());
        return new Promise(() => {});
      },
    });
    await expect(compared).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  test('that fails ends the call with its error', async () => {
    const error = new Error('the network is gone');
    const pace = () => Promise.reject(error);
    await expect(diff({ from: many, to: few, only: ['workspace'], pace })).rejects.toBe(error);
  });
});

describe('a reader that has stopped reading', () => {
  /** Starts it, and reads no more than what the first look takes. */
  async function stalled(...argv: string[]) {
    const child = spawn(process.execPath, [LEOFLOW, 'lite', ...argv], {
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await once(child.stdout, 'readable');
    return { child, said: () => said };
  }
  const diffed = () => ['diff', '--only', 'workspace', many, few];

  test.each([
    ['list', () => ['list', many]],
    ['list --json', () => ['list', '--json', many]],
    ['diff', diffed],
    ['diff --json', () => [...diffed(), '--json']],
  ])('lets %s wait, and Ctrl-C end it', async (_, argv) => {
    const { child, said } = await stalled(...argv());
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    if (!argv().includes('--json')) expect(said()).toContain('interrupted by SIGINT');
  });

  test('and goes away lets both end, also where there is nothing more to tell', async () => {
    const untold = ['diff', '--only', 'workspace', many, half];
    for (const argv of [['list', many], diffed(), untold, [...untold, '--json']]) {
      const { child } = await stalled(...argv);
      const ended = once(child, 'exit');
      child.stdout.destroy();
      expect(await ended).toEqual([0, null]);
    }
  });

  test('and begins again gets the rest', async () => {
    for (const argv of [['list', many], diffed()]) {
      const { child } = await stalled(...argv);
      const ended = once(child, 'exit');
      let lines = 0;
      for await (const chunk of child.stdout) for (const byte of chunk as Buffer) if (byte === 0x0a) lines += 1;
      expect(await ended).toEqual([0, null]);
      expect(lines).toBeGreaterThanOrEqual(ENTRIES);
    }
  });
});
