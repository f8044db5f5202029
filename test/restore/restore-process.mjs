/** A restore, a recovery or an extraction in a process of its own, to be killed: says on stdout, as JSON, what became of it. */
import { extract, recover, restore } from '../../dist/index.js';

const { call, options } = JSON.parse(process.argv[2]);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());

const notes = [];
const onEvent = (event) => {
  if (event.type === 'phase') globalThis.armFaults?.(event.phase);
  if (event.type === 'note') notes.push(event.message);
};
try {
  const result = await { extract, recover, restore }[call]({ ...options, signal: stop.signal, onEvent });
  process.stdout.write(JSON.stringify({ result, notes }));
} catch (error) {
  const { code, message, hint } = error;
  process.stdout.write(JSON.stringify({ error: { name: error.name, code, message, hint, stack: error.stack }, notes }));
}
