/** `leoflow setup`: a new install in the layout of Leoflow Lite, made once and never made over. */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { compare } from 'bcryptjs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { judgeHome } from '../../src/engine/install/index.js';
import { leoflow } from '../support/cli.js';
import { type Machine, Machines } from '../support/machine.js';
import { postgresBin, serverAccount } from '../support/postgres.js';
import { isRoot } from '../support/tree.js';

let machines: Machines;
let machine: Machine;
let count = 0;
beforeAll(() => {
  machines = new Machines();
});
afterAll(() => machines.remove());
beforeEach(() => {
  count += 1;
  machine = machines.make(`m${count}`);
});

/** Names, kinds and modes in a directory: `config.yaml 600`, `dev/ 700`, `psql -> …`. */
function layout(directory: string): string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const stats = lstatSync(join(directory, name));
      if (stats.isSymbolicLink()) return `${name} -> ${readlinkSync(join(directory, name))}`;
      return `${name}${stats.isDirectory() ? '/' : ''} ${(stats.mode & 0o7777).toString(8)}`;
    });
}

const mode = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const passwordIn = (text: string) => /^ {2}password +(\S+)$/m.exec(text)?.[1];
const PROGRAMS = ['initdb', 'pg_ctl', 'pg_dump', 'pg_isready', 'postgres', 'psql'];

