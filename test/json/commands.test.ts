/**
 * Every command with `--json`, run for real: done, failed, refused, interrupted, misunderstood. That each line is as the schema says is seen to by what runs
 * them (test/support/json-lines.ts); here it is that all of them end as they should, and that no line is in the schema which nobody writes.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jsonLines } from '../cli/support.js';
import { breakOff } from '../restore/broken-off.js';
import { REFERENCE } from '../restore/fresh-place.js';
import { type RunOptions, SlowReader, startLeoflow, underModes, until } from '../support/cli.js';
import { blocksOf, directory, file, indexed, MANIFEST, manifest, streamed } from '../support/forge/archive.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { expectDocumented, SCHEMA } from '../support/json-lines.js';
import { lockTable } from '../support/lock.js';
import { type Machine, Machines } from '../support/machine.js';
import { postgresBin } from '../support/postgres.js';

/** What has been written, as the schema calls it: `phase`, `result backup`. */
const written = new Set<string>();
/** The warnings among it. */
const warned: unknown[] = [];
let install: TestInstall;
let machines: Machines;
let machine: Machine;
/** Snapshots: whole, of another day, cut off, none; and one of a format that is still to come. */
const shelf: Record<'good' | 'other' | 'cut' | 'none', string> = { good: '', other: '', cut: '', none: '' };
let newer: string;

beforeAll(async () => {
  install = await createInstall();
  machines = new Machines();
  machine = machines.make('alice');
  for (const name of ['good', 'other', 'cut', 'none'] as const) shelf[name] = join(install.out, `${name}.tar.gz`);
  writeFileSync(join(install.workspace, 'dag.py'), 'print("hello")\n');
  await ends(0, ['lite', 'backup', '--home', install.home, '-o', shelf.good]);
  writeFileSync(join(install.workspace, 'dag.py'), 'print("hello again")\n');
  await install.cluster.psql(`INSERT INTO dag VALUES ('another')`);
  await ends(0, ['lite', 'backup', '--home', install.home, '-o', shelf.other]);
  copyFileSync(shelf.good, shelf.cut);
  truncateSync(shelf.cut, 3000);
  writeFileSync(shelf.none, 'nothing of the kind');
  newer = join(install.base, 'newer.tar.gz');
  writeFileSync(newer, indexed(blocksOf({ manifest: [manifest({ ...MANIFEST, manifest_version: 7 })] })));
});

afterAll(async () => {
  await machines?.remove();
  await install?.remove();
});

/**
 * Runs a command; it should end with this status.
 *
 * @param interruptedAt it is interrupted once it has said that
 * @returns its last line
 */
async function ends(status: number, argv: readonly string[], interruptedAt?: string, more: RunOptions = {}) {
  const running = startLeoflow([...argv, '--json'], {
    ...more,
    env: { PATH: `${process.env.PATH}:${postgresBin()}`, ...more.env },
  });
  let said = '';
  running.child.stdout?.on('data', (text: Buffer) => {
    const before = said;
    said += text;
    const isThere = (said: string) => interruptedAt !== undefined && said.includes(interruptedAt);
    if (isThere(said) && !isThere(before)) running.child.kill('SIGINT');
  });
  const ended = await running.ended;
  // The content is on standard output.
  if (argv[1] === 'cat') return note(ended.stderr, status, ended.status);
  expect(ended.stderr).toBe('');
  return note(ended.stdout.toString(), status, ended.status);
}

/** The same on a machine of its own, by a shell. */
async function endsThere(status: number, line: string) {
  const said = await machine.sh(`leoflow ${line} --json`);
  expect(said.stderr).toBe('');
  return note(said.stdout, status, said.status);
}

function note(stdout: string, wanted: number, status: number | null) {
  const lines = jsonLines(stdout);
  for (const { type, command, warning } of lines) {
    written.add(command === undefined ? `${type}` : `${type} ${command}`);
    if (warning !== undefined) warned.push(warning);
  }
  const last = lines.at(-1) ?? {};
  expect({ status, last: last.status }, JSON.stringify(last)).toEqual({ status: wanted, last: wanted });
  expect(last.format).toBe(1);
  return last;
}

const code = (code: string) => ({ type: 'error', error: { code } });

