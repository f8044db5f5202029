/** `--start-datastore`: a datastore that does not run is started for the backup, and stopped again, whatever happens; nobody else's is touched. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { lockInstall } from '../../src/engine/install-lock.js';
import { programs } from '../datastore/fixtures.js';
import { readArchive } from '../support/archive.js';
import { backup, leoflow, processesOf, type Running, until } from '../support/cli.js';
import { failingBackup, startBackup, told } from '../support/failures.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { Machines } from '../support/machine.js';
import { plainEnvironment, postgresBin, serverAccount } from '../support/postgres.js';
import { isRoot, put } from '../support/tree.js';

let install: TestInstall;
/** A directory in which every account may leave a mark. */
let marks: string;

beforeAll(async () => {
  install = await createInstall();
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
  await install.cluster.stop();
  marks = join(install.base, 'marks');
  mkdirSync(marks);
  chmodSync(marks, 0o777);
});
afterAll(() => install?.remove());
afterEach(async () => {
  for (const file of readdirSync(marks)) rmSync(join(marks, file));
  for (const file of install.left()) rmSync(join(install.out, file));
  await install.cluster.stop();
});

const START = ['--start-datastore'];

/** PostgreSQL's programs, of which some are ours; the server's account can run them, too. */
async function bin(scripts: Record<string, string>): Promise<string[]> {
  const directory = await programs(install.base, scripts);
  chmodSync(directory, 0o755);
  return ['--pg-bin', directory];
}
const mark = (name: string) => join(marks, name);
/** A pg_dump that says that it is there, and then takes as long as the mark `go` is missing. */
const slowDump = (name = 'dumps') =>
  `if [ "$1" = --version ]; then exec "$REAL/pg_dump" --version; fi\n: > '${mark(name)}'\nwhile [ ! -e '${mark('go')}' ]; do sleep 0.05; done\nexec "$REAL/pg_dump" "$@"`;
/** A pg_ctl that does something else before it starts or stops a server. */
const ctl = (action: 'start' | 'stop', script: string) =>
  `case "$*" in *" ${action}") ${script};; esac\nexec "$REAL/pg_ctl" "$@"`;

/** It is as before: no server, no mark beside the home, no child. */
async function expectAsBefore(): Promise<void> {
  expect(await install.cluster.pid()).toBeUndefined();
  expect(readdirSync(install.base).filter((name) => name.endsWith('.partial'))).toEqual([]);
  expect(processesOf(install.base)).toEqual([]);
}

const events = (stdout: Buffer) =>
  stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const notes = (stdout: Buffer) => events(stdout).flatMap(({ type, message }) => (type === 'note' ? [message] : []));
const cluster = (stdout: Buffer) => (events(stdout).at(-1)?.datastore as { cluster: string } | undefined)?.cluster;

