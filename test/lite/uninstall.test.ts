/** `leoflow uninstall`: asks, removes what is the install's, and nothing else. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { judgeRemovable } from '../../src/engine/lite/removable.js';
import { type Machine, Machines, type Said } from '../support/machine.js';
import { isRoot } from '../support/tree.js';

let machines: Machines;
let machine: Machine;
/** Makes `~` what `leoflow setup` leaves. */
let asSetUp: () => void;
/** Makes `~` what a first run leaves: there is a datastore. */
let asRunOnce: () => void;
beforeAll(async () => {
  machines = new Machines();
  machine = machines.make('m');
  expect((await machine.sh('leoflow setup')).status).toBe(0);
  asSetUp = machine.keep();
  const lite = await machine.lite();
  lite.child.kill('SIGINT');
  expect(await lite.ended).toMatchObject({ status: 0 });
  asRunOnce = machine.keep();
});
afterAll(() => machines?.remove());
beforeEach(() => asSetUp());

/** Everything in `~` and its times, but the content of the data directory. */
async function everything(): Promise<string> {
  return (await machine.sh(`find . -path ./.leoflow/pgdata -prune -o -printf '%p %m %s %l\\n' | sort`)).stdout;
}

/** Uninstalls; it should refuse, and leave everything as it is. @returns error and hint */
async function refused(line: string, status: number): Promise<string> {
  const before = await everything();
  const said = await machine.sh(line);
  expect({ status: said.status, stdout: said.stdout }).toEqual({ status, stdout: '' });
  expect(said.stderr).toMatch(/(?:^|\n)error: .*\nhint: .*\n$/);
  expect(await everything()).toBe(before);
  return said.stderr;
}

const PURGE = 'leoflow uninstall --purge --yes';

function expectRemoved(said: Said): void {
  expect(said).toMatchObject({ status: 0 });
  expect(said.stdout).toMatch(/^Removed: the whole install\n/);
  expect(readdirSync(machine.user)).toEqual([]);
}

/** Puts another workspace into config.yaml. */
function rename(workspace: string): void {
  const path = join(machine.home, 'config.yaml');
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(/^workspace: .*$/m, `workspace: ${JSON.stringify(workspace)}`),
  );
}

describe('without --purge', () => {
  test('the tools go; settings, datastore and workspace stay, and setup brings the tools back', async () => {
    asRunOnce();
    const lite = await machine.lite();
    await machine.psql('CREATE TABLE t AS SELECT 7 AS a');
    await machine.sh(
      'echo x > leoflow/dag.py; mkdir -p .leoflow/venv/bin .leoflow/python; touch .leoflow/venv/bin/python',
    );
    const config = readFileSync(join(machine.home, 'config.yaml'), 'utf8');
    const said = await machine.sh('leoflow uninstall --yes');
    expect(said.status).toBe(0);
    expect(said.stdout).toMatch(/^Removed: the tools\n/);
    expect(said.stdout).toContain(`  kept       ${machine.home}/config.yaml\n`);
    expect(await lite.ended).toMatchObject({ status: 1 });
    expect(readdirSync(machine.home).sort()).toEqual(['config.yaml', 'dev', 'pgdata', 'setup.json']);
    expect(readFileSync(join(machine.home, 'config.yaml'), 'utf8')).toBe(config);
    expect(readdirSync(machine.workspace)).toEqual(['dag.py']);

    expect((await machine.sh('leoflow uninstall --yes')).stdout).toBe('Nothing to do: there is nothing to remove.\n');
    expect((await machine.sh('leoflow setup')).status).toBe(0);
    const again = await machine.lite();
    expect(await machine.psql('SELECT a FROM t')).toBe('7');
    again.child.kill('SIGINT');
    await again.ended;
  });
});

test('where there is nothing to remove, the datastore goes on', async () => {
  asRunOnce();
  expect((await machine.sh('leoflow uninstall --yes')).status).toBe(0);
  const lite = await machine.lite();
  for (const line of ['leoflow uninstall --yes', 'leoflow uninstall --yes --json'])
    expect((await machine.sh(line)).stdout).toMatch(/^Nothing to do|"stopped":false/);
  expect((await machine.sh('leoflow uninstall', { types: [] })).stdout).toContain('Nothing to do');
  expect(await machine.psql('SELECT 1')).toBe('1');
  lite.child.kill('SIGINT');
  expect(await lite.ended).toMatchObject({ status: 0 });
});

