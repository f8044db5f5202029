/** `leoflow lite`: the datastore in the foreground, one at a time, stopped in good order, and found again after the worst. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lockInstall } from '../../src/engine/install-lock.js';
import { leoflow, until, untilEither } from '../support/cli.js';
import { type Doing, type Machine, Machines } from '../support/machine.js';
import { isRoot } from '../support/tree.js';

let machines: Machines;
let machine: Machine;
/** Makes `~` what `leoflow setup` leaves. */
let asSetUp: () => void;
/** Makes `~` what a first run leaves: there is a datastore. */
let asRunOnce: () => void;
beforeAll(async () => {
  machines = new Machines();
  machine = machines.make('m');
  expect((await machine.sh('leoflow setup')).status).toBe(0);
  asSetUp = machine.keep();
  await stop(await machine.lite());
  asRunOnce = machine.keep();
});
afterAll(() => machines?.remove());
beforeEach(() => asSetUp());

async function stop(lite: Doing): Promise<void> {
  lite.child.kill('SIGINT');
  expect(await lite.ended).toMatchObject({ status: 0 });
  expect(await machine.serverPid()).toBeUndefined();
}

/** Runs a command that should fail. @returns its error and hint */
async function failing(line: string, status: number): Promise<string> {
  const said = await machine.sh(line);
  expect(said.status).toBe(status);
  expect(said.stderr).toMatch(/\nerror: .*\nhint: .*\n$/);
  return said.stderr;
}

const socket = () => join(machine.home, 'pgdata/.s.PGSQL.5432');

