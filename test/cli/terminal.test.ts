/** The live view: repainted by the clock, above it what stays, and gone at the end. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createReporter } from '../../src/cli/reporters/reporter.js';
import { backupView } from '../../src/cli/views/backup.js';
import { recoverView } from '../../src/cli/views/recover.js';
import { restoreView } from '../../src/cli/views/restore.js';
import type { View } from '../../src/cli/views/view.js';
import { type Recorder, recordingTerminal, restored, result, surroundings, unreadable } from './support.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Makes a terminal view of a command that is `columns` wide. */
async function liveOf<P extends string, R>(view: View<P, R>, columns: number) {
  const stderr = recordingTerminal(columns);
  const around = surroundings({ stderr, env: { NO_COLOR: '1' } });
  return { reporter: await createReporter(view, { progress: true }, around), stderr, stdout: around.stdout };
}

const live = (columns: number) => liveOf(backupView, columns);

const ESC = '\u001b';
const TOKENS = new RegExp(`${ESC}\\[([?\\d;]*)([A-Za-z])|\n|[^${ESC}\n]+`, 'g');

/** What such a terminal shows after all that was written to it: enough of its escape sequences to follow log-update. */
function screen(recorder: Recorder): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  const tokens = recorder.text.matchAll(TOKENS);
  for (const [token, argument = '', action] of tokens) {
    const count = Number(argument || 1);
    const line = lines[row] ?? '';
    if (token === '\n') {
      row++;
      column = 0;
    } else if (action === undefined) {
      lines[row] = line.slice(0, column).padEnd(column) + token + line.slice(column + token.length);
      column += token.length;
    } else if (action === 'A') row = Math.max(0, row - count);
    else if (action === 'B') row += count;
    else if (action === 'G') column = 0;
    else if (action === 'K') lines[row] = argument === '2' ? '' : line.slice(0, column);
  }
  return Array.from(lines, (line) => line ?? '').filter((line) => line !== '');
}

const progress = (files: number) => ({ files, bytes: files * 1e6, dumpBytes: 0, written: files * 5e5 });

describe('while it runs', () => {
  test('two lines that follow the events', async () => {
    const { reporter, stderr } = await live(80);
    reporter.event({ type: 'phase', phase: 'prepare' });
    vi.advanceTimersByTime(500);
    expect(screen(stderr)).toEqual(['Preparing  0.5 s']);
    reporter.event({ type: 'phase', phase: 'pack' });
    reporter.event({ type: 'total', files: 1000, bytes: 1e9 });
    reporter.event({ type: 'progress', progress: progress(250) });
    vi.advanceTimersByTime(500);
    expect(screen(stderr)[0]).toBe('Packing the workspace  [#######-----------------------]  25%  1.0 s');
    vi.advanceTimersByTime(500);
    expect(screen(stderr)).toEqual([
      'Packing the workspace  [#######-----------------------]  25%  3 s left',
      '250 MB of 1.00 GB, 250 MB/s, 250 of 1,000 files, 125 MB written',
    ]);
    reporter.event({ type: 'phase', phase: 'dump' });
    reporter.event({ type: 'progress', progress: { ...progress(1000), dumpBytes: 1e6 } });
    vi.advanceTimersByTime(1000);
    expect(screen(stderr)[0]).toBe('Dumping the datastore  2.5 s');
    reporter.done(result(), 0);
  });

  test('a thousand events a second are painted ten times', async () => {
    const { reporter, stderr } = await live(80);
    for (let index = 1; index <= 1000; index++) {
      reporter.event({ type: 'progress', progress: progress(index) });
      vi.advanceTimersByTime(1);
    }
    expect(stderr.writes).toBeLessThanOrEqual(10);
    reporter.done(result(), 0);
  });

  test('a narrow terminal gets what fits', async () => {
    const { reporter, stderr } = await live(31);
    reporter.event({ type: 'phase', phase: 'pack' });
    reporter.event({ type: 'total', files: 1000, bytes: 1e9 });
    reporter.event({ type: 'progress', progress: progress(250) });
    vi.advanceTimersByTime(1000);
    expect(screen(stderr)).toEqual(['Packing the workspace  25%', '250 MB of 1.00 GB, 250 MB/s']);
    reporter.done(result(), 0);
  });

  test('warnings stay above the live lines', async () => {
    const { reporter, stderr } = await live(80);
    reporter.event({ type: 'phase', phase: 'pack' });
    vi.advanceTimersByTime(100);
    reporter.event({ type: 'warning', warning: unreadable('/w/a\nb') });
    reporter.event({ type: 'warning', warning: unreadable('/w/c') });
    vi.advanceTimersByTime(100);
    expect(screen(stderr)).toEqual([
      'warning: /w/a\\nb: cannot be read: permission denied',
      'warning: /w/c: cannot be read: permission denied',
      'Packing the workspace  0.2 s',
      '2 warnings',
    ]);
    reporter.done(result(), 0);
  });

  test('a signal is acknowledged at once', async () => {
    const { reporter, stderr } = await live(80);
    reporter.stopping('SIGINT');
    expect(screen(stderr)[0]).toBe('SIGINT: stopping and cleaning up; once more stops at once  0.0 s');
    reporter.failed({ code: 'INTERRUPTED', message: 'interrupted by SIGINT', hint: null, status: 130 });
    expect(screen(stderr)).toEqual(['error: interrupted by SIGINT']);
  });
});

