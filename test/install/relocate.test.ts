/** An install restored under another home gets its own paths, and not a byte else changes. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { relocate } from '../../src/engine/install/index.js';
import { failure } from './homes.js';

type Archive = Partial<Record<'config' | 'setup' | 'sourceHome' | 'sourceWorkspace', string | null>>;
type Target = { home?: string; workspace?: string; ownConfig?: string; ownSetup?: string };

const ALICE = '/home/alice/.leoflow';
const BOB = '/home/bob/.leoflow';

const buffer = (text: string | null | undefined): Buffer | null => (text == null ? null : Buffer.from(text));

/** Relocates with strings for buffers, from alice to bob where nothing else is said. */
function move(archive: Archive, target: Target = {}) {
  const { ownConfig, ownSetup, home = BOB, ...rest } = target;
  const result = relocate(
    {
      config: buffer(archive.config),
      setup: buffer(archive.setup),
      sourceHome: archive.sourceHome === undefined ? ALICE : archive.sourceHome,
      sourceWorkspace: archive.sourceWorkspace ?? null,
    },
    { home, ...rest, ownConfig: buffer(ownConfig), ownSetup: buffer(ownSetup) },
  );
  return { ...result, config: result.config?.toString() ?? null, setup: result.setup?.toString() ?? null };
}

const single = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The lines in which two texts differ, as `old → new`; they must have equally many. */
function changedLines(before: string, after: string | null): string[] {
  const old = before.split('\n');
  const now = (after ?? '').split('\n');
  expect(now).toHaveLength(old.length);
  return old.flatMap((line, index) => (line === now[index] ? [] : [`${line} → ${now[index]}`]));
}

function fixture(name: string): string {
  const archive = join(import.meta.dirname, '../fixtures/reference-v1.tar.gz');
  return spawnSync('tar', ['-xzOf', archive, name], { encoding: 'utf8' }).stdout;
}

describe('the archive of the Go implementation moves from alice to bob', () => {
  const config = fixture('config.yaml');
  const setup = fixture('setup.json');

  test('its source home is read from parser_cmd; two lines of config.yaml and one of setup.json change', () => {
    const result = move({ config, setup, sourceHome: null });
    expect(result.workspace).toBe('/home/bob/leoflow');
    expect(changedLines(config, result.config)).toEqual([
      'parser_cmd: "env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser" → ' +
        'parser_cmd: "env PYTHONPATH=/home/bob/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser"',
      'workspace: "/home/alice/leoflow" → workspace: "/home/bob/leoflow"',
    ]);
    expect(changedLines(setup, result.setup)).toEqual([
      '  "workspace": "/home/alice/leoflow", →   "workspace": "/home/bob/leoflow",',
    ]);
    expect(result.changes).toEqual([
      { file: 'config.yaml', key: 'workspace', from: '/home/alice/leoflow', to: '/home/bob/leoflow' },
      {
        file: 'config.yaml',
        key: 'parser_cmd',
        from: 'env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser',
        to: 'env PYTHONPATH=/home/bob/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser',
      },
      { file: 'setup.json', key: 'workspace', from: '/home/alice/leoflow', to: '/home/bob/leoflow' },
    ]);
  });

  test('to the same home, not a byte changes', () => {
    for (const sourceHome of [null, ALICE, `${ALICE}/`]) {
      const result = move({ config, setup, sourceHome }, { home: ALICE });
      expect(result).toEqual({ config, setup, workspace: '/home/alice/leoflow', changes: [], strangeCommand: null });
    }
  });

  test("the target's own setup keeps its commands and its facts", () => {
    const parser = 'env PYTHONPATH=/home/bob/.leoflow/pysrc/parser /opt/python3.12 -m leoflow_parser';
    const result = move(
      { config, setup, sourceHome: null },
      {
        ownConfig: `workspace: /home/bob/flows\nparser_cmd: ${parser}\n`,
        ownSetup: '{"python": "/opt/python3.12", "os": "linux", "arch": "arm64"}',
      },
    );
    expect(result.workspace).toBe('/home/bob/leoflow');
    expect(parse(result.config ?? '')).toMatchObject({ parser_cmd: parser, workspace: '/home/bob/leoflow' });
    expect(JSON.parse(result.setup ?? '')).toEqual({
      ...JSON.parse(setup),
      python: '/opt/python3.12',
      arch: 'arm64',
      workspace: '/home/bob/leoflow',
    });
    expect(result.changes.map(({ file, key }) => `${file} ${key}`)).toEqual([
      'config.yaml workspace',
      'config.yaml parser_cmd',
      'setup.json workspace',
      'setup.json python',
      'setup.json arch',
    ]);
  });

  test('to the same home on a system with another Python, its own facts stay too', () => {
    const parser = 'env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3.13 -m leoflow_parser';
    const own = { ownConfig: `parser_cmd: ${parser}\n`, ownSetup: '{"python": "/usr/bin/python3.13", "os": "linux"}' };
    const result = move({ config, setup }, { home: ALICE, ...own });
    expect(result.changes.map(({ key, to }) => `${key}: ${to}`)).toEqual([
      `parser_cmd: ${parser}`,
      'python: /usr/bin/python3.13',
    ]);
    const same = { ...own, ownSetup: '{"python": "/usr/bin/python3", "os": "linux", "arch": "amd64"}' };
    expect(move({ config, setup }, { home: ALICE, ...same }).changes).toEqual([]);
  });
});

