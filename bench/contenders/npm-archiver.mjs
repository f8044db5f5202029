/**
 * archiver as its documentation uses it: `node npm-archiver.mjs <archive> <tree> <level> [dump]`.
 */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
// @ts-expect-error: it brings no types
import { TarArchive } from 'archiver';
import { MADE_AGAIN, VERSION_CONTROL } from '../trees/real-tree.mjs';

const [archive = '', tree = '', level, dump] = process.argv.slice(2);
const tar = new TarArchive({ gzip: true, gzipOptions: { level: Number(level) } });
const written = pipeline(tar, createWriteStream(archive));
// `skip` keeps it from going into them, `ignore` from taking them.
const inside = MADE_AGAIN.map((name) => `**/${name}/**`);
const named = VERSION_CONTROL.flatMap((name) => [`**/${name}`, `**/${name}/**`]);
tar.glob('**', { cwd: tree, dot: true, ignore: [...inside, ...named], skip: [...inside, ...named] });
if (dump !== undefined) tar.file(dump, { name: 'datastore.sql' });
await tar.finalize();
await written;
