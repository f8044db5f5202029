/** JSON lines: events as they are, one last object. */
import { describe, expect, test } from 'vitest';
import { JsonReporter } from '../../src/cli/reporters/json.js';
import { createReporter } from '../../src/cli/reporters/reporter.js';
import { backupView } from '../../src/cli/views/backup.js';
import { expectDocumented } from '../support/json-lines.js';
import { jsonLines, Recorder, result, surroundings, unreadable } from './support.js';

const progress = (files: number) => ({ files, bytes: files, dumpBytes: 0, written: 0 });

describe('while it runs', () => {
  test('phases and warnings at once, progress at most once a second', () => {
    let now = 0;
    const stream = new Recorder();
    const reporter = new JsonReporter(backupView, stream, { steps: true, progress: true }, () => now);
    reporter.event({ type: 'phase', phase: 'pack' });
    for (now = 0; now < 2500; now += 10) reporter.event({ type: 'progress', progress: progress(now) });
    reporter.event({ type: 'warning', warning: unreadable('/w/a\n\u001b') });
    expectDocumented(stream.text, false);
    expect(jsonLines(stream.text)).toEqual([
      { type: 'phase', phase: 'pack' },
      { type: 'progress', progress: progress(1000) },
      { type: 'progress', progress: progress(2000) },
      { type: 'warning', warning: unreadable('/w/a\n\u001b') },
    ]);
  });

  test('every warning is there, however many', () => {
    const stream = new Recorder();
    const reporter = new JsonReporter(backupView, stream, { steps: false, progress: false });
    for (let index = 0; index < 500; index++) reporter.event({ type: 'warning', warning: unreadable(`/w/${index}`) });
    expect(jsonLines(stream.text)).toHaveLength(500);
  });
});

describe('the last line', () => {
  test('is the result with the status', () => {
    const stream = new Recorder();
    new JsonReporter(backupView, stream, { steps: true, progress: true }).done(result({ incomplete: true }), 3);
    expect(jsonLines(stream.text)).toEqual([
      { type: 'result', format: 1, command: 'backup', ...result({ incomplete: true }), status: 3 },
    ]);
  });

  test('or the error; a hint that is not there is null', async () => {
    const stream = new Recorder();
    const reporter = new JsonReporter(backupView, stream, { steps: true, progress: true });
    reporter.failed({ code: 'OUTPUT_FULL', message: 'the disk is full', hint: null, status: 1 });
    expect(jsonLines(stream.text)).toEqual([
      { type: 'error', format: 1, error: { code: 'OUTPUT_FULL', message: 'the disk is full', hint: null }, status: 1 },
    ]);
  });
});

describe('flags', () => {
  async function rehearse(request: { quiet?: true; progress?: boolean; archiveOnStdout?: boolean }) {
    const around = surroundings();
    const reporter = await createReporter(
      backupView,
      { json: true, progress: true, archiveOnStdout: false, ...request },
      around,
    );
    reporter.event({ type: 'phase', phase: 'pack' });
    reporter.event({ type: 'warning', warning: unreadable('/w/x') });
    reporter.stopping('SIGINT');
    reporter.done(result(), 0);
    return { stdout: around.stdout.text, stderr: around.stderr.text };
  }
  const types = (text: string) => jsonLines(text).map((line) => line.type);

  test('nothing else is printed, on either stream', async () => {
    const { stdout, stderr } = await rehearse({});
    expect(types(stdout)).toEqual(['phase', 'warning', 'result']);
    expect(stderr).toBe('');
  });

  test('--quiet leaves warnings and the result', async () => {
    expect(types((await rehearse({ quiet: true })).stdout)).toEqual(['warning', 'result']);
  });

  test('with the archive on stdout the lines go to stderr', async () => {
    const { stdout, stderr } = await rehearse({ archiveOnStdout: true });
    expect(stdout).toBe('');
    expect(types(stderr)).toEqual(['phase', 'warning', 'result']);
  });
});
