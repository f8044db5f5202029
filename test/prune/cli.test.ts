/** `leoflow lite prune` as people and scripts run it. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { command, jsonLines } from '../cli/support.js';
import { leoflow, underModes } from '../support/cli.js';
import { MANIFEST, manifest } from '../support/forge/archive.js';
import { archiveOf, Backups, indexedArchive } from './support.js';

/** As the Leoflow binary has it. */
const NO_SOURCE = { ...MANIFEST, created_at: '2026-05-25T03:00:00Z', source: undefined };

let backups: Backups;
beforeEach(() => {
  backups = new Backups();
});
afterEach(() => {
  chmodSync(backups.directory, 0o755);
  backups.remove();
});

/** Runs it where file modes count, whoever we are. */
async function run(...argv: string[]) {
  const { status, stdout, stderr } = await leoflow(['lite', 'prune', backups.directory, ...argv], {
    under: underModes,
  });
  return { status, stdout: stdout.toString(), stderr };
}

test('a line per archive with the reasons, and what it comes to', async () => {
  backups.days('2026-05-20', '2026-05-27', '2026-05-28');
  backups.put('old.tar.gz', archiveOf('2024-02-29T12:30:00Z'));
  backups.put('notes.txt', 'hello');
  backups.put('newer.tar.gz', archiveOf('', 'ours', { manifest: [] }));
  const { status, stdout } = await run('--keep-last', '2', '--keep-weekly', '2', '--keep-within', '1d1h', '--dry-run');
  expect(status).toBe(0);
  expect(stdout.replace(/\d+(\.\d+)? k?B/g, 'SIZE').split('\n')).toEqual([
    '2026-05-28.tar.gz  2026-05-28 03:00:00  SIZE  keep    last 1, weekly 2026-W22, within 1d1h',
    '2026-05-27.tar.gz  2026-05-27 03:00:00  SIZE  keep    last 2, within 1d1h',
    '2026-05-20.tar.gz  2026-05-20 03:00:00  SIZE  keep    weekly 2026-W21',
    'old.tar.gz         2024-02-29 12:30:00  SIZE  remove  no rule keeps it',
    `Dry run, nothing was changed: ${backups.directory}: 3 archives (SIZE) kept, 1 archive (SIZE) removed`,
    '  untouched  newer.tar.gz: its first member has no MANIFEST.json',
    '             1 other file, too',
    '',
  ]);
  expect(backups.names()).toHaveLength(6);
  const done = await run('--keep-last', '3');
  expect(done).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`Pruned: ${backups.directory}: 3 archives`),
  });
  expect(backups.names()).not.toContain('old.tar.gz');
});

test('one that is not complete says so in its line', async () => {
  backups.put('whole.tar.gz', indexedArchive('2026-05-27T03:00:00Z'));
  backups.put('older.tar.gz', indexedArchive('2026-05-27T04:00:00Z', 7));
  backups.put('newer.tar.gz', indexedArchive('2026-05-27T05:00:00Z', 1));
  const { status, stdout } = await run('--keep-daily', '1');
  expect(status).toBe(0);
  expect(
    stdout
      .replace(/\d+(\.\d+)? k?B/g, 'SIZE')
      .split('\n')
      .slice(0, 3),
  ).toEqual([
    'newer.tar.gz  2026-05-27 05:00:00  SIZE  keep    newest; incomplete',
    'older.tar.gz  2026-05-27 04:00:00  SIZE  remove  no rule keeps it; incomplete',
    'whole.tar.gz  2026-05-27 03:00:00  SIZE  keep    daily 2026-05-27',
  ]);
});

