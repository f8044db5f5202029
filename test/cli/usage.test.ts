/** A wrong command line: status 2, a message that says what is wrong, a hint, and nothing on stdout. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { RESTORE_PARTS } from '../../src/index.js';
import { command, jsonLines, leoflow, recordingTerminal } from './support.js';

const help = (name: string) => `\`leoflow lite ${name} --help\` says what there is`;
const HELP = help('backup');
const LEVEL = '--level must be a whole number from 1 to 9';
const WORKERS = '--workers must be a whole number from 1 to 1024';
const ONLY = '--only must be config, workspace or datastore';
const NAME_IT = 'name the archive: leoflow lite restore --input <path>';

type Wrong = readonly [argv: readonly string[], message: string, hint: string | null];

/** What is wrong in the same way for every command. */
const wrongAnywhere = (name: string): Wrong[] => [
  [['--workers', '0'], `${WORKERS}, not '0'`, null],
  [['--workers', 'x'], `${WORKERS}, not 'x'`, null],
  [['--workers', '1.5'], `${WORKERS}, not '1.5'`, null],
  [['--workers', '99999'], `${WORKERS}, not '99999'`, null],
  [['-x'], "unknown option '-x'", help(name)],
  [['--home', ''], '--home must not be empty', 'leave it out to use the default'],
  [
    ['--pg-bin', '--quiet'],
    "--pg-bin needs a value, but '--quiet' follows it",
    'if a file has that name, write ./--quiet',
  ],
  [['snap.tar.gz'], "unexpected argument 'snap.tar.gz'", help(name)],
  [['--quiet', '--verbose'], "option '-q, --quiet' cannot be used with option '-v, --verbose'", help(name)],
];

const WRONG_BACKUPS: Wrong[] = [
  ...wrongAnywhere('backup'),
  [['--level', '12'], `${LEVEL}, not '12'`, null],
  [['--level', '0'], `${LEVEL}, not '0'`, null],
  [['--level', 'x'], `${LEVEL}, not 'x'`, null],
  [['--level', '1e0'], `${LEVEL}, not '1e0'`, null],
  [['--level', ''], `${LEVEL}, not ''`, null],
  [['--level', '-1'], `${LEVEL}, not '-1'`, null],
  [['--levle', '3'], "unknown option '--levle'", `did you mean --level? ${HELP}`],
  [['--output'], "option '-o, --output <path|->' argument missing", HELP],
  [['--level'], "option '--level <1-9>' argument missing", HELP],
  [['--output', ''], '--output must not be empty', 'leave it out to use the default'],
  [
    ['--output', '--level'],
    "--output needs a value, but '--level' follows it",
    'if a file has that name, write ./--level',
  ],
  [
    ['--exclude', '--quiet'],
    "--exclude needs a value, but '--quiet' follows it",
    'if that is the pattern, write \\--quiet',
  ],
  [
    ['--exclude-from', '/nonexistent/file'],
    "cannot read the file '/nonexistent/file' of --exclude-from: no such file or directory",
    'the file holds one pattern per line, in the syntax of .gitignore',
  ],
];

const WRONG_RESTORES: Wrong[] = [
  ...wrongAnywhere('restore'),
  [[], '--input is missing', NAME_IT],
  [['--force', '--only', 'config'], '--input is missing', NAME_IT],
  [['--input'], "option '-i, --input <path|->' argument missing", help('restore')],
  [['--input', ''], '--input must not be empty', NAME_IT],
  [['-i', '--force'], "--input needs a value, but '--force' follows it", 'if a file has that name, write ./--force'],
  [['-i', 'x', '--only', 'database'], `${ONLY}, not 'database'`, null],
  [['-i', 'x', '--only', 'config', '--only', ''], `${ONLY}, not ''`, null],
  [['-i', 'x', '--only', 'config,workspace'], `${ONLY}, not 'config,workspace'`, null],
  [['-i', 'x', '--workspace', ''], '--workspace must not be empty', 'leave it out to use the default'],
  [['-i', 'x', '--level', '6'], "unknown option '--level'", help('restore')],
  ...(
    [
      [['-i', 'x'], '-i, --input <path|->'],
      [['--force'], '--force'],
      [['--workspace', '/w'], '--workspace <dir>'],
      [['--only', 'config'], '--only <part>'],
      [['--discard-previous'], '--discard-previous'],
      [['--dry-run'], '--dry-run'],
      [['--workers', '2'], '--workers <n>'],
    ] as const
  ).map(([argv, option]): Wrong => {
    return [['--recover', ...argv], `option '--recover' cannot be used with option '${option}'`, help('restore')];
  }),
];