describe('a datastore that does not run', () => {
  test('is started for the dump, as the owner of its files, and stopped again', async () => {
    const run = startBackup(install, [...START, ...(await bin({ pg_dump: slowDump() }))]);
    await run.reached(() => existsSync(mark('dumps')), 'the dump');
    const pid = await install.cluster.pid();
    const account = serverAccount()?.uid ?? process.getuid?.();
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(new RegExp(`^Uid:\\s+${account}\\s`, 'm'));
    writeFileSync(mark('go'), '');
    const { status, stdout, stderr } = await run.ended;
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('note: the datastore was not running: it is started for this backup only\n'),
    });
    expect(stdout.toString()).toMatch(/dump of .*\n +it was not running, and was started for the backup only\n/);
    expect(
      readArchive(install.archive)
        .find(({ name }) => name === 'datastore.sql')
        ?.content.toString(),
    ).toContain('CREATE TABLE public.dag');
    await expectAsBefore();
  });

  test('silently with --quiet; in JSON the result says so', async () => {
    expect(await startBackup(install, [...START, '--quiet']).ended).toMatchObject({ status: 0, stderr: '' });
    const { status, stdout } = await startBackup(install, [...START, '--json']).ended;
    expect({ status, cluster: cluster(stdout) }).toEqual({ status: 0, cluster: 'started' });
    await expectAsBefore();
  });

  test('is stopped when it comes up, but pg_ctl has given up waiting for it', async () => {
    const argv = [...START, ...(await bin({ pg_ctl: ctl('start', '"$REAL/pg_ctl" "$@"; exit 1') }))];
    expect(await failingBackup(install, argv)).toMatchObject({
      status: 1,
      error: expect.stringContaining('does not start'),
    });
    await expectAsBefore();
  });

  test('is stopped when the dump fails', async () => {
    const argv = [
      ...START,
      ...(await bin({ pg_dump: 'if [ "$1" = --version ]; then exec "$REAL/pg_dump" --version; fi; exit 7' })),
    ];
    expect(await failingBackup(install, argv)).toMatchObject({
      status: 1,
      error: expect.stringContaining('exit status 7'),
    });
    await expectAsBefore();
  });

  test('is stopped when the archive cannot be written', async () => {
    const { status, error } = told(
      await leoflow(['lite', 'backup', '--home', install.home, ...START, '-o', '/nonexistent/x.tar.gz']),
    );
    expect({ status, error }).toMatchObject({ status: 1, error: expect.stringContaining('/nonexistent') });
    await expectAsBefore();
  });

  test('is stopped when it is dumped, before the archive is finished', async () => {
    const ran: boolean[] = [];
    await backup({
      home: install.home,
      output: install.archive,
      startDatastore: true,
      onEvent: (event) => {
        if (event.type === 'phase') ran.push(existsSync(join(install.home, 'pgdata', 'postmaster.pid')));
      },
    });
    // prepare, pack, dump, checksums, finish
    expect(ran).toEqual([false, true, false, false, false]);
    await expectAsBefore();
  });
});

describe('interrupted', () => {
  const cases: [NodeJS.Signals, number][] = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ];
  const phases: [string, () => Promise<string[]>][] = [
    ['while it starts', () => bin({ pg_ctl: ctl('start', `: > '${mark('here')}'; sleep 1`) })],
    ['while it is dumped', () => bin({ pg_dump: slowDump('here') })],
    ['while it stops', () => bin({ pg_ctl: ctl('stop', `: > '${mark('here')}'; sleep 1`) })],
  ];
  describe.each(cases)('by %s', (signal, status) => {
    test.each(phases)('%s, it is stopped', async (_when, programsOf) => {
      const run = startBackup(install, [...START, ...(await programsOf())]);
      await run.reached(() => existsSync(mark('here')), 'that moment');
      run.child.kill(signal);
      expect(told(await run.ended)).toMatchObject({ status, error: `interrupted by ${signal}` });
      expect(install.left()).toEqual([]);
      await expectAsBefore();
    });
  });
});

