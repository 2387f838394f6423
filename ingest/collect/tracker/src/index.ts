export type { EventType, Json, Props, TrackedEvent } from './event.js';
export { SESSION_IDLE_MS } from './identity.js';
export { browser, memoryStorage, retryAfterMs, uuid } from './platform.js';
export type { Answer, Platform, Storage, Transport } from './platform.js';
export { Tracker } from './tracker.js';
export type { Options } from './tracker.js';

import { browser, type Platform } from './platform.js';
import { Tracker, type Options } from './tracker.js';

/** Starts tracking; in a browser unless another platform is given. */
export function start(options: Options, platform: Platform = browser()): Tracker {
  return new Tracker(options, platform);
}
