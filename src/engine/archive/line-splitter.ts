/**
 * Text that comes in pieces, cut into its lines. Whoever made an archive decides where its lines end, or that they do not: what is kept of one has a limit.
 */
import { StringDecoder } from 'node:string_decoder';

/** Cuts one text into lines. */
export class LineSplitter {
  readonly #longest: number;
  readonly #tooLong: (line: string) => Error;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /**
   * @param longest characters that a line may have
   * @param tooLong what is thrown where one has more, of those that there are
   */
  constructor(longest: number, tooLong: (line: string) => Error) {
    this.#longest = longest;
    this.#tooLong = tooLong;
  }

  /** @returns the lines that end in this piece */
  push(piece: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(piece)).split('\n');
    this.#rest = lines.pop() ?? '';
    const isLong = (line: string) => line.length > this.#longest;
    const long = isLong(this.#rest) ? this.#rest : lines.find(isLong);
    if (long !== undefined) throw this.#tooLong(long);
    return lines;
  }

  /** @returns what stands behind the last line feed; empty where nothing does */
  end(): string {
    return this.#rest + this.#decoder.end();
  }
}
