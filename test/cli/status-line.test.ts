/** The live lines: what they say, and that they never outgrow the terminal. */
import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { Meter } from '../../src/cli/reporters/meter.js';
import { progressLine, type Status, statusLines } from '../../src/cli/reporters/status-line.js';

const PLAIN = pc.createColors(false);

function status(part: Partial<Status> = {}): Status {
  const meter = new Meter(0);
  meter.expect(50_120, 1_930_000_000);
  meter.update({ files: 21_042, bytes: 812_000_000, dumpBytes: 203_000_000, written: 312_000_000 });
  return { label: 'Packing the workspace', reading: meter.read(20_000), elapsed: 20_000, warnings: 2, ...part };
}

describe('at a width of', () => {
  test.each([
    [
      120,
      'Packing the workspace  [############------------------]  42%  28 s left',
      '812 MB of 1.93 GB, 50.8 MB/s, 21,042 of 50,120 files, dump 203 MB, 312 MB written, 2 warnings',
    ],
    [
      79,
      'Packing the workspace  [############------------------]  42%  28 s left',
      '812 MB of 1.93 GB, 50.8 MB/s, 21,042 of 50,120 files, dump 203 MB, 2 warnings',
    ],
    [
      60,
      'Packing the workspace  [#######------------]  42%  28 s left',
      '812 MB of 1.93 GB, 50.8 MB/s, 21,042 of 50,120 files',
    ],
    [40, 'Packing the workspace  42%  28 s left', '812 MB of 1.93 GB, 50.8 MB/s'],
    [30, 'Packing the workspace  42%', '812 MB of 1.93 GB, 50.8 MB/s'],
    [21, 'Packing the workspace', '812 MB of 1.93 GB'],
  ])('%d', (width, first, second) => {
    expect(statusLines(status(), width, PLAIN)).toEqual([first, second]);
  });

  test('10, only the beginning of the label is left', () => {
    expect(statusLines(status(), 10, PLAIN)).toEqual(['Packing th']);
  });
});

test('no line is ever wider than the terminal', () => {
  for (let width = 1; width < 140; width++) {
    for (const line of statusLines(status(), width, PLAIN)) expect(line.length).toBeLessThanOrEqual(width);
  }
});

test('colours add nothing but colours', () => {
  const coloured = statusLines(status(), 100, pc.createColors(true)).join('\n');
  expect(coloured).not.toBe(statusLines(status(), 100, PLAIN).join('\n'));
  const escapes = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  expect(coloured.replace(escapes, '')).toBe(statusLines(status(), 100, PLAIN).join('\n'));
});

test('before the total is known there is no share, but the time so far', () => {
  const meter = new Meter(0);
  meter.update({ files: 10, bytes: 5_000_000, dumpBytes: 0, written: 1_000_000 });
  expect(statusLines(status({ reading: meter.read(1000), elapsed: 1000, warnings: 0 }), 79, PLAIN)).toEqual([
    'Packing the workspace  1.0 s',
    '5.00 MB, 5.00 MB/s, 10 files, 1.00 MB written',
  ]);
});

test('before anything is read there is one line', () => {
  const reading = new Meter(0).read(300);
  expect(statusLines({ label: 'Preparing', reading, elapsed: 300, warnings: 0 }, 79, PLAIN)).toEqual([
    'Preparing  0.3 s',
  ]);
});

test('a tree that outgrows its total stays at what there is', () => {
  const meter = new Meter(0);
  meter.expect(10, 1000);
  meter.update({ files: 12, bytes: 2000, dumpBytes: 0, written: 0 });
  const reading = meter.read(1000);
  expect(reading.share).toBe(1);
  expect(progressLine(reading)).toBe('2.00 kB, 2.00 kB/s, 12 files');
});

describe('the meter', () => {
  test('an empty workspace is packed at once', () => {
    const meter = new Meter(0);
    meter.expect(0, 0);
    expect(meter.read(1)).toMatchObject({ share: 1 });
  });

  test('the rate is that of the last ten seconds', () => {
    const meter = new Meter(0);
    for (let second = 1; second <= 60; second++) {
      const bytes = second <= 30 ? second * 1000 : 30_000 + (second - 30) * 5000;
      meter.update({ files: 1, bytes, dumpBytes: 0, written: 0 });
      meter.read(second * 1000);
    }
    expect(meter.read(60_000).rate).toBeCloseTo(5000, 0);
  });

  test('what goes before the work is no part of it', () => {
    const meter = new Meter(0);
    for (let at = 100; at <= 5000; at += 100) meter.read(at);
    meter.update({ files: 1, bytes: 1000, dumpBytes: 0, written: 0 });
    expect(meter.read(6000).rate).toBe(1000);
  });

  test('the time left is told after a second of work', () => {
    const meter = new Meter(0);
    meter.update({ files: 1, bytes: 1000, dumpBytes: 0, read: 10, size: 100 });
    expect(meter.read(900).left).toBeUndefined();
    expect(meter.read(1000).left).toBe(9000);
  });

  test('and after a hundredth of it', () => {
    const meter = new Meter(0);
    meter.update({ files: 0, bytes: 0, dumpBytes: 0, read: 777, size: 1e8 });
    expect(meter.read(5000).left).toBeUndefined();
    meter.update({ files: 9, bytes: 9e6, dumpBytes: 0, read: 1e6, size: 1e8 });
    expect(meter.read(5000).left).toBeCloseTo(495_000, -1);
  });

  test('a restore goes by what it has read of the archive', () => {
    const meter = new Meter(0);
    meter.update({ files: 1, bytes: 5000, dumpBytes: 3000, read: 250, size: 1000 });
    expect(meter.read(1000)).toMatchObject({
      archive: { verb: 'read', bytes: 250, size: 1000 },
      rate: 8000,
      share: 0.25,
      left: 3000,
    });
  });

  test('as long as the size of the archive is not known there is no share', () => {
    const meter = new Meter(0);
    meter.update({ files: 0, bytes: 0, dumpBytes: 0, read: 0, size: 0 });
    expect(meter.read(1000)).toMatchObject({ share: undefined, left: undefined });
  });

  test('many small files count besides their bytes', () => {
    const meter = new Meter(0);
    meter.expect(1000, 1_000_000);
    meter.update({ files: 0, bytes: 500_000, dumpBytes: 0, written: 0 });
    expect(meter.read(1000).share).toBeLessThan(0.1);
  });
});
