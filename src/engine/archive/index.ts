/** The format: what an archive is made of. See docs/format.md. */
export { checksumLine } from './checksums.js';
export {
  END_OF_ARCHIVE,
  type Entry,
  type EntryHeader,
  type EntryKind,
  encodeEntries,
  encodeFileHeader,
  padToRecords,
} from './entries.js';
export { createdAt, defaultArchiveName, encodeManifest, MANIFEST_VERSION, type Manifest } from './manifest.js';
export { BLOCK_BYTES, type BlockKind, compressMember, padded, RECORD_BYTES } from './member.js';
export { type ArchivePath, ENTRY, pathOrder, workspaceEntry } from './names.js';
export { type ArchiveOutput, openFileOutput, openStreamOutput } from './output.js';
export { type CompressSlice, Spool } from './spool.js';
export { isTemporaryName } from './temporary.js';