test('archives of several installs are warned of, also with --quiet', async () => {
  const from = (hostname: string | undefined, home: string) => ({ source: { hostname, home } });
  backups.put('a.tar.gz', indexedArchive('2026-05-26T03:00:00Z', 0, from('laptop', '/home/alice/.leoflow')));
  backups.put('b.tar.gz', indexedArchive('2026-05-27T03:00:00Z', 0, from('laptop', '/home/alice/.leoflow')));
  backups.put('of-the-binary.tar.gz', archiveOf('2026-05-25T03:00:00Z', 'ours', { manifest: [manifest(NO_SOURCE)] }));
  const quiet = ['--keep-last', '9', '--quiet'];
  expect(await run(...quiet)).toEqual({ status: 0, stdout: '', stderr: '' });
  backups.put('c.tar.gz', indexedArchive('2026-05-28T03:00:00Z', 0, from('desk\u001b', '/home/alice/.leoflow')));
  backups.put('d.tar.gz', indexedArchive('2026-05-28T04:00:00Z', 0, from(undefined, '/root/.leoflow')));
  const warning = `warning: ${backups.directory} has archives of 3 installs (/root/.leoflow, /home/alice/.leoflow on desk\\x1b, /home/alice/.leoflow on laptop): the rules count them together, so that those of one make those of another go; give each a directory\n`;
  expect(await run(...quiet)).toEqual({ status: 0, stdout: '', stderr: warning });
  expect((await run('--keep-last', '9')).stdout.endsWith(warning)).toBe(true);
  const { stdout } = await run(...quiet, '--json');
  expect(jsonLines(stdout).at(-1)).toMatchObject({
    sources: [
      { hostname: null, home: '/root/.leoflow' },
      { hostname: 'desk\u001b', home: '/home/alice/.leoflow' },
      { hostname: 'laptop', home: '/home/alice/.leoflow' },
    ],
  });
});

test('--verbose names what was not touched; --quiet says nothing, but of what is damaged', async () => {
  backups.days('2026-05-26', '2026-05-27', '2026-05-28');
  backups.put('notes\u001b[31m.txt', 'hello');
  expect((await run('--keep-last', '3', '-v')).stdout).toContain(
    'untouched  notes\\x1b[31m.txt: this is not a backup archive: it is not gzip\n',
  );
  expect(await run('--keep-last', '2', '-q')).toEqual({ status: 0, stdout: '', stderr: '' });
  writeFileSync(join(backups.directory, '2026-05-28.tar.gz'), archiveOf('2026-05-28T03:00:00Z').subarray(0, -9));
  const { status, stdout, stderr } = await run('--keep-last', '1', '-q');
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  expect(stderr).toMatch(/^warning: 2026-05-28\.tar\.gz was not touched: the archive is cut off.*\n$/);
  expect(backups.names()).toHaveLength(3);
});

