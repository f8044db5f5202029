/**
 * Giving an archived install the paths of the place it is restored to.
 *
 *     moves     = the home it was taken from → the home it goes to
 *     workspace = --workspace, else the archive's own, moved
 *     commands  = the target's own where `leoflow setup` ran there, else the archive's, moved
 *     config.yaml, setup.json = the archive's bytes with exactly these values replaced
 *
 * Nothing is read from the disk here, and nothing is written.
 */
import { join, normalize, resolve } from 'node:path';
import { isAlias, isScalar } from 'yaml';
import { SnapshotError } from '../../errors.js';
import { type Config, configString, pairOf, parseArchivedConfig, parseConfig } from '../config.js';
import { MAX_INSTALL_FILE_BYTES } from '../install-file.js';
import { isParserCommand } from '../new-install.js';
import { resolveWorkspace } from '../read-install.js';
import { refuseUnsafeWorkspace } from './safe-workspace.js';
import { applyEdits, type Edit, type JsonString, jsonStrings, setConfigString } from './scalar-edit.js';
import { asHome, below, homeInCommand, type Move, movePath, moveText } from './source-home.js';

/** What the archive says of the install it holds. */
export interface ArchivedInstall {
  /** `config.yaml`; null where the archive has none, or it is not to be restored: then the target's own decides. */
  config: Buffer | null;
  /** `setup.json`; null likewise. */
  setup: Buffer | null;
  /** `source.home` of the manifest. */
  sourceHome: string | null;
  /** `source.workspace` of the manifest. */
  sourceWorkspace: string | null;
}

/** The place it goes to. */
export interface RestoreTarget {
  /** The Leoflow home, absolute, as it is named (not its real path: `~` is the directory it is named in). */
  home: string;
  /** `--workspace`; a relative path is taken from the current directory. */
  workspace?: string;
  /** The target's own `config.yaml`, where it has one; one that cannot be read as YAML says nothing. */
  ownConfig: Buffer | null;
  /** The target's own `setup.json`, likewise. */
  ownSetup: Buffer | null;
}

/** A value that was changed. */
export interface Change {
  file: 'config.yaml' | 'setup.json';
  key: string;
  /** The old value; empty where there was none. */
  from: string;
  to: string;
}

/** An install with the paths of its new place. */
export interface Relocation {
  config: Buffer | null;
  setup: Buffer | null;
  /** Where the workspace goes: absolute. */
  workspace: string;
  /** In the order of the files and of the keys below. */
  changes: Change[];
  /** A `parser_cmd` that comes with the archive and is neither the target's own nor one that `leoflow setup` writes; null where it has none. */
  strangeCommand: string | null;
}

/** Facts of the machine, in setup.json. */
const FACTS = ['python', 'os', 'arch', 'parser_cmd'] as const;

const IN_ARCHIVE = 'config.yaml of the archive';
const HINT = 'restore the rest with --only workspace --only datastore, over what `leoflow setup` writes';

/**
 * Gives an archived install the paths of its new place. Where that is the old place, on a machine with the same facts, not a byte
 * changes.
 *
 * @throws SnapshotError `CONFIG_INVALID` when the archive's config.yaml is not one; `WORKSPACE_UNSAFE` when the workspace would go
 * where a restore must not put one
 */
export function relocate(archive: ArchivedInstall, target: RestoreTarget): Relocation {
  const home = normalize(target.home).replace(/(?<=.)\/+$/, '');
  const own = { config: ownConfig(target.ownConfig, home), setup: stringsOf(target.ownSetup) };
  const config = archive.config && parseArchivedConfig(archive.config, IN_ARCHIVE, HINT);
  const setup = stringsOf(archive.setup);
  const sources = sourceHomes(archive, config, setup);
  const isSameHome = sources[0] === home;
  const moves = isSameHome ? [] : sources.map((from) => ({ from, to: home }));
  const workspace = placeWorkspace({ archive, config, target, own: own.config, sources, moves, home });
  const adopt = !isSameHome || isOtherMachine(setup, own.setup);
  const changes = {
    config: config ? changesOfConfig(config, workspace, own, moves, adopt) : [],
    setup: setup ? changesOfSetup(setup, workspace, own.setup, moves, adopt) : [],
  };

  return {
    config: config && archive.config && rewriteConfig(config, archive.config, changes.config),
    setup: setup && archive.setup ? rewriteSetup(setup, archive.setup, changes.setup) : archive.setup,
    workspace: workspace.to,
    changes: [...changes.config, ...changes.setup],
    strangeCommand: strangeCommand({ config, setup, own, home, changes }),
  };
}

