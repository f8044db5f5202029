/** What is said of a restore, word by word: the summary, the dry run, notes, refusals, and the recovery. */
import { describe, expect, test } from 'vitest';
import { describeFailure, type Failure } from '../../src/cli/exit.js';
import { createReporter, type ReportedEvent, type ReportRequest } from '../../src/cli/reporters/reporter.js';
import { recoverView } from '../../src/cli/views/recover.js';
import { restoreView } from '../../src/cli/views/restore.js';
import { type RestorePhase, type RestoreResult, SnapshotError } from '../../src/index.js';
import { jsonLines, restored, surroundings } from './support.js';

/** What a restore prints that tells these events and ends so. */
async function told(
  end: RestoreResult | Failure,
  request: Partial<ReportRequest> = {},
  events: readonly ReportedEvent<RestorePhase>[] = [],
) {
  const around = surroundings();
  const dryRun = 'dryRun' in end && end.dryRun;
  const reporter = await createReporter(restoreView({ dryRun }), { progress: true, ...request }, around);
  for (const event of events) reporter.event(event);
  if ('code' in end) reporter.failed(end);
  else reporter.done(end, 0);
  return { stdout: around.stdout.text, stderr: around.stderr.text };
}

const PREVIOUS = [
  { what: '/home/bob/leoflow', where: '/home/bob/leoflow.before-restore-2026-06-01T080000Z' },
  { what: 'database leoflow_dev', where: 'database leoflow_dev_before_restore_2026_06_01t080000z' },
];
const NOTE = { type: 'note', message: 'an earlier restore was undone first' } as const;
const PHASES: ReportedEvent<RestorePhase>[] = [
  { type: 'phase', phase: 'judge' },
  NOTE,
  { type: 'phase', phase: 'stage' },
  { type: 'phase', phase: 'commit' },
  { type: 'phase', phase: 'finish' },
];