describe('killed', () => {
  async function kill(run: Running): Promise<void> {
    await run.reached(() => existsSync(mark('dumps')), 'the dump');
    run.child.kill('SIGKILL');
    await run.ended;
    writeFileSync(mark('go'), '');
    await until(() => processesOf(install.base).length === 0, 'its pg_dump to end');
    expect(await install.cluster.pid()).toBeDefined();
  }

  test('it leaves the datastore running; the next one uses it, and stops it', async () => {
    await kill(startBackup(install, [...START, ...(await bin({ pg_dump: slowDump() }))]));
    const next = await startBackup(install, [...START, '--json']).ended;
    expect({ status: next.status, cluster: cluster(next.stdout), notes: notes(next.stdout) }).toEqual({
      status: 0,
      cluster: 'running',
      notes: [],
    });
    expect(install.left()).toEqual(['snap.tar.gz']);
    await expectAsBefore();
  });

  test('one without the option uses it, and lets it run', async () => {
    await kill(startBackup(install, [...START, ...(await bin({ pg_dump: slowDump() }))]));
    expect(await startBackup(install).ended).toMatchObject({ status: 0 });
    expect(await install.cluster.pid()).toBeDefined();
    expect(await startBackup(install, START).ended).toMatchObject({ status: 0 });
    await expectAsBefore();
  });

  test('while the server starts, too', async () => {
    const argv = await bin({ pg_ctl: ctl('start', `: > '${mark('dumps')}'`) });
    const run = startBackup(install, [...START, ...argv]);
    await run.reached(() => existsSync(mark('dumps')), 'the start');
    run.child.kill('SIGKILL');
    await run.ended;
    await until(async () => (await install.cluster.pid()) !== undefined, 'the server to come up by itself');
    await until(() => existsSync(join(install.home, 'pgdata', '.s.PGSQL.5432')), 'its socket');
    expect(await startBackup(install, START).ended).toMatchObject({ status: 0 });
    await expectAsBefore();
  });
});

