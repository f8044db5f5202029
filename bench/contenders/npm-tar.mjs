/**
 * node-tar as its documentation uses it: `node npm-tar.mjs pack <archive> <tree> <level> [dump]`, `… unpack <archive> <directory>`.
 */
import { create, extract } from 'tar';
import { belongs } from '../trees/real-tree.mjs';

const [mode, archive = '', directory = '', level, dump] = process.argv.slice(2);
if (mode === 'pack') {
  const filter = (/** @type {string} */ path, /** @type {unknown} */ stats) =>
    path === dump || belongs(path, /** @type {import('node:fs').Stats} */ (stats).isDirectory());
  const members = dump === undefined ? ['.'] : ['.', dump];
  await create({ file: archive, cwd: directory, gzip: { level: Number(level) }, filter }, members);
} else {
  await extract({ file: archive, cwd: directory });
}
