/** Files that do not hold still: the archive stays whole, every entry has the size its header says, and what happened is told. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compressMember } from '../../src/engine/archive/index.js';
import { rowsOf } from '../../src/engine/workspace/entry-table.js';
import { scanShards } from '../../src/engine/workspace/scan.js';
import { WorkspaceWalk } from '../../src/engine/workspace/walk.js';
import type { BackupEvent, BackupResult, DiffEvent, Difference, Warning } from '../../src/index.js';
import { checkSums, entriesOf, membersOf, readArchive, untar } from '../support/archive.js';
import { leoflow, SlowReader, startLeoflow, underModes } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { backup, diff, verify } from '../support/library.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { MIB, put } from '../support/tree.js';

/** What stands in front of the files that change: the workers are busy with it when the first of it is written. */
const FILLER = 'a filler';
const FILLER_BYTES = 8 * MIB;

lendWorkers();

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall();
});
afterAll(() => install?.remove());

interface Outcome {
  result: BackupResult;
  home: string;
  workspace: string;
  archive: string;
  /** Content of a file in the archive; undefined when it is not there. */
  content(path: string): Buffer | undefined;
  names: string[];
}

/**
 * Backs up a workspace that changes when its scan is over and the first segment of the filler has been written. One worker has at most three tasks at hand,
 * so that nothing behind the first few MiB has been read by then.
 */
async function whilePacking(
  before: (workspace: string) => void,
  change: (workspace: string) => void,
): Promise<Outcome> {
  const { home, workspace, dsn } = install.another();
  put(join(workspace, FILLER), randomBytes(FILLER_BYTES));
  before(workspace);
  const output = join(install.base, `${basename(workspace)}.tar.gz`);
  let changed = false;
  const onEvent = (event: BackupEvent) => {
    if (changed || event.type !== 'progress' || event.progress.bytes === 0) return;
    changed = true;
    expect(event.progress.bytes).toBeLessThan(2 * MIB);
    change(workspace);
  };
  const result = await backup({ home, dsn, output, workers: 1, onEvent });
  expect(changed).toBe(true);
  return { result, home, workspace, archive: output, ...proved(output) };
}

/** The index says where the member begins that an entry begins in. */
function expectIndexed(archive: string): void {
  const members = membersOf(readFileSync(archive));
  const entries = entriesOf(Buffer.concat(members.map(({ block }) => block)));
  const index = entries.find(({ name }) => name === 'INDEX.jsonl')?.content.toString() ?? '';
  const said = new Map<string, number>();
  let member = -1;
  for (const line of index.trimEnd().split('\n')) {
    const { at = member, n } = JSON.parse(line) as { at?: number; n?: string };
    member = at;
    if (n !== undefined) said.set(n, member);
  }
  expect([...said.keys()]).toEqual(entries.slice(0, -2).map(({ name }) => name));
  let start = 0;
  for (const { offset, block } of members) {
    const here = entries.filter((entry) => entry.offset >= start && entry.offset < start + block.length);
    for (const { name } of here) if (said.has(name)) expect([name, said.get(name)]).toEqual([name, offset]);
    start += block.length;
  }
}

/** What is in an archive that its own checksums prove. */
function proved(output: string) {
  membersOf(readFileSync(output));
  const unpacked = `${output}-unpacked`;
  untar(output, unpacked);
  checkSums(unpacked);
  const entries = readArchive(output).filter(({ name }) => name.startsWith('workspace/'));
  rmSync(unpacked, { recursive: true });
  return {
    names: entries.map(({ name }) => name.slice(10)),
    content: (path: string) => entries.find(({ name }) => name === `workspace/${path}`)?.content,
  };
}

/** The only warning of a backup. */
function onlyWarning({ result, workspace }: Outcome, code: Warning['code'], path: string, message: string): void {
  expect(result.warnings).toEqual([{ code, path: join(workspace, path), message, incomplete: true }]);
  expect(result).toMatchObject({ warningCount: 1, incomplete: true });
}

function expectNoWarning({ result }: Outcome): void {
  expect(result).toMatchObject({ warnings: [], warningCount: 0, incomplete: false });
}