test('--json: a line per archive, and all of them in the result', async () => {
  backups.days('2026-05-27', '2026-05-28');
  const { status, stdout, stderr } = await run('--keep-last', '1', '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const lines = jsonLines(stdout);
  expect(lines.map(({ type }) => type)).toEqual(['phase', 'phase', 'decision', 'decision', 'result']);
  const decisions = lines.flatMap(({ type, decision }) => (type === 'decision' ? [decision] : []));
  expect(decisions).toMatchObject([
    { name: '2026-05-27.tar.gz', outcome: 'removed', reasons: [] },
    { name: '2026-05-28.tar.gz', outcome: 'kept', reasons: [{ rule: 'last', number: 1 }] },
  ]);
  expect(lines.at(-1)).toMatchObject({
    command: 'prune',
    dryRun: false,
    archives: decisions.toReversed(),
    kept: { archives: 1 },
    removed: { archives: 1 },
    status: 0,
  });
});

describe('the exit status is 1', () => {
  test.each(['0', '300'])('and nothing is removed, from a directory of mode %s', async (mode) => {
    backups.days('2026-05-27', '2026-05-28');
    chmodSync(backups.directory, Number.parseInt(mode, 8));
    const { status, stdout, stderr } = await run('--keep-last', '1', '-q');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      `error: the directory ${backups.directory}: permission denied\nhint: name the directory that the archives lie in\n`,
    );
    chmodSync(backups.directory, 0o755);
    expect(backups.names()).toHaveLength(2);
  });

  test('and nothing is removed, where the names can be read but not the files, or not one of them', async () => {
    backups.days('2026-05-26', '2026-05-27', '2026-05-28');
    chmodSync(backups.directory, 0o600);
    expect((await run('--keep-last', '1')).stderr).toContain('cannot be read: permission denied; nothing was removed');
    chmodSync(backups.directory, 0o755);
    chmodSync(backups.put('secret', ''), 0);
    const { status, stdout } = await run('--keep-last', '1', '--json');
    expect(status).toBe(1);
    expect(jsonLines(stdout).at(-1)).toMatchObject({
      type: 'error',
      error: {
        code: 'PRUNE_UNREADABLE',
        message: expect.stringContaining('/secret cannot be read: permission denied'),
      },
    });
    expect(backups.names()).toHaveLength(4);
  });

  test('where archives cannot be removed', async () => {
    backups.days('2026-05-26', '2026-05-27', '2026-05-28');
    chmodSync(backups.directory, 0o500);
    const { status, stdout, stderr } = await run('--keep-last', '1', '-q');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      'error: 2026-05-27.tar.gz cannot be removed: permission denied\n' +
        'error: 2026-05-26.tar.gz cannot be removed: permission denied\n',
    );
    const { stdout: table } = await run('--keep-last', '1');
    expect(table).toContain('FAILED  no rule keeps it, but: permission denied');
    expect(table).toMatch(/3 archives \(.*\) kept, 0 archives \(0 B\) removed/);
  });
});

describe('wrong usage removes nothing', () => {
  const RULE = "say what to keep, for example '--keep-daily 7 --keep-weekly 4'";
  const count = (name: string, value: string) => `--keep-${name} must be a whole number or 'unlimited', not '${value}'`;
  const UNITS = 'years, months, days and hours, each at most once: 1y5m7d2h, 30d';
  const span = (value: string) => `--keep-within must be a duration, not '${value}'`;
  test.each([
    [[], 'no rule says which archives to keep', RULE],
    [['--dry-run'], 'no rule says which archives to keep', RULE],
    [['--keep-last', '0'], 'these rules would keep no archive at all', RULE],
    [['--keep-daily', '0', '--keep-within', '0d'], 'these rules would keep no archive at all', RULE],
    [['--keep-last', 'x'], count('last', 'x'), null],
    [['--keep-hourly', ''], count('hourly', ''), null],
    [['--keep-daily', '-2'], count('daily', '-2'), null],
    [['--keep-weekly', '1.5'], count('weekly', '1.5'), null],
    [['--keep-within', ''], span(''), UNITS],
    [['--keep-within', '5'], span('5'), UNITS],
    [['--keep-within', '1w'], span('1w'), UNITS],
    [['--keep-within', '1d2d'], span('1d2d'), UNITS],
    [['--keep-within', '-1d'], span('-1d'), UNITS],
  ] as const)('%j', async (argv, message, hint) => {
    backups.days('2026-05-27', '2026-05-28');
    const said = await command(['lite', 'prune', backups.directory, ...argv]);
    const hintLine = hint === null ? '' : `hint: ${hint}\n`;
    expect(said).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n${hintLine}` });
    expect(backups.names()).toHaveLength(2);
  });

  test('no directory, an empty one, two', async () => {
    for (const words of [[], [''], ['a', 'b']]) {
      expect((await command(['lite', 'prune', ...words, '--keep-last', '1'])).status).toBe(2);
    }
  });

  test('unlimited and -1 keep them all', async () => {
    backups.days('2026-05-27', '2026-05-28');
    for (const all of ['unlimited', '-1']) {
      expect((await command(['lite', 'prune', backups.directory, '--keep-daily', all])).status).toBe(0);
    }
    expect(backups.names()).toHaveLength(2);
  });
});
