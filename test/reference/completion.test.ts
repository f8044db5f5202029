/** `leoflow lite completion`: real shells, with somebody who presses TAB. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isOwn } from '../../src/cli/pass-through.js';
import { command } from '../cli/support.js';

const ON_TERMINAL = fileURLToPath(new URL('../support/on-terminal.py', import.meta.url));
/** What another Leoflow's own completion knows: `start`, and `--port` of it. */
const OTHERS = {
  bash: '_other() { COMPREPLY=($(compgen -W "start --port" -- "$2")); }\ncomplete -F _other leoflow\n',
  zsh: '_other() { compadd start; [[ $PREFIX == -* ]] && compadd -- --port; }\ncompdef _other leoflow\n',
  fish: 'complete -c leoflow -f -a start\ncomplete -c leoflow -l port\n',
} as const;
const SHELLS = Object.keys(OTHERS) as (keyof typeof OTHERS)[];

let base: string;
let bin: string;
beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'lfcomp-')));
  bin = join(base, 'bin');
  mkdirSync(bin);
  mkdirSync(join(base, 'here/backups'), { recursive: true });
  for (const name of ['snap one.tar.gz', 'bacon']) writeFileSync(join(base, 'here', name), '');
  // Whatever lies further up does not make it a part of this package.
  writeFileSync(join(base, 'package.json'), '{ "name": "somebody-elses" }');
  // Stands for whatever is run in the end; to our search on PATH it is another Leoflow.
  writeFileSync(join(bin, 'leoflow'), `#!/bin/sh\nprintf 'ran:'; printf '[%s]' "$@"; echo\n`);
  chmodSync(join(bin, 'leoflow'), 0o755);
  for (const shell of SHELLS) {
    for (const [name, PATH] of [
      ['alone', ''],
      ['beside', bin],
    ] as const) {
      const { status, stdout, stderr } = await command(['lite', 'completion', shell], { env: { PATH } });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      writeFileSync(join(base, `${name}.${shell}`), stdout);
      const others = name === 'beside' ? OTHERS[shell] : '';
      mkdirSync(join(base, name), { recursive: true });
      writeFileSync(join(base, name, startFile(shell)), `${start(shell)}${others}source ${base}/${name}.${shell}\n`);
    }
  }
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

function startFile(shell: string): string {
  return shell === 'zsh' ? '.zshrc' : `${shell}rc`;
}

function start(shell: string): string {
  if (shell === 'zsh') {
    return `PS1='ready> '\nsetopt no_beep no_auto_remove_slash\nautoload -Uz compinit && compinit -u -d ${base}/dump\n`;
  }
  return shell === 'bash' ? "PS1='ready> '\nbind 'set bell-style none'\n" : '';
}

/** The words of the command line that comes of typing this and pressing TAB. */
async function completed(shell: 'bash' | 'zsh' | 'fish', typed: string, how: 'alone' | 'beside'): Promise<string[]> {
  if (shell === 'fish') return fishCompleted(typed, how);
  const words = shell === 'bash' ? ['bash', '--rcfile', `${base}/${how}/bashrc`, '-i'] : ['zsh', '-d', '-i'];
  const steps = [
    ['ready> ', `${typed}\t\r`],
    ['ran:', ''],
    ['ready> ', 'exit\r'],
  ];
  const screen = await onTerminal(steps, words, how);
  const [, ran] = /ran:((?:\[[^\]]*\])+)/.exec(screen) ?? [];
  if (ran === undefined) throw new Error(`it was not run: ${screen}`);
  return ran.slice(1, -1).split('][');
}

/** fish says by itself what TAB offers; where it is one thing, that is what stands there then. */
function fishCompleted(typed: string, how: string): string[] {
  const env = { PATH: `${bin}:${process.env.PATH}`, HOME: base, LC_ALL: 'C.UTF-8' };
  const line = `source ${base}/${how}/fishrc; complete -C ${JSON.stringify(typed)}`;
  const said = execFileSync('fish', ['--no-config', '-c', line], { cwd: join(base, 'here'), env, encoding: 'utf8' });
  const offers = said
    .trimEnd()
    .split('\n')
    .map((offer) => offer.split('\t')[0] ?? '');
  if (offers.length !== 1) throw new Error(`it offers: ${offers.join(', ')}`);
  return [...typed.split(' ').slice(1, -1), ...offers];
}

