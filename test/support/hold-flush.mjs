// Loaded into the program by --import: a disk on which a flush takes as long as a test likes. It begins to wait by making the file $HOLD_FLUSH, and
// goes on when that file is gone.
import { existsSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

const file = process.env.HOLD_FLUSH;
const handle = await open('/dev/null');
const prototype = Object.getPrototypeOf(handle);
await handle.close();

const { sync } = prototype;
prototype.sync = async function () {
  writeFileSync(file, '');
  while (existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 10));
  return sync.call(this);
};
