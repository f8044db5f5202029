/** The manual page, as `man` shows it: all that the help says, without a warning, and found once the package is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageVersion, programDefinition } from '../../src/cli/program.js';
import { readAfterword } from '../../src/cli/reference/afterword.js';
import { allCommands } from '../../src/cli/reference/definition.js';
import { manualPage } from '../../src/cli/reference/manual.js';
import { optionFlags, plain, synopsis } from '../../src/cli/reference/roff.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = join(ROOT, 'dist/man/leoflow-lite.1');
const ENV = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  MANWIDTH: '2000',
};

let shown: string;
beforeAll(() => {
  const { status, stdout, stderr } = spawnSync('man', ['--warnings', '-l', PAGE], { env: ENV, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  shown = stdout.replaceAll(/ +/g, ' ');
});

test('groff has no warning about it either', () => {
  const { status, stdout, stderr } = spawnSync('groff', ['-ww', '-man', '-Tutf8', '-z', PAGE], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
});

test('the build has made it of the commands as they are', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(manualPage(programDefinition(), packageVersion()));
});

describe('it says', () => {
  const commands = [...allCommands(programDefinition())].filter(
    ({ path, name }) => path !== 'leoflow' && name !== 'help',
  );

  test('what every manual page says', () => {
    for (const title of [
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'COMMANDS',
      'ENVIRONMENT',
      'EXIT STATUS',
      'EXAMPLES',
      'FILES',
      'SEE ALSO',
    ]) {
      expect(shown).toMatch(new RegExp(`^${title}$`, 'm'));
    }
    expect(shown).toContain(`leoflow-snapshot ${packageVersion()}`);
    expect(shown).toMatch(/^ leoflow-lite - \S.*$/m);
  });

  test.each(commands.map(({ path, ...command }) => [path, command] as const))('all of %s', (path, command) => {
    const from = shown.search(new RegExp(`^ ${path} [[<].*$`, 'm'));
    const chapter = shown.slice(
      shown.indexOf(`\n ${path} `, shown.indexOf('\nCOMMANDS\n')),
      shown.indexOf('\nENVIRONMENT\n'),
    );
    expect(from).toBeGreaterThan(0);
    for (const line of command.description.split('\n')) expect(chapter).toContain(line);
    for (const { flags, description } of command.options) {
      for (const name of flags.replaceAll(/[<>]/g, '').split(', ')) expect(chapter).toContain(name);
      expect(chapter).toContain(description);
    }
    for (const { description } of command.arguments) expect(chapter).toContain(description);
    const { paragraphs, sections } = readAfterword(command.afterword);
    for (const paragraph of paragraphs) expect(chapter).toContain(paragraph);
    for (const items of [sections.get('Examples') ?? [], sections.get('Environment') ?? []]) {
      for (const { term, text } of items) {
        expect(shown).toContain(term);
        expect(shown).toContain(text);
      }
    }
  });
});

test('text that roff would take for something else', () => {
  expect(plain(".hidden 'quoted' \\n --x ~ … \u{1F600}")).toBe(
    '\\&.hidden \\(aqquoted\\(aq \\en \\-\\-x \\(ti \\[u2026] \\[u1F600]',
  );
  expect(optionFlags('-o, --output <path|->')).toBe('\\fB\\-o\\fR, \\fB\\-\\-output\\fR \\fIpath|\\-\\fR');
  expect(synopsis('leoflow x', '[options] <a...>')).toBe('\\fBleoflow x\\fR [\\fIoptions\\fR] \\fIa...\\fR');
});

describe('once the package is installed', () => {
  let prefix: string;
  beforeAll(() => {
    prefix = realpathSync(mkdtempSync(join(tmpdir(), 'lfman-')));
    const env = {
      PATH: ENV.PATH,
      HOME: prefix,
      npm_config_cache: join(prefix, 'cache'),
      npm_config_update_notifier: 'false',
    };
    const args = [
      'install',
      '--global',
      '--prefix',
      prefix,
      '--offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      ROOT,
    ];
    execFileSync('npm', args, { env, cwd: prefix, stdio: 'pipe' });
  });
  afterAll(() => rmSync(prefix, { recursive: true, force: true }));

  test('man finds it by its name', () => {
    const env = { ...ENV, PATH: `${prefix}/bin:${ENV.PATH}` };
    expect(realpathSync(execFileSync('man', ['-w', 'leoflow-lite'], { env, encoding: 'utf8' }).trim())).toBe(
      realpathSync(PAGE),
    );
  });
});
