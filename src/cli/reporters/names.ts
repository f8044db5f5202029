/**
 * Entries as lines on stdout, for people and for what stands behind a pipe; everything else goes to stderr.
 */
import type { ContentsEntry } from '../../index.js';
import type { OutputFlags } from '../commands/options.js';
import type { Failure } from '../exit.js';
import { drained, type ReaderWatch, type Surroundings, type TextStream } from '../streams.js';
import { type NameStyle, nameText } from '../views/list.js';
import type { View } from '../views/view.js';
import { PlainReporter } from './plain.js';
import type { ReportedEvent, Reporter } from './reporter.js';

/** Characters that are written at once: a write for each of a million names would take longer than finding them. */
const CHUNK = 32 << 10;

/** Prints entries as they come. */
export class NamesReporter<P extends string, R> implements Reporter<P, R> {
  readonly wantsTotal = false;
  readonly #plain: PlainReporter<P, R>;
  readonly #stream: TextStream;
  readonly #style: NameStyle;
  readonly #reader: ReaderWatch;
  #text = '';

  constructor(
    view: View<P, R>,
    { quiet, verbose, progress }: OutputFlags,
    style: NameStyle,
    { stdout, stderr, env, reader }: Pick<Surroundings, 'stdout' | 'stderr' | 'env'> & { reader: ReaderWatch },
  ) {
    this.#stream = stdout;
    this.#style = style;
    this.#reader = reader;
    this.#plain = new PlainReporter(view, {
      messages: stderr,
      summary: quiet ? undefined : stderr,
      verbose: verbose === true,
      phases: false,
      progress: !quiet && progress,
      env,
    });
  }

  event(event: ReportedEvent<P>): void {
    if (event.type === 'entry') this.#print(event.entry);
    else this.#plain.event(event);
  }

  async ready(): Promise<void> {
    await drained(this.#stream);
    await this.#plain.ready();
  }

  stopping(signal: NodeJS.Signals): void {
    this.#plain.stopping(signal);
  }

  done(result: R): void {
    this.#flush();
    this.#plain.done(result);
  }

  failed(failure: Failure): void {
    this.#flush();
    // Stopped because its reader is gone: the command says what that means.
    if (!this.#reader.gone.aborted) this.#plain.failed(failure);
  }

  #print(entry: ContentsEntry): void {
    this.#text += nameText(entry, this.#style);
    if (this.#text.length >= CHUNK) this.#flush();
  }

  #flush(): void {
    if (this.#text !== '') this.#stream.write(this.#text);
    this.#text = '';
  }
}