const small = (workspace: string) => put(join(workspace, 'z'), 'as the scan saw it');
const large = (workspace: string) => put(join(workspace, 'z'), randomBytes(3 * MIB));
const inItsPlace: [what: string, make: (path: string) => void][] = [
  ['a FIFO', (path) => execFileSync('mkfifo', [path])],
  ['a directory', (path) => mkdirSync(path)],
  [
    'a socket',
    (path) => execFileSync('python3', ['-c', 'import socket, sys; socket.socket(1).bind(sys.argv[1])', path]),
  ],
];

describe('a small file, between the scan and its turn,', () => {
  test.each([
    ['grows', 'as the scan saw it, and more'],
    ['shrinks', 'less'],
    ['becomes empty', ''],
    ['is written anew', 'AS THE SCAN SAW IT'],
  ])('%s: then it is archived as it is now', async (_, now) => {
    const outcome = await whilePacking(small, (workspace) => writeFileSync(join(workspace, 'z'), now));
    expect(outcome.content('z')?.toString()).toBe(now);
    expectNoWarning(outcome);
  });

  test('grows beyond what a block holds: the archive has what it was to have', async () => {
    const outcome = await whilePacking(small, (workspace) =>
      appendFileSync(join(workspace, 'z'), Buffer.alloc(2 * MIB)),
    );
    expect(outcome.content('z')?.toString()).toBe('as the scan saw it');
    onlyWarning(outcome, 'changed', 'z', 'it changed while it was read');
  });

  test.each<[what: string, count: number, make: (path: string) => void, grow: (path: string) => void]>([
    ['grows', 40, (path) => put(path, 'x'), (path) => writeFileSync(path, Buffer.alloc(0.9 * MIB, path))],
    [
      'is a link, and its target grows',
      2000,
      (path) => symlinkSync('x', path),
      (path) => {
        rmSync(path);
        symlinkSync('x'.repeat(4000), path);
      },
    ],
  ])('%s with all those beside it: they get the blocks that they need', async (_, count, make, grow) => {
    const names = Array.from({ length: count }, (_, n) => `z${1000 + n}`);
    const outcome = await whilePacking(
      (workspace) => {
        for (const name of names) make(join(workspace, name));
      },
      (workspace) => {
        // Some stay as they are, so that not every block begins with one that grew.
        for (const [n, name] of names.entries()) if (n % 8 > 0) grow(join(workspace, name));
      },
    );
    expect(outcome.names).toEqual(['', FILLER, ...names]);
    expectNoWarning(outcome);
    const { home, archive } = outcome;
    expectIndexed(archive);
    const { verdicts } = await verify({ archives: [archive], workers: 2 });
    expect(verdicts).toMatchObject([{ verdict: 'good' }]);
    const differences: Difference[] = [];
    const onEvent = (event: DiffEvent) => void (event.type === 'difference' && differences.push(event.difference));
    await diff({ from: archive, to: null, home, only: ['workspace'], workers: 2, onEvent });
    // The time of the directory, and of links, is that of the scan.
    expect(differences.filter((one) => !('aspects' in one) || one.aspects.join() !== 'mtime')).toEqual([]);
  });

  test('vanishes', async () => {
    const outcome = await whilePacking(small, (workspace) => rmSync(join(workspace, 'z')));
    expect(outcome.names).toEqual(['', FILLER]);
    onlyWarning(outcome, 'vanished', 'z', 'it vanished before it could be read');
  });

  test('vanishes with its directory', async () => {
    const outcome = await whilePacking(
      (workspace) => put(join(workspace, 'z', 'inside'), 'x'),
      (workspace) => rmSync(join(workspace, 'z'), { recursive: true }),
    );
    expect(outcome.names).toEqual(['', FILLER, 'z/']);
    onlyWarning(outcome, 'vanished', 'z/inside', 'it vanished before it could be read');
  });

  test('finds a file in the place of its directory', async () => {
    const outcome = await whilePacking(
      (workspace) => put(join(workspace, 'z', 'inside'), 'x'),
      (workspace) => {
        rmSync(join(workspace, 'z'), { recursive: true });
        put(join(workspace, 'z'), 'a file now');
      },
    );
    onlyWarning(outcome, 'vanished', 'z/inside', 'it vanished before it could be read');
  });

  test('is replaced by a link: nothing is read through it', async () => {
    const outcome = await whilePacking(small, (workspace) => {
      rmSync(join(workspace, 'z'));
      symlinkSync('/etc/passwd', join(workspace, 'z'));
    });
    expect(outcome.names).toEqual(['', FILLER]);
    onlyWarning(outcome, 'changed', 'z', 'it was replaced by a link, it is left out');
  });

  test.each(inItsPlace)('is replaced by %s', async (_, make) => {
    for (const grow of [small, (workspace: string) => put(join(workspace, 'z'), '')]) {
      const outcome = await whilePacking(grow, (workspace) => {
        rmSync(join(workspace, 'z'));
        make(join(workspace, 'z'));
      });
      expect(outcome.names).toEqual(['', FILLER]);
      onlyWarning(outcome, 'changed', 'z', 'it was replaced by something that is no file, it is left out');
    }
  });
});