describe('leoflow lite', () => {
  test('says an address that psql takes, whatever the home is called', async () => {
    const home = `--home 'a&b #1'`;
    expect((await machine.sh(`leoflow setup ${home} --workspace flows`)).status).toBe(0);
    const lite = machine.start(`exec leoflow lite ${home}`);
    await until(() => lite.said().includes('Ctrl-C stops it'), 'the datastore to run');
    const uri = /postgres:\S+/.exec(lite.said())?.[0];
    expect(await machine.sh(`psql -XAt '${uri}' -c 'SELECT current_user'`)).toMatchObject({ stdout: 'leoflow\n' });
    lite.child.kill('SIGINT');
    expect(await lite.ended).toMatchObject({ status: 0 });
  });

  test('makes the datastore, says where it listens and that this is all, and makes no schema of its own', async () => {
    const lite = await machine.lite();
    expect(lite.said()).toContain(`  socket     ${socket()}\n`);
    expect(lite.said()).toContain(
      `  database   postgres://leoflow@/leoflow_dev?host=${dirname(socket())}&sslmode=disable\n             there was none yet: it was made\n`,
    );
    expect(lite.said()).toContain(
      'This is the datastore only: the scheduler and the user interface come with the Leoflow binary.\n',
    );
    const uri = /postgres:\S+/.exec(lite.said())?.[0];
    expect(await machine.sh(`psql -XAt '${uri}' -c 'SELECT current_user, current_database()'`)).toMatchObject({
      stdout: 'leoflow|leoflow_dev\n',
    });
    const facts = `SELECT rolsuper, current_setting('listen_addresses'), current_setting('server_encoding'), datcollate
      FROM pg_roles, pg_database WHERE rolname = 'leoflow' AND datname = 'leoflow_dev'`;
    expect(await machine.psql(facts)).toBe('t||UTF8|C');
    expect(await machine.psql(`SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`)).toBe('0');
    await stop(lite);
    const { stdout, stderr } = await lite.ended;
    expect(stdout).toContain(`Stopped: ${machine.home}, after `);
    expect(stderr).toContain('SIGINT: stopping in good order\nStopping the datastore\n');
    expect(readFileSync(join(machine.home, 'dev/postgres.log'), 'utf8')).toMatch(
      /received fast shutdown request[\s\S]*database system is shut down\n$/,
    );
    // Nothing lies about afterwards.
    expect((await machine.sh('ls -A')).stdout).toBe('.leoflow\nleoflow\n');
  });

  test('keeps what is in it from one run to the next', async () => {
    const first = await machine.lite();
    await machine.psql('CREATE TABLE t AS SELECT 7 AS a');
    await stop(first);
    const second = await machine.lite();
    expect(second.said()).not.toContain('it was made');
    expect(await machine.psql('SELECT a FROM t')).toBe('7');
    await stop(second);
  });

  test('stops in good order on SIGTERM', async () => {
    asRunOnce();
    const lite = await machine.lite();
    lite.child.kill('SIGTERM');
    expect(await lite.ended).toMatchObject({ status: 0, signal: null });
    expect(await machine.serverPid()).toBeUndefined();
  });

  test('stops on Ctrl-C, and when its terminal is closed', async () => {
    asRunOnce();
    const typing = (keys: string | null) => ({ types: [['Ctrl-C stops it', keys]] as [string, string | null][] });
    expect((await machine.sh('exec leoflow lite', typing('\u0003'))).status).toBe(0);
    expect(await machine.serverPid()).toBeUndefined();
    // 128 + SIGHUP: no core dump of a Node.js that misses its terminal
    expect((await machine.sh('exec leoflow lite', typing(null))).status).toBe(129);
    expect(await machine.serverPid()).toBeUndefined();
  });

  test('interrupted while it comes up for the first time, leaves no half-made datastore', async () => {
    const lite = machine.start('exec leoflow lite');
    await until(async () => (await machine.sh('ls -A .leoflow')).stdout.includes('provisioning'), 'initdb to run');
    lite.child.kill('SIGINT');
    const { status } = await lite.ended;
    // It may have come up just so.
    if (status !== 0) {
      expect(status).toBe(130);
      expect((await machine.sh('ls -A . .leoflow')).stdout).toBe(
        '.:\n.leoflow\nleoflow\n\n.leoflow:\nconfig.yaml\npostgres\nsetup.json\n',
      );
    }
    await stop(await machine.lite());
  });

  test('tells a program by JSON lines', async () => {
    const lite = machine.start('exec leoflow lite --json');
    await until(() => lite.said().includes('"serving"'), 'the datastore to run');
    lite.child.kill('SIGTERM');
    const { stdout, stderr } = await lite.ended;
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(stderr).toBe('');
    const serving = { home: machine.home, workspace: machine.workspace, socket: socket(), was: 'absent' };
    expect(lines).toMatchObject([
      { type: 'phase', phase: 'start' },
      { type: 'serving', serving },
      { type: 'phase', phase: 'serve' },
      { type: 'phase', phase: 'stop' },
      { type: 'result', command: 'lite', ...serving, status: 0 },
    ]);
  });

  test('makes none where there is one that lost its PG_VERSION', async () => {
    asRunOnce();
    const lite = await machine.lite();
    await machine.psql('CREATE TABLE t AS SELECT 7 AS a');
    await stop(lite);
    await machine.sh('mv .leoflow/pgdata/PG_VERSION .');
    expect(await failing('leoflow lite', 1)).toContain(
      `error: ${join(machine.home, 'pgdata')} is no datastore that can be used: its PG_VERSION cannot be read: no such file or directory\n`,
    );
    await machine.sh('mv PG_VERSION .leoflow/pgdata/');
    const again = await machine.lite();
    expect(await machine.psql('SELECT a FROM t')).toBe('7');
    await stop(again);
  });

  test('without an install says what to do first', async () => {
    const text = await failing('leoflow lite --home elsewhere', 1);
    expect(text).toContain(`there is no Leoflow install at ${machine.user}/elsewhere`);
    expect(text).toContain('run `leoflow setup` first');
  });

  if (isRoot)
    test('as root says that PostgreSQL refuses root, and what to do', async () => {
      const root = join(machines.base, 'root');
      mkdirSync(root);
      const home = join(root, '.leoflow');
      expect(await leoflow(['setup', '--home', home])).toMatchObject({ status: 0 });
      for (const argv of [
        ['lite', '--home', home],
        ['lite', '--json', '--home', home],
      ]) {
        const { status, stdout, stderr } = await leoflow(argv);
        expect(status).toBe(1);
        expect(`${stdout}${stderr}`).toContain('PostgreSQL refuses to run as root, so an install of root cannot start');
        expect(`${stdout}${stderr}`).toContain(
          "run this as an ordinary user, for example: su - <user> -c 'leoflow lite'",
        );
      }
      expect(readdirSync(home).sort()).toEqual(['config.yaml', 'postgres', 'setup.json']);
    });
});

