/** Every kind of error has its exit status. */
import { describe, expect, test } from 'vitest';
import { describeFailure, UsageError } from '../../src/cli/exit.js';
import { SnapshotError } from '../../src/index.js';

describe('exit statuses', () => {
  test('failed is 1, with the message and the hint of the engine', () => {
    const error = new SnapshotError('OUTPUT_FULL', 'the disk is full', { hint: 'make room' });
    expect(describeFailure(error)).toEqual({
      code: 'OUTPUT_FULL',
      message: 'the disk is full',
      hint: 'make room',
      status: 1,
    });
  });

  test('wrong usage is 2, whether the command line or the engine finds it', () => {
    expect(describeFailure(new UsageError('no'))).toEqual({ code: 'USAGE', message: 'no', hint: null, status: 2 });
    expect(describeFailure(new SnapshotError('DSN_INVALID', 'not a URL'))).toMatchObject({ status: 2 });
  });

  test('refused is 4', () => {
    const refused = Object.defineProperty(new SnapshotError('USAGE', 'unsafe'), 'kind', { value: 'refused' });
    expect(describeFailure(refused)).toMatchObject({ status: 4 });
  });

  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s is %d', (signal, status) => {
    const expected = { code: 'INTERRUPTED', message: `interrupted by ${signal}`, hint: null, status };
    expect(describeFailure(new SnapshotError('INTERRUPTED', 'interrupted'), signal)).toEqual(expected);
  });

  test('what fails after a signal, but not because of it, is told as it is', () => {
    const error = new SnapshotError('RECOVERY_FAILED', 'it lies there');
    const expected = { code: 'RECOVERY_FAILED', message: 'it lies there', hint: null, status: 1 };
    expect(describeFailure(error, 'SIGINT')).toEqual(expected);
  });

  test('a defect of the program is 1, says so, and shows where', () => {
    const failure = describeFailure(new TypeError('x is undefined'));
    expect(failure).toMatchObject({
      code: 'INTERNAL',
      message: 'x is undefined',
      hint: 'this is a bug in leoflow-snapshot; please report it with the lines below',
      status: 1,
    });
    expect(failure.stack).toContain('exit.test.ts');
    expect(describeFailure('a string')).toMatchObject({ code: 'INTERNAL', message: 'a string', status: 1 });
  });
});