test('a block that no reader would take is never made', () => {
  expect(() => compressMember(Buffer.alloc(8 * MIB), 'entries', 1)).not.toThrow();
  expect(() => compressMember(Buffer.alloc(8 * MIB + 512), 'entries', 1)).toThrow('no reader would take it');
});

describe('a link, between the scan and its turn,', () => {
  const link = (workspace: string) => symlinkSync('before', join(workspace, 'z'));

  test('vanishes', async () => {
    const outcome = await whilePacking(link, (workspace) => rmSync(join(workspace, 'z')));
    onlyWarning(outcome, 'vanished', 'z', 'it vanished before it could be read');
  });

  test('is replaced by a file', async () => {
    const outcome = await whilePacking(link, (workspace) => {
      rmSync(join(workspace, 'z'));
      put(join(workspace, 'z'), 'x');
    });
    expect(outcome.names).toEqual(['', FILLER]);
    onlyWarning(outcome, 'changed', 'z', 'it was replaced by something that is no link, it is left out');
  });
});

describe('a large file, between the scan and its turn,', () => {
  test.each([0, 1, MIB, 3 * MIB - 1, 5 * MIB + 7])('has %d bytes: then it is archived as it is now', async (size) => {
    const now = randomBytes(size);
    const outcome = await whilePacking(large, (workspace) => writeFileSync(join(workspace, 'z'), now));
    expect(outcome.content('z')?.equals(now)).toBe(true);
    expectNoWarning(outcome);
  });

  test('vanishes', async () => {
    const outcome = await whilePacking(large, (workspace) => rmSync(join(workspace, 'z')));
    expect(outcome.names).toEqual(['', FILLER]);
    onlyWarning(outcome, 'vanished', 'z', 'it vanished before it could be read');
  });

  test('is replaced by a link', async () => {
    const outcome = await whilePacking(large, (workspace) => {
      rmSync(join(workspace, 'z'));
      symlinkSync(FILLER, join(workspace, 'z'));
    });
    onlyWarning(outcome, 'changed', 'z', 'it was replaced by a link, it is left out');
  });

  test.each(inItsPlace)('is replaced by %s', async (_, make) => {
    const outcome = await whilePacking(large, (workspace) => {
      rmSync(join(workspace, 'z'));
      make(join(workspace, 'z'));
    });
    expect(outcome.names).toEqual(['', FILLER]);
    onlyWarning(outcome, 'changed', 'z', 'it was replaced by something that is no file, it is left out');
  });
});

describe('a large file, while its segments are being read,', () => {
  const nothing = () => {};

  test('shrinks: zeros stand for what is gone', async () => {
    let before = Buffer.alloc(0);
    const left = 6 * MIB - 100;
    const outcome = await whilePacking(nothing, (workspace) => {
      before = readFileSync(join(workspace, FILLER));
      truncateSync(join(workspace, FILLER), left);
    });
    const content = outcome.content(FILLER);
    expect(content).toHaveLength(FILLER_BYTES);
    expect(content?.subarray(0, left).equals(before.subarray(0, left))).toBe(true);
    expect(content?.subarray(left).every((byte) => byte === 0)).toBe(true);
    onlyWarning(outcome, 'changed', FILLER, 'it became shorter while it was read');
  });

  test('is emptied', async () => {
    const outcome = await whilePacking(nothing, (workspace) => truncateSync(join(workspace, FILLER), 0));
    expect(outcome.content(FILLER)).toHaveLength(FILLER_BYTES);
    onlyWarning(outcome, 'changed', FILLER, 'it became shorter while it was read');
  });

  test('grows: the archive has what was there when it was opened', async () => {
    let before = Buffer.alloc(0);
    const outcome = await whilePacking(nothing, (workspace) => {
      before = readFileSync(join(workspace, FILLER));
      appendFileSync(join(workspace, FILLER), 'one more line\n');
    });
    expect(outcome.content(FILLER)?.equals(before)).toBe(true);
    onlyWarning(outcome, 'changed', FILLER, 'it changed while it was read');
  });

  test('is written anew at the same size', async () => {
    const outcome = await whilePacking(nothing, (workspace) => {
      writeFileSync(join(workspace, FILLER), Buffer.alloc(FILLER_BYTES, 'x'));
      utimesSync(join(workspace, FILLER), 1e9, 1e9);
    });
    expect(outcome.content(FILLER)).toHaveLength(FILLER_BYTES);
    onlyWarning(outcome, 'changed', FILLER, 'it changed while it was read');
  });

  test('is deleted, or replaced by renaming: all of it is there, nothing is told', async () => {
    for (const change of [
      (path: string) => rmSync(path),
      (path: string) => {
        writeFileSync(`${path}.new`, 'another file');
        renameSync(`${path}.new`, path);
      },
    ]) {
      let before = '';
      const outcome = await whilePacking(nothing, (workspace) => {
        before = sha256(readFileSync(join(workspace, FILLER)));
        change(join(workspace, FILLER));
      });
      expect(sha256(outcome.content(FILLER))).toBe(before);
      expectNoWarning(outcome);
    }
  });
});