describe.each([
  ['backup', WRONG_BACKUPS],
  ['restore', WRONG_RESTORES],
] as const)('lite %s', (name, wrong) => {
  test.each(wrong)('%j', async (argv, message, hint) => {
    const text = await command(['lite', name, ...argv]);
    const hintLine = hint === null ? '' : `hint: ${hint}\n`;
    expect(text).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n${hintLine}` });
  });

  test.each(wrong)('%j as JSON', async (argv, message, hint) => {
    const { status, stdout, stderr } = await command(['lite', name, '--json', ...argv]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(jsonLines(stdout)).toEqual([
      { type: 'error', format: 1, error: { code: 'USAGE', message, hint }, status: 2 },
    ]);
  });
});

describe('lite backup', () => {
  test.each([[['-o', '-']], [['-o-']], [['--output', '-']], [['--output=-']]])(
    '%j keeps the JSON error off stdout too',
    async (output) => {
      const { status, stdout, stderr } = await command(['lite', 'backup', ...output, '--json', '--level', '12']);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(jsonLines(stderr)).toMatchObject([{ type: 'error', error: { code: 'USAGE' }, status: 2 }]);
    },
  );

  test('a word after -- is no option', async () => {
    const { stderr } = await command(['lite', 'backup', '--', '--json']);
    expect(stderr).toBe(`error: unexpected argument '--json'\nhint: ${HELP}\n`);
  });

  test('the archive does not go to a terminal', async () => {
    const terminal = recordingTerminal(80);
    const { status, stderr } = await command(['lite', 'backup', '-o', '-'], { stdout: terminal });
    expect(status).toBe(2);
    expect(stderr).toBe(
      'error: the archive would go to the terminal\n' +
        'hint: redirect standard output to a file or into a program, or name a file with --output\n',
    );
    expect(terminal.text).toBe('');
  });

  test('a wrong value that could steer the terminal is escaped', async () => {
    const { stderr } = await command(['lite', 'backup', '--level', '\u001b[2J']);
    expect(stderr).toBe(`error: ${LEVEL}, not '\\x1b[2J'\n`);
  });

  test('a pattern file that is a directory', async () => {
    const { status, stderr } = await command(['lite', 'backup', '--exclude-from', tmpdir()]);
    expect(status).toBe(2);
    expect(stderr).toContain(' of --exclude-from: illegal operation on a directory\n');
  });
});

describe('lite diff', () => {
  test('--exclude between two archives, which have left out what they have', async () => {
    expect(await command(['lite', 'diff', 'a.tar.gz', 'b.tar.gz', '--exclude', '*.log'])).toEqual({
      status: 2,
      stdout: '',
      stderr: 'error: --exclude goes with --live: it is what the backup was told to leave out\n',
    });
  });
});

describe('lite restore', () => {
  test('the archive does not come from a terminal', async () => {
    const stdin = Object.assign(Readable.from([]), { isTTY: true });
    for (const argv of [['-i', '-'], ['-i-'], ['--input=-']]) {
      expect(await command(['lite', 'restore', ...argv], { stdin })).toEqual({
        status: 2,
        stdout: '',
        stderr:
          'error: the archive would be read from the terminal\n' +
          'hint: redirect standard input from a file or a program, or name a file with --input\n',
      });
    }
  });
});

describe('the tree of commands', () => {
  test.each([
    [['lite', 'bakcup'], "unknown command 'bakcup'", 'did you mean backup? `leoflow lite --help` says what there is'],
    [['frobnicate'], "unknown command 'frobnicate'", '`leoflow --help` says what there is'],
    [['--frobnicate'], "unknown option '--frobnicate'", '`leoflow --help` says what there is'],
  ])('%j', async (argv, message, hint) => {
    expect(await command(argv)).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\nhint: ${hint}\n` });
  });

  test.each([[['help', 'nope']], [['lite', 'help', 'nope']]])(
    '%j prints the help, and says what is unknown',
    async (argv) => {
      const { status, stdout, stderr } = await command(argv);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^Usage: leoflow [\s\S]*\nerror: unknown command 'nope'\n$/);
    },
  );

  test('leoflow without a command prints the help, to stderr', async () => {
    const { status, stdout, stderr } = await command([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: leoflow /);
  });
});

