/** The Leoflow home: what an install consists of, where its parts are, and whether one may be put there. */
export { configString, parseConfig } from './config.js';
export { defaultHome } from './default-home.js';
export { homeEntries, isHome, TOOLS } from './home-entries.js';
export { type DatastoreState, judgeHome, judgeWorkspace } from './home-state.js';
export { kindOf, readInstallFile } from './install-file.js';
export { leoflowBinary, leoflowVersion, nextLeoflow } from './leoflow-binary.js';
export { newConfig, newSetup } from './new-install.js';
export { type Install, readInstall, resolveWorkspace } from './read-install.js';
export {
  type Change,
  type Relocation,
  relocate,
} from './relocate/relocation.js';
export { refuseUnsafeWorkspace, workspaceFault } from './relocate/safe-workspace.js';
export { below } from './relocate/source-home.js';
export { supportedSchema } from './schema.js';
