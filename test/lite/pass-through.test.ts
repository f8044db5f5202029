/** What is not ours goes to the other Leoflow, as if we were not there; what is ours does not. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../support/cli.js';
import { type Machine, Machines } from '../support/machine.js';

let machines: Machines;
let machine: Machine;
let count = 0;
beforeAll(() => {
  machines = new Machines();
});
afterAll(() => machines.remove());
beforeEach(() => {
  count += 1;
  machine = machines.make(`m${count}`);
});

/** A program called leoflow in a directory of its own. @returns the directory */
function other(script: string, name = 'other', interpreter = '/bin/sh'): string {
  const directory = join(machines.base, `m${count}-${name}`);
  mkdirSync(directory);
  writeFileSync(join(directory, 'leoflow'), `#!${interpreter}\n${script}\n`);
  chmodSync(join(directory, 'leoflow'), 0o755);
  return directory;
}

/** Prints its name and its arguments, one a line in angle brackets. */
const TELLS = `echo other; printf '<%s>\\n' "$@"; exit 7`;
/** The program itself, however PATH stands. */
const OURS = () => join(machines.base, 'bin/leoflow');

describe('another command line', () => {
  test('reaches the other Leoflow unchanged, whether that stands earlier or later on PATH, and ends as it ends', async () => {
    const directory = other(TELLS);
    for (const path of [`${directory}:$PATH`, `$PATH:${directory}`]) {
      const said = await machine.sh(`PATH=${path} ${OURS()} runs list --x 'a b' '' -- --json '$HOME' "it's"`);
      expect(said).toEqual({
        status: 7,
        signal: null,
        stdout: "other\n<runs>\n<list>\n<--x>\n<a b>\n<>\n<-->\n<--json>\n<$HOME>\n<it's>\n",
        stderr: '',
      });
    }
  });

  test.each([
    '',
    '--version',
    'setup',
    'setup --dry-run',
    'uninstall --purge --yes',
    'lite',
    'lite --help',
    'lite start',
    'lite --home x backup',
    'help lite',
    'backup',
    '--json lite backup',
  ])('%j is one', async (line) => {
    const { status, stdout, stderr } = await machine.sh(`PATH=$PATH:${other(TELLS)} leoflow ${line}`);
    expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
    expect(stdout).toBe(
      `other\n${
        line === ''
          ? '<>'
          : line
              .split(' ')
              .map((word) => `<${word}>`)
              .join('\n')
      }\n`,
    );
    expect((await machine.sh('ls -A')).stdout).toBe('');
  });

  test.each([
    'lite backup',
    'lite backup --level 12',
    'lite backup --help',
    'lite restore --help',
    'lite restore -i missing.tar.gz',
    'lite help backup',
    '--help',
    '-h',
    'help',
  ])('%j is none', async (line) => {
    const said = await machine.sh(`PATH=$PATH:${other(TELLS)} leoflow ${line}`);
    expect(said.stdout + said.stderr).not.toContain('other\n');
    expect(said.stdout + said.stderr).toMatch(/leoflow|error/);
  });

  test('has the streams, the directory and the environment of the one that typed it', async () => {
    const directory = other('pwd; echo "$GREETING"; cat; echo to-stderr >&2; env | sort > seen');
    const line = `mkdir here && cd here && printf 'a\\nb' | GREETING='good day' PATH=$PATH:${directory}`;
    const said = await machine.sh(`${line} leoflow x`);
    expect(said).toMatchObject({ status: 0, stdout: `${machine.user}/here\ngood day\na\nb`, stderr: 'to-stderr\n' });
    const names = await machine.sh(`cut -d= -f1 here/seen | grep LEOFLOW`);
    expect(names.stdout).toBe('LEOFLOW_SNAPSHOT_PASS_THROUGH\n');
  });

  test('may be given files by a shell', async () => {
    const directory = other('cat "$1"');
    expect(await machine.sh(`PATH=$PATH:${directory} bash -c 'leoflow <(echo from a process)'`)).toMatchObject({
      stdout: 'from a process\n',
    });
  });

  test('fails as in a shell where the other Leoflow cannot be run', async () => {
    const directory = other('');
    writeFileSync(join(directory, 'leoflow'), '#!/nowhere/sh\n');
    const { status, stderr } = await machine.sh(`PATH=$PATH:${directory} leoflow x`);
    expect(status).toBe(126);
    expect(stderr).toContain(`error: ${directory}/leoflow cannot be run: `);
  });

  test('is unknown where there is no other Leoflow', async () => {
    expect(await machine.sh('leoflow runs list')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: "error: unknown command 'runs'\nhint: `leoflow --help` says what there is\n",
    });
  });
});