describe('a second one', () => {
  test('says that it runs already, by which process, and leaves it alone', async () => {
    asRunOnce();
    const lite = await machine.lite();
    const text = await failing('leoflow lite', 1);
    expect(text).toContain(
      `the datastore of ${machine.home} runs already, by \`leoflow lite\` (process ${lite.child.pid})`,
    );
    expect((await machine.sh('leoflow lite --json')).stdout).toContain('"code":"LITE_RUNNING"');
    expect(await machine.psql('SELECT 1')).toBe('1');
    await stop(lite);
  });

  test('leaves a server that somebody else started as it is', async () => {
    asRunOnce();
    await machine.sh(
      `cd .leoflow && pg_ctl -D pgdata -w -l dev/postgres.log -o "-c listen_addresses= -k $PWD/pgdata" start > /dev/null`,
    );
    const text = await failing('leoflow lite', 1);
    expect(text).toContain(`runs already, at ${socket()}`);
    expect(await machine.psql('SELECT 1')).toBe('1');
    await machine.sh('pg_ctl -D .leoflow/pgdata -m fast -w stop');
  });

  test('waits for nobody who works on the home', async () => {
    asRunOnce();
    const unlock = await lockInstall(machine.home, 'uninstall');
    expect(await failing('leoflow lite', 1)).toContain(
      `\`leoflow uninstall\` (process ${process.pid}) is working on ${machine.home}`,
    );
    expect((await machine.sh('leoflow setup')).stderr).toContain('is working on');
    await unlock();
    await stop(await machine.lite());
  });
});

describe('after kill -9', () => {
  test('of leoflow lite alone, the next one takes its place, and stops the server', async () => {
    asRunOnce();
    const first = await machine.lite();
    await machine.psql('CREATE TABLE t AS SELECT 7 AS a');
    const server = await machine.serverPid();
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await machine.psql('SELECT a FROM t')).toBe('7');
    const second = await machine.lite();
    expect(second.said()).toContain(
      'it was still running, from a `leoflow lite` that was killed: this one takes its place\n',
    );
    expect(await machine.serverPid()).toBe(server);
    await stop(second);
    expect((await machine.sh('ls -A')).stdout).toBe('.leoflow\nleoflow\n');
  });

  test('of everything, it starts again', async () => {
    asRunOnce();
    const first = await machine.lite();
    await machine.psql('CREATE TABLE t AS SELECT 7 AS a');
    const server = await machine.serverPid();
    first.child.kill('SIGKILL');
    await first.ended;
    expect((await machine.sh(`kill -9 ${server} $(pgrep -P ${server})`)).status).toBe(0);
    expect(await machine.serverPid()).toBe(server);
    const second = await machine.lite();
    expect(await machine.psql('SELECT a FROM t')).toBe('7');
    await stop(second);
  });

  test('also where the number of the server’s process is somebody else’s by now', async () => {
    asRunOnce();
    const strange = machine.start('exec sleep 1000');
    const data = join(machine.home, 'pgdata');
    await machine.sh(`printf '%s\\n' ${strange.child.pid} ${data} 1 5432 ${data} '' '1 1' ready > .leoflow/pgdata/postmaster.pid
      cp .leoflow/pgdata/postmaster.pid .leoflow/pgdata/.s.PGSQL.5432.lock`);
    await stop(await machine.lite());
    expect(strange.child.exitCode).toBeNull();
  });

  test('a copy of a running home has a server of its own, and does not touch the original’s', async () => {
    asRunOnce();
    const lite = await machine.lite();
    const server = await machine.serverPid();
    await machine.sh('cp -a .leoflow copy');
    expect((await machine.sh('leoflow uninstall --yes --home copy')).status).toBe(0);
    const copy = machine.start('exec leoflow lite --home copy');
    await until(() => copy.said().includes('Ctrl-C stops it'), 'the copy to run');
    copy.child.kill('SIGINT');
    expect(await copy.ended).toMatchObject({ status: 0 });
    expect(await machine.psql('SELECT 1')).toBe('1');
    expect(await machine.serverPid()).toBe(server);
    await stop(lite);
  });
});

