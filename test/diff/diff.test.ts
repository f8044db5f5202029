/** What is different between two archives, or an archive and the install. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiffEvent, Difference, DiffOptions, DiffResult } from '../../src/index.js';
import { untar } from '../support/archive.js';
import { leoflow, underModes } from '../support/cli.js';
import {
  blocksOf,
  directory,
  type Forged,
  file,
  hardlink,
  indexed,
  largeFile,
  MANIFEST,
  manifest,
  streamed,
} from '../support/forge/archive.js';
import { plainGzip } from '../support/forge/members.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { backup, diff } from '../support/library.js';
import { growOddTree, MIB, put } from '../support/tree.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const THEN = 1_700_000_000;

lendWorkers();

let install: TestInstall;
/** Before the changes, after them, and the same as after, repacked by somebody else in another order. */
let [before, after, repacked] = ['', '', ''];

const WORKSPACE_CHANGES = [
  'M changes/content (content)',
  'M changes/content-same-size (content)',
  'M changes/everything (content, mode, mtime)',
  'M changes/large (content)',
  'M changes/link (target)',
  'M changes/mode (mode)',
  'M changes/mtime (mtime)',
  'M changes/type (type)',
  '+ new/',
  '+ new/deep/',
  '+ new/deep/file',
  '+ new/link',
  '- old/',
  '- old/a\nb',
  '- old/link',
];
const CONFIG_CHANGES = ['M config.yaml: jwt_secret', '+ config.yaml: lite_port', '- setup.json: tier'];
const TABLE_CHANGES = ['+ public."Odd ""name"""  → 2', '- public.dag 3 → ', 'M public.run 2000 → 2007'];

beforeAll(async () => {
  install = await createInstall();
  const { workspace, home, cluster, out } = install;
  growOddTree(workspace, 50);
  for (const name of ['content', 'content-same-size', 'everything', 'mode', 'mtime', 'same', 'touched', 'type'])
    stamp(name, `this is ${name}\n`);
  stamp('large', Buffer.alloc(3 * MIB, 'large\n'));
  symlinkSync('content', join(workspace, 'changes/link'));
  put(join(workspace, 'old/a\nb'), 'gone soon');
  symlinkSync('a\nb', join(workspace, 'old/link'));
  lutimesSync(join(workspace, 'changes/link'), THEN, THEN);
  before = join(out, 'before.tar.gz');
  await backup({ home, output: before, workers: 2 });

  stamp('content', 'this is more content\n');
  stamp('content-same-size', 'THIS is content-same-size\n');
  stamp('everything', 'all of it\n', THEN + 60);
  chmodSync(join(workspace, 'changes/everything'), 0o600);
  const large = Buffer.alloc(3 * MIB, 'large\n');
  large[2 * MIB] = 0;
  stamp('large', large);
  chmodSync(join(workspace, 'changes/mode'), 0o755);
  stamp('mtime', 'this is mtime\n', THEN + 1);
  stamp('touched', 'this is touched\n');
  rmSync(join(workspace, 'changes/type'));
  mkdirSync(join(workspace, 'changes/type'));
  rmSync(join(workspace, 'changes/link'));
  symlinkSync('mode', join(workspace, 'changes/link'));
  lutimesSync(join(workspace, 'changes/link'), THEN, THEN);
  rmSync(join(workspace, 'old'), { recursive: true });
  put(join(workspace, 'new/deep/file'), 'fresh');
  symlinkSync('deep', join(workspace, 'new/link'));

  const config = readFileSync(join(home, 'config.yaml'), 'utf8');
  writeFileSync(join(home, 'config.yaml'), `# moved\n${config.replace('0f0f', 'f0f0')}lite_port: 8088\n`);
  const setup = JSON.parse(readFileSync(join(home, 'setup.json'), 'utf8')) as Record<string, unknown>;
  delete setup.tier;
  writeFileSync(join(home, 'setup.json'), JSON.stringify(setup));
  await cluster.psql(`INSERT INTO run (dag, state) SELECT 'etl', 'done' FROM generate_series(1, 7);
    CREATE TABLE "Odd ""name""" (t text); INSERT INTO "Odd ""name""" VALUES (E'\\\\.'), (E'COPY x FROM stdin;\\n\\\\.\\n');
    ALTER TABLE run DROP CONSTRAINT run_dag_fkey; DROP TABLE dag;`);
  after = join(out, 'after.tar.gz');
  await backup({ home, output: after, workers: 2 });

  const tree = join(install.base, 'unpacked');
  untar(after, tree);
  repacked = join(out, 'repacked.tar.gz');
  execFileSync('tar', [
    'czf',
    repacked,
    '-C',
    tree,
    'workspace',
    'datastore.sql',
    'INDEX.jsonl',
    'SHA256SUMS',
    'setup.json',
    'config.yaml',
    'MANIFEST.json',
  ]);
});
afterAll(() => install?.remove());