function onTerminal(steps: string[][], words: readonly string[], how: string): Promise<string> {
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: base,
    ZDOTDIR: join(base, how),
    TERM: 'xterm',
    LC_ALL: 'C.UTF-8',
  };
  const child = spawn('python3', [ON_TERMINAL, JSON.stringify(steps), ...words], { cwd: join(base, 'here'), env });
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(screen));
  });
}

describe.each(SHELLS)('%s', (shell) => {
  test.each([
    ['leoflow li', 'lite'],
    ['leoflow set', 'setup'],
    ['leoflow lite ba', 'lite backup'],
    ['leoflow lite backup --le', 'lite backup --level'],
    ['leoflow lite backup --quiet --no-p', 'lite backup --quiet --no-progress'],
    ['leoflow lite restore --only w', 'lite restore --only workspace'],
    ['leoflow lite restore --only=w', 'lite restore --only=workspace'],
    ['leoflow lite restore --input sn', 'lite restore --input snap one.tar.gz'],
    ['leoflow lite verify --deep sn', 'lite verify --deep snap one.tar.gz'],
    ['leoflow lite prune ba', 'lite prune backups/'],
    ['leoflow lite prune --keep-da', 'lite prune --keep-daily'],
    ['leoflow lite backup --home b', 'lite backup --home backups/'],
    ['leoflow lite help ver', 'lite help verify'],
    ['leoflow lite completion fi', 'lite completion fish'],
    ['leoflow uninstall --pu', 'uninstall --purge'],
  ])('%j', async (typed, wanted) => {
    expect((await completed(shell, typed, 'alone')).join(' ')).toBe(wanted);
  });

  test.each([
    ['leoflow lite ba', 'lite backup'],
    ['leoflow lite sta', 'lite start'],
    ['leoflow sta', 'start'],
    ['leoflow lite start --po', 'lite start --port'],
    ['leoflow lite backup --le', 'lite backup --level'],
  ])('%j beside the completion of another Leoflow', async (typed, wanted) => {
    expect((await completed(shell, typed, 'beside')).join(' ')).toBe(wanted);
  });
});

test('the script has every command and option of the help, and nothing of another Leoflow that is there', async () => {
  const { stdout: help } = await command(['lite', '--help']);
  const names = [...help.slice(help.indexOf('Commands:'), help.indexOf('Examples:')).matchAll(/^ {2}([a-z]+)/gm)].map(
    ([, name]) => name ?? '',
  );
  expect(names.length).toBeGreaterThan(5);
  for (const shell of SHELLS) {
    const { stdout } = await command(['lite', 'completion', shell]);
    const { stdout: beside } = await command(['lite', 'completion', shell], { env: { PATH: bin } });
    expect(stdout).toContain('leoflow uninstall');
    expect(beside).not.toContain('leoflow uninstall');
    for (const name of names) {
      expect(beside).toContain(`leoflow lite ${name}`);
      if (name === 'help') continue;
      const { stdout: own } = await command(['lite', name, '--help']);
      for (const [, flag = ''] of own.matchAll(/^ {2}(?:-., )?--([a-z-]+)/gm)) expect(beside).toContain(flag);
    }
  }
});

test('every command of lite is ours beside another Leoflow, too', async () => {
  const { stdout: help } = await command(['lite', '--help']);
  for (const [, name = ''] of help
    .slice(help.indexOf('Commands:'), help.indexOf('Examples:'))
    .matchAll(/^ {2}([a-z]+)/gm)) {
    if (name !== 'help') expect({ name, isOwn: isOwn(['lite', name]) }).toEqual({ name, isOwn: true });
  }
});

test('another shell, or none, is wrong usage', async () => {
  expect(await command(['lite', 'completion', 'tcsh'])).toEqual({
    status: 2,
    stdout: '',
    stderr: expect.stringContaining("for argument 'shell'; there is bash, zsh, fish\n"),
  });
  expect((await command(['lite', 'completion'])).status).toBe(2);
});