describe('with --purge', () => {
  test('everything goes, the running datastore is stopped first, and whoever ran it is told', async () => {
    asRunOnce();
    const lite = await machine.lite();
    const server = await machine.serverPid();
    await machine.sh('mkdir -p leoflow/dags && echo x > leoflow/dags/dag.py');
    const said = await machine.sh(PURGE);
    expect(await lite.ended).toMatchObject({ status: 1 });
    expectRemoved(said);
    expect(said.stdout).toContain(`  workspace  ${machine.workspace}: 1 file, 2 B\n`);
    expect(said.stderr).toBe('Looking at what would be removed\nStopping the datastore\nRemoving\n');
    expect((await machine.sh(`ps -p ${server} -o stat= | grep -v Z`)).stdout).toBe('');
  });

  test('also what may not be written, and what a restore or a broken start has left', async () => {
    await machine.sh(`mkdir -p leoflow/a/b .leoflow/.pgdata-provisioning && touch leoflow/a/b/c .leoflow/config.yaml.before-restore-2026-05-28T143045Z
      ln -s /etc leoflow/etc; chmod 555 leoflow/a/b leoflow/a; chmod 0 leoflow/a/b/c`);
    expectRemoved(await machine.sh(PURGE));
    expect(existsSync('/etc/passwd')).toBe(true);
  });

  test('also what has a name that is not UTF-8; but no history there, of which nothing can be told', async () => {
    await machine.sh(
      `mkdir "$(printf 'leoflow/caf\\351')" && touch "$(printf 'leoflow/caf\\351/th\\351')" && git init -q "$(printf 'leoflow/caf\\351')"`,
    );
    expect(await refused(PURGE, 4)).toMatch(/\/\.git holds history, and whether it is elsewhere, too, cannot be told/);
    await machine.sh(`rm -r leoflow/*/.git`);
    const said = await machine.sh(PURGE);
    expectRemoved(said);
    expect(said.stdout).toContain(`  workspace  ${machine.workspace}: 1 file, 0 B\n`);
  });

  test('also while files come and go', async () => {
    const path = join(machines.base, 'busy');
    mkdirSync(path);
    for (let i = 0; i < 100; i++) writeFileSync(join(path, `${i}`), '');
    let looks = 0;
    const judge = async () => {
      const candidate = { path, what: 'workspace', uid: process.getuid?.() ?? 0, histories: true };
      try {
        for (; looks < 20; looks++) expect((await judgeRemovable(candidate)).files).toBeGreaterThanOrEqual(100);
      } finally {
        looks = 20;
      }
    };
    const comeAndGo = async () => {
      for (let i = 0; looks < 20; i++) {
        await writeFile(join(path, `x${i}`), '');
        await unlink(join(path, `x${i}`));
      }
    };
    await Promise.all([judge(), comeAndGo()]);
  });

  test('workspaces that restores have replaced are their owner’s, and are named', async () => {
    await machine.sh('mkdir leoflow.before-restore-2026-05-28T143045Z');
    const said = await machine.sh(PURGE);
    expect(said.stdout).toContain(`  kept       ${machine.workspace}.before-restore-2026-05-28T143045Z\n`);
    expect(readdirSync(machine.user)).toEqual(['leoflow.before-restore-2026-05-28T143045Z']);
  });

  test('a workspace that is behind a link goes, with the link; so does a home', async () => {
    await machine.sh(
      'mkdir data && mv leoflow data/flows && ln -s data/flows leoflow && mv .leoflow data/home && ln -s data/home .leoflow',
    );
    const said = await machine.sh(PURGE);
    expect(said).toMatchObject({ status: 0 });
    expect((await machine.sh('find . | sort')).stdout).toBe('.\n./data\n');
  });

  test('a workspace inside the home goes with it', async () => {
    await machine.sh('mkdir .leoflow/projects && echo x > .leoflow/projects/dag.py && rmdir leoflow');
    rename(join(machine.home, 'projects'));
    expectRemoved(await machine.sh(PURGE));
  });

  test('an install without a workspace any more goes, too', async () => {
    await machine.sh('rmdir leoflow');
    expectRemoved(await machine.sh(PURGE));
  });

  test('a program is told by JSON', async () => {
    const { status, stdout, stderr } = await machine.sh(`${PURGE} --json`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { type: 'phase', phase: 'judge' },
      { type: 'phase', phase: 'remove' },
      {
        type: 'result',
        command: 'uninstall',
        dryRun: false,
        purge: true,
        stopped: false,
        home: machine.home,
        removed: [
          { what: 'workspace', path: machine.workspace, files: 0 },
          { what: 'install', path: machine.home },
        ],
        kept: [],
        status: 0,
      },
    ]);
  });
});

