/** Lines that stay: what goes to which stream, and the summary word by word. */
import { describe, expect, test } from 'vitest';
import type { Failure } from '../../src/cli/exit.js';
import { PlainReporter, type PlainStyle } from '../../src/cli/reporters/plain.js';
import { createReporter, type ReportRequest } from '../../src/cli/reporters/reporter.js';
import { backupView } from '../../src/cli/views/backup.js';
import { Recorder, recordingTerminal, result, surroundings, unreadable } from './support.js';

function reporter(part: Partial<PlainStyle> = {}) {
  const messages = new Recorder();
  const summary = new Recorder();
  const style = { messages, summary, verbose: false, phases: true, progress: true, env: {}, ...part };
  return { plain: new PlainReporter(backupView, style), messages, summary };
}

const LEFT_OUT = [
  { rule: 'node_modules', directories: 3, files: 0 },
  { rule: '*.log (--exclude)', directories: 1, files: 1234 },
  { rule: '.git', directories: 0, files: 1 },
];

describe('the summary', () => {
  test('of a backup', () => {
    const { plain, messages, summary } = reporter();
    plain.done(result({ leftOut: LEFT_OUT }));
    expect(messages.text).toBe('');
    expect(summary.text).toBe(`\
Backup written: /home/alice/snap.tar.gz
  size       312 MB from 1.93 GB (6.2:1)
  workspace  /home/alice/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
  datastore  /home/alice/.leoflow/pgdata/.s.PGSQL.5432, dump of 212 MB
  leoflow    v0.0.1-prealpha.20, schema 15, PostgreSQL 16.13
  left out   node_modules       3 directories
             *.log (--exclude)  1 directory, 1,234 files
             .git               1 file
  time       8.2 s, 236 MB/s, 2 workers
`);
  });

  test('of one that lacks something', () => {
    const { plain, messages, summary } = reporter();
    plain.event({ type: 'warning', warning: unreadable('/home/alice/leoflow/secret') });
    plain.event({
      type: 'warning',
      warning: {
        code: 'special-file',
        path: '/home/alice/leoflow/fifo',
        message: 'a FIFO, skipped',
        incomplete: false,
      },
    });
    plain.done(result({ incomplete: true, warningCount: 2 }));
    expect(messages.text).toBe(
      'warning: /home/alice/leoflow/secret: cannot be read: permission denied\n' +
        'warning: /home/alice/leoflow/fifo: a FIFO, skipped\n',
    );
    const lines = summary.text.split('\n');
    expect(lines[0]).toBe('Backup written, but incomplete: /home/alice/snap.tar.gz');
    expect(lines.slice(-3)).toEqual([
      '  warnings   2',
      'Incomplete: 1 path is missing from the archive, or changed while being read.',
      '',
    ]);
  });

  test('of a stream, of a Leoflow that could not be asked, of an empty install', () => {
    const { plain, summary } = reporter();
    const { postgres_version: _, ...manifest } = { ...result().manifest, leoflow_version: 'unknown' };
    plain.done(
      result({
        path: null,
        manifest,
        size: 0,
        durationMs: 0,
        workers: 1,
        workspace: { path: '/w\n', files: 1, directories: 1, symlinks: 0, bytes: 0 },
        datastore: { source: 'somewhere', bytes: 0, cluster: 'external' },
      }),
    );
    expect(summary.text).toBe(`\
Backup written: standard output
  size       0 B from 0 B
  workspace  /w\\n: 1 file, 1 directory, 0 links, 0 B
  datastore  somewhere, dump of 0 B
  leoflow    version unknown, schema 15
  time       0.0 s, 1 worker
`);
  });

  test('lists ten rules, with --verbose all', () => {
    const leftOut = Array.from({ length: 12 }, (_, index) => ({ rule: `rule-${index}`, directories: 1, files: 0 }));
    const short = reporter();
    short.plain.done(result({ leftOut }));
    expect(short.summary.text).toContain('rule-9');
    expect(short.summary.text).not.toContain('rule-10');
    expect(short.summary.text).toContain('             and 2 more rules; --verbose lists all\n');
    const long = reporter({ verbose: true });
    long.plain.done(result({ leftOut }));
    expect(long.summary.text).toContain('rule-11  1 directory\n');
  });

  test('with --verbose has the time of each phase', () => {
    let now = 0;
    const { plain, summary } = reporter({ verbose: true, now: () => now });
    for (const [phase, at] of [
      ['prepare', 0],
      ['pack', 300],
      ['dump', 310],
      ['checksums', 7800],
      ['finish', 7810],
    ] as const) {
      now = at;
      plain.event({ type: 'phase', phase });
    }
    now = 8000;
    plain.done(result());
    expect(summary.text).toContain(
      '  time       8.2 s, 236 MB/s, 2 workers\n             prepare 0.3 s, pack and dump 7.5 s, checksums 0.0 s, finish 0.2 s\n',
    );
  });
});