/** Writes a file of `changes/`, at a time of its own. */
function stamp(name: string, content: string | Buffer, time = THEN): void {
  const path = join(install.workspace, 'changes', name);
  put(path, content);
  utimesSync(path, time, time);
}

/** All differences as lines, by their parts. */
async function differences(
  options: DiffOptions,
): Promise<{ result: DiffResult } & Record<Difference['part'], string[]>> {
  const lines = { config: [] as string[], workspace: [] as string[], datastore: [] as string[] };
  const order: string[] = [];
  const result = await diff({
    workers: 2,
    ...options,
    onEvent: (event) => {
      if (event.type !== 'difference') return;
      const { difference } = event;
      order.push(difference.part);
      lines[difference.part].push(lineOf(difference));
    },
  });
  expect(order).toEqual([...order].sort((a, b) => PARTS.indexOf(a) - PARTS.indexOf(b)));
  return { result, ...lines };
}

const PARTS = ['config', 'workspace', 'datastore'];

function lineOf(difference: Difference): string {
  const sign = { added: '+', removed: '-', changed: 'M' }[difference.change];
  if (difference.part === 'config') return `${sign} ${difference.file}: ${difference.key}`;
  if (difference.part === 'datastore') {
    return `${sign} ${difference.table} ${difference.rowsFrom ?? ''} → ${difference.rowsTo ?? ''}`;
  }
  const { path, kind, aspects } = difference;
  return `${sign} ${path}${kind === 'directory' && aspects.length === 0 ? '/' : ''}${aspects.length > 0 ? ` (${aspects.join(', ')})` : ''}`;
}

describe('two archives', () => {
  test('every kind of change is told, and nothing else', async () => {
    const { result, config, workspace, datastore } = await differences({ from: before, to: after });
    expect(workspace).toEqual(WORKSPACE_CHANGES);
    expect(config).toEqual(CONFIG_CHANGES);
    expect(datastore.sort()).toEqual(TABLE_CHANGES);
    expect(result).toMatchObject({
      from: before,
      to: after,
      live: false,
      differs: true,
      workspace: { added: 4, removed: 3, changed: 8 },
      config: { added: 1, removed: 1, changed: 1 },
      datastore: { added: 1, removed: 1, changed: 1, same: 1 },
      uncompared: 0,
    });
    expect(result.workspace?.same).toBeGreaterThan(300);
  });

  test('the other way round', async () => {
    const { workspace } = await differences({ from: after, to: before, only: ['workspace'] });
    const turned = (line: string) => line.replace(/^[+-]/, (sign) => (sign === '+' ? '-' : '+'));
    expect(workspace.sort()).toEqual(WORKSPACE_CHANGES.map(turned).sort());
  });

  test('with itself', async () => {
    const { result, ...parts } = await differences({ from: after, to: after });
    expect(result.differs).toBe(false);
    expect([parts.config, parts.workspace, parts.datastore]).toEqual([[], [], []]);
  });

  test('one that was repacked, in another order and as one stream, is the same', async () => {
    for (const [from, to] of [
      [after, repacked],
      [repacked, after],
    ] as const) {
      const { result, workspace } = await differences({ from, to });
      expect(workspace).toEqual([]);
      expect(result.differs).toBe(false);
    }
    expect((await differences({ from: before, to: repacked })).workspace).toEqual(WORKSPACE_CHANGES);
  });

  test('only a part', async () => {
    const { result, ...parts } = await differences({ from: before, to: after, only: ['config'] });
    expect(parts).toEqual({ config: CONFIG_CHANGES, workspace: [], datastore: [] });
    expect(result).toMatchObject({ workspace: null, datastore: null });
  });

  test('no value of the configuration is told', async () => {
    const told: unknown[] = [];
    await diff({ from: before, to: after, onEvent: (event) => told.push(event) });
    expect(JSON.stringify(told)).not.toMatch(/0f0f|f0f0/);
  });

  test('one of the Leoflow binary: what it does not keep is no difference', async () => {
    const notes: string[] = [];
    const { result, workspace } = await differences({ from: REFERENCE, to: REFERENCE });
    expect({ differs: result.differs, workspace }).toEqual({ differs: false, workspace: [] });
    await diff({ from: REFERENCE, to: after, onEvent: (event) => event.type === 'note' && notes.push(event.message) });
    expect(notes).toEqual([expect.stringContaining('neither directories nor links')]);
    const mixed = await differences({ from: REFERENCE, to: after, only: ['workspace'] });
    expect(mixed.workspace).toContain('+ new/deep/file');
    expect(mixed.workspace.filter((line) => line.endsWith('/') || line === '+ new/link')).toEqual([]);
  });

  test('a damaged one is an error that says so', async () => {
    const bytes = readFileSync(after);
    const path = join(install.out, 'damaged.tar.gz');
    writeFileSync(path, plainGzip(gunzipSync(bytes).subarray(0, 5_000_000)));
    await expect(diff({ from: before, to: path })).rejects.toMatchObject({ code: 'ARCHIVE_TRUNCATED' });
    writeFileSync(path, bytes.subarray(0, 20_000));
    await expect(diff({ from: path, to: before })).rejects.toMatchObject({ code: 'ARCHIVE_TRUNCATED' });
    await expect(diff({ from: before, to: '/nonexistent' })).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' });
  });
});

