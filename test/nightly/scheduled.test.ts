/** The nightly kit where a machine does it by itself: the script, the lines for cron, the units for systemd. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Machine, Machines } from '../support/machine.js';
import {
  ARCHIVE,
  EndlessDump,
  expectGoodNight,
  filesIn,
  inEnvironment,
  kitFile,
  machineWithInstall,
  place,
  programsOf,
} from './support.js';

let machines: Machines;
let machine: Machine;
let bin: string;
let backups: string;
beforeAll(async () => {
  machines = new Machines();
  machine = await machineWithInstall(machines, 'm');
  bin = await programsOf(machine);
  backups = join(machine.user, 'leoflow-backups');
  await place(machine, 'bin/nightly.sh', kitFile('nightly.sh'), '755');
});
afterAll(() => machines?.remove());
beforeEach(async () => {
  await machine.sh('rm -rf leoflow-backups');
});

/** As in the kit's files, with the directory of `leoflow` and `node` written in. */
const ownPath = (text: string) => text.replaceAll('PATH=/usr/local/bin:', `PATH=${bin}:`);

describe('nightly.sh', () => {
  const night = (argv = '', env: Record<string, string> = {}) => machine.sh(`~/bin/nightly.sh ${argv}`, { env });

  test('backs up, verifies and prunes, and is silent', async () => {
    const nights: string[][] = [];
    for (let n = 0; n < 3; n += 1) {
      expect(await night()).toMatchObject({ status: 0, stdout: '', stderr: '' });
      nights.push(await filesIn(machine, backups));
      await machine.sh('sleep 1');
    }
    // Of one day the newest is kept, and, as there are not seven days yet, the oldest of all.
    const [first = '', second = '', third = ''] = [nights[0]?.[0], nights[1]?.[1], nights[2]?.[1]];
    expect(nights).toEqual([[first], [first, second], [first, third]]);
    for (const name of [first, second, third]) expect(name).toMatch(ARCHIVE);
    expect((await machine.sh('stat -c %a leoflow-backups leoflow-backups/*')).stdout).toBe('700\n600\n600\n');
    await expectGoodNight(machine, join(backups, third));
  });

  test('takes a directory from the environment, and words for the backup', async () => {
    const elsewhere = join(machine.user, 'else where');
    expect(await night("--exclude '*.py'", { LEOFLOW_BACKUPS: elsewhere })).toMatchObject({ status: 0, stderr: '' });
    const [archive = ''] = await filesIn(machine, elsewhere);
    const { stdout } = await machine.sh('tar tzf "$A"', { env: { A: join(elsewhere, archive) } });
    expect(stdout).not.toContain('etl.py');
    expect(await filesIn(machine, machine.user)).not.toContain('leoflow-backups');
  });

  test('for an incomplete archive removes no complete one, but incomplete ones before it; says so, and ends with 3', async () => {
    await night();
    const [whole = ''] = await filesIn(machine, backups);
    await machine.sh(`touch "leoflow/$(printf 'caf\\351')"`);
    const nights: string[][] = [];
    for (let n = 0; n < 2; n += 1) {
      await machine.sh('sleep 1');
      const { status, stdout, stderr } = await night();
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toMatch(/^warning: .*caf\\xe9: .*\nIncomplete: 1 path .*\n$/);
      nights.push(await filesIn(machine, backups));
    }
    await machine.sh('rm leoflow/caf*; sleep 1');
    const [first = '', second = ''] = nights.map((names) => names[1]);
    expect(nights).toEqual([
      [whole, first],
      [whole, second],
    ]);
    expect(first).not.toBe(second);
    expect(await night()).toMatchObject({ status: 0, stderr: '' });
    expect(await filesIn(machine, backups)).toEqual([whole, expect.stringMatching(ARCHIVE)]);
    expect(await filesIn(machine, backups)).not.toContain(second);
  });

  test('of an incomplete archive that is not good, too, the status is 3', async () => {
    await place(
      machine,
      'fake/leoflow',
      `#!/bin/sh\nPATH='${bin}':$PATH\ncase "$2" in verify) echo damaged >&2; exit 1;; prune) echo pruned >&2;; *) leoflow "$@"; exit 3;; esac\n`,
      '755',
    );
    const env = { PATH: `${machine.user}/fake:/usr/bin:/bin` };
    expect(await night('', env)).toMatchObject({ status: 3, stderr: 'damaged\n' });
    expect(await filesIn(machine, backups)).toEqual([expect.stringMatching(ARCHIVE)]);
  });

  test('removes nothing where the backup fails, and ends as it does', async () => {
    await night();
    const before = await filesIn(machine, backups);
    const { status, stderr } = await night('--home /nonexistent');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^error: .*\nhint: .*\n$/) });
    expect(await filesIn(machine, backups)).toEqual(before);
  });

  test('removes nothing where the new archive is not good', async () => {
    await place(
      machine,
      'fake/leoflow',
      `#!/bin/sh\nPATH='${bin}':$PATH\ncase "$2" in verify) echo damaged >&2; exit 1;; prune) echo pruned >&2;; *) exec leoflow "$@";; esac\n`,
      '755',
    );
    const env = { PATH: `${machine.user}/fake:/usr/bin:/bin` };
    expect(await night('', env)).toMatchObject({ status: 1, stderr: 'damaged\n' });
    expect(await filesIn(machine, backups)).toEqual([expect.stringMatching(ARCHIVE)]);
  });

  test.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('passes on %s, which it alone is sent, waits, and ends with %d', async (signal, status) => {
    const dump = await new EndlessDump(machine).make();
    const night = machine.start('exec ~/bin/nightly.sh', { env: { LEOFLOW_PG_BIN: dump.path } });
    expect(await dump.stop(night, signal, backups)).toMatchObject({ status, stdout: '' });
    expect(await machine.serverPid()).toBeUndefined();
  });
});