describe('it asks first', () => {
  const answer = (keys: string) => ({ types: [['Remove it? [y/N] ', keys]] as [string, string][] });

  test.each(['n\n', '\n', 'perhaps\n', '\u0004'])('and %j is no', async (keys) => {
    const before = await everything();
    const said = await machine.sh('leoflow uninstall --purge', answer(keys));
    expect(said.status).toBe(1);
    expect(said.stdout).toContain('This removes, for good:');
    expect(said.stdout).toContain('Nothing was removed.');
    expect(await everything()).toBe(before);
  });

  test('Ctrl-C is none, either', async () => {
    const before = await everything();
    expect((await machine.sh('leoflow uninstall --purge', answer('\u0003'))).status).toBe(130);
    expect(await everything()).toBe(before);
  });

  test.each(['y\n', 'YES\n'])('%j is yes', async (keys) => {
    const said = await machine.sh('leoflow uninstall --purge', answer(keys));
    expect(said.stdout).toContain(machine.workspace);
    expect(said.stdout).toContain('Removed: ');
    expect(readdirSync(machine.user)).toEqual([]);
  });

  test('and where nobody can answer, it does nothing without --yes', async () => {
    const text = await refused('leoflow uninstall --purge', 2);
    expect(text).toBe(
      'error: uninstall asks before it removes anything, and here is nobody to ask\nhint: run it in a terminal, or add --yes if you are sure\n',
    );
    expect((await machine.sh('leoflow uninstall --purge --json', answer('y\n'))).status).toBe(2);
  });
});