describe('hard links, as other tars write them', () => {
  const shelf = () => join(install.out, `hard-${linked++}.tar.gz`);
  let linked = 0;
  const put = (archive: Buffer) => {
    const path = shelf();
    writeFileSync(path, archive);
    return path;
  };
  /** A file, a second name of it in front of it and one behind it, and one more. */
  const archiveOf = (content: string, ...more: Forged[]) =>
    streamed(
      blocksOf({
        workspace: [
          [
            directory('workspace/'),
            hardlink('workspace/a', 'workspace/m'),
            file('workspace/m', content),
            hardlink('workspace/z', './workspace/m'),
            ...more,
          ],
        ],
        sums: () => null,
        manifest: [manifest({ ...MANIFEST, checksums: undefined })],
      }),
    );
  const whole = (content: string) =>
    indexed(
      blocksOf({
        workspace: [[directory('workspace/'), ...['a', 'm', 'z'].map((name) => file(`workspace/${name}`, content))]],
      }),
    );

  test('have the content of what they point to', async () => {
    const [old, other, larger] = [put(archiveOf('content')), put(archiveOf('CONTENT')), put(whole('more content'))];
    const same = put(whole('content'));
    for (const [from, to] of [
      [old, old],
      [old, same],
      [same, old],
    ] as const) {
      const { result, workspace } = await differences({ from, to });
      expect({ workspace, differs: result.differs, uncompared: result.uncompared }).toEqual({
        workspace: [],
        differs: false,
        uncompared: 0,
      });
    }
    const changes = ['M a (content)', 'M m (content)', 'M z (content)'];
    for (const [from, to] of [
      [old, other],
      [other, same],
      [same, other],
      [old, larger],
    ] as const)
      expect((await differences({ from, to })).workspace).toEqual(changes);
  });

  test('of which nobody says what they point to are not compared, and not the same', async () => {
    const notes: string[] = [];
    // One points to nothing, one to another hard link.
    const more = [hardlink('workspace/zz', 'workspace/nothing'), hardlink('workspace/zzz', 'workspace/z')];
    const path = put(archiveOf('content', ...more));
    const result = await diff({
      from: path,
      to: path,
      onEvent: (event) => event.type === 'note' && notes.push(event.message),
    });
    expect(result).toMatchObject({ differs: false, uncompared: 2, workspace: { changed: 0, same: 4 } });
    expect(notes).toEqual(['the content of 2 hard links is not known, and was not compared']);
    // What is known of them is compared: here that they are others.
    const other = file('workspace/zz', 'x', { mode: 0o600 });
    const { workspace } = await differences({ from: path, to: put(archiveOf('content', other)) });
    expect(workspace).toEqual(['M zz (mode)', '- zzz']);
  });

  test('in members of their own are not compared either', async () => {
    const blocks = blocksOf({
      workspace: [[directory('workspace/'), file('workspace/a', 'a'), hardlink('workspace/b', 'workspace/a')]],
    });
    const path = put(indexed(blocks));
    expect(await diff({ from: path, to: path })).toMatchObject({ differs: false, uncompared: 1 });
  });

  test('with the program: another headline, and with --exit-code status 1', async () => {
    const path = put(archiveOf('content', hardlink('workspace/zz', 'workspace/nothing')));
    const { status, stdout, stderr } = await leoflow(['lite', 'diff', path, path]);
    expect(status).toBe(0);
    expect(stdout.toString()).toContain(`No difference found, but not all was compared: ${path} → ${path}\n`);
    expect(stdout.toString()).toMatch(/^ {2}uncompared 1 entry$/m);
    expect(stderr).toContain('note: the content of 1 hard link is not known, and was not compared\n');
    expect(await leoflow(['lite', 'diff', '--quiet', '--exit-code', path, path])).toMatchObject({ status: 1 });
  });
});

