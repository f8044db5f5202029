/** The embedded Lite: an install made, its datastore run, and an install removed, where no Leoflow binary is there to do it. */
export { runLite } from './run.js';
export { setup } from './setup.js';
export { uninstall } from './uninstall.js';