describe('signals', () => {
  // Not in sh: dash now and then forgets a trap that comes while it starts a command.
  const WAITS = `
    for (const signal of ['INT', 'TERM', 'HUP', 'USR1', 'QUIT']) process.on('SIG' + signal, () => console.log(signal));
    process.on('SIGUSR2', () => { console.log('USR2'); process.exit(9); });
    setInterval(() => {}, 1000);
    console.log('ready', process.ppid);`;
  const waiting = () => other(WAITS, 'other', '/usr/bin/env node');

  test('reach it, and it decides how both end', async () => {
    const directory = waiting();
    const doing = machine.start(`PATH=$PATH:${directory} exec leoflow x`);
    await until(() => doing.said().includes('ready'), 'the other to start');
    for (const signal of ['INT', 'TERM', 'HUP', 'USR1', 'QUIT']) {
      doing.child.kill(`SIG${signal}` as NodeJS.Signals);
      await until(() => doing.said().includes(`${signal}\n`), signal);
    }
    doing.child.kill('SIGUSR2');
    expect(await doing.ended).toEqual({
      status: 9,
      signal: null,
      stdout: `ready ${doing.child.pid}\nINT\nTERM\nHUP\nUSR1\nQUIT\nUSR2\n`,
      stderr: '',
    });
  });

  test.each(['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGPIPE', 'SIGUSR1'])(
    'ended by %s, both are',
    async (signal) => {
      const directory = other(`kill -${signal.slice(3)} $$; sleep 5`);
      const doing = machine.start(`PATH=$PATH:${directory} exec leoflow x`);
      expect(await doing.ended).toMatchObject({ status: null, signal });
    },
  );

  test('of the keyboard come once', async () => {
    const directory = waiting();
    const doing = machine.start(`PATH=$PATH:${directory} exec leoflow x`, {
      types: [
        ['ready', '\u0003'],
        ['INT', '\u001c'],
      ],
    });
    // What we forward comes in order: had we forwarded one of those, too, it would be there by now.
    for (const [seen, next] of [
      ['QUIT', 'SIGTERM'],
      ['TERM', 'SIGUSR2'],
    ] as const) {
      await until(() => new RegExp(`${seen}\\r\\n`).test(doing.said()), seen);
      process.kill(Number(/ready (\d+)/.exec(doing.said())?.[1]), next);
    }
    const { status, stdout } = await doing.ended;
    expect(status).toBe(9);
    expect(stdout.match(/(?:INT|QUIT|TERM|USR2)(?=\r$)/gm)).toEqual(['INT', 'QUIT', 'TERM', 'USR2']);
  });
});

describe('there is no loop', () => {
  test('where only ourselves are on PATH, under two names, through links, as a copy', async () => {
    const links = join(machines.base, `m${count}-links`);
    mkdirSync(links);
    symlinkSync(OURS(), join(links, 'leoflow'));
    symlinkSync(OURS(), join(links, 'lf'));
    const shim = other(`exec "${OURS()}" "$@" # as node_modules/leoflow-snapshot/dist/cli/main.js`, 'shim');
    for (const name of ['leoflow', 'lf', OURS()]) {
      const said = await machine.sh(`PATH=${links}:${shim}:$PATH:${links} ${name} runs list`);
      expect(said).toMatchObject({ status: 2, stdout: '' });
      expect(said.stderr).toContain("unknown command 'runs'");
    }
  });

  test('through a wrapper that starts us: the next one is asked', async () => {
    const wrapper = other(`echo wrapped; exec ${OURS()} "$@"`, 'wrapper');
    const real = other(TELLS);
    expect(await machine.sh(`PATH=${wrapper}:$PATH:${real} leoflow a b`)).toMatchObject({
      status: 7,
      stdout: 'wrapped\nother\n<a>\n<b>\n',
    });
    expect(await machine.sh(`PATH=$PATH:${wrapper}:${real} leoflow a b`)).toMatchObject({
      status: 7,
      stdout: 'wrapped\nother\n<a>\n<b>\n',
    });
    const alone = await machine.sh(`PATH=${wrapper}:$PATH leoflow a b`);
    expect(alone).toMatchObject({ status: 2, stdout: 'wrapped\nwrapped\n' });
    expect(alone.stderr).toContain("unknown command 'a'");
  });

  test('through one that adds an argument each time: it is ended, and both are named', async () => {
    const wrapper = other(`exec ${OURS()} "$@" more`, 'wrapper');
    const { status, stderr } = await machine.sh(`PATH=${wrapper}:$PATH leoflow a`);
    expect(status).toBe(1);
    expect(stderr).toBe(`error: leoflow and ${wrapper}/leoflow call each other without end\n`);
  });

  test('and what the other Leoflow starts may use leoflow again', async () => {
    const real = other(`if [ "$1" = outer ]; then leoflow inner; else echo "inner $1"; fi`);
    expect(await machine.sh(`PATH=$PATH:${real} leoflow outer`)).toMatchObject({ status: 0, stdout: 'inner inner\n' });
  });
});

describe('leoflow --help', () => {
  test('shows our commands, and where all others go', async () => {
    const real = other(TELLS);
    const { stdout } = await machine.sh(`PATH=$PATH:${real} leoflow --help`);
    expect(stdout).toMatch(/^ {2}lite +commands/m);
    expect(stdout).not.toMatch(/^ {2}(?:setup|uninstall) /m);
    expect(stdout).toContain(
      `Every other command goes to ${real}/leoflow, unchanged.\n  \`${real}/leoflow --help\` says what it has. This is leoflow-snapshot `,
    );
  });

  test('without another Leoflow shows setup, lite and uninstall', async () => {
    const { stdout } = await machine.sh('leoflow --help');
    for (const name of ['setup', 'lite', 'uninstall']) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    expect(stdout).toContain('There is none on PATH.');
  });
});

describe('leoflow lite', () => {
  test('does not take an option in front of its command for the command’s', async () => {
    expect(await machine.sh('leoflow lite --home elsewhere backup')).toMatchObject({
      status: 2,
      stderr: 'error: --home stands in front of the command\nhint: write it behind: leoflow lite backup --home <dir>\n',
    });
  });
});