describe('a new install', () => {
  test('has the layout of Leoflow Lite, with that of its datastore once it has run', async () => {
    expect(await machine.sh('leoflow setup')).toMatchObject({ status: 0, stderr: '' });
    expect(layout(machine.user)).toEqual(['.leoflow/ 700', 'leoflow/ 755']);
    expect(layout(machine.home)).toEqual(['config.yaml 600', 'postgres/ 755', 'setup.json 644']);
    expect(layout(join(machine.home, 'postgres/bin'))).toEqual(
      PROGRAMS.map((program) => `${program} -> ${join(postgresBin(), program)}`),
    );
    expect(readdirSync(machine.workspace)).toEqual([]);

    const lite = await machine.lite();
    expect(layout(machine.home)).toEqual([
      'config.yaml 600',
      'dev/ 700',
      'pgdata/ 700',
      'postgres/ 755',
      'setup.json 644',
    ]);
    expect(layout(join(machine.home, 'dev'))).toEqual(['postgres.log 600']);
    expect(readdirSync(join(machine.home, 'pgdata'))).toContain('.s.PGSQL.5432');
    expect(statSync(join(machine.home, 'pgdata/.s.PGSQL.5432')).isSocket()).toBe(true);
    lite.child.kill('SIGINT');
    await lite.ended;
    const owner = serverAccount()?.uid ?? process.getuid?.();
    for (const path of ['', 'config.yaml', 'setup.json', 'dev', 'pgdata', 'postgres/bin/psql']) {
      expect(lstatSync(join(machine.home, path)).uid).toBe(owner);
    }
  });

  test('has its settings and secrets in config.yaml; the password is shown, and only its hash is stored', async () => {
    const { stdout } = await machine.sh('leoflow setup');
    const config = readFileSync(join(machine.home, 'config.yaml'), 'utf8');
    const python = /-m leoflow_parser/.test(config) && /pysrc\/parser (\S+) -m/.exec(config)?.[1];
    const [, hash = '', secret = ''] = /_hash: "(.*?)".*\njwt_secret: "(.*?)"/.exec(config) ?? [];
    expect(config).toBe(`# Written by \`leoflow setup\` (Leoflow Lite).
parser_cmd: "env PYTHONPATH=${machine.home}/pysrc/parser ${python} -m leoflow_parser"
workspace: "${machine.workspace}"
lite_executor: "subprocess"        # or "k8s"
lite_port: 8088
admin_email: "admin@leoflow.local"
admin_password_hash: "${hash}"    # bcrypt
jwt_secret: "${secret}"    # 32 random bytes, hex
`);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(hash).toMatch(/^\$2a\$10\$[./A-Za-z0-9]{53}$/);
    const password = passwordIn(stdout) ?? '';
    expect(password).toMatch(/^[A-Za-z0-9]{20}$/);
    expect(await compare(password, hash)).toBe(true);
    const { stdout: found } = await machine.sh(`grep -rlF -e ${password} . || true`);
    expect(found).toBe('');

    const { updated_at: updated, ...setup } = JSON.parse(readFileSync(join(machine.home, 'setup.json'), 'utf8'));
    expect(setup).toEqual({
      python,
      workspace: machine.workspace,
      tier: 'lite',
      os: process.platform,
      arch: process.arch === 'x64' ? 'amd64' : process.arch,
      executor: 'subprocess',
      port: 8088,
      admin_email: 'admin@leoflow.local',
      parser_cmd: `env PYTHONPATH=${machine.home}/pysrc/parser ${python} -m leoflow_parser`,
    });
    expect(updated).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test('has other secrets than the next one', async () => {
    const other = machines.make(`m${count}-other`);
    const said = await Promise.all([machine.sh('leoflow setup'), other.sh('leoflow setup')]);
    const secrets = [machine, other].map(
      ({ home }) => /^jwt_secret: .*$/m.exec(readFileSync(join(home, 'config.yaml'), 'utf8'))?.[0],
    );
    expect(new Set([...secrets, ...said.map(({ stdout }) => passwordIn(stdout))]).size).toBe(4);
  });

  test('does not count as an install that a restore would overwrite, neither before nor after a first run', async () => {
    await machine.sh('leoflow setup');
    const { home, workspace } = machine;
    expect(await judgeHome(home, workspace, 'absent')).toMatchObject({ kind: 'free' });
    const lite = await machine.lite();
    expect(await judgeHome(home, workspace, 'empty')).toMatchObject({ kind: 'free' });
    lite.child.kill('SIGINT');
    await lite.ended;
    // Run again, it does not make an install of it.
    await machine.sh('leoflow setup');
    expect(await judgeHome(home, workspace, 'empty')).toMatchObject({ kind: 'free' });
  });

  test('has its workspace where it is asked for', async () => {
    expect(await machine.sh('leoflow setup --workspace deep/flows')).toMatchObject({ status: 0 });
    expect(readFileSync(join(machine.home, 'config.yaml'), 'utf8')).toContain(
      `workspace: "${machine.user}/deep/flows"`,
    );
    expect(readdirSync(join(machine.user, 'deep/flows'))).toEqual([]);
  });

  test('may lie in a directory with blanks and quotes in its name', async () => {
    const said = await machine.sh(`mkdir "it's a \\$place" && leoflow setup --home "it's a \\$place/.leoflow"`);
    expect(said).toMatchObject({ status: 0, stderr: '' });
    const config = readFileSync(join(machine.user, "it's a $place/.leoflow/config.yaml"), 'utf8');
    expect(config).toContain(`PYTHONPATH=\\"${machine.user}/it's a \\\\$place/.leoflow/pysrc/parser\\"`);
  });

  test('tells a program by JSON', async () => {
    const { status, stdout, stderr } = await machine.sh('leoflow setup --json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    const result = JSON.parse(lines[0] ?? '');
    expect(result).toMatchObject({
      type: 'result',
      command: 'setup',
      dryRun: false,
      isNew: true,
      home: machine.home,
      workspace: machine.workspace,
      adminEmail: 'admin@leoflow.local',
      postgres: { directory: postgresBin() },
      kept: [],
      status: 0,
    });
    const config = readFileSync(join(machine.home, 'config.yaml'), 'utf8');
    expect(await compare(result.adminPassword, /_hash: "(.*?)"/.exec(config)?.[1] ?? '')).toBe(true);
    expect(JSON.parse((await machine.sh('leoflow setup --json')).stdout)).toMatchObject({
      adminPassword: null,
      isNew: false,
      made: [],
    });
  });
});

describe('what is there', () => {
  test('is kept: run again, it changes nothing', async () => {
    await machine.sh('leoflow setup --workspace flows');
    const seen = () =>
      machine.sh(`find .leoflow flows -printf '%p %m %T@ %l\\n' | sort; cat .leoflow/config.yaml .leoflow/setup.json`);
    await machine.sh('echo x > flows/dag.py; echo "my_key: 1" >> .leoflow/config.yaml');
    const before = await seen();
    const again = await machine.sh('leoflow setup');
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(again.stdout).toMatch(/^Nothing to do, everything is there: /);
    expect(passwordIn(again.stdout)).toBeUndefined();
    expect((await machine.sh('leoflow setup --workspace flows')).status).toBe(0);
    // A lock beside the home comes and goes; in the home nothing is written.
    expect(await seen()).toEqual(before);
  });

  test('is completed: links that lead nowhere, a workspace that is gone, a setup.json that is missing', async () => {
    await machine.sh('leoflow setup');
    const bin = join(machine.home, 'postgres/bin');
    await machine.sh(`rm .leoflow/postgres/bin/psql && ln -sf /nowhere/postgres .leoflow/postgres/bin/postgres
      rmdir leoflow; rm .leoflow/setup.json`);
    const { stdout } = await machine.sh('leoflow setup');
    expect(stdout).toMatch(/^Completed: /);
    for (const path of [bin, machine.workspace, join(machine.home, 'setup.json')])
      expect(stdout).toContain(` ${path}\n`);
    expect(layout(bin)).toEqual(PROGRAMS.map((program) => `${program} -> ${join(postgresBin(), program)}`));
    expect(readdirSync(machine.workspace)).toEqual([]);
    expect(JSON.parse(readFileSync(join(machine.home, 'setup.json'), 'utf8'))).toMatchObject({
      workspace: machine.workspace,
    });
  });

  test('is only looked at by a dry run', async () => {
    const { status, stdout } = await machine.sh('leoflow setup --dry-run');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Dry run, nothing was made: /);
    expect(stdout).toContain(`  would make ${machine.home}\n`);
    expect(readdirSync(machine.user)).toEqual([]);
  });
});

describe('on a terminal', () => {
  const typing = (...keys: [string, string][]) => ({ types: keys });

  test('it asks for the workspace and the e-mail address', async () => {
    const said = await machine.sh(
      'leoflow setup',
      typing(
        [`Workspace [${machine.workspace}]: `, '~/my flows\n'],
        ["Administrator's e-mail address [admin@leoflow.local]: ", 'me@example.org\n'],
      ),
    );
    expect(said.status).toBe(0);
    const config = readFileSync(join(machine.home, 'config.yaml'), 'utf8');
    expect(config).toContain(`workspace: "${machine.user}/my flows"`);
    expect(config).toContain('admin_email: "me@example.org"');
  });

  test('nothing typed takes the defaults; and nothing is asked twice', async () => {
    expect((await machine.sh('leoflow setup', typing(['Workspace', '\n'], ['address', '\n']))).status).toBe(0);
    expect(readFileSync(join(machine.home, 'config.yaml'), 'utf8')).toContain(`workspace: "${machine.workspace}"`);
    const again = await machine.sh('leoflow setup', typing());
    expect(again.status).toBe(0);
    expect(again.stdout).not.toContain('Workspace [');
  });

  test('Ctrl-C ends it, with nothing made', async () => {
    const said = await machine.sh('leoflow setup', typing(['Workspace', '\u0003']));
    expect(said.status).toBe(130);
    expect(said.stdout).toContain('interrupted by SIGINT');
    expect(readdirSync(machine.user)).toEqual([]);
  });

  test('an address that is none is refused, with nothing made', async () => {
    const said = await machine.sh('leoflow setup', typing(['Workspace', '\n'], ['address', 'nobody\n']));
    expect(said.status).toBe(2);
    expect(said.stdout).toContain("'nobody' is not an e-mail address");
    expect(readdirSync(machine.user)).toEqual([]);
  });
});

describe('it refuses', () => {
  async function refused(line: string, status: number): Promise<string> {
    const said = await machine.sh(line);
    expect({ status: said.status, stdout: said.stdout }).toEqual({ status, stdout: '' });
    expect(said.stderr).toMatch(/^error: .*\nhint: .*\n$/);
    return said.stderr;
  }

  test('another workspace than the one that the install has', async () => {
    await machine.sh('leoflow setup');
    const text = await refused('leoflow setup --workspace elsewhere', 4);
    expect(text).toContain(`the install at ${machine.home} has its workspace at ${machine.workspace}`);
  });

  test.each([
    ['/', 'the root directory'],
    ['"$HOME"', 'the home directory that the Leoflow home lies in'],
    ['"$HOME/.leoflow"', 'the Leoflow home itself'],
    ['"$HOME/.leoflow/pgdata"', 'inside the Leoflow home'],
    ['/tmp', 'a directory that '],
  ])('the workspace %s', async (workspace, fault) => {
    expect(await refused(`leoflow setup --workspace ${workspace}`, 4)).toContain(`, which is ${fault}`);
    expect(readdirSync(machine.user)).toEqual([]);
  });

  test.each([
    ['alice', "somebody's home directory"],
    ['people', 'a directory that the home directory .*/people/alice lies in'],
    ['link', 'the home directory that the Leoflow home lies in'],
    ['link/.leoflow/flows', 'inside the Leoflow home'],
  ])('the workspace %s, of which links say what it is', async (workspace, fault) => {
    await machine.sh('mkdir -p people/alice && ln -s people/alice alice && ln -s . link');
    expect(await refused(`HOME=$HOME/alice leoflow setup --home .leoflow --workspace ${workspace}`, 4)).toMatch(
      new RegExp(`, which is ${fault}\n`),
    );
    expect(readdirSync(machine.user).sort()).toEqual(['alice', 'link', 'people']);
  });

  test('and leaves nothing of the directories that it made on the way', async () => {
    await refused('leoflow setup --home a/b/home --workspace /', 4);
    expect(readdirSync(machine.user)).toEqual([]);
  });

  test('a home that is somebody else’s directory, or a file', async () => {
    await machine.sh('mkdir -p docs/dev && echo x > docs/letter.txt && echo x > file');
    expect(await refused('leoflow setup --home docs', 4)).toContain(
      `${machine.user}/docs is no Leoflow home: it holds letter.txt`,
    );
    expect(await refused('leoflow setup --home file', 4)).toContain('file is not a directory');
    expect(readdirSync(join(machine.user, 'docs')).sort()).toEqual(['dev', 'letter.txt']);
  });

  test('a file in place of the workspace', async () => {
    await machine.sh('echo x > leoflow');
    expect(await refused('leoflow setup', 4)).toContain(
      `${machine.workspace}, where the workspace goes, is not a directory`,
    );
  });

  test('a config.yaml that cannot be understood, and says where', async () => {
    await machine.sh('mkdir .leoflow && echo "a: [" > .leoflow/config.yaml');
    const text = await refused('leoflow setup', 1);
    expect(text).toMatch(/config\.yaml is not valid at line \d+, column \d+/);
    expect(text).toContain('move it away and run `leoflow setup` again');
  });

  test('a home whose socket would have too long a path', async () => {
    expect(await refused(`leoflow setup --home ${'x'.repeat(90)}`, 1)).toContain('too long for the system');
    expect(readdirSync(machine.user)).toEqual([]);
  });

  test('a release of PostgreSQL that the datastore needs and that is not there', async () => {
    await machine.sh('mkdir -p .leoflow/pgdata && echo 9 > .leoflow/pgdata/PG_VERSION');
    expect(await refused('leoflow setup', 1)).toContain('there is no PostgreSQL server of release 9');
  });

  test('while a restore was broken off', async () => {
    await machine.sh(
      `echo '{"version":1,"state":"committing","renames":[],"carried":[]}' > .leoflow.restore-journal.json`,
    );
    expect(await refused('leoflow setup', 4)).toContain('leoflow lite restore --recover');
  });

  test('--home with nothing behind it', async () => {
    expect(await refused('leoflow setup --home ""', 2)).toContain('--home must not be empty');
  });
});

if (isRoot)
  describe('as root', () => {
    test('it says that PostgreSQL refuses root, and what to do', async () => {
      const root = join(machines.base, `root-${count}`);
      mkdirSync(root);
      const { status, stderr } = await leoflow(['setup', '--home', join(root, '.leoflow')]);
      expect(status).toBe(0);
      expect(stderr).toBe(
        "note: PostgreSQL refuses to run as root, so an install of root cannot start: run this as an ordinary user, for example: su - <user> -c 'leoflow setup'\n",
      );
      expect(mode(join(root, '.leoflow'))).toBe('700');
    });

    test('for somebody else (sudo), everything belongs to that one, and nothing is said', async () => {
      const { status, stderr } = await leoflow(['setup', '--home', machine.home]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { stdout } = await machine.sh('find . -user root; find . | wc -l');
      expect(stdout.trim()).toBe('13');
      expect(await machine.sh('leoflow lite backup')).toMatchObject({ status: 1 });
      const lite = await machine.lite();
      lite.child.kill('SIGTERM');
      expect(await lite.ended).toMatchObject({ status: 0 });
    });

    test('a link that is in the way of the links is replaced, a file is not', async () => {
      const bin = join(machine.home, 'postgres/bin');
      mkdirSync(bin, { recursive: true });
      writeFileSync(join(bin, 'psql'), 'mine');
      symlinkSync('/elsewhere', join(bin, 'initdb'));
      expect((await leoflow(['setup', '--home', machine.home])).status).toBe(0);
      expect(readFileSync(join(bin, 'psql'), 'utf8')).toBe('mine');
      expect(readlinkSync(join(bin, 'initdb'))).toBe(join(postgresBin(), 'initdb'));
      unlinkSync(join(bin, 'psql'));
    });
  });
