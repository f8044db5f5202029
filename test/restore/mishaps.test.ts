/** Restores that meet with bad luck, at every step: calls that fail, signals, a server that dies, a disk that is full. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RestoreEvent } from '../../src/index.js';
import { untar } from '../support/archive.js';
import { underModes } from '../support/cli.js';
import { startCluster } from '../support/postgres.js';
import { isRoot, look } from '../support/tree.js';
import { backup, COMMIT, type Fault, recover, restore, runRecovery, runRestore } from './faults.js';
import { Trial } from './trial.js';

let trial: Trial;

beforeAll(async () => {
  trial = await Trial.begin();
});
afterAll(async () => {
  await trial?.install.remove();
});

describe('a call that fails', () => {
  test.each([
    ['while the archive is staged', 'stage', 'ENOSPC'],
    ['in the commit', 'commit', 'EIO'],
  ] as const)(
    '%s is told, and the install is as it was; behind the commit it is only noted',
    {
      timeout: 600_000,
    },
    async (_, from, code) => {
      for (let at = 1; ; at += 1) {
        const { target, result, error, notes } = await trial.attempt({ calls: 'files', from, at, code });
        if (error !== undefined) {
          const expected = { name: 'SnapshotError', code: expect.stringMatching(/^(STAGING|COMMIT)_/) };
          expect(error, `call ${at}`).toMatchObject(expected);
          // The calls of the commit are another test's.
          if (from === 'stage' && error.code === 'COMMIT_FAILED') return;
          expect(error.hint).toContain('nothing was changed');
          await trial.unchanged();
          continue;
        }
        expect(result, `call ${at}`).toBeDefined();
        trial.now = target;
        expect(await trial.install.version()).toBe(target);
        const left = await trial.install.strays();
        if (left.length === 0 && notes.length === 0) return;
        if (left.length > 0) expect(notes.join()).toContain('something is left over that could not be removed');
        await trial.again();
      }
    },
  );

  test('and then all others do: nobody can say how it is, but a recovery', async () => {
    const { error } = await trial.attempt({ ...COMMIT.halfMoved, onward: true, code: 'EIO' });
    expect(error).toMatchObject({
      name: 'SnapshotError',
      code: 'RECOVERY_FAILED',
      message: expect.stringMatching(
        /^the commit failed, and could not be undone: .*i\/o error.* It failed because cannot move .*: i\/o error$/,
      ),
      hint: `see to what stands in the way, then run: leoflow lite restore --recover --home ${trial.install.home}`,
    });
    expect((await recover({ home: trial.install.home })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test('because the workspace cannot be moved at all is explained', async () => {
    const { error } = await trial.attempt({ ...COMMIT.journalWritten, code: 'EXDEV' });
    expect(error).toMatchObject({
      code: 'COMMIT_FAILED',
      message: expect.stringMatching(/^cannot move \S+ to \S+\.before-restore-\S+: cross-device link not permitted$/),
      hint: expect.stringContaining('neither is a mount point'),
    });
    await trial.unchanged();
  });
});

describe('a workspace that is a mount point', () => {
  test('cannot be moved, and the install is as it was', async () => {
    const { base, workspace } = trial.install;
    const aside = join(base, 'aside');
    const before = look(workspace);
    renameSync(workspace, aside);
    mkdirSync(workspace);
    // Where nobody may mount anything, the call fails as it does there.
    const mounted = spawnSync('mount', ['--bind', aside, workspace]).status === 0;
    if (!mounted) {
      rmdirSync(workspace);
      renameSync(aside, workspace);
    }
    const fault = mounted ? {} : { fault: { ...COMMIT.journalWritten, code: 'EBUSY' } };
    try {
      const { error } = await runRestore(trial.request(trial.other), { base, ...fault });
      expect(error).toMatchObject({
        code: 'COMMIT_FAILED',
        message: expect.stringMatching(/^cannot move \S+ to \S+\.before-restore-\S+: resource busy or locked$/),
        hint: expect.stringContaining('neither is a mount point'),
      });
      expect(look(workspace)).toEqual(before);
    } finally {
      if (mounted) {
        execFileSync('umount', [workspace]);
        rmdirSync(workspace);
        renameSync(aside, workspace);
      }
    }
    await trial.unchanged();
  });
});

describe('a previous workspace that was to be removed', () => {
  /** Restores the other version, and says what became of the previous workspace, which is then removed. */
  async function previousOf(input: string | Readable, target = trial.other) {
    const notes: string[] = [];
    const { previous, discarded, incomplete } = await restore({
      ...trial.request(target),
      input,
      onEvent: (event: RestoreEvent) => event.type === 'note' && notes.push(event.message),
    });
    expect(previous.map(({ what }) => what)).toEqual([trial.install.workspace]);
    expect(discarded).not.toContain(trial.install.workspace);
    const where = previous[0]?.where ?? '';
    const kept = look(where);
    execFileSync('sh', ['-c', 'umount "$1"/data 2> /dev/null; chmod -R u+rwX "$1"; rm -rf "$1"', 'sh', where], {
      stdio: 'ignore',
    });
    await trial.completed(target);
    return { notes, kept: [...kept.keys()], incomplete };
  }

  test('is kept where the archive lies in it', async () => {
    const { workspace, archives } = trial.install;
    const input = join(workspace, 'snap.tar.gz');
    execFileSync('cp', [archives[trial.other], input]);
    const { notes, kept } = await previousOf(input);
    expect(notes).toEqual([`the previous workspace ${workspace} is not removed: the archive itself lies in it`]);
    expect(kept).toContain('snap.tar.gz');
  });

  test('is kept where the archive is incomplete: what it lacks is there', async () => {
    const { home, out, workspace } = trial.install;
    const name = Buffer.concat([Buffer.from(`${workspace}/caf`), Buffer.from([0xe9])]);
    writeFileSync(name, 'the only copy');
    const input = join(out, 'incomplete.tar.gz');
    expect(await backup({ home, output: input })).toMatchObject({ incomplete: true });
    const dry = await restore({ ...trial.request(trial.now), input, dryRun: true });
    expect(dry).toMatchObject({ incomplete: 1, previous: [{ what: workspace, where: workspace }] });
    expect(dry.discarded).not.toContain(workspace);
    const { notes, kept, incomplete } = await previousOf(input, trial.now);
    expect(incomplete).toBe(1);
    expect(notes).toEqual([
      `the previous workspace ${workspace} is not removed: the archive is incomplete, and what it lacks may be there`,
    ]);
    expect(kept).toContain('bytes:caf\xe9');
  });

  test.each([
    ['a stream', (path: string) => createReadStream(path)],
    // As Node.js makes the standard input of `< snap.tar.gz`.
    ['a descriptor', (path: string) => createReadStream('', { fd: openSync(path, 'r'), autoClose: false })],
  ])('is kept where the archive lies in it, and is read as %s', async (_, opened) => {
    const { workspace, archives } = trial.install;
    const input = join(workspace, 'snap.tar.gz');
    execFileSync('cp', [archives[trial.other], input]);
    const { notes, kept } = await previousOf(opened(input));
    expect(notes).toEqual([`the previous workspace ${workspace} is not removed: the archive itself lies in it`]);
    expect(kept).toContain('snap.tar.gz');
  });

  test('is kept where commits that are on no remote would go with it', async () => {
    const { workspace, archives } = trial.install;
    const git = 'git -c user.name=x -c user.email=x@example.org';
    execFileSync('sh', [
      '-ec',
      `git init -q -b main "$1"/new/repo; cd "$1"/new/repo; ${git} commit -q --allow-empty -m mine`,
      'sh',
      workspace,
    ]);
    if (isRoot) execFileSync('chown', ['-R', '--reference', workspace, join(workspace, 'new')]);
    const { notes, kept } = await previousOf(archives[trial.other]);
    expect(notes).toEqual([
      expect.stringMatching(
        /^the previous workspace \S+ is not removed: \S+\/new\/repo\/\.git holds commits that are on no remote/,
      ),
    ]);
    expect(kept).toContain('new/repo/.git');
  });

  const COMMIT_ONE = `git init -q -b main "$1"; cd "$1"; git -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m mine`;

  test('is removed where such commits are carried over with what they lie in', async () => {
    const { workspace, archives } = trial.install;
    const repository = join(workspace, 'dags', '.venv', 'src', 'part');
    execFileSync('sh', ['-ec', COMMIT_ONE, 'sh', repository]);
    const notes: string[] = [];
    const target = trial.other;
    const { previous, discarded } = await restore({
      ...trial.request(target),
      input: archives[target],
      onEvent: (event: RestoreEvent) => event.type === 'note' && notes.push(event.message),
    });
    expect({ notes, previous }).toEqual({ notes: [], previous: [] });
    expect(discarded).toContain(workspace);
    expect(readdirSync(repository)).toEqual(['.git']);
    rmSync(join(workspace, 'dags', '.venv', 'src'), { recursive: true });
    await trial.completed(target);
  });

  test.each([
    ['a directory', 'closed', (path: string) => `${path} cannot be looked into: permission denied`],
    [
      'the submodules of a repository',
      'new/.git/modules',
      (path: string) => `${dirname(path)} holds histories of submodules that cannot be looked into`,
    ],
  ])('is kept where %s cannot be looked into, although its owner may remove that', async (_, name, why) => {
    const { workspace, base } = trial.install;
    const closed = join(workspace, name);
    if (name !== 'closed') execFileSync('git', ['init', '-q', join(workspace, 'new')]);
    mkdirSync(closed);
    execFileSync('sh', ['-ec', COMMIT_ONE, 'sh', join(closed, 'repo')]);
    chmodSync(closed, 0o300);
    // Where modes count, a server of another account cannot be reached.
    const request = { ...trial.request(trial.now), only: ['workspace' as const] };
    const { result, error, notes } = await runRestore(request, { base, under: underModes });
    expect(error).toBeUndefined();
    expect(notes).toEqual([`the previous workspace ${workspace} is not removed: ${why(closed)}`]);
    expect(result).toMatchObject({ previous: [{ what: workspace }], discarded: [] });
    const where = result?.previous[0]?.where ?? '';
    chmodSync(join(where, name), 0o700);
    expect(readdirSync(join(where, name, 'repo'))).toEqual(['.git']);
    execFileSync('sh', ['-c', 'chmod -R u+rwX "$1"; rm -r "$1"', 'sh', where]);
    await trial.unchanged();
  });

  test('is listed as kept where nobody can see any more what is there: the restore is done', async () => {
    const { workspace, home, base, archives } = trial.install;
    const input = join(workspace, 'snap.tar.gz');
    const target = trial.other;
    execFileSync('cp', [archives[target], input]);
    const onEvent = (event: RestoreEvent) => {
      // The first thing behind the commit.
      if (event.type !== 'note' || !event.message.startsWith('the previous workspace')) return;
      renameSync(base, `${base}.aside`);
      symlinkSync(base, base);
    };
    try {
      const { previous } = await restore({ ...trial.request(target), input, onEvent });
      const files = [workspace, join(home, 'config.yaml'), join(home, 'setup.json')];
      expect(previous.map(({ what }) => what)).toEqual([...files, 'database leoflow_dev']);
    } finally {
      rmSync(base);
      renameSync(`${base}.aside`, base);
    }
    execFileSync('sh', ['-c', 'chmod -R u+rwX "$1"/flows.*; rm -r "$1"/flows.* "$1"/.*.partial', 'sh', base]);
    await trial.completed(target);
  });

  if (isRoot)
    test('is removed where a file system is mounted in what is carried over', async () => {
      const { workspace, archives } = trial.install;
      const mount = join(workspace, 'dags', '.venv', 'cache');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mount]);
      const target = trial.other;
      const notes: string[] = [];
      try {
        const { discarded } = await restore({
          ...trial.request(target),
          input: archives[target],
          onEvent: (event: RestoreEvent) => event.type === 'note' && notes.push(event.message),
        });
        expect({ notes, hasGone: discarded.includes(workspace) }).toEqual({ notes: [], hasGone: true });
      } finally {
        execFileSync('umount', [mount]);
      }
      rmdirSync(mount);
      await trial.completed(target);
    });

  if (isRoot)
    test('is kept where a file system is mounted in it, and is not emptied', async () => {
      const { workspace, archives } = trial.install;
      const [data, aside] = [join(workspace, 'data'), mkdtempSync(join(tmpdir(), 'lf-disk-'))];
      mkdirSync(data);
      writeFileSync(join(aside, 'precious'), 'x');
      execFileSync('mount', ['--bind', aside, data]);
      const { notes } = await previousOf(archives[trial.other]);
      expect(notes).toEqual([
        `the file system mounted at ${data} goes aside with the workspace`,
        `the previous workspace ${workspace} is not removed: a file system is mounted at ${data}`,
      ]);
      expect(readFileSync(join(aside, 'precious'), 'utf8')).toBe('x');
      rmSync(aside, { recursive: true });
    });
});