describe('a home behind a link', () => {
  const JOURNAL = JSON.stringify({
    version: 1,
    started: '2026-05-28T14:30:45.000Z',
    state: 'committing',
    renames: [],
    carried: [],
    databases: null,
    transaction: null,
    datastore: null,
    temporary: [],
    discard: { paths: [], databases: [] },
  });
  beforeEach(async () => {
    asRunOnce();
    await machine.sh('mkdir data && mv .leoflow data/leoflow && ln -s data/leoflow .leoflow');
  });

  test.each([
    ['the link', 'the real path', '', '--home data/leoflow'],
    ['the real path', 'the link', '--home data/leoflow', ''],
  ])('runs by %s, and is known by %s', async (_one, _other, one, other) => {
    const lite = machine.start(`exec leoflow lite ${one}`);
    await untilEither(() => lite.said().includes('Ctrl-C stops it'), [lite.ended], 'the datastore to run');
    expect(await failing(`leoflow lite ${other}`, 1)).toContain(
      `runs already, by \`leoflow lite\` (process ${lite.child.pid})`,
    );
    await stop(lite);
    expect((await machine.sh('ls -A data')).stdout).toBe('leoflow\n');
  });

  test.each([
    ['real path', 'data/leoflow', ['', '--home data/leoflow']],
    ['link, of an earlier release', '.leoflow', ['']],
  ])('has the journal of a restore beside its %s', async (_place, path, homes) => {
    await machine.sh(`printf %s '${JOURNAL}' > ${path}.restore-journal.json`);
    for (const home of homes) expect(await failing(`leoflow lite ${home}`, 4)).toContain('--recover');
    expect(await machine.sh('leoflow lite restore --recover')).toMatchObject({ status: 0 });
    expect((await machine.sh('ls -A . data')).stdout).not.toContain('journal');
  });

  test('has its locks beside the link where nobody may write beside the real path', async () => {
    await machine.sh('chmod 555 data');
    const lite = await machine.lite();
    expect(await failing('leoflow lite', 1)).toContain(`(process ${lite.child.pid})`);
    await stop(lite);
    await machine.sh('chmod 755 data');
  });
});

describe('a server that goes away meanwhile', () => {
  test.each(['fast', 'immediate'])('stopped by somebody else (%s), is reported', async (how) => {
    asRunOnce();
    const lite = await machine.lite();
    await machine.sh(`pg_ctl -D .leoflow/pgdata -m ${how} -w stop`);
    const { status, stderr } = await lite.ended;
    expect(status).toBe(1);
    expect(stderr).toContain(
      `error: the datastore of ${machine.home} has stopped, and not by this program\nhint: its log says why: `,
    );
    await stop(await machine.lite());
  });
});

describe('without a place for the log of the datastore', () => {
  const why = () => `${machine.home}/dev, where its log goes, cannot be made: `;

  test('says so, the first time, too', async () => {
    await machine.sh('echo x > .leoflow/dev');
    expect(await failing('leoflow lite', 1)).toContain(why());
    await machine.sh('rm .leoflow/dev');
    await stop(await machine.lite());
    await machine.sh('rm -r .leoflow/dev && echo x > .leoflow/dev');
    expect(await failing('leoflow lite', 1)).toContain(`${why()}file already exists`);
    expect((await machine.sh('cat .leoflow/dev')).stdout).toBe('x\n');
  });

  test('so does a backup that is to start it', async () => {
    asRunOnce();
    await machine.sh('rm -r .leoflow/dev && chmod 555 .leoflow');
    expect(await failing('leoflow lite backup --start-datastore', 1)).toContain(`${why()}permission denied`);
    await machine.sh('chmod 755 .leoflow');
  });
});

test('while a restore was broken off, it does not start', async () => {
  const journal = `${machine.home}.restore-journal.json`;
  writeFileSync(journal, '{"version":1,"state":"committing","renames":[],"carried":[]}');
  expect(await failing('leoflow lite', 4)).toContain('leoflow lite restore --recover');
});