describe('where the home was', () => {
  const workspace = 'workspace: /home/carol/flows\n';

  test.each([
    ['the manifest, before anything else', '/home/carol/.leoflow', 'python /home/dave/.leoflow/x', '/home/bob/flows'],
    ['PYTHONPATH', null, 'env PYTHONPATH=/opt/leo/pysrc/parser python3', '/home/carol/flows'],
    ['a home of another name in PYTHONPATH', null, 'PYTHONPATH=/home/carol/leo/pysrc/parser p', '/home/bob/flows'],
    ['one of several in PYTHONPATH', null, 'PYTHONPATH=/x:/home/carol/leo/pysrc/parser p', '/home/bob/flows'],
    ['a quoted PYTHONPATH', null, 'PYTHONPATH="/home/carol/leo/pysrc/parser" p', '/home/bob/flows'],
    ['any path with .leoflow', null, '/home/carol/.leoflow/venv/bin/python -m p', '/home/bob/flows'],
    ['no such path', null, '/home/carol/.leoflow-old/venv/bin/python -m p', '/home/carol/flows'],
    ['a manifest that lies about it', 'relative', '/home/carol/.leoflow/x', '/home/bob/flows'],
  ])('%s', (_, sourceHome, command, expected) => {
    const config = `${workspace}parser_cmd: '${command}'\n`;
    const target = { ownConfig: 'workspace: /home/carol/flows\n' };
    expect(move({ config, sourceHome }, target).workspace).toBe(expected);
  });

  test("setup.json's parser_cmd, where config.yaml has none", () => {
    const setup = '{"parser_cmd": "/home/carol/.leoflow/venv/bin/python"}';
    const result = move({ config: workspace, setup, sourceHome: null });
    expect(result.workspace).toBe('/home/bob/flows');
    expect(result.setup).toBe('{"parser_cmd": "/home/bob/.leoflow/venv/bin/python"}');
  });

  test('unknown: absolute paths stay as they are', () => {
    const config = 'workspace: /srv/projects\nparser_cmd: python3 -m p\n';
    expect(move({ config, sourceHome: null })).toMatchObject({ config, workspace: '/srv/projects', changes: [] });
  });

  test('behind a symlink: the real path in the manifest, the named one in parser_cmd', () => {
    const config = 'workspace: /home/alice/flows\nparser_cmd: /home/alice/.leoflow/venv/bin/python\n';
    const result = move({ config, sourceHome: '/data/leo' });
    expect(result.config).toBe('workspace: /home/bob/flows\nparser_cmd: /home/bob/.leoflow/venv/bin/python\n');
  });
});

