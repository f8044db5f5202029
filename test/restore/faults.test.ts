/** Restores that are killed, at every step; and their recovery, which is killed, too. See docs/restore.md, "Recovery". */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/cli.js';
import { startCluster } from '../support/postgres.js';
import { look } from '../support/tree.js';
import { backup, COMMIT, recover, restore, runRecovery, runRestore, start } from './faults.js';
import { disconnectAll, freezeDatabases } from './sessions.js';
import { Trial } from './trial.js';
import type { Version } from './two-installs.js';

let trial: Trial;

beforeAll(async () => {
  trial = await Trial.begin();
});
afterAll(async () => {
  await trial?.install.remove();
});

describe('a restore that is killed', () => {
  test.each([
    ['at any call to the file system', { calls: 'files' }],
    ['while any other program works for it', { calls: 'spawn', from: 'stage' }],
  ] as const)(
    '%s leaves a whole install, or one that a recovery or the next restore makes whole',
    {
      timeout: 600_000,
    },
    async (_, calls) => {
      const { install } = trial;
      for (let at = 1; ; at += 1) {
        const { target, result } = await trial.attempt({ ...calls, at, signal: 'SIGKILL' });
        if (result !== undefined) {
          await trial.completed(target);
          expect(at).toBeGreaterThan(20);
          return;
        }
        if (at % 4 === 0) {
          await trial.again();
          continue;
        }
        const outcome = trial.isBrokenOff ? (await recover({ home: install.home })).outcome : null;
        const version = await install.version();
        expect([trial.now, target], `killed at call ${at}`).toContainEqual(version);
        if (outcome !== null) expect(version).toBe(outcome === 'finished' ? target : trial.now);
        trial.now = version as Version;
        await install.sweep();
      }
    },
  );

  test.each([
    ['before anything is moved', COMMIT.journalWritten, 'undone'],
    ['between two moves', COMMIT.between, 'undone'],
    ['when everything is moved, before the swap', COMMIT.beforeSwap, 'undone'],
    ['after the swap', COMMIT.afterSwap, 'finished'],
    ['while it tidies up', COMMIT.tidying, 'finished'],
  ] as const)('%s is recovered, also by a recovery that is killed at every step itself', async (_, fault, expected) => {
    const { home, base } = trial.install;
    const { target } = await trial.attempt({ ...fault, signal: 'SIGKILL' });
    expect(trial.isBrokenOff).toBe(true);
    for (let at = 1; trial.isBrokenOff; at += 1) {
      const fault = { calls: 'files', at, signal: 'SIGKILL' } as const;
      const { result } = await runRecovery({ home }, { base, fault });
      expect(at).toBeLessThan(60);
      if (result !== undefined) expect(result.outcome).toBe(expected);
      else if (!trial.isBrokenOff) await trial.install.sweep();
    }
    await trial.completed(expected === 'finished' ? target : trial.now);
  });

  test('is recovered also while its psql still waits to swap the databases, which then it does not', async () => {
    const { home, base, cluster } = trial.install;
    const killed = await trial.pause({ ...COMMIT.journalWritten, leaving: true });
    await freezeDatabases(cluster);
    killed.resume();
    const waiting =
      "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'ALTER DATABASE%' AND wait_event_type = 'Lock'";
    await until(async () => (await cluster.psql(waiting)) === '1', 'a psql that waits');
    process.kill(killed.pid, 'SIGKILL');
    await killed.ended;
    // The recovery has looked, and is about to move things back: now that psql could go on.
    const paused = start('recover', { home }, { base, fault: { calls: 'files', at: 2, signal: 'SIGSTOP' } });
    await paused.stopped();
    disconnectAll();
    await until(async () => (await cluster.psql(waiting)) === '0', 'the end of that psql');
    paused.resume();
    expect((await paused.ended).result?.outcome).toBe('undone');
    await trial.unchanged();
  });

  test('is recovered by nobody while it is only slow', async () => {
    const { home } = trial.install;
    const slow = await trial.pause(COMMIT.halfMoved);
    const request = trial.request(slow.target);
    for (const call of [
      () => recover({ home }),
      () => restore(request),
      () => restore({ ...request, dryRun: true }),
      () => restore({ ...request, only: ['workspace'] }),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'INSTALL_BUSY',
        message: `a restore (process ${slow.pid}) is working on ${home}`,
        hint: 'wait for it to end',
      });
    }
    slow.resume();
    expect((await slow.ended).result).toBeDefined();
    await trial.completed(slow.target);
  });

  test('in its commit lets nobody take the install for a whole one', async () => {
    const { home, base } = trial.install;
    const { target } = await trial.attempt({ ...COMMIT.halfMoved, signal: 'SIGKILL' });
    const request = trial.request(target);
    await expect(restore({ ...request, dryRun: true })).rejects.toMatchObject({
      code: 'RECOVERY_NEEDED',
      kind: 'refused',
      message: `a restore to ${home} was broken off in its commit`,
      hint: `finish or undo it first: leoflow lite restore --recover --home ${home}`,
    });
    const { notes } = await runRestore(request, { base });
    expect(notes).toEqual(['an earlier restore that was broken off in its commit was undone first']);
    await trial.completed(target);
  });

  test('is recovered by the next restore, also where that one fails itself', async () => {
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    await expect(restore({ ...trial.request('A'), input: '/nowhere' })).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    });
    await trial.unchanged();
  });

  test('leaves nothing to recover once it is recovered', async () => {
    await expect(recover({ home: trial.install.home })).rejects.toMatchObject({
      code: 'NOTHING_TO_RECOVER',
      message: `no restore to ${trial.install.home} was broken off`,
      hint: 'there is nothing to do',
    });
  });
});

