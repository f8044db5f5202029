/** The format: what an archive is made of. See docs/format.md. */
export { BesideNames, MAX_BESIDE_NAMES } from './beside-names.js';
export { checksumLine } from './checksums.js';
export {
  concatRecords,
  END_OF_ARCHIVE,
  type Entry,
  type EntryHeader,
  type EntryKind,
  encodeEntries,
  encodeFileHeader,
} from './entries.js';
export {
  hardLinkTarget,
  isNameTooLong,
  type Place,
  placeOf,
  placeOfEntry,
  quoted,
  type Role,
  unsafe,
} from './entry-place.js';
export {
  entryLine,
  type IndexLine,
  lastLines,
  MAX_INDEX_LINE,
  MAX_LAST_LINES,
  memberLine,
  parseIndexLine,
} from './index-lines.js';
export {
  ChecksumLedger,
  checksumSplitter,
  parseChecksumLine,
} from './ledger.js';
export { LineSplitter } from './line-splitter.js';
export { Lines } from './lines.js';
export {
  createdAt,
  decodeManifest,
  defaultArchiveName,
  encodeManifest,
  MANIFEST_VERSION,
  type Manifest,
} from './manifest.js';
export {
  BLOCK_BYTES,
  compressMember,
  HEADER_BYTES,
  MAX_BLOCK_BYTES,
  padded,
  RECORD_BYTES,
  TRAILER_BYTES,
} from './member.js';
export {
  checkBlockBytes,
  checkSeal,
  indexMembers,
  inflateMember,
  MAX_MEMBER_BYTES,
  type Member,
  parseHeader,
  peekBlock,
  readMember,
  truncated,
} from './member-reader.js';
export { firstHeader, type Piece, surveyMembers } from './member-survey.js';
export { type ArchivePath, comparePaths, ENTRY, pathOrder, workspaceEntry } from './names.js';
export {
  type ArchiveOutput,
  openFileOutput,
  openPrivate,
  openStreamOutput,
  syncDirectory,
  writeAll,
} from './output.js';
export { isOwn, release, releaseBuffers } from './release.js';
export { removeTree } from './remove-tree.js';
export { SpareBuffers } from './spare-buffers.js';
export { Spool } from './spool.js';
export { notAnArchive, readStream } from './stream-reader.js';
export { damaged, type TarEvent, type TarHeader, TarReader } from './tar-reader.js';
export {
  clearStaleTemporaries,
  isTemporaryName,
  isTemporaryOf,
  liveTemporaries,
  processLives,
  processMark,
  temporaryName,
} from './temporary.js';