describe('leoflow lite backup', () => {
  const backup = (...argv: string[]) => ['lite', 'backup', '--home', install.home, ...argv];

  test('done', async () => {
    const result = await ends(0, backup('-o', join(install.out, 'x.tar.gz')));
    expect(result).toMatchObject({ type: 'result', command: 'backup', incomplete: false });
  });

  test('done, with a file missing', async () => {
    const name = Buffer.concat([Buffer.from(`${install.workspace}/caf`), Buffer.from([0xe9])]);
    writeFileSync(name, 'not UTF-8');
    expect(await ends(3, backup('-o', join(install.out, 'x.tar.gz')))).toMatchObject({ incomplete: true });
    unlinkSync(name);
  });

  test('done, but nobody could be told', async () => {
    const env = { LEOFLOW_PING_URL: 'http://127.0.0.1:9/secret', GITHUB_OUTPUT: join(install.base, 'no', 'output') };
    const argv = backup('-o', join(install.out, 'x.tar.gz'));
    warned.length = 0;
    expect(await ends(0, argv, undefined, { env })).toMatchObject({ incomplete: false, warningCount: 0 });
    expect(warned).toMatchObject([{ code: 'ping' }, { code: 'ping' }, { code: 'report' }]);
  });

  test('failed', async () => {
    expect(await ends(1, ['lite', 'backup', '--home', join(install.base, 'nowhere')])).toMatchObject(
      code('HOME_NOT_FOUND'),
    );
  });

  test('interrupted', async () => {
    await whileDumpsWait(async () => {
      const argv = backup('-o', join(install.out, 'y.tar.gz'));
      expect(await ends(130, argv, '"phase":"pack"')).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite restore', () => {
  const restore = (...argv: string[]) => ['lite', 'restore', '--home', install.home, ...argv];

  test('done, tried, and recovered', async () => {
    expect(await ends(0, restore('-i', shelf.good, '--force', '--dry-run'))).toMatchObject({ dryRun: true });
    const result = await ends(0, restore('-i', shelf.good, '--force', '--discard-previous'));
    expect(result).toMatchObject({ command: 'restore', dryRun: false });
    const { home, workspace } = install.another();
    await breakOff(home, workspace);
    expect(await ends(0, ['lite', 'restore', '--recover', '--home', home])).toMatchObject({
      command: 'recover',
      outcome: 'undone',
    });
  });

  test('failed', async () => {
    expect(await ends(1, restore('-i', shelf.cut, '--force'))).toMatchObject(code('ARCHIVE_TRUNCATED'));
    expect(await ends(1, restore('-i', shelf.none, '--force'))).toMatchObject(code('NOT_AN_ARCHIVE'));
    expect(await ends(1, restore('--recover'))).toMatchObject(code('NOTHING_TO_RECOVER'));
  });

  test('refused', async () => {
    expect(await ends(4, restore('-i', shelf.good))).toMatchObject(code('INSTALL_EXISTS'));
  });

  test('interrupted', async () => {
    const argv = restore('-i', shelf.good, '--force');
    expect(await ends(130, argv, '"judge"')).toMatchObject(code('INTERRUPTED'));
  });

  test('interrupted, while nothing comes of the archive', async () => {
    await withoutAWord(async (stdin) => {
      const argv = restore('-i', '-', '--force');
      expect(await ends(130, argv, '"judge"', { stdin })).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite verify', () => {
  test('good, and not', async () => {
    expect(await ends(0, ['lite', 'verify', shelf.good])).toMatchObject({ command: 'verify', good: true });
    const all = Object.values(shelf);
    expect(await ends(1, ['lite', 'verify', ...all])).toMatchObject({
      verdicts: [{ verdict: 'good' }, { verdict: 'good' }, { verdict: 'damaged' }, { verdict: 'not-an-archive' }],
    });
  });

  test('replayed', async () => {
    expect(await ends(0, ['lite', 'verify', '--deep', '--dsn', install.cluster.url, shelf.good])).toMatchObject({
      verdicts: [{ replayed: { tables: 3 } }],
    });
  });

  test('failed', async () => {
    const nowhere = `host=${install.base} dbname=x`;
    expect(await ends(1, ['lite', 'verify', '--deep', '--dsn', nowhere, shelf.good])).toMatchObject(
      code('DATASTORE_UNREACHABLE'),
    );
  });

  test('interrupted', async () => {
    const argv = ['lite', 'verify', ...Array.from({ length: 500 }, () => shelf.good)];
    expect(await ends(130, argv, '"check"')).toMatchObject(code('INTERRUPTED'));
  });
});

describe('leoflow lite diff', () => {
  test('different, the same, and whether that is told by the status', async () => {
    expect(await ends(0, ['lite', 'diff', shelf.good, shelf.other])).toMatchObject({ command: 'diff', differs: true });
    expect(await ends(1, ['lite', 'diff', '--exit-code', shelf.good, shelf.other])).toMatchObject({ differs: true });
    expect(await ends(0, ['lite', 'diff', '--exit-code', shelf.good, shelf.good])).toMatchObject({ differs: false });
  });

  test('with an archive of the Leoflow binary, which says less', async () => {
    expect(await ends(0, ['lite', 'diff', REFERENCE, shelf.good])).toMatchObject({ differs: true });
  });

  test('with the install', async () => {
    const config = join(install.home, 'config.yaml');
    writeFileSync(config, `${readFileSync(config, 'utf8')}lite_port: 8088\n`);
    expect(await ends(0, ['lite', 'diff', shelf.other, '--live', '--home', install.home])).toMatchObject({
      live: true,
    });
  });

  test('failed', async () => {
    expect(await ends(1, ['lite', 'diff', shelf.good, join(install.out, 'gone')])).toMatchObject(
      code('INPUT_NOT_FOUND'),
    );
  });

  test('interrupted', async () => {
    await whileDumpsWait(async () => {
      const argv = ['lite', 'diff', shelf.good, '--live', '--home', install.home];
      expect(await ends(130, argv, '"phase":"datastore"')).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite list', () => {
  const list = (...argv: string[]) => ['lite', 'list', ...argv];

  test('done, by the index and without one', async () => {
    expect(await ends(0, list(shelf.good))).toMatchObject({ command: 'list', source: 'index', unmatched: [] });
    expect(await ends(0, list(REFERENCE))).toMatchObject({ source: 'archive' });
  });

  test('done, but a pattern chose nothing', async () => {
    expect(await ends(1, list(shelf.good, 'config.yaml', 'x*'))).toMatchObject({ entries: 1, unmatched: ['x*'] });
  });

  test('failed, and refused', async () => {
    expect(await ends(1, list(shelf.cut))).toMatchObject(code('ARCHIVE_TRUNCATED'));
    expect(await ends(4, list(newer))).toMatchObject(code('MANIFEST_VERSION'));
  });

  test('interrupted', async () => {
    await withoutAWord(async (stdin) => {
      expect(await ends(130, list('-'), '"phase"', { stdin })).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite inspect', () => {
  const inspect = (...argv: string[]) => ['lite', 'inspect', '--home', install.home, ...argv];

  test('done, whether it could be restored or not', async () => {
    expect(await ends(0, inspect(shelf.good))).toMatchObject({
      command: 'inspect',
      outlook: { restorable: 'with-force', obstacles: [{ code: 'INSTALL_EXISTS' }] },
    });
    const env = { LEOFLOW_SUPPORTED_SCHEMA: '1' };
    expect(await ends(0, inspect(REFERENCE), undefined, { env })).toMatchObject({
      members: null,
      leftOut: null,
      outlook: { restorable: 'no' },
    });
  });

  test('failed, and refused', async () => {
    expect(await ends(1, inspect(shelf.none))).toMatchObject(code('NOT_AN_ARCHIVE'));
    expect(await ends(4, inspect(newer))).toMatchObject(code('MANIFEST_VERSION'));
  });

  test('interrupted', async () => {
    await withoutAWord(async (stdin) => {
      expect(await ends(130, inspect('-'), '"phase"', { stdin })).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite cat', () => {
  const cat = (...argv: string[]) => ['lite', 'cat', ...argv];

  test('done, with a checksum and without one', async () => {
    expect(await ends(0, cat(shelf.good, 'workspace/dag.py'))).toMatchObject({ command: 'cat', checksum: true });
    expect(await ends(0, cat(REFERENCE, 'config.yaml'))).toMatchObject({ checksum: false });
  });

  test('done, for a reader that had enough', async () => {
    const { archive, name } = large();
    const reader = new SlowReader(install.base);
    const running = startLeoflow([...cat(archive, name), '--json'], { stdout: reader.writeEnd });
    reader.started();
    await reader.readTo(1);
    reader.close();
    const { stderr, status } = await running.ended;
    expectDocumented(stderr);
    expect(note(stderr, 0, status)).toMatchObject({ sha256: null });
  });

  test('failed, and refused', async () => {
    expect(await ends(1, cat(shelf.good, 'nothing'))).toMatchObject(code('ENTRY_NOT_FOUND'));
    expect(await ends(4, cat(newer, 'config.yaml'))).toMatchObject(code('MANIFEST_VERSION'));
  });

  test('interrupted, while nobody reads', async () => {
    const { archive, name } = large();
    const reader = new SlowReader(install.base);
    const running = startLeoflow([...cat(archive, name), '--json'], { stdout: reader.writeEnd });
    reader.started();
    await running.said('"note"');
    running.child.kill('SIGINT');
    const { stderr, status } = await running.ended;
    reader.close();
    expectDocumented(stderr);
    expect(note(stderr, 130, status)).toMatchObject(code('INTERRUPTED'));
  });

  /** A file that no pipe takes as a whole, in an archive that says a word before it is written: it has to be read as one stream. */
  function large(): { archive: string; name: string } {
    const name = 'workspace/large';
    const archive = join(install.base, 'large.tar.gz');
    const workspace = [[directory('workspace/'), file(name, 'x'.repeat(4 << 20))]];
    writeFileSync(archive, streamed(blocksOf({ workspace })));
    return { archive, name };
  }
});

describe('leoflow lite extract', () => {
  const extract = (...argv: string[]) => ['lite', 'extract', '--to', join(install.base, 'extracted'), ...argv];

  test('tried, done, and done again', async () => {
    expect(await ends(0, extract(shelf.good, 'dag.py', '--dry-run'))).toMatchObject({
      command: 'extract',
      dryRun: true,
    });
    expect(await ends(0, extract(shelf.good, 'dag.py'))).toMatchObject({ dryRun: false, files: 1, replaced: [] });
    expect(await ends(0, extract(shelf.other, 'dag.py', '--force'))).toMatchObject({ replaced: [{}] });
    expect(await ends(0, extract(REFERENCE, 'config.yaml'))).toMatchObject({ checksums: false });
  });

  test('failed', async () => {
    expect(await ends(1, extract(shelf.good, 'nothing'))).toMatchObject(code('ENTRY_NOT_FOUND'));
  });

  test('refused', async () => {
    expect(await ends(4, extract(shelf.good, 'dag.py'))).toMatchObject(code('TARGET_EXISTS'));
  });

  test('interrupted', async () => {
    await withoutAWord(async (stdin) => {
      expect(await ends(130, extract('-', 'dag.py'), '"phase"', { stdin })).toMatchObject(code('INTERRUPTED'));
    });
  });
});

describe('leoflow lite prune', () => {
  let backups: string;
  const prune = (...argv: string[]) => ['lite', 'prune', backups, ...argv];

  beforeAll(() => {
    backups = join(install.base, 'backups');
    mkdirSync(backups);
    for (const [name, archive] of Object.entries(shelf)) copyFileSync(archive, join(backups, name));
  });

  test('tried, with every rule', async () => {
    const rules = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'].flatMap((rule) => [`--keep-${rule}`, '2']);
    expect(await ends(0, prune(...rules, '--keep-within', '1d', '--dry-run'))).toMatchObject({
      command: 'prune',
      dryRun: true,
      untouched: [{ why: 'damaged' }, { why: 'not-an-archive' }],
    });
  });

  test('done, but one could not be removed', async () => {
    chmodSync(backups, 0o500);
    const result = await ends(1, prune('--keep-last', '1'), undefined, { under: underModes });
    chmodSync(backups, 0o700);
    expect(result).toMatchObject({ failed: 1, archives: [{ outcome: 'kept' }, { outcome: 'failed' }] });
  });

  test('done', async () => {
    expect(await ends(0, prune('--keep-last', '1'))).toMatchObject({ failed: 0, removed: { archives: 1 } });
  });

  test('failed', async () => {
    const nowhere = join(install.base, 'nowhere');
    expect(await ends(1, ['lite', 'prune', nowhere, '--keep-last', '1'])).toMatchObject(code('PRUNE_DIRECTORY'));
  });

  test('interrupted', async () => {
    for (let count = 0; count < 3000; count++) linkSync(shelf.good, join(backups, `${count}.tar.gz`));
    expect(await ends(130, prune('--keep-last', '1', '--dry-run'), '"look"')).toMatchObject(code('INTERRUPTED'));
  });
});

describe('without the Leoflow binary', () => {
  test('leoflow setup', async () => {
    expect(await endsThere(0, 'setup --dry-run')).toMatchObject({ command: 'setup', dryRun: true });
    expect(await endsThere(0, 'setup')).toMatchObject({ isNew: true });
    expect(await endsThere(4, 'setup --workspace /')).toMatchObject({ type: 'error' });
  });

  test('leoflow lite', async () => {
    const lite = machine.start('exec leoflow lite --json');
    await until(() => lite.said().includes('"serving"'), 'the datastore to run');
    expect(await endsThere(1, 'lite')).toMatchObject(code('LITE_RUNNING'));
    lite.child.kill('SIGINT');
    const { stdout, status } = await lite.ended;
    expect(note(stdout, 0, status)).toMatchObject({ command: 'lite' });
  });

  test('leoflow uninstall', async () => {
    expect(await endsThere(2, 'uninstall')).toMatchObject(code('USAGE'));
    expect(await endsThere(0, 'uninstall --purge --yes')).toMatchObject({ command: 'uninstall', purge: true });
    expect(await endsThere(1, 'uninstall --purge --yes')).toMatchObject({ type: 'error' });
  });
});

describe('misunderstood', () => {
  test.each([
    ['backup', '--level', '12'],
    ['restore'],
    ['verify'],
    ['diff', 'one'],
    ['list'],
    ['inspect', 'one', '--top', 'x'],
    ['cat', 'one'],
    ['extract', 'one', 'two'],
    ['prune', '.'],
    ['completion', 'tcsh'],
    ['lite', '--frobnicate'],
    ['--frobnicate'],
    ['frobnicate'],
  ])('leoflow lite %j', async (...argv) => {
    expect(await ends(2, ['lite', ...argv])).toMatchObject(code('USAGE'));
  });

  test.each([['frobnicate'], ['--frobnicate'], ['setup', 'more'], ['lite', '--home'], ['uninstall', '--workers']])(
    'leoflow %j',
    async (...argv) => {
      expect(await ends(2, argv)).toMatchObject(code('USAGE'));
    },
  );
});

test('no line is in the schema that nobody writes', () => {
  // Progress is told after a second; it has tests of its own.
  written.add('progress');
  expect(linesOfSchema().toSorted()).toEqual([...written].toSorted());
});

/** With a standard input on which nothing comes, and no end. */
async function withoutAWord(act: (stdin: number) => Promise<void>): Promise<void> {
  const path = join(install.base, 'silence');
  execFileSync('mkfifo', [path]);
  const stdin = openSync(path, constants.O_RDWR);
  unlinkSync(path);
  try {
    await act(stdin);
  } finally {
    closeSync(stdin);
  }
}

/** While a table is locked: then pg_dump waits, for as long as it likes. */
async function whileDumpsWait(act: () => Promise<void>): Promise<void> {
  const unlock = await lockTable(install.cluster, 'run');
  try {
    await act();
  } finally {
    await unlock();
  }
}

/** All kinds of lines that the schema knows. */
function linesOfSchema(): string[] {
  type Line = { properties?: { type?: { const?: string }; command?: { const?: string } } };
  return Object.entries(SCHEMA.$defs as Record<string, Line>).flatMap(
    ([name, { properties: { type, command } = {} }]) => {
      if (!name.endsWith('Line') || type === undefined) return [];
      return [command === undefined ? `${type.const}` : `${type.const} ${command.const}`];
    },
  );
}