describe('it refuses', () => {
  test('what is no install', async () => {
    await machine.sh('mkdir docs empty && echo x > docs/letter');
    for (const directory of ['docs', 'empty', 'missing']) {
      expect(await refused(`${PURGE} --home ${directory}`, 1)).toContain(
        `there is no Leoflow install at ${machine.user}/${directory}`,
      );
    }
  });

  test.each([
    ['/', 'the Leoflow home .* lies in it'],
    ['~', 'the Leoflow home .* lies in it'],
    ['/home', 'belongs to another user|somebody|it cannot|lies in it|other file system'],
    ['/var/lib', 'the home directory .* lies in it'],
    ['/root', "it is somebody's home directory"],
  ])('the workspace %s', async (workspace, why) => {
    rename(workspace);
    expect(await refused(PURGE, 4)).toMatch(new RegExp(why));
  });

  test('a home directory that is reached through a link', async () => {
    await machine.sh(`mkdir people people/alice && ln -s people/alice alice && echo x > people/alice/letter`);
    for (const workspace of ['people/alice', 'alice', 'people']) {
      rename(join(machine.user, workspace));
      const text = await refused(`HOME=$HOME/alice ${PURGE} --home .leoflow`, 4);
      expect(text).toMatch(/is not removed: (?:it is somebody's home directory|the home directory .* lies in it)/);
    }
  });

  test('a directory that may not be looked into', async () => {
    await machine.sh('mkdir -p closed around/home && chmod 0 closed around');
    for (const home of ['closed', 'around/home'])
      expect(await refused(`leoflow uninstall --yes --home ${home}`, 1)).toContain(
        `cannot look into ${machine.user}/${home}: permission denied`,
      );
    // Its names can be read, but not what they stand for.
    await machine.sh('chmod 600 .leoflow');
    expect(await refused('leoflow uninstall --yes', 4)).toContain('it cannot be looked through: permission denied');
    await machine.sh('chmod 700 .leoflow closed around');
  });

  test('a project that has directories of the same names', async () => {
    await machine.sh('mkdir -p projA/venv projA/python/mylib projA/src && echo x > projA/python/mylib/precious.py');
    await machine.sh('mkdir -p projB/venv projB/dev && echo x > projB/dev/precious.py');
    for (const project of ['projA', 'projB']) {
      for (const line of ['leoflow uninstall --yes', PURGE]) {
        expect(await refused(`${line} --home ${project}`, 1)).toContain(`there is no Leoflow install at`);
      }
    }
  });

  test('tools in which the workspace lies, which is to stay', async () => {
    await machine.sh('mkdir -p .leoflow/python/flows && echo x > .leoflow/python/flows/dag.py && ln -s .leoflow link');
    rename(join(machine.user, 'link/python/flows'));
    expect(await refused('leoflow uninstall --yes', 4)).toContain(
      `the directory ${machine.home}/python is not removed: the workspace ${machine.home}/python/flows lies in it`,
    );
  });

  test('a home with things beside a workspace that lies deeper in it, or in `dev`', async () => {
    await machine.sh(
      'mkdir -p .leoflow/a/b/mine && mkdir .leoflow/a/b/yours .leoflow/dev && echo x > .leoflow/a/letter && echo x > .leoflow/dev/notes.txt',
    );
    rename(join(machine.home, 'a/b/mine'));
    const strange = ['a/b/yours', 'a/letter', 'dev/notes.txt'].map((name) => join(machine.home, name));
    expect(await refused(PURGE, 4)).toContain(`${strange.join(', ')} are nothing that Leoflow makes`);
    await machine.sh('rm -r .leoflow/a/b/yours .leoflow/a/letter .leoflow/dev/notes.txt leoflow');
    expectRemoved(await machine.sh(PURGE));
  });

  test('a home with a file that nobody can explain', async () => {
    await machine.sh('echo x > .leoflow/notes.txt');
    expect(await refused(PURGE, 4)).toContain(`${machine.home}/notes.txt is nothing that Leoflow makes`);
  });

  test('commits that are on no remote, and a history that cannot be looked into', async () => {
    await machine.sh(`git init -q -b main leoflow/repo && cd leoflow/repo && git config user.name x && git config user.email x@example.org &&
      git commit -q --allow-empty -m 'only here'`);
    expect(await refused(PURGE, 4)).toMatch(
      /leoflow\/repo\/\.git holds commits that are on no remote, for example [0-9a-f]+ only here/,
    );
    await machine.sh(
      'git init -q --bare remote && cd leoflow/repo && git remote add origin ../../remote && git push -q origin main',
    );
    await machine.sh('cd leoflow/repo && echo x > file && git add file && git stash -q');
    expect(await refused(PURGE, 4)).toMatch(/on no remote, for example [0-9a-f]+ WIP on main/);
    await machine.sh('cd leoflow/repo && git stash drop -q && mkdir -p ../hg/.hg');
    expect(await refused(PURGE, 4)).toContain('leoflow/hg/.hg holds history');
    await machine.sh('rm -r leoflow/hg remote/hooks');
    expect(await machine.sh(PURGE)).toMatchObject({ status: 0 });
    expect(readdirSync(machine.user)).toEqual(['remote']);
  });

  test('commits of a submodule that is not checked out any more', async () => {
    const git = 'git -c user.name=x -c user.email=x@example.org -c protocol.file.allow=always';
    const made = await machine.sh(`git init -q --bare origin && git init -q -b main part && cd part &&
      ${git} commit -q --allow-empty -m begun && cd .. && git init -q -b main leoflow && cd leoflow &&
      ${git} submodule --quiet add ../part lib/part && ${git} commit -q -m whole && git remote add origin ../origin && git push -q origin main &&
      cd lib/part && ${git} commit -q --allow-empty -m 'only in the submodule' && cd ../.. && git submodule --quiet deinit -f lib/part && rm -rf ../part`);
    expect(made.status).toBe(0);
    expect(await refused(PURGE, 4)).toMatch(
      /for example [0-9a-f]+ only in the submodule \(of the submodule in \S+\/\.git\/modules\/lib\/part\)/,
    );
  });

  test('and asks git without running what a repository names', async () => {
    const program = join(machine.user, 'program');
    writeFileSync(program, `#!/bin/sh\ntouch ${machine.user}/has-run\nexit 1\n`, { mode: 0o755 });
    await machine.sh(`git init -q -b main leoflow/repo && cd leoflow/repo && git config user.name x && git config user.email x@example.org &&
      git commit -q --allow-empty -m signed && git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\\n \\n x\\n -----END PGP SIGNATURE-----' > ../commit &&
      git update-ref refs/heads/main "$(git hash-object -t commit -w ../commit)" && rm ../commit &&
      git config log.showSignature true && git config gpg.program ${program} && git config core.fsmonitor ${program}`);
    await machine.sh('cd leoflow/repo && git log --max-count=1');
    expect(existsSync(join(machine.user, 'has-run'))).toBe(true);
    await unlink(join(machine.user, 'has-run'));
    expect(await refused(PURGE, 4)).toMatch(/for example [0-9a-f]+ signed/);
    expect(existsSync(join(machine.user, 'has-run'))).toBe(false);
  });

  test('a workspace that is the home of somebody whom only a directory server knows', async () => {
    const getent = join(machine.ownBin, 'getent');
    const { uid } = lstatSync(machine.user);
    writeFileSync(
      getent,
      `#!/bin/sh\n[ "$2" = ${uid} ] && echo "alice:x:${uid}:${uid}::${machine.workspace}:/bin/sh"\n`,
      {
        mode: 0o755,
      },
    );
    expect(await refused(PURGE, 4)).toContain(
      `the workspace ${machine.workspace} is not removed: it is somebody's home directory`,
    );
    const other = await machine.sh('leoflow setup --home other --workspace leoflow');
    expect({ status: other.status, stderr: other.stderr }).toEqual({
      status: 4,
      stderr: expect.stringContaining("which is somebody's home directory"),
    });
  });

  test('a history that is damaged, also inside a repository of which everything is pushed', async () => {
    await machine.sh(`git init -q --bare remote && git init -q -b main leoflow && cd leoflow && git config user.name x && git config user.email x@example.org &&
      git commit -q --allow-empty -m 'elsewhere, too' && git remote add origin ../remote && git push -q origin main &&
      git worktree add -q ../tree && mv ../tree tree && git worktree repair tree && mkdir lost && git init -q lost/repo && : > lost/repo/.git/HEAD`);
    expect(await refused(PURGE, 4)).toContain(
      'leoflow/lost/repo/.git holds history, and git does not say whether it is elsewhere, too',
    );
    await machine.sh('mv leoflow/lost leoflow/lost:2');
    expect(await refused(PURGE, 4)).toContain('leoflow/lost:2/repo/.git holds history');
    await machine.sh('rm -r leoflow/lost:2');
    expect(await machine.sh(PURGE)).toMatchObject({ status: 0 });
  });

  if (isRoot)
    test('files of another user', async () => {
      mkdirSync(join(machine.workspace, 'results'));
      writeFileSync(join(machine.workspace, 'results/data.csv'), 'x');
      expect(await refused(PURGE, 4)).toContain(`${machine.workspace}/results belongs to another user (uid 0)`);
    });

  test('a config.yaml that does not say which workspace', async () => {
    await machine.sh('echo "a: [" > .leoflow/config.yaml');
    expect(await refused(PURGE, 1)).toContain('config.yaml is not valid at line');
    // Without --purge the workspace does not matter.
    expect((await machine.sh('leoflow uninstall --yes')).status).toBe(0);
  });

  test('while a restore was broken off', async () => {
    await machine.sh(
      `echo '{"version":1,"state":"committing","renames":[],"carried":[]}' > .leoflow.restore-journal.json`,
    );
    expect(await refused(PURGE, 4)).toContain('leoflow lite restore --recover');
  });

  test('while a restore was broken off, and says a command that a shell takes as it is meant', async () => {
    await machine.sh(`mv .leoflow "it's mine"
      echo '{"version":1,"state":"committing","renames":[],"carried":[]}' > "it's mine.restore-journal.json"`);
    expect(await refused(`${PURGE} --home "it's mine"`, 4)).toContain(
      `leoflow lite restore --recover --home '${machine.user}/it'\\''s mine'\n`,
    );
  });

  test('a directory around it that may not be written, and removes nothing', async () => {
    await machine.sh('mkdir flows && mv leoflow flows/leoflow && chmod 555 flows');
    rename(join(machine.user, 'flows/leoflow'));
    expect(await refused(PURGE, 1)).toContain(`cannot remove ${machine.user}/flows/leoflow: permission denied`);
    await machine.sh('chmod 755 flows');
  });

  test('a link to the home that may not be removed, and leaves the link to the workspace', async () => {
    await machine.sh(
      'mkdir data closed && mv leoflow data/flows && ln -s data/flows flows && ln -s ../.leoflow closed/home && chmod 555 closed',
    );
    rename(join(machine.user, 'flows'));
    const text = await refused(`${PURGE} --home closed/home`, 1);
    expect(text).toContain(`cannot remove ${machine.user}/closed/home: permission denied`);
    expect(text).toContain('nothing was removed');
    await machine.sh('chmod 755 closed');
  });
});

test('a link in the tools is not followed', async () => {
  const outside = join(machines.base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'file'), 'x');
  symlinkSync(outside, join(machine.home, 'postgres/elsewhere'));
  await machine.sh('chown -h $(id -u) .leoflow/postgres/elsewhere || true');
  await machine.sh('leoflow uninstall --yes');
  expect(readdirSync(outside)).toEqual(['file']);
});