test('a config.yaml that no restore would hold in memory is refused, whichever way the archive is read', async () => {
  const config = largeFile('config.yaml', Buffer.alloc(17 * MIB, 'a: 1\n'));
  for (const [name, archive] of [
    ['streamed', streamed(blocksOf({ config: [config] }))],
    ['indexed', indexed(blocksOf({ config: [], workspace: [[config]] }))],
  ] as const) {
    const path = join(install.out, `config-${name}.tar.gz`);
    writeFileSync(path, archive);
    for (const [from, to] of [
      [path, after],
      [after, path],
    ] as const)
      await expect(diff({ from, to, only: ['config'] })).rejects.toMatchObject({
        code: 'ARCHIVE_DAMAGED',
        message: `the archive is damaged: its config.yaml has ${17 * MIB} bytes`,
      });
  }
});

test('checksums without a line feed are not read to their end', async () => {
  const path = join(install.out, 'endless.tar.gz');
  writeFileSync(path, indexed(blocksOf({ sums: () => Buffer.alloc(3 * MIB, 'a') })));
  await expect(diff({ from: path, to: path, only: ['workspace'] })).rejects.toMatchObject({
    code: 'ARCHIVE_DAMAGED',
    message: expect.stringContaining('a line of its SHA256SUMS is none'),
  });
});

