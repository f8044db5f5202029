import { chmodSync } from 'node:fs';

// npm does it for an installed package; here it is for `npm link`, and for typing dist/cli/main.js.
chmodSync(new URL('../dist/cli/main.js', import.meta.url), 0o755);
