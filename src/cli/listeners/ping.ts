/**
 * Pings for a dead man's switch, which raises the alarm when they stay away: in the convention of Healthchecks, `<url>/start`, `<url>` and `<url>/fail`.
 *
 * The address is the only credential that such a service has, so no more than its host is ever printed. Each ping is tried once, and nobody waits long for
 * one: what the switch is for is that a missing ping is noticed elsewhere.
 */
import { EXIT, type Failure, UsageError } from '../exit.js';
import { printable } from '../format.js';
import type { Listener, ListenerWarning } from './listener.js';

/** Milliseconds that a ping may take. */
const PATIENCE = { start: 5000, end: 5000, interrupted: 2000 } as const;
/** Milliseconds that the first ping still has once the command is done. */
const LATE_START = 1000;
/** As many bytes go along at most; the services keep 10 kB to 100 kB. */
const BODY_LIMIT = 10_000;

/** What a ping says. */
const SUFFIX = { start: '/start', success: '', failure: '/fail' } as const;
type Saying = keyof typeof SUFFIX;

/**
 * The address of `--ping-url` or its variable.
 *
 * @param name the option or the variable
 * @throws UsageError without the address in it
 */
export function pingUrl(name: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new UsageError(
      `${name} must be an http or https address`,
      'it is the ping URL that the monitoring service shows, such as https://<host>/<uuid>',
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`${name} must not hold a user or a password`, 'a ping URL is a secret by itself');
  }
  return url;
}

/** Pings as a command begins and ends. */
export class Ping<R> implements Listener<R> {
  readonly #url: URL;
  readonly #textOf: { result(result: R, status: number): string; failure(failure: Failure): string };
  readonly #warn: (warning: ListenerWarning) => void;
  readonly #giveUp = new AbortController();
  readonly #started: Promise<void>;

  /**
   * Sends the first ping, and does not wait for it.
   *
   * @param textOf what goes along with the last ping
   */
  constructor(
    url: URL,
    textOf: { result(result: R, status: number): string; failure(failure: Failure): string },
    warn: (warning: ListenerWarning) => void,
  ) {
    this.#url = url;
    this.#textOf = textOf;
    this.#warn = warn;
    this.#started = this.#send(
      'start',
      '',
      AbortSignal.any([AbortSignal.timeout(PATIENCE.start), this.#giveUp.signal]),
    );
  }

  /** Whatever does not end with status 0 is a failure: an archive that lacks a file is nothing to be silent about. */
  async done(result: R, status: number, interrupted: AbortSignal): Promise<void> {
    const saying = status === EXIT.done ? 'success' : 'failure';
    await this.#end(saying, this.#textOf.result(result, status), PATIENCE.end, interrupted);
  }

  async failed(failure: Failure): Promise<void> {
    const patience = failure.code === 'INTERRUPTED' ? PATIENCE.interrupted : PATIENCE.end;
    await this.#end('failure', this.#textOf.failure(failure), patience);
  }

  async #end(saying: Saying, text: string, patience: number, interrupted?: AbortSignal): Promise<void> {
    const late = setTimeout(() => this.#giveUp.abort(), Math.min(LATE_START, patience));
    await this.#started;
    clearTimeout(late);
    const limit = AbortSignal.timeout(patience);
    await this.#send(saying, text, interrupted === undefined ? limit : AbortSignal.any([limit, interrupted]));
  }

  async #send(saying: Saying, text: string, signal: AbortSignal): Promise<void> {
    try {
      const { ok, status, body } = await fetch(endpoint(this.#url, SUFFIX[saying]), {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'leoflow-snapshot' },
        body: cut(text, BODY_LIMIT),
        signal,
      });
      // Nobody reads it, and it must not keep the process alive.
      await body?.cancel().catch(() => {});
      if (!ok) this.#complain(saying, `the answer has status ${status}`);
    } catch (error) {
      this.#complain(saying, signal.aborted ? 'there is no answer in time' : reason(error));
    }
  }

  #complain(saying: Saying, why: string): void {
    const message = `the ping that tells of the ${saying} has failed: ${why}`;
    this.#warn({ code: 'ping', path: printable(this.#url.host), message, incomplete: false });
  }
}

/** The path is what grows: a query stays behind it. */
function endpoint(base: URL, suffix: string): URL {
  const url = new URL(base);
  if (suffix !== '') url.pathname = url.pathname.replace(/\/$/, '') + suffix;
  return url;
}

/** As much of a text as has room, never half a character. */
function cut(text: string, limit: number): string {
  const bytes = new Uint8Array(limit);
  const { written } = new TextEncoder().encodeInto(text, bytes);
  return new TextDecoder().decode(bytes.subarray(0, written));
}

/** Never the error's own message: it may hold the address. */
function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'nobody listens there',
    ENOTFOUND: 'the host is unknown',
    EAI_AGAIN: 'the host is unknown for now',
  };
  return known[code] ?? (code === '' ? 'it cannot be reached' : `it cannot be reached (${code})`);
}