describe('others', () => {
  test('that runs already is used, and runs on', async () => {
    await install.cluster.start();
    const pid = await install.cluster.pid();
    const { status, stdout } = await startBackup(install, [...START, '--json']).ended;
    expect({ status, cluster: cluster(stdout), notes: notes(stdout) }).toEqual({
      status: 0,
      cluster: 'running',
      notes: [],
    });
    expect(await install.cluster.pid()).toBe(pid);
  });

  test('several that begin at once all succeed, and the last one stops it', async () => {
    const pgBin = await bin({ pg_dump: slowDump() });
    const output = (name: string) => ['-o', join(install.out, name)];
    const runs = [
      startBackup(install, [...START, ...output('1'), ...pgBin]),
      startBackup(install, [...START, ...output('2')]),
      startBackup(install, [...START, ...output('3')]),
    ];
    await Promise.all([runs[1]?.ended, runs[2]?.ended]);
    expect(await install.cluster.pid()).toBeDefined();
    writeFileSync(mark('go'), '');
    const ended = await Promise.all(runs.map((run) => run.ended));
    expect(ended.map(({ status, stderr }) => [status, /^error/m.test(stderr)])).toEqual(runs.map(() => [0, false]));
    await expectAsBefore();
  });

  test('three in one process', async () => {
    const options = { home: install.home, startDatastore: true, workers: 1 };
    const results = await Promise.all(
      ['a', 'b', 'c'].map((name) => backup({ ...options, output: join(install.out, name) })),
    );
    expect(results.map(({ datastore }) => datastore.cluster).sort()).toEqual(['running', 'running', 'started']);
    await expectAsBefore();
  });

  test('a session that has come meanwhile keeps it running, and the next backup stops it', async () => {
    const run = startBackup(install, [...START, '--json', ...(await bin({ pg_dump: slowDump() }))]);
    await run.reached(() => existsSync(mark('dumps')), 'the dump');
    const psql = spawn(join(postgresBin(), 'psql'), ['-XAtq', '-d', install.cluster.url], {
      env: { ...plainEnvironment(), PGAPPNAME: 'leoflow-scheduler' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    psql.stdin.write('SELECT 1;\n');
    await once(psql.stdout, 'data');
    writeFileSync(mark('go'), '');
    const { status, stdout } = await run.ended;
    expect({ status, notes: notes(stdout) }).toEqual({
      status: 0,
      notes: [
        'the datastore was not running: it is started for this backup only',
        expect.stringMatching(
          /^the datastore that was started for a backup is left running: leoflow-scheduler of leoflow \(pid \d+\) uses it$/,
        ),
      ],
    });
    expect(await install.cluster.psql('SELECT 1')).toBe('1');
    psql.stdin.end();
    await once(psql, 'close');
    expect(await startBackup(install, START).ended).toMatchObject({ status: 0 });
    await expectAsBefore();
  });

  test('Leoflow Lite that is started meanwhile takes it over; in the moment of its start or its stop it waits', async () => {
    const machines = new Machines();
    try {
      const machine = machines.make('m');
      await machine.sh('leoflow setup');
      const unlock = await lockInstall(machine.home, 'switch');
      const first = machine.start('exec leoflow lite');
      await until(
        () => readdirSync(machine.user).some((name) => name.includes('.lite.')),
        'Lite to say that it is there',
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(existsSync(join(machine.home, 'pgdata'))).toBe(false);
      await unlock();
      await until(() => first.said().includes('Ctrl-C stops it'), 'the datastore to run');
      first.child.kill('SIGINT');
      await first.ended;
      const pgBin = join(machines.base, 'slow');
      const dump = `#!/bin/sh\nif [ "$1" != --version ]; then : > "$HOME/dumps"; while [ ! -e "$HOME/go" ]; do sleep 0.05; done; fi\nexec '${postgresBin()}/pg_dump' "$@"\n`;
      put(join(pgBin, 'pg_dump'), dump);
      put(join(pgBin, 'psql'), `#!/bin/sh\nexec '${postgresBin()}/psql' "$@"\n`);
      for (const name of ['pg_dump', 'psql']) chmodSync(join(pgBin, name), 0o755);
      const run = machine.start(`leoflow lite backup --start-datastore --json --pg-bin '${pgBin}' -o snap.tar.gz`);
      await until(() => existsSync(join(machine.user, 'dumps')), 'the dump');
      const pid = await machine.serverPid();
      const lite = await machine.lite();
      expect(await machine.serverPid()).toBe(pid);
      await machine.sh('touch go');
      const { status, stdout } = await run.ended;
      expect({ status, notes: notes(Buffer.from(stdout)).at(-1) }).toEqual({
        status: 0,
        notes: `the datastore that was started for a backup is left running: \`leoflow lite\` (process ${lite.child.pid}) uses it`,
      });
      expect(await machine.psql('SELECT 1')).toBe('1');
      lite.child.kill('SIGINT');
      expect(await lite.ended).toMatchObject({ status: 0 });
      expect(await machine.serverPid()).toBeUndefined();
    } finally {
      await machines.remove();
    }
  });
});

test('one that cannot be asked who uses it is left running, and the next backup stops it', async () => {
  await install.cluster.start();
  await install.cluster.psql('ALTER DATABASE template1 ALLOW_CONNECTIONS false', 'postgres');
  await install.cluster.stop();
  const { status, stdout } = await startBackup(install, [...START, '--json']).ended;
  expect({ status, notes: notes(stdout) }).toEqual({
    status: 0,
    notes: [
      'the datastore was not running: it is started for this backup only',
      expect.stringMatching(
        /^the datastore that was started for a backup is left running: whether anybody uses it cannot be told: .*"template1" is not currently accepting connections$/,
      ),
    ],
  });
  await install.cluster.psql('ALTER DATABASE template1 ALLOW_CONNECTIONS true', 'postgres');
  expect(await startBackup(install, START).ended).toMatchObject({ status: 0 });
  await expectAsBefore();
});

describe('where it cannot be started', () => {
  test('a home without one', async () => {
    const { home } = install.another();
    const { status, error, hint } = await failingBackup(install, [...START, '--home', home]);
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `the datastore is not running, and there is none in ${join(home, 'pgdata')} that could be started`,
      hint: 'run `leoflow lite` once to have one made, or name another one with --dsn',
    });
    expect(readdirSync(home).sort()).toEqual(['config.yaml', 'setup.json']);
  });

  test('a server of that release is not installed', async () => {
    const version = join(install.home, 'pgdata', 'PG_VERSION');
    const before = readFileSync(version);
    writeFileSync(version, '9\n');
    try {
      const { status, error, hint } = await failingBackup(install, START);
      expect({ status, error }).toEqual({
        status: 1,
        error: `the datastore in ${join(install.home, 'pgdata')} needs PostgreSQL 9, which is not there`,
      });
      expect(hint).toMatch(/^run `leoflow setup`, or install PostgreSQL 9 /);
    } finally {
      writeFileSync(version, before);
    }
    await expectAsBefore();
  });

  test('it does not come up', async () => {
    const config = join(install.home, 'pgdata', 'postgresql.auto.conf');
    const before = readFileSync(config);
    writeFileSync(config, 'no_such_setting = 1\n');
    try {
      const { status, error, hint } = await failingBackup(install, START);
      expect({ status, error }).toMatchObject({ status: 1, error: expect.stringContaining('no_such_setting') });
      expect(hint).toBe(`look into ${join(install.home, 'dev', 'postgres.log')}`);
    } finally {
      writeFileSync(config, before);
    }
    await expectAsBefore();
  });

  if (isRoot)
    test('root’s own, as PostgreSQL refuses root', async () => {
      const pgdata = join(install.home, 'pgdata');
      chownSync(pgdata, 0, 0);
      try {
        expect(await failingBackup(install, START)).toMatchObject({
          status: 1,
          error: `PostgreSQL refuses to run as root, and ${pgdata} belongs to root`,
        });
      } finally {
        chownSync(pgdata, serverAccount()?.uid ?? 0, serverAccount()?.gid ?? 0);
      }
      await expectAsBefore();
    });

  test('a restore that was broken off has neither been finished nor undone', async () => {
    const journal = `${install.home}.restore-journal.json`;
    writeFileSync(
      journal,
      JSON.stringify({ version: 1, state: 'committing', renames: [], carried: [], started: '2026-05-28T14:30:45Z' }),
    );
    try {
      expect(await failingBackup(install, START)).toMatchObject({ status: 4 });
    } finally {
      rmSync(journal);
    }
    await expectAsBefore();
  });
});

test('one that cannot be stopped is a warning, and the archive is kept', async () => {
  const pgdata = join(install.home, 'pgdata');
  const argv = await bin({ pg_ctl: ctl('stop', 'echo "pg_ctl: it does not want to" >&2; exit 1') });
  const { status, stdout } = await startBackup(install, [...START, '--json', ...argv]).ended;
  expect(status).toBe(0);
  const warning = {
    code: 'still-running',
    path: pgdata,
    message: `the datastore that was started for a backup still runs: the datastore in ${pgdata} does not stop: pg_ctl: it does not want to`,
    incomplete: false,
  };
  expect(events(stdout).find(({ type }) => type === 'warning')).toEqual({ type: 'warning', warning });
  expect(events(stdout).at(-1)).toMatchObject({ warningCount: 1, warnings: [warning], incomplete: false });
  expect(install.left()).toEqual(['snap.tar.gz']);
  expect(await install.cluster.pid()).toBeDefined();
});

describe('together with an address', () => {
  test('on the command line, in the environment, in the library', async () => {
    const dsn = install.cluster.url;
    expect(told(await leoflow(['lite', 'backup', '--home', install.home, ...START, '--dsn', dsn]))).toMatchObject({
      status: 2,
      error: "option '--start-datastore' cannot be used with option '--dsn <url>'",
    });
    const env = { LEOFLOW_DATABASE_URL: dsn };
    expect(told(await leoflow(['lite', 'backup', '--home', install.home, ...START], { env }))).toMatchObject({
      status: 2,
      error: '--start-datastore is for the datastore of the install, but LEOFLOW_DATABASE_URL names another one',
      hint: 'leave out the option, or unset the variable',
    });
    await expect(
      backup({ home: install.home, output: install.archive, startDatastore: true, dsn }),
    ).rejects.toMatchObject({ code: 'USAGE' });
    await expectAsBefore();
  });
});
