/**
 * `MANIFEST.json`: the first entry of an archive, and what a reader judges it by.
 *
 * The first five fields are `manifest_version: 1` as the Go implementation writes it; the others are ours, and its reader skips them.
 */

import { SnapshotError } from '../errors.js';
import { quoted } from './entry-place.js';

/** The newest `manifest_version` this program writes and reads. */
export const MANIFEST_VERSION = 1;

/** The content of `MANIFEST.json`. Fields unknown to this program are kept silent about. */
export interface Manifest {
  /** The version of the archive's format. */
  manifest_version: number;
  /** Version of the Leoflow that the install belongs to; `unknown` where none could be asked. */
  leoflow_version: string;
  /** `schema_migrations.version` of the datastore; 0 where there is none yet. */
  schema_version: number;
  /** `postgres (PostgreSQL) 16.13`, as `postgres --version` prints it. */
  postgres_version?: string;
  /** UTC, to the second: `2026-05-28T14:30:45Z`. */
  created_at: string;
  /** The program that wrote the archive: `leoflow-snapshot 0.1.0`. */
  writer?: string;
  /** The install it was taken from. */
  source?: {
    /** Absolute path. */
    home?: string;
    /** Absolute path. */
    workspace?: string;
    /** Name of the machine. */
    hostname?: string;
    /** `linux/amd64`. */
    platform?: string;
  };
  /** The database that was dumped, and by what. */
  datastore?: {
    /** Its name. */
    database?: string;
    /** Version of the server. */
    server_version?: string;
    /** Version of the `pg_dump` that dumped it. */
    pg_dump_version?: string;
  };
  /** Name of the entry that lists the SHA-256 of every other regular entry. It is the last one: its absence means truncation. */
  checksums?: string;
  /** Name of the entry that lists all others and where they are. */
  index?: string;
}

/** A manifest is a few hundred bytes. */
const MAX_MANIFEST_BYTES = 1 << 20;
const MAX_LINE = 256;

/** Texts of the objects in it. */
const INNER_FIELDS = {
  source: ['home', 'workspace', 'hostname', 'platform'],
  datastore: ['database', 'server_version', 'pg_dump_version'],
} as const satisfies { [field in 'source' | 'datastore']: readonly (keyof NonNullable<Manifest[field]>)[] };

/**
 * Reads `MANIFEST.json`, and refuses what this program cannot restore. Unknown fields are kept silent about.
 *
 * @throws MANIFEST_INVALID, MANIFEST_VERSION
 */
export function decodeManifest(content: Buffer): Manifest {
  const invalid = (what: string) =>
    new SnapshotError('MANIFEST_INVALID', `the MANIFEST.json of the archive ${what}`, {
      hint: 'the archive is damaged, or was not written by a Leoflow backup; take another copy',
    });
  if (content.length > MAX_MANIFEST_BYTES) throw invalid(`has ${content.length} bytes`);
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(content.toString());
  } catch {
    throw invalid('is not JSON');
  }
  if (!isObject(manifest)) throw invalid('is not an object');
  const version = manifest.manifest_version;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    const found = version === undefined ? 'has no manifest_version' : `has the manifest_version ${shown(version)}`;
    throw new SnapshotError(
      'MANIFEST_VERSION',
      `the MANIFEST.json of the archive ${found}; this program reads version ${MANIFEST_VERSION}`,
      {
        hint: 'the archive is damaged, or was not written by a Leoflow backup; take another copy',
      },
    );
  }
  if (version > MANIFEST_VERSION) {
    throw new SnapshotError(
      'MANIFEST_VERSION',
      `the archive has manifest_version ${version}; this program reads up to version ${MANIFEST_VERSION}`,
      { hint: 'restore it with the newer release of this program that wrote it' },
    );
  }
  const schema = manifest.schema_version;
  if (typeof schema !== 'number' || !Number.isInteger(schema) || schema < 0) {
    throw invalid(`has no usable schema_version: ${shown(schema)}`);
  }
  for (const field of ['leoflow_version', 'created_at'] as const) {
    if (!isLine(manifest[field])) throw invalid(`has no usable ${field}`);
  }
  for (const field of ['postgres_version', 'writer', 'checksums', 'index'] as const) {
    if (manifest[field] !== undefined && typeof manifest[field] !== 'string') throw invalid(`has no usable ${field}`);
  }
  for (const [field, names] of Object.entries(INNER_FIELDS)) {
    const value = manifest[field];
    if (value === undefined) continue;
    if (!isObject(value)) throw invalid(`has no usable ${field}`);
    for (const name of names) {
      if (value[name] !== undefined && typeof value[name] !== 'string') throw invalid(`has no usable ${field}.${name}`);
    }
  }
  return manifest as unknown as Manifest;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value for a message. */
function shown(value: unknown): string {
  // One that nests without end is more than JSON.stringify takes.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[…]' : '{…}';
  return typeof value === 'string' ? quoted(value) : String(value);
}

/** Whether it can be shown to people: a short text without control characters. */
function isLine(value: unknown): boolean {
  return typeof value === 'string' && value.length <= MAX_LINE && !/\p{Cc}/u.test(value);
}

/** `created_at` of a moment: UTC, to the second. */
export function createdAt(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** The default file name of an archive made at that moment: `leoflow-backup-2026-05-28T143045Z.tar.gz`. */
export function defaultArchiveName(time: Date): string {
  return `leoflow-backup-${createdAt(time).replaceAll(':', '')}.tar.gz`;
}

/** The bytes of `MANIFEST.json`. */
export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}