function strangeCommand(facts: {
  config: Config | null;
  setup: Setup | null;
  own: { config: Config | null; setup: Setup | null };
  home: string;
  changes: Record<'config' | 'setup', Change[]>;
}): string | null {
  const { config, setup, own, home, changes } = facts;
  const inSetup = (from: Setup | null) => from?.strings.get('parser_cmd')?.value ?? null;
  const now = (key: 'config' | 'setup', was: string | null) =>
    changes[key].find((change) => change.key === 'parser_cmd')?.to ?? was;
  const mine = [own.config && stringIn(own.config, 'parser_cmd'), inSetup(own.setup)];
  const restored = [now('config', config && configString(config, 'parser_cmd')), now('setup', inSetup(setup))];
  return restored.find((one) => one !== null && !mine.includes(one) && !isParserCommand(one, home)) ?? null;
}

/** The strings of a setup.json with its text. */
type Setup = { text: string; strings: Map<string, JsonString> };

/** Where the workspace was (null where nothing says it) and where it goes. */
interface WorkspaceMove {
  from: string | null;
  to: string;
  /** Whether `--workspace` asked for it. */
  asked: boolean;
  sourceHome: string;
  home: string;
}

/**
 * The manifest's home, then those in a `parser_cmd`: the only ones there are in archives of the Go implementation, and another name
 * for the same home where it is behind a symlink.
 */
function sourceHomes(archive: ArchivedInstall, config: Config | null, setup: Setup | null): string[] {
  const named = [
    asHome(archive.sourceHome),
    homeInCommand(config && stringIn(config, 'parser_cmd')),
    homeInCommand(setup?.strings.get('parser_cmd')?.value ?? null),
  ];
  return [...new Set(named)].filter((home) => home !== null);
}

function placeWorkspace(facts: {
  archive: ArchivedInstall;
  config: Config | null;
  target: RestoreTarget;
  own: Config | null;
  sources: readonly string[];
  moves: readonly Move[];
  home: string;
}): WorkspaceMove {
  const { archive, config, target, home } = facts;
  const own = facts.own && resolveWorkspace(stringIn(facts.own, 'workspace'), home);
  const sourceHome = facts.sources[0] ?? home;
  const value = config && configString(config, 'workspace');
  const from = config ? resolveWorkspace(value, sourceHome) : asHome(archive.sourceWorkspace);
  const asked = target.workspace !== undefined;
  let to: string;
  if (target.workspace !== undefined) to = resolve(target.workspace);
  else if (!config) to = own ?? resolveWorkspace(null, home);
  else if (value?.startsWith('/')) to = movePath(resolve(value), facts.moves);
  else to = resolveWorkspace(value, home);
  const wasInHome = from !== null && [sourceHome, ...facts.sources].some((source) => below(from, source));
  const isOwn = to === own;
  refuseUnsafeWorkspace({ workspace: to, home, chosen: asked || isOwn, wasInHome: wasInHome || isOwn });
  return { from, to, asked, sourceHome, home };
}

/** A home restored to its own path may still be on another machine, or on a new system: its own `setup` says so. */
function isOtherMachine(archived: Setup | null, own: Setup | null): boolean {
  return ['python', 'os', 'arch'].some((key) => {
    const mine = own?.strings.get(key)?.value;
    return mine !== undefined && mine !== (archived?.strings.get(key)?.value ?? mine);
  });
}

