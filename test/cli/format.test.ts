/** Numbers and names as people read them. */
import { describe, expect, test } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatDirectories,
  formatDuration,
  formatRate,
  formatTimeLeft,
  printable,
  printableLines,
} from '../../src/cli/format.js';

describe('sizes are decimal, to three digits', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [9994, '9.99 kB'],
    [9996, '10.0 kB'],
    [61_234_567, '61.2 MB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [1_930_000_000, '1.93 GB'],
    [20_000_000_000_000, '20.0 TB'],
    [5e19, '50000 PB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test('a rate is a size per second', () => {
    expect(formatRate(234_500_000)).toBe('235 MB/s');
  });
});

describe('durations', () => {
  test.each([
    [0, '0.0 s'],
    [840, '0.8 s'],
    [9949, '9.9 s'],
    [9950, '10 s'],
    [59_600, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [3_720_000, '1 h 02 min'],
    [360_000_000, '100 h 00 min'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test.each([
    [0, '1 s'],
    [3600, '4 s'],
    [9960, '10 s'],
    [185_000, '3 min 05 s'],
  ])('%d ms still to come is %s', (ms, text) => {
    expect(formatTimeLeft(ms)).toBe(text);
  });
});

test('counts know one from many', () => {
  expect(formatCount(1, 'file')).toBe('1 file');
  expect(formatCount(0, 'file')).toBe('0 files');
  expect(formatCount(1_234_567, 'file')).toBe('1,234,567 files');
  expect(formatDirectories(1)).toBe('1 directory');
  expect(formatDirectories(2)).toBe('2 directories');
});

describe('a name cannot steer the terminal', () => {
  test.each([
    ['plain ü 漢字 👩‍🚀.py', 'plain ü 漢字 👩‍🚀.py'],
    ['two\nlines', 'two\\nlines'],
    ['tab\tand\rreturn', 'tab\\tand\\rreturn'],
    ['\u001b[2Jclear', '\\x1b[2Jclear'],
    ['bell\u0007 delete\u007f c1\u009b', 'bell\\x07 delete\\x7f c1\\x9b'],
    ['evil\u202egnp.exe', 'evil\\u{202e}gnp.exe'],
    ['line\u2028separator', 'line\\u{2028}separator'],
    ['half \ud800 pair', 'half \\u{d800} pair'],
    ['back\\slash', 'back\\slash'],
  ])('%j is shown as %s', (name, shown) => {
    expect(printable(name)).toBe(shown);
  });

  test('a message keeps its line breaks and nothing else', () => {
    expect(printableLines('pg_dump: error\r\n\u001b[31mred\n')).toBe('pg_dump: error\n\\x1b[31mred');
  });
});
