/**
 * The embedded Lite, for people: where its datastore listens, and what it is not.
 */
import type { LitePhase, LiteResult, LiteServing } from '../../index.js';
import { formatDuration, printable } from '../format.js';
import type { Colours } from '../streams.js';
import { rowsOf, tableLines } from './table.js';
import { STOPPING, type View } from './view.js';

/** How a run of Lite is told. */
export const liteView: View<LitePhase, LiteResult> = {
  command: 'lite',
  phases: {
    start: { line: 'Starting the datastore', name: 'start' },
    serve: { line: 'Ctrl-C stops it', name: 'serve' },
    stop: { line: 'Stopping the datastore', name: 'stop' },
  },
  firstPhase: 'start',
  liveLine: (phase) => liteView.phases[phase].line,
  stopping: (phase) => (phase === 'start' ? STOPPING : 'stopping in good order'),
  summary: ({ home, durationMs }, { colours, verbose, phases }) => [
    `${colours.green('Stopped:')} ${printable(home)}, after ${formatDuration(durationMs)}`,
    ...tableLines(rowsOf('time', verbose ? [phases] : []), colours),
  ],
  lastWord: () => undefined,
};

const WAS: Readonly<Record<LiteServing['was'], string | null>> = {
  stopped: null,
  absent: 'there was none yet: it was made',
  left: 'it was still running, from a `leoflow lite` that was killed: this one takes its place',
};

/** What is read while it runs. */
export function servingLines(serving: LiteServing, colours: Colours): string[] {
  const was = WAS[serving.was];
  const rows = [
    ...rowsOf('socket', [printable(serving.socket)]),
    ...rowsOf('database', [printable(serving.url), ...(was === null ? [] : [was])]),
    ...rowsOf('server', [`PostgreSQL ${printable(serving.serverVersion)}`]),
    ...rowsOf('log', [printable(serving.log)]),
    ...rowsOf('workspace', [printable(serving.workspace)]),
  ];
  return [
    `${colours.green('The datastore runs:')} ${printable(serving.home)}`,
    ...tableLines(rows, colours),
    'This is the datastore only: the scheduler and the user interface come with the Leoflow binary.',
  ];
}