describe('where the workspace goes', () => {
  test.each([
    ['beside the home', 'workspace: /home/alice/a/b', '/home/bob/a/b'],
    ['beside the home, written oddly', 'workspace: /home/alice//x/../a/', '/home/bob/a'],
    ['elsewhere', 'workspace: /srv/projects', '/srv/projects'],
    ['in a home that begins alike', 'workspace: /home/alicement/x', '/home/alicement/x'],
    ['below ~', 'workspace: ~/a', '/home/bob/a'],
    ['relative', 'workspace: a', '/home/bob/a'],
    ['nowhere', 'a: 1', '/home/bob/leoflow-projects'],
    ['empty', 'workspace: ""', '/home/bob/leoflow-projects'],
    ['inside the home', 'workspace: /home/alice/.leoflow/projects', '/home/bob/.leoflow/projects'],
  ])('%s', (_, config, expected) => {
    expect(move({ config }).workspace).toBe(expected);
  });

  test('what moves by itself is not rewritten', () => {
    for (const config of ['workspace: ~/a\n', 'workspace: a\n', 'workspace:\n', 'a: 1\n']) {
      expect(move({ config })).toMatchObject({ config, changes: [] });
    }
  });

  test('a home directly below the root takes nothing along, and can be a target', () => {
    const config = 'workspace: /srv/projects\n';
    expect(move({ config, sourceHome: '/.leoflow' }).workspace).toBe('/srv/projects');
    expect(move({ config: 'workspace: /home/alice/flows\n' }, { home: '/.leoflow' }).workspace).toBe('/flows');
  });

  test('--workspace wins over everything', () => {
    for (const config of [
      'workspace: /home/alice/a\n',
      'workspace: /srv/a\n',
      'workspace: ~/a\n',
      'workspace: "~"\n',
    ]) {
      const result = move({ config }, { workspace: '/data/new' });
      expect(result.workspace).toBe('/data/new');
      expect(parse(result.config ?? '')).toEqual({ workspace: '/data/new' });
    }
  });

  test("--workspace that names the old machine's path is written where `~` would now lead elsewhere", () => {
    const result = move({ config: 'workspace: ~/a\n' }, { workspace: '/home/alice/a' });
    expect(result.config).toBe('workspace: /home/alice/a\n');
  });

  test('--workspace that says what config.yaml says changes nothing', () => {
    const config = 'workspace: "/srv/a/" # here\n';
    expect(move({ config }, { workspace: '/srv/a' })).toMatchObject({ config, changes: [] });
  });

  test("an archive without config.yaml goes where the target's own config says, else to the default", () => {
    expect(move({}, { ownConfig: 'workspace: ~/mine\n' })).toMatchObject({ config: null, workspace: '/home/bob/mine' });
    expect(move({}).workspace).toBe('/home/bob/leoflow-projects');
    expect(move({}, { ownConfig: '{' }).workspace).toBe('/home/bob/leoflow-projects');
  });
});

