/** A wrong command line: status 2, a message that says what is wrong, a hint, and nothing on stdout. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { command, jsonLines, leoflow, recordingTerminal } from './support.js';

const HELP = "'leoflow lite backup --help' says what there is";
const LEVEL = '--level must be a whole number from 1 to 9';
const WORKERS = '--workers must be a whole number from 1 to 1024';

const WRONG: [argv: string[], message: string, hint: string | null][] = [
  [['--level', '12'], `${LEVEL}, not '12'`, null],
  [['--level', '0'], `${LEVEL}, not '0'`, null],
  [['--level', 'x'], `${LEVEL}, not 'x'`, null],
  [['--level', '1e0'], `${LEVEL}, not '1e0'`, null],
  [['--level', ''], `${LEVEL}, not ''`, null],
  [['--level', '-1'], `${LEVEL}, not '-1'`, null],
  [['--workers', '0'], `${WORKERS}, not '0'`, null],
  [['--workers', 'x'], `${WORKERS}, not 'x'`, null],
  [['--workers', '1.5'], `${WORKERS}, not '1.5'`, null],
  [['--workers', '99999'], `${WORKERS}, not '99999'`, null],
  [['--levle', '3'], "unknown option '--levle'", `did you mean --level? ${HELP}`],
  [['-x'], "unknown option '-x'", HELP],
  [['--output'], "option '-o, --output <path|->' argument missing", HELP],
  [['--level'], "option '--level <1-9>' argument missing", HELP],
  [['--output', ''], '--output must not be empty', 'leave it out to use the default'],
  [['--home', ''], '--home must not be empty', 'leave it out to use the default'],
  [
    ['--output', '--level'],
    "--output needs a value, but '--level' follows it",
    'if a file has that name, write ./--level',
  ],
  [['snap.tar.gz'], "unexpected argument 'snap.tar.gz'", HELP],
  [['--quiet', '--verbose'], "option '-q, --quiet' cannot be used with option '-v, --verbose'", HELP],
  [
    ['--exclude-from', '/nonexistent/file'],
    "cannot read the file '/nonexistent/file' of --exclude-from: no such file or directory",
    'the file holds one pattern per line, in the syntax of .gitignore',
  ],
];

describe('lite backup', () => {
  test.each(WRONG)('%j', async (argv, message, hint) => {
    const text = await command(['lite', 'backup', ...argv]);
    const hintLine = hint === null ? '' : `hint: ${hint}\n`;
    expect(text).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n${hintLine}` });
  });

  test.each(WRONG)('%j as JSON', async (argv, message, hint) => {
    const { status, stdout, stderr } = await command(['lite', 'backup', '--json', ...argv]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: '' });
    expect(jsonLines(stdout)).toEqual([{ type: 'error', error: { code: 'USAGE', message, hint }, status: 2 }]);
  });

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

describe('the tree of commands', () => {
  test.each([
    [['lite', 'bakcup'], "unknown command 'bakcup'", "did you mean backup? 'leoflow lite --help' says what there is"],
    [['frobnicate'], "unknown command 'frobnicate'", "'leoflow --help' says what there is"],
    [['--frobnicate'], "unknown option '--frobnicate'", "'leoflow --help' says what there is"],
  ])('%j', async (argv, message, hint) => {
    expect(await command(argv)).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\nhint: ${hint}\n` });
  });

  test.each([[[]], [['lite']]])('%j without a command prints the help, to stderr', async (argv: string[]) => {
    const { status, stdout, stderr } = await command(argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^Usage: ${['leoflow', ...argv].join(' ')} `));
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

  test('the help of backup has its options, examples, environment and exit statuses', async () => {
    const { stdout } = await command(['lite', 'backup', '--help']);
    const options = 'output exclude exclude-from level workers home dsn pg-bin quiet verbose json no-progress help';
    for (const option of options.split(' ')) expect(stdout).toMatch(new RegExp(`^  (-., )?--${option}\\b`, 'm'));
    for (const title of ['Examples:', 'Environment:', 'Exit status:']) expect(stdout).toContain(`\n${title}\n`);
    for (const name of ['LEOFLOW_DATABASE_URL', 'LEOFLOW_PG_BIN']) expect(stdout).toContain(name);
  });

  test('docs/cli.md has every option of the help', async () => {
    const { stdout } = await command(['lite', 'backup', '--help']);
    const docs = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
    const flags = [...stdout.matchAll(/^ {2}(?:-., )?(--[a-z-]+(?: <.+?>)?)/gm)].map((match) => match[1] ?? '');
    expect(flags.length).toBeGreaterThan(10);
    for (const flag of flags) expect(docs.replaceAll('\\|', '|')).toContain(`\`${flag}\``);
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