describe('a signal', () => {
  test.each([
    ['while it judges', { calls: 'spawn', at: 2 }],
    ['when it begins to stage', { calls: 'files', from: 'stage', at: 2 }],
    ['while the dump is replayed', { calls: 'spawn', from: 'stage', at: 10 }],
    ['when everything is staged', { calls: 'files', from: 'stage', at: 12 }],
  ] as const)('%s ends a restore, and leaves nothing behind', async (_, fault) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { status, error, notes } = await trial.attempt({ ...fault, signal });
      expect(error).toMatchObject({ name: 'SnapshotError', code: 'INTERRUPTED', message: 'interrupted' });
      expect({ status, notes }).toEqual({ status: 0, notes: [] });
      await trial.unchanged();
    }
  });

  test.each([
    ['in the commit', COMMIT.between],
    ['while the databases are swapped', { calls: 'spawn', from: 'commit', at: 2 }],
    ['while it tidies up', COMMIT.tidying],
  ] as const)('%s comes too late: the restore is completed', async (_, fault) => {
    const { target, result } = await trial.attempt({ ...fault, signal: 'SIGTERM' });
    expect(result).toBeDefined();
    await trial.completed(target);
  });
});

describe('a PostgreSQL that dies', () => {
  /** Stops a restore at a call, lets the server die there, and has the restore go on. */
  async function dyingAt(fault: Fault) {
    const paused = await trial.pause(fault);
    await trial.install.cluster.crash();
    paused.resume();
    const outcome = await paused.ended;
    await trial.install.cluster.start();
    return { target: paused.target, ...outcome };
  }

  test.each([8, 11])('while the dump is replayed (program %i) changes nothing', async (at) => {
    const { error } = await dyingAt({ calls: 'spawn', from: 'stage', at });
    expect(error).toMatchObject({ name: 'SnapshotError' });
    expect(await trial.install.version()).toBe(trial.now);
    expect(trial.isBrokenOff).toBe(false);
    // What it could not drop any more.
    await trial.again();
  });

  test('before the swap leaves a journal, by which the restore is undone', async () => {
    const { error } = await dyingAt({ calls: 'files', from: 'commit', at: 6, like: 'utimes' });
    expect(error).toMatchObject({
      code: 'RECOVERY_FAILED',
      message: expect.stringMatching(/^the commit failed, and could not be undone: .* It failed because /),
    });
    expect((await recover({ home: trial.install.home })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test('in the swap leaves a journal, by which the restore is finished or undone', async () => {
    const { target } = await dyingAt({ calls: 'spawn', from: 'commit', at: 3 });
    const { outcome } = await recover({ home: trial.install.home });
    await trial.completed(outcome === 'finished' ? target : trial.now);
  });

  test('after the swap takes nothing back; what it cannot remove any more, the next run can', async () => {
    const { target, result, notes } = await dyingAt(COMMIT.afterSwap);
    expect(result).toBeDefined();
    expect(notes.join()).toMatch(/^everything is in place, but something is left over that could not be removed/);
    expect(await trial.install.version()).toBe(target);
    expect(await trial.install.strays()).not.toEqual([]);
    expect((await recover({ home: trial.install.home })).outcome).toBe('finished');
    await trial.completed(target);
  });
});

describe('a datastore that is not there when a restore that was broken off is to be tidied up', () => {
  test.each([
    ['committed', COMMIT.tidying, 'leoflow_dev_before_restore_'],
    ['undone', COMMIT.beforeSwap, 'leoflow_staged_'],
  ] as const)('%s: the database that stays is named, and no restore is held up', async (state, fault, name) => {
    const { home, base } = trial.install;
    const { target } = await trial.attempt({ ...fault, signal: 'SIGKILL' });
    if (state === 'undone')
      await runRecovery({ home }, { base, fault: { calls: 'files', like: 'unlink', at: 1, signal: 'SIGKILL' } });
    const journal = JSON.parse(readFileSync(trial.journal, 'utf8'));
    expect(journal.state).toBe(state);
    const elsewhere = await startCluster();
    try {
      const dsn = elsewhere.url;
      const database = state === 'undone' ? journal.databases.staged : journal.databases.previous;
      expect(database).toContain(name);
      const notes: string[] = [];
      const onEvent = (event: RestoreEvent) => event.type === 'note' && notes.push(event.message);
      const { outcome } = await recover({ home, dsn, onEvent });
      expect(outcome).toBe(state === 'undone' ? 'undone' : 'finished');
      expect(notes).toEqual([
        expect.stringContaining(`could not be removed: the database ${database} (its datastore cannot be reached); `),
      ]);
      await expect(restore({ ...trial.request(target), dsn, input: '/nowhere' })).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      });
    } finally {
      await elsewhere.stop();
    }
    await recover({ home });
    await trial.completed(state === 'undone' ? trial.now : target);
  });
});

describe('a full disk', () => {
  /** An archive with 8 MiB of zeros in its workspace that does not look it: it is small, and has no members that would tell. */
  function swollen(): string {
    const { base, out, archives } = trial.install;
    const [tree, archive] = [join(base, 'swollen'), join(out, 'swollen.tar.gz')];
    untar(archives.A, tree);
    const manifest = JSON.parse(readFileSync(join(tree, 'MANIFEST.json'), 'utf8'));
    writeFileSync(join(tree, 'MANIFEST.json'), JSON.stringify({ ...manifest, checksums: undefined }));
    rmSync(join(tree, 'SHA256SUMS'));
    writeFileSync(join(tree, 'workspace', 'zeros'), Buffer.alloc(8 << 20));
    execFileSync('tar', ['czf', archive, '-C', tree, '.']);
    execFileSync('chmod', ['-R', 'u+rwX', tree]);
    rmSync(tree, { recursive: true });
    return archive;
  }

  /** No file larger than this many KiB. */
  const limited = (kib: number) => ['bash', '-c', `trap "" XFSZ; ulimit -f ${kib}; exec "$@"`, 'bash'];

  test('met by a file of the workspace is told, and changes nothing', async () => {
    const { base } = trial.install;
    const input = swollen();
    const { error } = await runRestore({ ...trial.request(trial.now), input }, { base, under: limited(1024) });
    expect(error).toMatchObject({
      code: 'STAGING_FULL',
      message: 'no room to restore "zeros": file too large',
      hint: expect.stringContaining('nothing was changed'),
    });
    await trial.unchanged();
  });

  test('that may not even take a line of text is told, and changes nothing', async () => {
    const { error } = await runRestore(trial.request(trial.now), { base: trial.install.base, under: limited(0) });
    expect(error).toMatchObject({ code: 'STAGING_FULL', hint: expect.stringContaining('nothing was changed') });
    await trial.unchanged();
  });

  test('under the workspace alone is told, and changes nothing', async () => {
    const { base } = trial.install;
    const small = join(base, 'small');
    mkdirSync(small);
    // Where nobody may mount anything, files may not grow.
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small]).status === 0;
    try {
      const { error } = await runRestore(
        { ...trial.request(trial.now), input: swollen(), workspace: join(small, 'flows') },
        { base, under: mounted ? [] : limited(4096) },
      );
      expect(error).toMatchObject({
        code: 'STAGING_FULL',
        message: expect.stringMatching(/^no room to restore "zeros": (no space left on device|file too large)$/),
      });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      if (mounted) execFileSync('umount', [small]);
    }
    rmSync(small, { recursive: true });
    await trial.unchanged();
  });
});
