/**
 * Who else is told how a command ended: not the user at the terminal, but what watches over unattended runs.
 */
import type { Failure } from '../exit.js';

/** Told before the user is, so that what goes wrong in telling can still be said. It never throws, and never changes how the command ends. */
export interface Listener<R> {
  /** @param interrupted fires when the user does not want to wait any longer */
  done(result: R, status: number, interrupted: AbortSignal): Promise<void>;
  failed(failure: Failure): Promise<void>;
}

/** Something that could not be told to somebody. It makes no archive incomplete. */
export interface ListenerWarning {
  /**
   * - `ping`: a ping was not answered as it should
   * - `report`: a file for the CI system could not be written
   */
  code: 'ping' | 'report';
  /** The host that was pinged, never the whole address: it is a secret. Or the path of the file. */
  path: string;
  /** One sentence, without the path. */
  message: string;
  incomplete: false;
}