describe('a large file of which a network file system says in the end that it is gone', () => {
  const hook = new URL('../support/lost-file.mjs', import.meta.url).href;

  test.each(['fstat', 'close'])('when asked by %s: that is told, and the archive is whole', async (call) => {
    const { home, workspace, dsn } = install.another();
    const content = randomBytes(3 * MIB);
    const [path, output] = [join(workspace, FILLER), join(install.base, `lost-${call}.tar.gz`)];
    put(path, content);
    put(join(workspace, 'z'), 'the next one');
    const { status, stderr } = await leoflow(['lite', 'backup', '-q', '--home', home, '--dsn', dsn, '-o', output], {
      env: { NODE_OPTIONS: `--import=${hook}`, LOST_FILE: path, LOST_CALL: call },
    });
    const lines = stderr.split('\n').filter((line) => line.startsWith('warning: ') || line.startsWith('error: '));
    expect({ status, lines }).toEqual({
      status: 3,
      lines: [`warning: ${path}: whether it changed while it was read cannot be told: i/o error`],
    });
    const archived = proved(output);
    expect(archived.names).toEqual(['', FILLER, 'z']);
    expect(archived.content(FILLER)?.equals(content)).toBe(true);
  });
});

function sha256(content: Buffer | undefined): string {
  return createHash('sha256')
    .update(content ?? '')
    .digest('hex');
}

test('a file that turns unreadable', async () => {
  const tcp: Cluster = await startCluster({ port: 0 });
  try {
    const { home, workspace } = install.another();
    put(join(workspace, FILLER), randomBytes(FILLER_BYTES));
    put(join(workspace, 'small'), 'x');
    put(join(workspace, 'very large'), Buffer.alloc(2 * MIB));
    const reader = new SlowReader(install.base);
    // Nobody reads the archive: the workers wait, the files behind the filler have not been looked at since the scan.
    const argv = ['lite', 'backup', '--home', home, '--dsn', tcp.tcpUrl, '--workers', '1', '-o', '-'];
    const run = startLeoflow(argv, { under: underModes, stdout: reader.writeEnd });
    reader.started();
    await reader.readTo(MIB);
    chmodSync(join(workspace, 'small'), 0);
    chmodSync(join(workspace, 'very large'), 0);
    const output = join(install.base, 'unreadable.tar.gz');
    writeFileSync(output, await reader.readAll());
    const { status, stderr } = await run.ended;
    expect(status).toBe(3);
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning: '));
    expect(warnings.sort()).toEqual(
      ['small', 'very large'].map((name) => `warning: ${join(workspace, name)}: it cannot be read: permission denied`),
    );
    expect(proved(output).names).toEqual(['', FILLER]);
    reader.close();
  } finally {
    await tcp.stop();
  }
});