describe('of a restore', () => {
  const counts = (read: number) => ({ files: 100, bytes: 2e8, dumpBytes: 5e7, read, size: 1e8 });

  test('the share is that of the archive that is read', async () => {
    const { reporter, stderr, stdout } = await liveOf(restoreView({ dryRun: false }), 100);
    reporter.event({ type: 'phase', phase: 'judge' });
    vi.advanceTimersByTime(300);
    expect(screen(stderr)).toEqual(['Judging the archive  0.3 s']);
    reporter.event({ type: 'phase', phase: 'stage' });
    vi.advanceTimersByTime(700);
    reporter.event({ type: 'progress', progress: counts(4e7) });
    vi.advanceTimersByTime(1000);
    expect(screen(stderr)).toEqual([
      'Staging the archive  [############------------------]  40%  2 s left',
      '200 MB, 250 MB/s, 100 files, dump 50.0 MB, 40.0 MB of 100 MB read',
    ]);
    reporter.event({ type: 'progress', progress: counts(1e8) });
    vi.advanceTimersByTime(1000);
    expect(screen(stderr)[0]).toBe('Replaying the dump  3.0 s');
    reporter.event({ type: 'phase', phase: 'commit' });
    vi.advanceTimersByTime(100);
    expect(screen(stderr)[0]).toBe('Putting it in place  3.1 s');
    reporter.done(restored(), 0);
    expect(screen(stderr)).toEqual([]);
    expect(stdout.text).toMatch(/^Restored: /);
  });

  test('one that is only tried says so', async () => {
    const { reporter, stderr } = await liveOf(restoreView({ dryRun: true }), 100);
    reporter.event({ type: 'phase', phase: 'stage' });
    reporter.event({ type: 'progress', progress: counts(1e8) });
    vi.advanceTimersByTime(100);
    expect(screen(stderr)[0]).toMatch(/^Checking the archive {2}0\.1 s/);
    reporter.done(restored({ dryRun: true }), 0);
  });

  test('notes stay above the live lines', async () => {
    const { reporter, stderr } = await liveOf(restoreView({ dryRun: false }), 100);
    reporter.event({ type: 'note', message: 'an earlier restore was undone first' });
    vi.advanceTimersByTime(100);
    expect(screen(stderr)).toEqual(['note: an earlier restore was undone first', 'Judging the archive  0.1 s']);
    reporter.done(restored(), 0);
  });

  test('a signal that comes too late is told so', async () => {
    const { reporter, stderr } = await liveOf(restoreView({ dryRun: false }), 100);
    reporter.event({ type: 'phase', phase: 'stage' });
    reporter.stopping('SIGINT');
    expect(screen(stderr)[0]).toMatch(/^SIGINT: stopping and cleaning up; once more stops at once {2}/);
    reporter.event({ type: 'phase', phase: 'commit' });
    reporter.stopping('SIGTERM');
    expect(screen(stderr)[0]).toMatch(/^SIGTERM: too late to stop, finishing; once more stops at once, then --recover/);
    reporter.event({ type: 'phase', phase: 'finish' });
    reporter.stopping('SIGHUP');
    expect(screen(stderr)[0]).toMatch(/^SIGHUP: everything is in place, finishing; once more stops at once {2}/);
    reporter.done(restored(), 0);
  });

  test('a recovery has one line', async () => {
    const { reporter, stderr } = await liveOf(recoverView, 100);
    vi.advanceTimersByTime(100);
    expect(screen(stderr)).toEqual(['Finishing or undoing the restore  0.1 s']);
    reporter.done({ outcome: 'undone', home: '/h', durationMs: 1 }, 0);
  });
});

describe('at the end', () => {
  test('the live lines are gone, the summary is on stdout, and the clock stands still', async () => {
    const { reporter, stderr, stdout } = await live(80);
    reporter.event({ type: 'progress', progress: progress(10) });
    vi.advanceTimersByTime(300);
    reporter.event({ type: 'warning', warning: unreadable('/w/late') });
    reporter.done(result(), 0);
    expect(screen(stderr)).toEqual(['warning: /w/late: cannot be read: permission denied']);
    expect(stdout.text).toMatch(/^Backup written: /);
    const { writes } = stderr;
    vi.advanceTimersByTime(1000);
    expect(stderr.writes).toBe(writes);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an error stands alone', async () => {
    const { reporter, stderr } = await live(80);
    reporter.event({ type: 'phase', phase: 'pack' });
    vi.advanceTimersByTime(300);
    reporter.failed({ code: 'OUTPUT_FULL', message: 'the disk is full', hint: 'make room', status: 1 });
    expect(screen(stderr)).toEqual(['error: the disk is full', 'hint: make room']);
  });

  test('the cursor is never hidden', async () => {
    const { reporter, stderr } = await live(80);
    vi.advanceTimersByTime(300);
    reporter.done(result(), 0);
    expect(stderr.text).not.toContain('\u001b[?25l');
  });
});