describe('only the value changes', () => {
  const rest = [
    '# workspace: in a comment "/home/alice/leoflow"',
    'other: &anchor { b: [1,  2], c: ~ }   # odd spacing',
    '# workspace: in a comment "/home/alice/leoflow"',
    'unknown key: *anchor',
    "quoted: 'it''s /home/alice/leoflow'",
    'text: |',
    '  workspace: "/home/alice/leoflow"',
    '',
    '    indented',
  ];

  test.each([
    ['double quotes', '"/home/alice/leoflow"', '"/home/bob/leoflow"'],
    ['single quotes', "'/home/alice/leoflow'", "'/home/bob/leoflow'"],
    ['no quotes', '/home/alice/leoflow', '/home/bob/leoflow'],
    ['a comment', '/home/alice/leoflow   # "mine"', '/home/bob/leoflow   # "mine"'],
    ['an anchor', '&ws "/home/alice/leoflow"', '&ws "/home/bob/leoflow"'],
    ['a tag', '!!str /home/alice/leoflow', '!!str /home/bob/leoflow'],
    ['an apostrophe', "'/home/alice/it''s'", "'/home/bob/it''s'"],
    ['a backslash and a tab', '"/home/alice/a\\\\b\\tc"', '"/home/bob/a\\\\b\\tc"'],
    ['another script', '"/home/alice/проекты"', '"/home/bob/проекты"'],
    ['no quotes, but needing them', '/home/alice/a#b', '"/home/bob/a#b"'],
    ['spaces', '/home/alice/a b', '/home/bob/a b'],
  ])('with %s, in LF and CRLF files, with a byte order mark, with and without an end of line', (_, from, to) => {
    for (const eol of ['\n', '\r\n']) {
      for (const [start, end] of [
        ['', eol],
        ['\ufeff', eol],
        ['# head\n\n', ''],
        ['---\n', `${eol}...${eol}`],
      ]) {
        for (const position of [0, rest.length]) {
          const text = (value: string) => start + rest.toSpliced(position, 0, `workspace: ${value}`).join(eol) + end;
          expect(move({ config: text(from) }).config).toBe(text(to));
        }
      }
    }
  });

  test.each([
    ['on a line of its own', 'workspace:\n  /home/alice/x\nz: 1\n', 'workspace:\n  /home/bob/x\nz: 1\n'],
    ['over two lines', 'workspace: /home/alice/x\n  y # c\nz: 1\n', 'workspace: /home/bob/x y # c\nz: 1\n'],
    ['in a block', 'workspace: |-\n  /home/alice/x\n# c\nz: 1\n', 'workspace: "/home/bob/x"\n# c\nz: 1\n'],
    ['in a folded block at the end', 'workspace: >-\n  /home/alice/x', 'workspace: "/home/bob/x"'],
    ['in a block with CRLF', 'workspace: |-\r\n  /home/alice/x\r\nz: 1\r\n', 'workspace: "/home/bob/x"\r\nz: 1\r\n'],
    ['as an alias', 'a: &x /home/alice/x\nworkspace: *x\n', 'a: &x /home/alice/x\nworkspace: "/home/bob/x"\n'],
    ['in braces', '{workspace: /home/alice/x, z: 1}', '{workspace: /home/bob/x, z: 1}'],
    ['as JSON', '{\n\t"workspace": "/home/alice/x"\n}', '{\n\t"workspace": "/home/bob/x"\n}'],
    ['with an explicit key', '? workspace\n: /home/alice/x\n', '? workspace\n: /home/bob/x\n'],
    ['under a quoted key', '"workspace" : /home/alice/x\n', '"workspace" : /home/bob/x\n'],
  ])('%s', (_, from, to) => {
    expect(move({ config: from }).config).toBe(to);
  });

  test.each([
    ['after the head comment', '# head\na: 1 # c\n', '# head\nworkspace: "/w"\na: 1 # c\n'],
    ['in a CRLF file', 'a: 1\r\n', 'workspace: "/w"\r\na: 1\r\n'],
    ['without an end of line', 'a: 1', 'workspace: "/w"\na: 1'],
    ['after a byte order mark', '\ufeffa: 1\n', '\ufeffworkspace: "/w"\na: 1\n'],
    ['in an indented file', '  a: 1\n  b: 2\n', '  workspace: "/w"\n  a: 1\n  b: 2\n'],
    ['after an anchor', '--- &r\na: 1\n', '--- &r\nworkspace: "/w"\na: 1\n'],
    ['in braces', '{ a: 1 }', '{workspace: "/w",  a: 1 }'],
    ['in empty braces', '{}', '{workspace: "/w"}'],
    ['for a null', 'workspace:\na: 1\n', 'workspace: /w\na: 1\n'],
    ['for a null at the end', 'a: 1\nworkspace:', 'a: 1\nworkspace: /w'],
    ['for a null before a comment', 'workspace:   # none\n', 'workspace:   /w # none\n'],
    ['for a null with an anchor', 'workspace: &a\nb: *a\n', 'workspace: &a /w\nb: *a\n'],
    ['for ~', 'workspace: ~ # none\n', 'workspace: /w # none\n'],
    ['for an empty string', "workspace: ''\n", "workspace: '/w'\n"],
    ['for a key alone in braces', '{workspace, a: 1}', '{workspace: "/w", a: 1}'],
  ])('--workspace is added %s', (_, from, to) => {
    const result = move({ config: from }, { workspace: '/w' });
    expect(result.config).toBe(to);
    expect(result.changes).toEqual([{ file: 'config.yaml', key: 'workspace', from: '', to: '/w' }]);
  });

  test('whatever the name of the directory', () => {
    const names = fc.string({ unit: 'binary', minLength: 1 }).filter((name) => /^[^./\0][^/\0]*$/.test(name));
    fc.assert(
      fc.property(names, fc.constantFrom(JSON.stringify, single), (name, quoted) => {
        const path = `/home/alice/${name}`;
        // Single quotes cannot hold everything.
        fc.pre(quoted !== single || !/\s/.test(name));
        const config = `a: 1\nworkspace: ${quoted(path)}\nz: [2 ]\n`;
        const result = move({ config });
        expect(result.workspace).toBe(`/home/bob/${name}`);
        expect(parse(result.config ?? '')).toEqual({ a: 1, workspace: `/home/bob/${name}`, z: [2] });
        expect(result.config?.endsWith('\nz: [2 ]\n')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('setup.json keeps its order, indentation and escapes, and what is not a string', () => {
    const setup = (home: string) =>
      `{\r\n\t"z" : 1.0, "nested": {"workspace": "/home/alice/x"},\r\n\t"list": ["workspace", "/home/alice/x"],\r\n` +
      `\t"note": "\\u003c/home/alice/x\\u003e",\r\n\t"workspace" :"/home/${home}/x"  ,\r\n\t"a": null }`;
    expect(move({ config: 'workspace: /home/alice/x', setup: setup('alice') }).setup).toBe(setup('bob'));
  });

  test('a workspace in setup.json that is another one moves by itself', () => {
    const setup = '{"workspace": "/home/alice/other"}';
    expect(move({ config: 'workspace: /srv/x', setup }).setup).toBe('{"workspace": "/home/bob/other"}');
    expect(move({ config: 'workspace: /srv/x', setup }, { workspace: '/w' }).setup).toBe('{"workspace": "/w"}');
  });

  test.each(['not JSON', '[]', '', '{"workspace": "/home/alice/x"', '{"workspace": 1}'])(
    'a setup.json that says nothing is restored as it is: %s',
    (setup) => {
      expect(move({ config: 'a: 1', setup })).toMatchObject({ setup, changes: [] });
    },
  );

  test('every path of the old home in parser_cmd moves, and what only looks like it does not', () => {
    const command = (home: string) =>
      `env PYTHONPATH=${home}/pysrc/parser:${home} '${home}/venv/bin/python' ${ALICE}-old/x /mnt${ALICE}/x $HOME $&`;
    const result = move({ config: `parser_cmd: "${command(ALICE)}"\n` });
    expect(result.config).toBe(`parser_cmd: "${command(BOB)}"\n`);
  });
});

describe('a parser_cmd that comes with the archive', () => {
  const ours = `env PYTHONPATH=${BOB}/pysrc/parser /usr/bin/python3.13 -m leoflow_parser`;
  const config = (command: string) => `parser_cmd: ${single(command)}\n`;
  const strange = (command: string, target: Target = {}, sourceHome = BOB) =>
    move({ config: config(command), sourceHome }, target).strangeCommand;

  test.each([
    'sh -c evil',
    `${ours}; evil`,
    `evil; ${ours}`,
    ours.replace('/usr/bin/python3.13', '$(evil)python3'),
    ours.replace('/usr/bin/python3.13', '/usr/bin/sh'),
    ours.replace('/usr/bin/python3.13', 'X=1 python3'),
    ours.replace(BOB, '/tmp/.leoflow'),
    ours.replace('/pysrc/parser', '/pysrc/parser:/tmp'),
    ours.replace('leoflow_parser', 'evil'),
  ])('is a stranger’s: %s', (command) => {
    expect(strange(command)).toBe(command);
    expect(move({ setup: JSON.stringify({ parser_cmd: command }), sourceHome: BOB }).strangeCommand).toBe(command);
  });

  test('is none where `leoflow setup` writes it so, for this home', () => {
    expect(strange(ours)).toBeNull();
    expect(strange(ours.replaceAll(BOB, ALICE), {}, ALICE)).toBeNull();
    for (const python of ['python3', `${BOB}/python/bin/python3`, "'/opt/my python/python3'"])
      expect(strange(ours.replace('/usr/bin/python3.13', python))).toBeNull();
  });

  test('is none where it is the target’s own', () => {
    const command = 'make -s parse';
    expect(strange(command, { ownConfig: config(command) })).toBeNull();
    expect(strange(command, { ownSetup: JSON.stringify({ parser_cmd: command }) })).toBeNull();
    // Under another home the target's own takes its place.
    expect(strange('sh -c evil', { ownConfig: config(command) }, ALICE)).toBeNull();
  });

  test('is one also where it moves along', () => {
    expect(strange(`${ALICE}/evil`, {}, ALICE)).toBe(`${BOB}/evil`);
  });
});

describe('what is refused', () => {
  test.each([
    ['the root', { config: 'workspace: /' }, {}, 'the root directory'],
    ['the home', { config: `workspace: ${ALICE}` }, {}, 'the Leoflow home itself'],
    ['the home directory', { config: 'workspace: "~"' }, {}, 'the home directory that the Leoflow home lies in'],
    [
      'the old home directory',
      { config: 'workspace: /home/alice' },
      {},
      'the home directory that the Leoflow home lies in',
    ],
    ['above it', { config: 'workspace: /home' }, {}, 'a directory that the Leoflow home lies in'],
    ['a part of the home', { config: 'workspace: .leoflow/pgdata/x' }, {}, 'inside the Leoflow home'],
    ['a shared directory', { config: 'workspace: /var/lib' }, {}, 'a directory that others share'],
    ['a directory of the system', { config: 'workspace: /etc/cron.d' }, {}, 'a directory of the system'],
    ['a directory of a service', { config: 'workspace: /var/www' }, {}, 'a directory of the system'],
    ['programs', { config: 'workspace: ~/bin' }, {}, 'a directory whose files the system acts upon'],
    ['agents', { config: 'workspace: ~/library/x' }, {}, 'a directory whose files the system acts upon'],
    ["another's home", { config: 'workspace: /home/carol' }, {}, "somebody's home directory"],
    ['keys', { config: 'workspace: ~/.ssh' }, {}, 'a hidden directory that only the archive names'],
    [
      'out of the home',
      { config: 'workspace: ../carol/.config/x' },
      {},
      'a hidden directory that only the archive names',
    ],
    ['--workspace /', { config: 'a: 1' }, { workspace: '/' }, 'the root directory'],
    ['--workspace of the home', { config: 'a: 1' }, { workspace: BOB }, 'the Leoflow home itself'],
    ['--workspace in the home', { config: 'a: 1' }, { workspace: `${BOB}/x` }, 'inside the Leoflow home'],
    [
      '--workspace ~',
      { config: 'a: 1' },
      { workspace: '/home/bob/' },
      'the home directory that the Leoflow home lies in',
    ],
    ['--workspace /srv', {}, { workspace: '/srv' }, 'a directory that others share'],
  ])('%s', async (_, archive: Archive, target: Target, fault) => {
    const error = await failure('WORKSPACE_UNSAFE', () => move(archive, target));
    expect(error.message).toMatch(/^the workspace would be restored to \/.*, which is /);
    expect(error.message.endsWith(`, which is ${fault}`)).toBe(true);
    expect(error.hint).toContain('--workspace <dir>');
    expect(error.kind).toBe('refused');
  });

  test('what the user chose may be hidden: by --workspace, or because the install that is there has it so', () => {
    expect(move({ config: 'a: 1' }, { workspace: '/home/bob/.flows' }).workspace).toBe('/home/bob/.flows');
    const config = 'workspace: ~/.flows\n';
    expect(move({ config }, { ownConfig: config }).workspace).toBe('/home/bob/.flows');
  });

  test('a service has its workspace beside its home, below /var', () => {
    const home = '/var/lib/leoflow/.leoflow';
    expect(move({ config: 'workspace: ~/flows\n' }, { home }).workspace).toBe('/var/lib/leoflow/flows');
  });

  test('a workspace inside the home stays possible where it was so, there or here', () => {
    expect(move({ config: 'workspace: ~/.leoflow/flows\n', sourceHome: null }).workspace).toBe(`${BOB}/flows`);
    expect(move({}, { ownConfig: 'workspace: ~/.leoflow/flows\n' }).workspace).toBe(`${BOB}/flows`);
  });

  test('what takes too long: a hostile parser_cmd costs no time', () => {
    const half = 100_000;
    const commands = [
      `PYTHONPATH=${'/'.repeat(half)}${'.'.repeat(half)}`,
      '/a'.repeat(half),
      'PYTHONPATH="'.repeat(9999),
    ];
    const started = performance.now();
    for (const command of commands) {
      for (const sourceHome of [null, '/a', command.slice(command.indexOf('/'))]) {
        move({ config: 'a: 1', setup: JSON.stringify({ parser_cmd: command }), sourceHome });
      }
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('a config.yaml in the archive that is not one', async () => {
    const error = await failure('CONFIG_INVALID', () => move({ config: 'a: [1\nb: 2\n' }));
    expect(error.message).toMatch(/^config\.yaml of the archive is not valid at line \d, column \d: /);
    expect(error.hint).toBe(
      'restore the rest with --only workspace --only datastore, over what `leoflow setup` writes',
    );
    await failure('CONFIG_INVALID', () => move({ config: '' }));
    await failure('CONFIG_INVALID', () => move({ config: 'parser_cmd: [a]' }));
    await failure('CONFIG_INVALID', () => move({ config: 'workspace: [a]' }));
  });

  test.each([
    ['an alias', 'a: &k parser_cmd\n*k : evil\n', '2, column 1', 'key'],
    ['a merge', 'x: &x\n  parser_cmd: evil\n<<: *x\n', '3, column 1', 'key'],
    ['a merge of YAML 1.1', '%YAML 1.1\n---\n<<: {parser_cmd: evil}\n', '3, column 1', 'key'],
    ['a merge in quotes', '"<<": {parser_cmd: evil}\n', '1, column 1', 'key'],
    ['a list', '? [parser_cmd]\n: evil\n', '1, column 3', 'key'],
    ['a mapping', 'b: 1\n{parser_cmd: x}: evil\n', '2, column 1', 'key'],
    ['binary', '!!binary cGFyc2VyX2NtZA==: evil\n', '1, column 10', 'key'],
    ['tagged', '!x parser_cmd: evil\n', '1, column 4', 'key'],
    ['behind a carriage return', '# a\rparser_cmd: evil\nb: 1\n', '1, column 4', 'character'],
    ['behind a line separator', 'b: 1\n# a\u2028parser_cmd: evil\n', '2, column 4', 'character'],
    ['behind a next line', 'b: 1\n#\u0085parser_cmd: evil\n', '2, column 2', 'character'],
    ['behind a byte order mark', 'b: 1\n\ufeffparser_cmd: evil\n', '2, column 1', 'character'],
  ])('a key that other parsers read differently: %s', async (_, config, at, what) => {
    const error = await failure('CONFIG_INVALID', () => move({ config }));
    expect(error.message).toBe(
      `config.yaml of the archive is not valid at line ${at}: not every parser reads this ${what} alike`,
    );
    // One's own config may be written so: it has always been read so.
    expect(move({}, { ownConfig: `workspace: ~/mine\n${config.replace(/^%.*\n---\n/, '')}` }).workspace).toBe(
      '/home/bob/mine',
    );
  });

  test('a key that stands there twice is printed so that no terminal acts upon it', async () => {
    const { message } = await failure('CONFIG_INVALID', () => move({ config: '"a\\e[2J": 1\n"a\\e[2J": 2\n' }));
    expect(message).toContain('"a\\u001b[2J" stands there twice');
  });
});
