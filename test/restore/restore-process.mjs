/** A restore, a recovery or an extraction in a process of its own, to be killed: says on stdout, as JSON, what became of it. */
import './fault-hook.mjs';

const { call, options } = JSON.parse(process.argv[2]);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort());

const notes = [];
const onEvent = (event) => {
  if (event.type === 'phase') globalThis.armFaults?.(event.phase);
  if (event.type === 'note') notes.push(event.message);
};
try {
  // Of the library only what it takes: hundreds of these processes are started.
  const module = { extract: 'extract', recover: 'recovery', restore: 'restore' }[call];
  const result = await (await import(`../../dist/engine/${module}.js`))[call]({
    ...options,
    signal: stop.signal,
    onEvent,
  });
  process.stdout.write(JSON.stringify({ result, notes }));
} catch (error) {
  const { code, message, hint } = error;
  process.stdout.write(JSON.stringify({ error: { name: error.name, code, message, hint, stack: error.stack }, notes }));
}