describe('the summary', () => {
  test('of a restore to a new machine', async () => {
    const parser = 'env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser';
    const moved = {
      file: 'config.yaml',
      key: 'parser_cmd',
      from: parser,
      to: parser.replace('alice', 'bob'),
    } as const;
    const added = { file: 'setup.json', key: 'arch', from: '', to: 'arm64' } as const;
    const result = restored();
    const { stdout, stderr } = await told({ ...result, changes: [...result.changes, moved, added] });
    expect(stderr).toBe('');
    expect(stdout).toBe(`\
Restored: /home/bob/.leoflow
  archive    Leoflow v0.0.1-prealpha.20, schema 15, PostgreSQL 16.13
             backed up 2026-05-28 14:30:45 UTC
  config     /home/bob/.leoflow: config.yaml, setup.json
  adapted    config.yaml: workspace /home/alice/leoflow → /home/bob/leoflow
             config.yaml: parser_cmd env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser
               → env PYTHONPATH=/home/bob/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser
             setup.json: arch (none) → arm64
  workspace  /home/bob/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
  datastore  /home/bob/.leoflow/pgdata/.s.PGSQL.5432, dump of 212 MB
             it did not exist, and was made
  time       8.2 s, 236 MB/s, 2 workers
Start it: leoflow lite
`);
  });

  test('of a restore in place of an install: where that lies, and what frees its space', async () => {
    const result = restored({ changes: [], previous: PREVIOUS, carriedOver: 3 });
    if (result.datastore !== null) result.datastore.cluster = 'running';
    const { stdout } = await told(result);
    expect(stdout).toContain(`
  workspace  /home/bob/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
             carried over from the previous one: 3 directories (.git, .venv …)
  datastore  /home/bob/.leoflow/pgdata/.s.PGSQL.5432, dump of 212 MB
  previous   /home/bob/leoflow.before-restore-2026-06-01T080000Z
             database leoflow_dev_before_restore_2026_06_01t080000z
  time       8.2 s, 236 MB/s, 2 workers
Stop Leoflow where it runs, and start it again: leoflow lite
What was replaced is kept as listed; removing it frees the space (--discard-previous does so at once).
`);
    expect(stdout).not.toContain('adapted');
  });

  test('of an archive that is incomplete', async () => {
    const { stdout } = await told(restored({ incomplete: 2, carriedOver: 1 }));
    expect(stdout).toContain(`
  workspace  /home/bob/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
             incomplete, as it was backed up: 2 paths are missing from the archive, or changed while being read
             carried over from the previous one: 1 directory (.git, .venv …)
`);
  });

  test('of one that has removed what it replaced', async () => {
    const { stdout } = await told(restored({ discarded: ['/home/bob/leoflow', 'database leoflow_dev'] }));
    expect(stdout).toContain(`
  removed    /home/bob/leoflow
             database leoflow_dev
  time       8.2 s`);
    expect(stdout).not.toContain('is kept');
  });

  test('of a dry run of one that would remove it', async () => {
    const { stdout } = await told(restored({ dryRun: true, discarded: ['/home/bob/leoflow'] }));
    expect(stdout).toContain('\n  removes    /home/bob/leoflow\n');
    expect(stdout).not.toContain('replaces');
  });

  test.each([
    ['running', [], 'Stop Leoflow where it runs, and start it again: '],
    ['started', ['it was not running, and was started for the restore only'], 'Start it: '],
    ['provisioned', ['it did not exist, and was made'], 'Start it: '],
    ['external', [], 'Where Leoflow runs on this datastore, start it again.'],
  ] as const)('of a datastore that is %s', async (cluster, more, start) => {
    const { stdout } = await told(restored({ datastore: { source: 'db', bytes: 1000, cluster, inPlace: false } }));
    const lines = ['  datastore  db, dump of 1.00 kB', ...more.map((text) => `             ${text}`), '  time '];
    expect(stdout).toContain(lines.join('\n'));
    expect(stdout).toContain(`\n${start}${cluster === 'external' ? '' : 'leoflow lite'}\n`);
  });

  test('of an archive without a setup.json', async () => {
    const { stdout } = await told(restored({ config: ['config.yaml'] }));
    expect(stdout).toContain('\n  config     /home/bob/.leoflow: config.yaml\n');
  });

  test.each([
    ['/srv/leoflow', '/srv/leoflow'],
    ["/srv/bob's flows", "'/srv/bob'\\''s flows'"],
  ])('of a restore to a home that was named: %s', async (home, word) => {
    const around = surroundings();
    const reporter = await createReporter(restoreView({ dryRun: false, home }), { progress: true }, around);
    reporter.done(restored(), 0);
    expect(around.stdout.text).toMatch(/\nStart it: .*\n$/);
    expect(around.stdout.text).toContain(`: leoflow lite --home ${word}\n`);
  });

  test('of a database that could only be replaced in place', async () => {
    const { stdout } = await told(
      restored({ datastore: { source: 'db', bytes: 0, cluster: 'external', inPlace: true } }),
    );
    expect(stdout).toContain(
      '\n             its role may not create databases: the content of the live one was replaced, and is not kept\n',
    );
  });

  test('of one part', async () => {
    const { stdout } = await told(
      restored({ parts: ['workspace'], config: [], datastore: null, changes: [], durationMs: 0 }),
    );
    expect(stdout).toBe(`\
Restored: /home/bob/.leoflow
  archive    Leoflow v0.0.1-prealpha.20, schema 15, PostgreSQL 16.13
             backed up 2026-05-28 14:30:45 UTC
  workspace  /home/bob/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
  untouched  config, datastore
  time       0.0 s, 2 workers
Start it, or where it runs, start it again: leoflow lite
`);
  });

  test('with --verbose has the time of each phase', async () => {
    const { stdout } = await told(restored(), { verbose: true }, PHASES);
    expect(stdout).toMatch(/^ {13}judge 0\.0 s, stage 0\.0 s, commit 0\.0 s, finish 0\.0 s$/m);
  });

  test('nothing an archive says can steer the terminal', async () => {
    const { manifest } = restored();
    const { stdout } = await told(
      restored({
        manifest: { ...manifest, leoflow_version: '\u001b[2J', created_at: 'now\u0007' },
        changes: [{ file: 'config.yaml', key: 'workspace', from: '/a\u001b[1m', to: '/b\u202e' }],
      }),
    );
    expect(stdout).toContain('Leoflow \\x1b[2J, schema 15');
    expect(stdout).toContain('backed up now\\x07\n');
    expect(stdout).toContain('workspace /a\\x1b[1m → /b\\u{202e}\n');
  });
});