describe('leoflow-backup.cron', () => {
  /** What cron makes of a line, see crontab(5): settings, and commands of which the first unescaped per cent sign ends what the shell gets. */
  function parse(crontab: string): {
    settings: Record<string, string>;
    jobs: { when: string; command: string; stdin: string }[];
  } {
    const settings: Record<string, string> = {};
    const jobs: { when: string; command: string; stdin: string }[] = [];
    for (const line of crontab.split('\n')) {
      if (/^\s*(#|$)/.test(line)) continue;
      const [, name, value] = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      const [, when = '', rest = ''] = /^\s*((?:\S+\s+){4}\S+)\s+(.*)$/.exec(line) ?? [];
      if (name !== undefined) settings[name] = (value ?? '').replace(/^(["'])(.*)\1$/, '$2');
      else {
        const [command = '', ...stdin] = rest.split(/(?<!\\)%/).map((part) => part.replaceAll('\\%', '%'));
        jobs.push({ when, command, stdin: stdin.join('\n') });
      }
    }
    return { settings, jobs };
  }

  /** The environment that cron gives, but for what the crontab itself sets. */
  const run = ({ settings, jobs }: ReturnType<typeof parse>, job: number) =>
    inEnvironment(machine, [settings.SHELL ?? '/bin/sh', '-c', jobs[job]?.command ?? ''], {
      HOME: machine.user,
      LOGNAME: 'somebody',
      SHELL: '/bin/sh',
      PATH: '/usr/bin:/bin',
      ...settings,
    });

  test('the line runs the script', async () => {
    const crontab = parse(ownPath(kitFile('leoflow-backup.cron')));
    expect(crontab.jobs).toEqual([{ when: '17 3 * * *', command: '"$HOME/bin/nightly.sh"', stdin: '' }]);
    expect(await run(crontab, 0)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    const [archive = ''] = await filesIn(machine, backups);
    expect(archive).toMatch(ARCHIVE);
    await expectGoodNight(machine, join(backups, archive));
  });

  test('the other line, without its #, keeps one archive per day of the week', async () => {
    const crontab = parse(ownPath(kitFile('leoflow-backup.cron').replace(/^#(?=\d)/m, '')));
    expect(crontab.jobs).toHaveLength(2);
    expect(crontab.jobs[1]?.stdin).toBe('');
    for (let n = 0; n < 2; n += 1) expect(await run(crontab, 1)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await filesIn(machine, backups)).toEqual([
      expect.stringMatching(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\.tar\.gz$/),
    ]);
  });

  test('where the path is forgotten, cron has something to mail', async () => {
    const crontab = parse(kitFile('leoflow-backup.cron').replace(/^PATH=.*$/m, 'PATH=/nonexistent:/usr/bin:/bin'));
    expect(await run(crontab, 0)).toMatchObject({ status: 127, stderr: expect.stringContaining('leoflow: not found') });
  });
});

describe('systemd', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lfsd-'));
    execFileSync('mkdir', [join(directory, 'bin')]);
    writeFileSync(join(directory, 'bin/nightly.sh'), kitFile('nightly.sh'), { mode: 0o755 });
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** What `systemd-analyze verify` complains of: it prints, and its status is 0 also where it does not know a setting. */
  function complaints(units: Record<string, string>, manager: '--user' | '--system'): string {
    for (const [name, text] of Object.entries(units)) writeFileSync(join(directory, name), text);
    const paths = Object.keys(units).map((name) => join(directory, name));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', manager, '--man=no', ...paths], {
      env: { PATH: process.env.PATH, HOME: directory, XDG_RUNTIME_DIR: directory },
      encoding: 'utf8',
    });
    return `${stdout}${stderr}${status === 0 ? '' : `status ${status}`}`;
  }

  const user = () => ({
    'leoflow-backup.service': kitFile('leoflow-backup.service'),
    'leoflow-backup.timer': kitFile('leoflow-backup.timer'),
  });
  const system = () => ({
    // Only where the script lies is another place here.
    'leoflow-backup@.service': kitFile('leoflow-backup@.service').replace(
      '/usr/local/bin/nightly.sh',
      join(directory, 'bin/nightly.sh'),
    ),
    'leoflow-backup@.timer': kitFile('leoflow-backup@.timer'),
  });

  test('has nothing to say against the units of a user', () => {
    expect(complaints(user(), '--user')).toBe('');
  });

  test('nor against those of the system', () => {
    expect(complaints(system(), '--system')).toBe('');
  });

  test('would say it', () => {
    const [service, timer] = [kitFile('leoflow-backup.service'), kitFile('leoflow-backup.timer')];
    expect(complaints({ 'leoflow-backup.service': service.replace('Nice=', 'Nicer=') }, '--user')).toContain('Nicer');
    expect(complaints({ 'leoflow-backup.service': service.replace('%h/bin/', '%h/no/') }, '--user')).toContain(
      'nightly.sh',
    );
    expect(complaints({ 'leoflow-backup.timer': timer.replace('03:17', '27:17') }, '--user')).toContain('27:17');
  });

  test.each(['leoflow-backup.service', 'leoflow-backup@.service'])(
    '%s runs the script in its environment',
    async (name) => {
      const settings = new Map<string, string>();
      for (const line of ownPath(kitFile(name)).split('\n')) {
        const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
        if (key !== undefined) settings.set(key, value ?? '');
      }
      const command = settings
        .get('ExecStart')
        ?.replace('%h', machine.user)
        .replace('/usr/local/bin', `${machine.user}/bin`);
      const [variable = '', path = ''] = settings.get('Environment')?.split(/=(.*)/) ?? [];
      const env = { HOME: machine.user, USER: 'somebody', LOGNAME: 'somebody', SHELL: '/bin/sh', INVOCATION_ID: '0' };
      expect(await inEnvironment(machine, [command ?? ''], { ...env, [variable]: path })).toMatchObject({
        status: 0,
        stdout: '',
        stderr: '',
      });
      const [archive = ''] = await filesIn(machine, backups);
      await expectGoodNight(machine, join(backups, archive));
      // What others use by then must not be killed with the unit.
      expect(settings.get('KillMode')).toBe('process');
    },
  );
});