describe('help and version are no errors', () => {
  test.each([
    [['--help']],
    [['help']],
    [['lite', '--help']],
    [['lite', 'help']],
    [['lite', 'backup', '--help']],
    [['lite', 'help', 'backup']],
  ])('%j', async (argv) => {
    const { status, stdout, stderr } = await command(argv);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: leoflow /);
  });

  test.each([
    [
      'backup',
      'output exclude exclude-from level workers start-datastore ping-url home dsn pg-bin quiet verbose json no-progress help',
      'LEOFLOW_DATABASE_URL LEOFLOW_PG_BIN LEOFLOW_PING_URL GITHUB_STEP_SUMMARY GITHUB_OUTPUT',
    ],
    [
      'restore',
      'input force workspace only discard-previous dry-run recover workers home dsn pg-bin quiet verbose json no-progress help',
      'LEOFLOW_DATABASE_URL LEOFLOW_PG_BIN LEOFLOW_SUPPORTED_SCHEMA',
    ],
  ])('the help of %s has its options, examples, environment and exit statuses', async (name, options, variables) => {
    const { stdout } = await command(['lite', name, '--help']);
    const flags = [...stdout.matchAll(/^ {2}(?:-., )?--([a-z-]+)/gm)].map((match) => match[1]);
    expect(flags.toSorted()).toEqual(options.split(' ').toSorted());
    for (const title of ['Examples:', 'Environment:', 'Exit status:']) expect(stdout).toContain(`\n${title}\n`);
    for (const variable of variables.split(' ')) expect(stdout).toMatch(new RegExp(`^  ${variable} `, 'm'));
  });

  test.each(['backup', 'restore', 'prune'])('docs/cli.md has every option of %s', async (name) => {
    const { stdout } = await command(['lite', name, '--help']);
    const docs = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8').replaceAll('\\|', '|');
    const from = docs.indexOf(`\n## \`leoflow lite ${name}\``);
    const chapter = docs.slice(from, docs.indexOf('\n## ', from + 1));
    const flags = [...stdout.matchAll(/^ {2}(?:-., )?(--[a-z-]+(?: <.+?>)?)/gm)].map((match) => match[1] ?? '');
    expect(flags.length).toBeGreaterThan(10);
    for (const flag of flags) expect(chapter).toContain(`\`${flag}\``);
  });

  test('--only knows every part that the library knows', async () => {
    const { stdout } = await command(['lite', 'restore', '--help']);
    const choices = /--only.*?\(choices: (.*?)\)/s.exec(stdout)?.[1] ?? '';
    expect([...choices.matchAll(/"(\w+)"/g)].map((match) => match[1])).toEqual([...RESTORE_PARTS]);
  });

  test('the executable', async () => {
    expect(await leoflow(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^leoflow-snapshot \d/),
    });
    expect(await leoflow(['lite', 'backup', '--level', '12'])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: `error: ${LEVEL}, not '12'\n`,
    });
    expect(await leoflow([])).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^Usage: leoflow/),
    });
  });
});