describe('what stands in the way of a recovery', () => {
  test('is named, and nothing is overwritten; once it is gone, the recovery goes on', async () => {
    const { home, workspace } = trial.install;
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    renameSync(workspace, `${workspace}.mine`);
    mkdirSync(workspace);
    await expect(recover({ home })).rejects.toMatchObject({
      code: 'RECOVERY_FAILED',
      message: expect.stringMatching(/^cannot move \S+\.before-restore-\S+ back to \S+: something is there again$/),
      hint: `move it out of the way, then run: leoflow lite restore --recover --home ${home}`,
    });
    rmdirSync(workspace);
    renameSync(`${workspace}.mine`, workspace);
    expect((await recover({ home })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test('is the loss of what has to come back: nothing is touched, as the new one may be all that is left', async () => {
    const { home, base, workspace } = trial.install;
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    for (const [place, name] of [
      [dirname(workspace), `${basename(workspace)}.before-restore-`],
      [home, 'config.yaml.before-restore-'],
    ] as const) {
      const aside = readdirSync(place).find((one) => one.startsWith(name)) ?? '';
      renameSync(join(place, aside), join(base, 'lost'));
      const before = look(workspace);
      await expect(recover({ home })).rejects.toMatchObject({
        code: 'RECOVERY_FAILED',
        message: `what was at ${join(place, name.replace('.before-restore-', ''))} is not there any more, nor at ${join(place, aside)}`,
        hint: expect.stringMatching(
          /^put it back under one of these names, then run: leoflow lite restore --recover .*Nothing was changed$/,
        ),
      });
      expect(look(workspace)).toEqual(before);
      expect(trial.isBrokenOff).toBe(true);
      renameSync(join(base, 'lost'), join(place, aside));
    }
    // A copy of it is as good: another inode, under a name that nobody else uses.
    const [aside = ''] = readdirSync(dirname(workspace)).filter((one) =>
      one.startsWith(`${basename(workspace)}.before-restore-`),
    );
    execFileSync('cp', ['-a', join(dirname(workspace), aside), join(base, 'copy')]);
    execFileSync('sh', ['-c', 'chmod -R u+rwX "$1" && rm -r "$1"', 'sh', join(dirname(workspace), aside)]);
    renameSync(join(base, 'copy'), join(dirname(workspace), aside));
    expect((await recover({ home })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test('is not a file that somebody has put into a place that was empty before', async () => {
    const { home, base } = trial.install;
    rmSync(join(home, 'setup.json'));
    await trial.attempt({ ...COMMIT.halfMoved, signal: 'SIGKILL' });
    writeFileSync(join(home, 'setup.json'), 'mine');
    expect((await recover({ home })).outcome).toBe('undone');
    expect(readFileSync(join(home, 'setup.json'), 'utf8')).toBe('mine');
    expect(readdirSync(base).filter((name) => name.includes('restore'))).toEqual([]);
    await trial.again();
  });

  test('is not anything at all once it is undone, and only tidying up was broken off', async () => {
    const { home, base } = trial.install;
    rmSync(join(home, 'setup.json'));
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    const staged = inodes(trial.journal);
    await runRecovery({ home }, { base, fault: { calls: 'files', like: 'unlink', at: 1, signal: 'SIGKILL' } });
    expect(JSON.parse(readFileSync(trial.journal, 'utf8')).state).toBe('undone');
    // A new file often gets the inode of one that has just been removed: it must not be taken for that one.
    const own = Array.from({ length: 50 }, (_, n) => join(base, `own-${n}`));
    for (const path of own) writeFileSync(path, 'mine');
    const alike = own.find((path) => staged.includes(String(statSync(path).ino))) ?? join(base, 'own-0');
    renameSync(alike, join(home, 'setup.json'));
    for (const path of own) rmSync(path, { force: true });
    expect((await recover({ home })).outcome).toBe('undone');
    expect(readFileSync(join(home, 'setup.json'), 'utf8')).toBe('mine');
    await trial.again();
  });

  function inodes(journal: string): string[] {
    const { renames } = JSON.parse(readFileSync(journal, 'utf8')) as { renames: { inode: string }[] };
    return renames.map(({ inode }) => inode);
  }

  test('is not the sweeping of what dead processes leave', async () => {
    const { home, base } = trial.install;
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    // As a backup of any other home to this directory does.
    const other = trial.install.another();
    await backup({ home: other.home, dsn: other.dsn, output: join(base, 'b.tar.gz') });
    for (const path of [other.home, other.workspace, join(base, 'b.tar.gz')]) rmSync(path, { recursive: true });
    expect((await recover({ home })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test('is another datastore than the one of that restore', async () => {
    const { home, cluster } = trial.install;
    await trial.attempt({ ...COMMIT.beforeSwap, signal: 'SIGKILL' });
    const wrong = await startCluster();
    try {
      await expect(recover({ home, dsn: wrong.url })).rejects.toMatchObject({
        code: 'RECOVERY_FAILED',
        message:
          `the restore to ${home} that was broken off worked on the datastore at ${cluster.dir}/.s.PGSQL.5432, ` +
          `and this is the one at ${wrong.dir}/.s.PGSQL.5432`,
        hint: 'name that datastore with --dsn, as that restore did',
      });
    } finally {
      await wrong.stop();
    }
    expect((await recover({ home, dsn: cluster.url })).outcome).toBe('undone');
    await trial.unchanged();
  });

  test.each([
    ['is of another format', '{"version": 2}', /cannot be used: it is of another version of this program$/],
    ['is damaged', '{"version": 1,', /cannot be used: it is not JSON$/],
  ])('is a journal that %s', async (_, text, message) => {
    const { home } = trial.install;
    writeFileSync(trial.journal, text);
    for (const call of [() => recover({ home }), () => restore(trial.request(trial.other))]) {
      await expect(call()).rejects.toMatchObject({
        code: 'RECOVERY_FAILED',
        message: expect.stringMatching(message),
        hint: 'run the release of this program that began that restore, with --recover',
      });
    }
    rmSync(trial.journal);
    await trial.unchanged();
  });
});