describe('a dry run', () => {
  const dry = restored({
    dryRun: true,
    durationMs: 4000,
    previous: [{ what: '/home/bob/leoflow', where: '/home/bob/leoflow' }],
  });

  test('says that nothing was changed, and what would happen', async () => {
    expect(await told(dry, {}, PHASES.slice(0, 3))).toEqual({
      stderr: 'Judging the archive\nnote: an earlier restore was undone first\nChecking the archive\n',
      stdout: `\
Dry run, nothing was changed: the archive is whole, and a restore to /home/bob/.leoflow would do this
  archive    Leoflow v0.0.1-prealpha.20, schema 15, PostgreSQL 16.13
             backed up 2026-05-28 14:30:45 UTC
  config     /home/bob/.leoflow: config.yaml, setup.json
  adapted    config.yaml: workspace /home/alice/leoflow → /home/bob/leoflow
  workspace  /home/bob/leoflow: 50,120 files, 3,210 directories, 1 link, 1.72 GB
  datastore  /home/bob/.leoflow/pgdata/.s.PGSQL.5432, dump of 212 MB
             it does not exist, and would be made
  replaces   /home/bob/leoflow
  time       4.0 s, 483 MB/s, 2 workers
`,
    });
  });

  test('in JSON says so, too', async () => {
    expect(jsonLines((await told(dry, { json: true })).stdout)).toEqual([
      { type: 'result', format: 1, command: 'restore', ...dry, status: 0 },
    ]);
  });
});

describe('while it runs', () => {
  test('phases and notes, as lines', async () => {
    expect((await told(restored(), {}, PHASES)).stderr).toBe(
      'Judging the archive\nnote: an earlier restore was undone first\nStaging the archive\nPutting it in place\nCleaning up\n',
    );
  });

  test('with --quiet nothing at all', async () => {
    expect(await told(restored({ previous: PREVIOUS }), { quiet: true }, PHASES)).toEqual({ stdout: '', stderr: '' });
  });

  test('in JSON as they are; with --quiet only the result', async () => {
    const { stdout, stderr } = await told(restored(), { json: true }, PHASES);
    expect(stderr).toBe('');
    expect(jsonLines(stdout)).toEqual([
      ...PHASES,
      { type: 'result', format: 1, command: 'restore', ...restored(), status: 0 },
    ]);
    expect(jsonLines((await told(restored(), { json: true, quiet: true }, PHASES)).stdout)).toMatchObject([
      { type: 'result' },
    ]);
  });

  test('a note cannot steer the terminal', async () => {
    const { stderr } = await told(restored(), {}, [{ type: 'note', message: 'odd \u001b[2J' }]);
    expect(stderr).toBe('note: odd \\x1b[2J\n');
  });
});

describe('a refusal', () => {
  const refused = describeFailure(
    new SnapshotError('SCHEMA_TOO_NEW', 'the archive has schema version 30', { hint: 'upgrade Leoflow' }),
  );

  test('is an error with a hint, and status 4', async () => {
    expect(refused.status).toBe(4);
    expect(await told(refused)).toEqual({
      stdout: '',
      stderr: 'error: the archive has schema version 30\nhint: upgrade Leoflow\n',
    });
  });

  test('in JSON has its code', async () => {
    expect(jsonLines((await told(refused, { json: true })).stdout)).toEqual([
      {
        type: 'error',
        format: 1,
        error: { code: 'SCHEMA_TOO_NEW', message: 'the archive has schema version 30', hint: 'upgrade Leoflow' },
        status: 4,
      },
    ]);
  });

  test.each([
    'INSTALL_EXISTS',
    'MANIFEST_MISSING',
    'MANIFEST_INVALID',
    'MANIFEST_VERSION',
    'ARCHIVE_UNSAFE',
    'REPLAY_UNSAFE',
    'SERVER_TOO_OLD',
    'DATASTORE_BUSY',
    'WORKSPACE_UNSAFE',
    'RECOVERY_NEEDED',
  ] as const)('%s is one, too', (code) => {
    expect(describeFailure(new SnapshotError(code, 'no'))).toMatchObject({ code, status: 4 });
  });
});

describe('a recovery', () => {
  test.each([
    ['finished', 'Recovered: the restore to /home/bob/.leoflow is finished\n'],
    ['undone', 'Recovered: the restore to /home/bob/.leoflow is undone, everything is as it was before\n'],
  ] as const)('%s says so in one line', async (outcome, line) => {
    const result = { outcome, home: '/home/bob/.leoflow', durationMs: 12 };
    const text = surroundings();
    (await createReporter(recoverView, { progress: true }, text)).done(result, 0);
    expect({ stdout: text.stdout.text, stderr: text.stderr.text }).toEqual({ stdout: line, stderr: '' });
    const json = surroundings();
    (await createReporter(recoverView, { progress: true, json: true }, json)).done(result, 0);
    expect(jsonLines(json.stdout.text)).toEqual([
      { type: 'result', format: 1, command: 'recover', ...result, status: 0 },
    ]);
  });
});
