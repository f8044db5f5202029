/** The commands that are there without the Leoflow binary: their help, their page in the documentation, and wrong command lines. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { command, jsonLines } from '../cli/support.js';

const COMMANDS = [
  ['setup', 'workspace dry-run home pg-bin json help'],
  ['lite', 'home pg-bin verbose json help'],
  ['uninstall', 'purge yes home pg-bin verbose json help'],
] as const;

describe.each(COMMANDS)('%s', (name, options) => {
  const flagsOf = (help: string) =>
    [...help.matchAll(/^ {2}(?:-., )?(--[a-z-]+(?: <.+?>)?)/gm)].map((match) => match[1] ?? '');

  test('its help has its options, the environment and the exit statuses', async () => {
    const { status, stdout } = await command([name, '--help']);
    expect(status).toBe(0);
    const names = flagsOf(stdout).map((flag) => flag.replace(/^--| .*$/g, ''));
    expect(names.toSorted()).toEqual(options.split(' ').toSorted());
    for (const title of ['Environment:', 'Exit status:']) expect(stdout).toContain(`\n${title}\n`);
    expect(stdout).toMatch(/^ {2}LEOFLOW_PG_BIN /m);
  });

  test('docs/cli.md has every option', async () => {
    const docs = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const from = docs.indexOf(`\n## \`leoflow ${name}\``);
    const chapter = docs.slice(from, docs.indexOf('\n## ', from + 1));
    const flags = flagsOf((await command([name, '--help'])).stdout);
    expect(flags.length).toBeGreaterThan(3);
    for (const flag of flags) expect(chapter).toContain(`\`${flag}\``);
  });

  test.each([
    [['--home', ''], '--home must not be empty'],
    [['--pg-bin', '--home'], "--pg-bin needs a value, but '--home' follows it"],
    [['--frobnicate'], "unknown option '--frobnicate'"],
    ...(name === 'lite' ? [] : [[['more'], "unexpected argument 'more'"] as const]),
  ] as const)('%j is wrong usage', async (argv, message) => {
    expect(await command([name, ...argv])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining(`error: ${message}\n`),
    });
    const { status, stdout, stderr } = await command([name, '--json', ...argv]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(jsonLines(stdout)).toMatchObject([{ type: 'error', error: { code: 'USAGE', message }, status: 2 }]);
  });
});

test('an unknown command behind lite is told as such', async () => {
  expect(await command(['lite', 'bakcup'])).toEqual({
    status: 2,
    stdout: '',
    stderr: "error: unknown command 'bakcup'\nhint: did you mean backup? `leoflow lite --help` says what there is\n",
  });
});
