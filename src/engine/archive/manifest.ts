/**
 * `MANIFEST.json`: the first entry of an archive, and what a reader judges it by.
 *
 * The first five fields are `manifest_version: 1` as the Go implementation writes it; the others are ours, and its reader skips them.
 */

/** The newest `manifest_version` this program writes and reads. */
export const MANIFEST_VERSION = 1;

/** The content of `MANIFEST.json`. Fields unknown to this program are kept silent about. */
export interface Manifest {
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
  /** The install it was taken from: absolute paths, host name, `linux/amd64`. */
  source?: { home: string; workspace: string; hostname: string; platform: string };
  /** The database that was dumped, and by what. */
  datastore?: { database: string; server_version: string; pg_dump_version: string };
  /** Name of the entry that lists the SHA-256 of every other regular entry. It is the last one: its absence means truncation. */
  checksums?: string;
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