function changesOfConfig(
  config: Config,
  workspace: WorkspaceMove,
  own: { config: Config | null; setup: Setup | null },
  moves: readonly Move[],
  adopt: boolean,
): Change[] {
  const changes: Change[] = [];
  const named = configString(config, 'workspace');
  // `~/x`, a relative path and no workspace at all move by themselves.
  if (resolveWorkspace(named, workspace.home) !== workspace.to) {
    changes.push({ file: 'config.yaml', key: 'workspace', from: named ?? '', to: workspace.to });
  }
  const command = stringIn(config, 'parser_cmd');
  if (command !== null && adopt) {
    const mine = (own.config && stringIn(own.config, 'parser_cmd')) ?? own.setup?.strings.get('parser_cmd')?.value;
    const to = mine ?? moveText(command, moves);
    if (to !== command) changes.push({ file: 'config.yaml', key: 'parser_cmd', from: command, to });
  }
  return changes;
}

function changesOfSetup(
  setup: Setup,
  workspace: WorkspaceMove,
  own: Setup | null,
  moves: readonly Move[],
  adopt: boolean,
): Change[] {
  const changes: Change[] = [];
  const named = setup.strings.get('workspace')?.value;
  if (named) {
    const { from, home, sourceHome } = workspace;
    const follows = workspace.asked || from === null || resolveWorkspace(named, sourceHome) === from;
    const alone = named.startsWith('/') ? movePath(resolve(named), moves) : resolveWorkspace(named, home);
    const to = follows ? workspace.to : alone;
    if (to !== resolveWorkspace(named, home)) changes.push({ file: 'setup.json', key: 'workspace', from: named, to });
  }
  for (const key of adopt ? FACTS : []) {
    const from = setup.strings.get(key)?.value;
    if (from === undefined) continue;
    const to = own?.strings.get(key)?.value ?? moveText(from, moves);
    if (to !== from) changes.push({ file: 'setup.json', key, from, to });
  }
  return changes;
}

function rewriteConfig(config: Config, bytes: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return bytes;
  const edits = changes.map(({ key, to }) => setConfigString(config, key, to));
  const rewritten = Buffer.from(applyEdits(config.text, edits));
  // YAML has corners that no edit foresees; a config that does not say what it should is not restored.
  const parsed = parseConfig(rewritten, `${IN_ARCHIVE}, relocated`, HINT);
  for (const { key, to } of changes) {
    if (stringIn(parsed, key) === to) continue;
    const message = `\`${key}\` in ${IN_ARCHIVE} could not be changed to ${to}`;
    throw new SnapshotError('CONFIG_INVALID', message, { hint: HINT });
  }
  return rewritten;
}

function rewriteSetup(setup: Setup, bytes: Buffer, changes: readonly Change[]): Buffer {
  const edits = changes.flatMap(({ key, to }): Edit[] => {
    const place = setup.strings.get(key);
    return place ? [{ start: place.start, end: place.end, text: JSON.stringify(to) }] : [];
  });
  return edits.length === 0 ? bytes : Buffer.from(applyEdits(setup.text, edits));
}

/** A setup.json that is no JSON object says nothing and is restored as it is: Leoflow only reports from it. */
function stringsOf(content: Buffer | null): Setup | null {
  if (content === null || content.length > MAX_INSTALL_FILE_BYTES) return null;
  const text = content.toString('utf8');
  if (!Buffer.from(text).equals(content)) return null;
  const strings = jsonStrings(text);
  return strings && { text, strings };
}

/** The target's own config; a broken one must not keep anybody from restoring over it. */
function ownConfig(content: Buffer | null, home: string): Config | null {
  try {
    return content && parseConfig(content, join(home, 'config.yaml'));
  } catch (error) {
    if (error instanceof SnapshotError) return null;
    throw error;
  }
}

/** The string of a top-level key, null for anything else. */
function stringIn(config: Config, key: string): string | null {
  const value = pairOf(config.root, key)?.value;
  const node = isAlias(value) ? value.resolve(config.document) : value;
  return isScalar(node) && typeof node.value === 'string' && node.value !== '' ? node.value : null;
}
