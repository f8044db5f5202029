/** Every command of the tree, whatever it is: its help, its chapter in the documentation, and what commands have in common. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { describeFailure } from '../../src/cli/exit.js';
import { createProgram } from '../../src/cli/program.js';
import { type ErrorCode, SnapshotError } from '../../src/index.js';
import { SCHEMA } from '../support/json-lines.js';
import { recordingTerminal, command as runCommand, surroundings } from './support.js';

const PROGRAM = createProgram({ around: surroundings(), finish: () => undefined }, null);
const DOCS = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8').replaceAll('\\|', '|');

/** Options in the documentation that are no command's of ours. */
const NOT_OURS = new Set(['--option', '--keep-within-daily']);

/** Commands that tell a program nothing but what they print: none has a result. */
const WITHOUT_JSON = new Set(['leoflow lite completion']);

/** Commands that are over at once, without any phase to time. */
const WITHOUT_PHASES = new Set(['leoflow setup', 'leoflow lite completion']);

interface Named {
  /** The words that run it. */
  words: string[];
  command: Command;
}

/** A command and all below it, but those that only print a help. */
function treeOf(command: Command, above: readonly string[] = []): Named[] {
  const words = [...above, command.name()];
  return [{ words, command }, ...command.commands.flatMap((child) => treeOf(child, words))];
}

const TREE = treeOf(PROGRAM);
/** Those that do something. `leoflow` by itself prints its help. */
const COMMANDS = TREE.filter(({ words }) => words.length > 1);
const nameOf = ({ words }: Named) => words.join(' ');

/** The help as somebody reads it whose terminal is that wide. */
async function helpOf({ words }: Named, columns = 120): Promise<string> {
  const stdout = recordingTerminal(columns);
  const { status } = await runCommand([...words.slice(1), '--help'], { stdout, env: { NO_COLOR: '1' } });
  expect(status).toBe(0);
  return stdout.text;
}

const longOptionsOf = ({ command }: Named) =>
  ['--help', ...command.options.flatMap(({ long }) => (long == null ? [] : [long]))].toSorted();

/** The chapter of a command in docs/cli.md. */
function chapterOf(named: Named): string {
  const from = DOCS.indexOf(`\n## \`${nameOf(named)}\`\n`);
  expect(from, `docs/cli.md has a chapter for ${nameOf(named)}`).toBeGreaterThan(0);
  const next = DOCS.indexOf('\n## ', from + 1);
  return DOCS.slice(from, next === -1 ? undefined : next);
}

describe.each(TREE.map((named) => [nameOf(named), named] as const))('%s --help', (_, named) => {
  test('has examples, each with a line that says what it does, and the exit statuses', async () => {
    const help = await helpOf(named);
    const examples = /\nExamples:\n((?: +.*\n)+)/.exec(help)?.[1] ?? '';
    expect(examples).toContain(`  ${nameOf(named)}`);
    expect(help).toMatch(/\nExit status:\n( +\d+ .*\n)+/);
  });

  test('names no option in its examples that there is not', async () => {
    const examples = /\nExamples:\n((?: +.*\n)+)/.exec(await helpOf(named))?.[1] ?? '';
    const known = new Set(named.words.length > 1 ? longOptionsOf(named) : COMMANDS.flatMap(longOptionsOf));
    for (const [option] of examples.matchAll(/--[a-z][a-z-]*/g)) expect(known).toContain(option);
  });

  test('fits into 120 columns', async () => {
    const tooWide = (await helpOf(named)).split('\n').filter((line) => line.length > 120);
    expect(tooWide).toEqual([]);
  });
});

describe.each(COMMANDS.map((named) => [nameOf(named), named] as const))('%s', (_, named) => {
  test('describes every option and every argument: lower case, no full stop', () => {
    const { command } = named;
    for (const { flags, description } of command.options) expect(description, flags).toMatch(/^[a-z][\s\S]*[^.]$/);
    for (const argument of command.registeredArguments)
      expect(argument.description, argument.name()).toMatch(/^[a-z][\s\S]*[^.]$/);
    expect(command.summary(), 'its line in the list of commands').toMatch(/^[a-z].*[^.]$/);
    expect(command.description(), 'what it does, in sentences').toMatch(/^[A-Z][\s\S]*\.$/);
  });

  test('has --json', () => {
    expect(longOptionsOf(named).includes('--json')).toBe(!WITHOUT_JSON.has(nameOf(named)));
  });

  test('has --verbose, which tells the time of each phase', () => {
    expect(longOptionsOf(named).includes('--verbose')).toBe(!WITHOUT_PHASES.has(nameOf(named)));
  });

  test('has the same options in its chapter of docs/cli.md, and no others', () => {
    const [, table = ''] = chapterOf(named).split('\n### Options\n');
    const rows = [...(table.split('\n### ')[0]?.matchAll(/^\| (.*?) \| /gm) ?? [])].map((row) => row[1] ?? '');
    const documented = rows.flatMap((row) => [...row.matchAll(/`(--[a-z][a-z-]*)/g)].map((match) => match[1] ?? ''));
    const ofHelp = rows.some((row) => row.includes('`-h`')) ? ['--help'] : [];
    expect([...new Set([...documented, ...ofHelp])].toSorted()).toEqual(longOptionsOf(named));
  });

  test('takes an option of several commands to be what it is for the others', () => {
    for (const option of named.command.options) {
      for (const other of COMMANDS) {
        const same = other.command.options.find(({ long }) => long === option.long);
        if (same !== undefined) expect([same.flags, nameOf(other)]).toEqual([option.flags, nameOf(other)]);
      }
    }
  });
});

test('docs/cli.md names no option that no command has', () => {
  const known = new Set(COMMANDS.flatMap(longOptionsOf).concat('--version'));
  const strange = [...DOCS.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)]
    .map(([option]) => option)
    .filter((option) => !known.has(option) && !NOT_OURS.has(option));
  expect(strange).toEqual([]);
});

test('docs/cli.md lists every error code of the schema, with the status that it ends with', () => {
  const { examples } = SCHEMA.$defs.ErrorCode as { examples: ErrorCode[] };
  const [, chapter = ''] = DOCS.split('\n#### Error codes\n');
  const rows = Array.from(chapter.matchAll(/^\| `([A-Z_]+)` \| (\d+)/gm), ([, code, status]) => [code, Number(status)]);
  const statusOf = (error: unknown) => describeFailure(error).status;
  expect(Object.fromEntries(rows)).toEqual({
    ...Object.fromEntries(examples.map((code) => [code, statusOf(new SnapshotError(code, 'it failed'))])),
    INTERNAL: statusOf(new Error('it failed')),
  });
});