test('files that are written all the time', async () => {
  const { home, workspace, dsn } = install.another();
  const paths = ['growing', 'emptied', 'replaced'].map((name) => join(workspace, name));
  for (const path of paths) writeFileSync(path, '0\n');
  put(join(workspace, 'steady'), 'the same as ever');
  const script = `while :; do
    echo "a line that makes it longer" >> "$1"
    if [ $((RANDOM % 2)) = 0 ]; then : > "$2"; else head -c $((RANDOM * 90)) /dev/zero > "$2"; fi
    head -c $RANDOM /dev/zero > "$3.new"; mv "$3.new" "$3"
    rm -f "$3.gone"; : > "$3.gone"
  done`;
  const writer = spawn('bash', ['-c', script, 'bash', ...paths], { stdio: 'ignore' });
  try {
    for (let round = 0; round < 8; round += 1) {
      const output = join(install.base, 'busy.tar.gz');
      const result = await backup({ home, dsn, output, workers: 2 });
      const { content, names } = proved(output);
      expect(names).toEqual(expect.arrayContaining(['growing', 'emptied', 'steady']));
      expect(content('steady')?.toString()).toBe('the same as ever');
      expect(content('growing')?.toString()).toMatch(/^0\n(a line that makes it longer\n)*/);
      expect(result.warnings.map(({ path }) => path)).not.toContain(join(workspace, 'steady'));
    }
  } finally {
    writer.kill('SIGKILL');
  }
});

test('what a rule leaves out is not missed where it vanishes before it is looked at: as a directory, or as a file', () => {
  const { workspace } = install.another();
  const page = {
    directory: '',
    names: ['.git', '__pycache__', 'a.log', 'data', 'kept', 'old'],
    ignores: { source: { directory: '', patterns: 'data/\n' }, above: null },
  };
  const rules = { patterns: ['*.log', 'old', '!old/'], paths: [] };
  const { leftOut, warnings } = scanShards({ root: workspace, rules, shards: [page] });
  expect(leftOut).toEqual([
    ['.git', 1, 0],
    ['__pycache__', 1, 0],
    ['*.log (--exclude)', 1, 0],
    ['data/ (.leoflowignore)', 1, 0],
    ['old (--exclude)', 0, 1],
  ]);
  expect(warnings.map(({ code, path }) => ({ code, path }))).toEqual([
    { code: 'vanished', path: join(workspace, 'kept') },
  ]);
});

describe('a directory that vanishes', () => {
  test('between two looks of the scan is reported', async () => {
    const { workspace } = install.another();
    // More names than one task looks at: what comes after them is a task of its own.
    for (let i = 0; i < 4200; i += 1) put(join(workspace, i < 4000 ? 'a' : 'b', String(i)));
    put(join(workspace, 'c', 'deep', 'inside'), 'x');
    const warnings: Warning[] = [];
    let scans = 0;
    const walk = new WorkspaceWalk({
      root: workspace,
      rules: { patterns: [], paths: [] },
      concurrency: 1,
      onWarning: (warning) => warnings.push(warning),
      scan: async (task) => {
        scans += 1;
        const result = scanShards(task);
        if (scans === 1) rmSync(join(workspace, 'c'), { recursive: true });
        return result;
      },
    });
    const paths: string[] = [];
    for await (const table of walk.entries()) for (const { path } of rowsOf(table)) paths.push(path);
    expect(scans).toBe(2);
    expect(paths).toHaveLength(4200 + 4);
    expect(paths.at(-1)).toBe('c');
    expect(warnings).toEqual([
      {
        code: 'vanished',
        path: join(workspace, 'c'),
        message: 'it vanished before it could be read',
        incomplete: true,
      },
    ]);
  });

  test('with everything in it, when the workspace is deleted', async () => {
    const outcome = await whilePacking(
      (workspace) => {
        for (const name of ['x', 'y', 'z']) put(join(workspace, name), name);
      },
      (workspace) => rmSync(workspace, { recursive: true }),
    );
    expect(outcome.names).toEqual(['', FILLER]);
    expect(outcome.result.warnings.map(({ code }) => code)).toEqual(['vanished', 'vanished', 'vanished']);
  });

  test('before it is scanned: the workspace itself', async () => {
    const { home, workspace, dsn } = install.another();
    const run = backup({
      home,
      dsn,
      output: install.archive,
      onEvent: (event) => {
        if (event.type === 'phase' && event.phase === 'pack') rmSync(workspace, { recursive: true, force: true });
      },
    });
    await expect(run).rejects.toMatchObject({
      code: 'WORKSPACE_NOT_FOUND',
      message: `the workspace ${workspace} vanished: no such file or directory`,
    });
    expect(install.left()).toEqual([]);
  });
});