describe('an archive and the install', () => {
  const live = () => ({ to: null, home: install.home });

  test('as it was backed up, nothing is different', async () => {
    const { result, ...parts } = await differences({ from: after, ...live() });
    expect(parts).toEqual({ config: [], workspace: [], datastore: [] });
    expect(result).toMatchObject({ differs: false, live: true, to: install.home, uncompared: 0 });
  });

  test('every change since', async () => {
    const { config, workspace, datastore } = await differences({ from: before, ...live() });
    expect({ config, workspace, datastore: datastore.sort() }).toEqual({
      config: CONFIG_CHANGES,
      workspace: WORKSPACE_CHANGES,
      datastore: TABLE_CHANGES,
    });
    expect((await differences({ from: repacked, ...live() })).result.differs).toBe(false);
  });

  test('what a backup leaves out is no difference: exclusions, the archive itself', async () => {
    const own = join(install.workspace, 'snap.tar.gz');
    put(join(install.workspace, 'node_modules/x'), 'left out');
    put(join(install.workspace, 'data.parquet'), 'left out');
    execFileSync('cp', [after, own]);
    try {
      const { workspace } = await differences({ from: own, ...live(), exclude: ['*.parquet'], only: ['workspace'] });
      expect(workspace).toEqual([]);
      const all = await differences({ from: after, ...live(), only: ['workspace'] });
      expect(all.workspace).toEqual(['+ data.parquet', '+ snap.tar.gz']);
    } finally {
      for (const name of ['node_modules', 'data.parquet', 'snap.tar.gz'])
        rmSync(join(install.workspace, name), { recursive: true });
    }
  });

  test('a datastore that is down fails, and says what can be compared without it', async () => {
    const { home } = install.another();
    const place = { home, dsn: 'postgres://leoflow@127.0.0.1:1/leoflow_dev' };
    await expect(diff({ from: after, to: null, ...place })).rejects.toMatchObject({
      code: 'DATASTORE_UNREACHABLE',
      hint: expect.stringContaining('--only workspace'),
    });
    expect((await diff({ from: after, to: null, ...place, only: ['workspace'] })).workspace?.removed).toBeGreaterThan(
      300,
    );
  });

  test('a home that is none', async () => {
    await expect(diff({ from: after, to: null, home: '/nonexistent' })).rejects.toMatchObject({
      code: 'HOME_NOT_FOUND',
    });
  });

  test('what lies below a directory that cannot be read is not compared, and not removed', async () => {
    const { home, workspace, dsn } = install.another();
    for (const path of ['shut/a', 'shut/deep/b', 'shut.txt', 'listed/deep/c', 'listed/d', 'open/e', 'gone'])
      put(join(workspace, path), path);
    const archive = join(install.out, 'unseen.tar.gz');
    await backup({ home, dsn, output: archive });
    rmSync(join(workspace, 'gone'));
    rmSync(join(workspace, 'open/e'));
    const [shut, listed] = [join(workspace, 'shut'), join(workspace, 'listed')];
    const compare = async () => {
      const argv = ['lite', 'diff', '--live', '--home', home, '--only', 'workspace', '--exit-code', '--json', archive];
      const { status, stdout } = await leoflow(argv, { under: underModes });
      const lines = stdout.toString().trimEnd().split('\n');
      const told = lines.map((line) => JSON.parse(line) as DiffEvent | (DiffResult & { type: 'result' }));
      return {
        status,
        differences: told.flatMap((line) =>
          line.type === 'difference' && line.difference.part === 'workspace'
            ? [`${line.difference.change} ${line.difference.path}`]
            : [],
        ),
        warnings: told.flatMap((line) => (line.type === 'warning' ? [line.warning.path] : [])),
        result: told.at(-1),
      };
    };
    chmodSync(shut, 0o000);
    // Its names can be read, and nothing else of it.
    chmodSync(listed, 0o444);
    try {
      expect(await compare()).toMatchObject({
        status: 1,
        differences: ['removed gone', 'changed listed', 'removed open/e', 'changed shut'],
        warnings: expect.arrayContaining([shut, join(listed, 'deep'), join(listed, 'd')]),
        // Of these three, deep/c, and what is below shut.
        result: { uncompared: 7, workspace: { added: 0, removed: 2, changed: 2 } },
      });
    } finally {
      for (const directory of [shut, listed]) chmodSync(directory, 0o755);
    }
    expect(await compare()).toMatchObject({ status: 1, differences: ['removed gone', 'removed open/e'], warnings: [] });
  });

  test('of a file that cannot be read all else is compared, and nothing is called the same', async () => {
    const { home, workspace } = install.another();
    const shut = join(workspace, 'shut');
    put(shut, 'shut');
    chmodSync(shut, 0);
    utimesSync(shut, THEN, THEN);
    const archive = join(install.out, 'shut.tar.gz');
    // Forged, as a backup may not be able to read it either.
    const mode = statSync(workspace).mode & 0o7777;
    const root = directory('workspace/', { mode });
    writeFileSync(archive, indexed(blocksOf({ workspace: [[root, file('workspace/shut', 'shut', { mode: 0 })]] })));
    const compare = async (...more: string[]) => {
      const argv = ['lite', 'diff', '--live', '--home', home, '--only', 'workspace', archive, ...more];
      const { status, stdout, stderr } = await leoflow(argv, { under: underModes });
      return { status, stdout: stdout.toString(), stderr };
    };
    const warning = `warning: ${shut}: it cannot be read: permission denied\n`;
    // As it was, for all that can be known.
    const same = await compare();
    expect(same).toMatchObject({ status: 0, stderr: expect.stringContaining(warning) });
    expect(same.stdout).toMatch(/^No difference found, but not all was compared: /);
    expect(same.stdout).toMatch(/^ {2}uncompared 1 entry$/m);
    expect(await compare('--exit-code', '--quiet')).toMatchObject({ status: 1, stdout: '', stderr: warning });
    chmodSync(shut, 0o200);
    utimesSync(shut, THEN + 1, THEN + 1);
    expect((await compare()).stdout).toMatch(/^M workspace\/shut \(mode, mtime\)\nDifferent: /m);
    writeFileSync(shut, 'shut again');
    chmodSync(shut, 0o000);
    utimesSync(shut, THEN, THEN);
    // Of another size is of another content: nothing has to be read.
    const larger = await compare();
    expect(larger.stdout).toMatch(/^M workspace\/shut \(content\)\nDifferent: /m);
    expect(larger.stdout).not.toContain('uncompared');
    expect(larger.stderr).not.toContain('warning');
  });

  test('a file that goes away meanwhile is a warning', async () => {
    const path = join(install.workspace, 'changes/same');
    const warnings: string[] = [];
    // Seen by the scan, and gone when its content is asked for.
    const result = await diff({
      from: after,
      ...live(),
      only: ['workspace'],
      workers: 1,
      onEvent: (event) => {
        if (event.type === 'phase') renameSync(path, `${path}-away`);
        if (event.type === 'warning') warnings.push(event.warning.path);
      },
    }).finally(() => renameSync(`${path}-away`, path));
    // Whichever came first: it is told either way.
    expect(result.differs || warnings.includes(path)).toBe(true);
  });

  test('it can be interrupted', async () => {
    const stop = new AbortController();
    const compared = diff({
      from: after,
      ...live(),
      signal: stop.signal,
      onEvent: ({ type }) => type === 'progress' && stop.abort(),
    });
    await expect(compared).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});
