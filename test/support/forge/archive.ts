/**
 * Whole archives around what is forged: good ones, but for what a test puts in.
 *
 * The same entries make two archives. `streamed` is one gzip member, as the Go implementation and `tar czf` write it; `indexed` is a run of members with
 * the subfields of docs/format.md, as `leoflow lite backup` writes it. A restore takes a different way through each.
 */
import { createHash } from 'node:crypto';
import { member, plainGzip } from './members.js';
import { END, type HeaderFields, header, records } from './tar.js';

/** An entry, or several records that belong together. */
export interface Forged {
  records: Buffer;
  /** Its line in SHA256SUMS, where it has one. */
  line?: string;
  /** Stands alone in an archive with members: a header in a block `F`, the content in blocks `C` of this many bytes. */
  split?: { header: Buffer; content: Buffer; step: number };
}

/** A regular file. */
export function file(name: string, content: string | Buffer = '', fields: Partial<HeaderFields> = {}): Forged {
  return { records: records({ name, ...fields }, content), line: checksumOf(name, content) };
}

/** A regular file that has members of its own. */
export function largeFile(name: string, content: Buffer, step = 1 << 20, fields: Partial<HeaderFields> = {}): Forged {
  const own = header({ name, size: content.length, ...fields });
  return { ...file(name, content, fields), split: { header: own, content, step } };
}

/** A directory; its name should end in a slash. */
export function directory(name: string, fields: Partial<HeaderFields> = {}): Forged {
  return { records: records({ name, type: '5', mode: 0o755, ...fields }) };
}

export function symlink(name: string, target: string): Forged {
  return { records: records({ name, type: '2', mode: 0o777, linkname: target }) };
}

export function hardlink(name: string, target: string): Forged {
  return { records: records({ name, type: '1', linkname: target }) };
}

/** Records as they are; SHA256SUMS says nothing of them. */
export function raw(...pieces: Buffer[]): Forged {
  return { records: Buffer.concat(pieces) };
}

/** A line of SHA256SUMS. */
export function checksumOf(name: string, content: string | Buffer): string {
  return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`;
}

export const SOURCE_HOME = '/home/alice/.leoflow';
export const MANIFEST = {
  manifest_version: 1,
  leoflow_version: 'v0.0.1-prealpha.20',
  schema_version: 15,
  postgres_version: 'postgres (PostgreSQL) 15.18',
  created_at: '2026-05-28T14:30:45Z',
  writer: 'a forger',
  source: { home: SOURCE_HOME, workspace: '/home/alice/leoflow', hostname: 'here', platform: 'linux/amd64' },
  checksums: 'SHA256SUMS',
};
export const CONFIG = '# kept\nworkspace: "/home/alice/leoflow"\njwt_secret: "0f0f"\n';
export const SETUP = '{ "workspace": "/home/alice/leoflow", "tier": "lite" }\n';
export const DUMP = [
  '--\n-- PostgreSQL database dump\n--\n',
  '-- Dumped from database version 13.1\n-- Dumped by pg_dump version 13.1\n',
  'CREATE TABLE public.forged (n integer);\nINSERT INTO public.forged VALUES (1), (2);\n',
  '--\n-- PostgreSQL database dump complete\n--\n',
].join('\n');

/** What goes into an archive; what is not given is good. */
export interface Ingredients {
  manifest?: Forged[];
  config?: Forged[];
  /** Behind config.yaml. */
  setup?: Forged[];
  /** Each inner list is one block. */
  workspace?: Forged[][];
  dump?: Forged[];
  /** From the right SHA256SUMS to what stands in the archive; null for none. */
  sums?: (right: string) => string | Buffer | null;
  /** Between SHA256SUMS and the end. */
  behind?: Forged[];
  end?: Buffer;
}

export const manifest = (fields: object = MANIFEST) => file('MANIFEST.json', JSON.stringify(fields));

/** The entries of an archive in their order, block by block. */
export function blocksOf(ingredients: Ingredients = {}): Forged[][] {
  const before = [
    [
      ...(ingredients.manifest ?? [manifest()]),
      ...(ingredients.config ?? [file('config.yaml', CONFIG, { mode: 0o600 })]),
      ...(ingredients.setup ?? [file('setup.json', SETUP)]),
    ],
    ...(ingredients.workspace ?? [goodWorkspace()]),
    ...(ingredients.dump ?? [largeFile('datastore.sql', Buffer.from(DUMP))]).map((one) => [one]),
  ];
  const right = before
    .flat()
    .map(({ line }) => line ?? '')
    .join('');
  const sums = ingredients.sums === undefined ? right : ingredients.sums(right);
  return [
    ...before,
    ...(sums === null ? [] : [[largeFile('SHA256SUMS', Buffer.from(sums as string))]]),
    ...(ingredients.behind ?? []).map((one) => [one]),
    [raw(ingredients.end ?? END)],
  ];
}

/** A workspace with a file of every kind, in path order. */
export function goodWorkspace(): Forged[] {
  return [
    directory('workspace/'),
    directory('workspace/dags/'),
    file('workspace/dags/hello.py', 'print("hello")\n', { mode: 0o755 }),
    directory('workspace/empty/'),
    symlink('workspace/latest', 'dags/hello.py'),
  ];
}

/** As `tar czf` writes it. */
export function streamed(blocks: Forged[][]): Buffer {
  return plainGzip(tarOf(blocks));
}

/** The tar inside. */
export function tarOf(blocks: Forged[][]): Buffer {
  return Buffer.concat(blocks.flat().map((forged) => forged.records));
}

/** As `leoflow lite backup` writes it. */
export function indexed(blocks: Forged[][]): Buffer {
  return Buffer.concat(membersOf(blocks));
}

/** The members of {@link indexed}, one by one. */
export function membersOf(blocks: Forged[][]): Buffer[] {
  return blocks.flatMap((block) => {
    const [only] = block;
    if (block.length === 1 && only?.split !== undefined) return splitMembers(only.split);
    return [member(Buffer.concat(block.map((forged) => forged.records)))];
  });
}

/** Members of large files, which stand in many an archive. */
const split = new WeakMap<NonNullable<Forged['split']>, Buffer[]>();

function splitMembers(file: NonNullable<Forged['split']>): Buffer[] {
  const known = split.get(file);
  if (known !== undefined) return known;
  const { header: own, content, step } = file;
  const members = [member(own, { kind: 'F' })];
  for (let at = 0; at < content.length; at += step) {
    const part = content.subarray(at, at + step);
    members.push(member(Buffer.concat([part, Buffer.alloc(-part.length & 511)]), { kind: 'C' }));
  }
  split.set(file, members);
  return members;
}
