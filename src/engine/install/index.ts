/** The Leoflow home: what an install consists of, where its parts are, and whether one may be put there. */
export { configString, parseConfig } from './config.js';
export { defaultHome } from './default-home.js';
export { homeEntries, isHome, TOOLS } from './home-entries.js';
export { type DatastoreState, type HomeState, judgeHome, judgeWorkspace } from './home-state.js';
export { type InstallFile, kindOf, MAX_INSTALL_FILE_BYTES, readInstallFile } from './install-file.js';
export { leoflowBinary, leoflowVersion, nextLeoflow, type SearchOptions } from './leoflow-binary.js';
export { type NewInstall, newConfig, newSetup } from './new-install.js';
export { type Install, readInstall, resolveWorkspace } from './read-install.js';
export {
  type ArchivedInstall,
  type Change,
  type Relocation,
  type RestoreTarget,
  relocate,
} from './relocate/relocation.js';
export { refuseUnsafeWorkspace, type WorkspacePlace, workspaceFault } from './relocate/safe-workspace.js';
export { below } from './relocate/source-home.js';
export { KNOWN_SCHEMA, type SupportedSchema, supportedSchema } from './schema.js';