describe('while it runs', () => {
  test('phases as they begin, and how far it is every ten seconds', () => {
    let now = 0;
    const { plain, messages } = reporter({ now: () => now });
    plain.event({ type: 'phase', phase: 'prepare' });
    plain.event({ type: 'phase', phase: 'pack' });
    plain.event({ type: 'phase', phase: 'dump' });
    for (now = 100; now <= 25_000; now += 100) {
      plain.event({
        type: 'progress',
        progress: { files: now, bytes: now * 1000, dumpBytes: now * 100, written: now },
      });
    }
    plain.event({ type: 'phase', phase: 'checksums' });
    plain.event({ type: 'phase', phase: 'finish' });
    expect(messages.text).toBe(`\
Preparing
Packing the workspace
Dumping the datastore
  10.0 MB, 1.10 MB/s, 10,000 files, dump 1.00 MB, 10.0 kB written
  20.0 MB, 1.10 MB/s, 20,000 files, dump 2.00 MB, 20.0 kB written
Writing the checksums
Finishing the archive
`);
  });

  test('twenty warnings, then how many more; with --verbose all', () => {
    const short = reporter();
    const long = reporter({ verbose: true });
    for (let index = 0; index < 33; index++) {
      short.plain.event({ type: 'warning', warning: unreadable(`/w/${index}`) });
      long.plain.event({ type: 'warning', warning: unreadable(`/w/${index}`) });
    }
    short.plain.done(result());
    long.plain.done(result());
    expect(short.messages.text.match(/^warning: /gm)).toHaveLength(20);
    expect(short.messages.text).toMatch(/\nand 13 more warnings; --verbose lists all\n$/);
    expect(long.messages.text.match(/^warning: /gm)).toHaveLength(33);
    expect(long.messages.text).not.toContain('more warnings');
  });

  test('a name that could steer the terminal is escaped', () => {
    const { plain, messages } = reporter();
    plain.event({ type: 'warning', warning: unreadable('/w/a\n\u001b[2Jb') });
    expect(messages.text).toBe('warning: /w/a\\n\\x1b[2Jb: cannot be read: permission denied\n');
  });
});

describe('errors', () => {
  const failure: Failure = { code: 'OUTPUT_FULL', message: 'the disk is full', hint: 'make room', status: 1 };

  test('a message, a hint, no stack', () => {
    const { plain, messages, summary } = reporter();
    plain.failed(failure);
    expect(messages.text).toBe('error: the disk is full\nhint: make room\n');
    expect(summary.text).toBe('');
  });

  test('a defect shows its stack', () => {
    const { plain, messages } = reporter();
    plain.failed({
      code: 'INTERNAL',
      message: 'oh',
      hint: 'this is a bug',
      status: 1,
      stack: 'TypeError: oh\n    at x',
    });
    expect(messages.text).toBe('error: oh\nhint: this is a bug\nTypeError: oh\n    at x\n');
  });

  test('a signal is acknowledged', async () => {
    const { plain, messages } = reporter();
    plain.stopping('SIGINT');
    expect(messages.text).toBe('SIGINT: stopping and cleaning up; once more stops at once\n');
  });
});

describe('which stream gets what', () => {
  async function rehearse(request: Partial<ReportRequest>, env: Record<string, string> = {}) {
    const around = surroundings({ env });
    const chosen = await createReporter(backupView, { progress: true, archiveOnStdout: false, ...request }, around);
    chosen.event({ type: 'phase', phase: 'pack' });
    chosen.event({ type: 'warning', warning: unreadable('/w/x') });
    chosen.done(result({ incomplete: true }), 3);
    return { stdout: around.stdout.text, stderr: around.stderr.text };
  }
  const WARNING = 'warning: /w/x: cannot be read: permission denied\n';

  test('the summary goes to stdout, the rest to stderr', async () => {
    const { stdout, stderr } = await rehearse({});
    expect(stdout).toMatch(/^Backup written, but incomplete: /);
    expect(stderr).toBe(`Packing the workspace\n${WARNING}`);
  });

  test('with the archive on stdout all of it goes to stderr', async () => {
    const { stdout, stderr } = await rehearse({ archiveOnStdout: true });
    expect(stdout).toBe('');
    expect(stderr).toContain(`${WARNING}Backup written, but incomplete: `);
  });

  test('--quiet leaves the warnings and what they amount to', async () => {
    const { stdout, stderr } = await rehearse({ quiet: true });
    expect(stdout).toBe('');
    expect(stderr).toBe(`${WARNING}Incomplete: 1 path is missing from the archive, or changed while being read.\n`);
  });

  test('FORCE_COLOR colours a stream that is no terminal, NO_COLOR wins over it', async () => {
    expect((await rehearse({}, { FORCE_COLOR: '1' })).stderr).toContain('\u001b[33mwarning:\u001b[39m /w/x');
    expect((await rehearse({}, { FORCE_COLOR: '1', NO_COLOR: '1' })).stderr).toContain(WARNING);
    expect((await rehearse({}, { FORCE_COLOR: '0' })).stderr).toContain(WARNING);
    expect((await rehearse({})).stderr).toContain(WARNING);
  });

  test('a terminal without a size, a dumb one, or --no-progress: nothing is repainted', async () => {
    const repainting = async (request: object, columns: number, env: Record<string, string> = {}) => {
      const around = surroundings({ stderr: recordingTerminal(columns), env });
      const chosen = await createReporter(backupView, { progress: true, archiveOnStdout: false, ...request }, around);
      chosen.done(result(), 0);
      return chosen.wantsTotal;
    };
    expect(await repainting({}, 80)).toBe(true);
    expect(await repainting({}, 0)).toBe(false);
    expect(await repainting({}, 80, { TERM: 'dumb' })).toBe(false);
    expect(await repainting({ progress: false }, 80)).toBe(false);
    expect(await repainting({ quiet: true }, 80)).toBe(false);
    expect(await repainting({ json: true }, 80)).toBe(false);
  });
});
