import type { EventType, Props, TrackedEvent } from './event.js';
import { Identity } from './identity.js';
import type { Answer, Platform } from './platform.js';
import { Queue } from './queue.js';

export interface Options {
  /** Where the collector takes events: `https://collect.example/v1/clicks`. */
  url: string;
  /** The community that the visitor shops in, until {@link Tracker.setCommunity} says otherwise. */
  communityId?: number;
  userId?: number;
  /** Send when so many events wait. */
  batchEvents?: number;
  /** A batch's bytes; a browser sends at most 64 KiB while a page goes away. */
  batchBytes?: number;
  /** Send so long after an event, at the latest. */
  batchMs?: number;
  /** Events kept while the collector cannot be reached; the oldest go first. */
  queueEvents?: number;
  queueBytes?: number;
  retryMinMs?: number;
  retryMaxMs?: number;
  /** Prefix of what is kept in the storage. */
  storagePrefix?: string;
  /** Told of batches that the collector refused for good; for development. */
  onRefused?: (status: number, events: number) => void;
}

const DEFAULTS = {
  batchEvents: 20,
  batchBytes: 48 * 1024,
  batchMs: 2000,
  queueEvents: 1000,
  queueBytes: 1024 * 1024,
  retryMinMs: 1000,
  retryMaxMs: 5 * 60_000,
  storagePrefix: 'linli.',
};

/** Collects events and sends them in batches; what is not acknowledged is sent again, with the same ids. */
export class Tracker {
  private readonly options: Options & typeof DEFAULTS;
  private readonly queue: Queue;
  private readonly identity: Identity;
  private readonly unlisten: () => void;
  private communityId: number | undefined;
  private userId: number | undefined;
  private timer: unknown;
  private dueAt = Infinity;
  private sending = false;
  private failures = 0;
  private notBefore = 0;
  private batchEvents: number;

  constructor(
    options: Options,
    private readonly platform: Platform,
  ) {
    this.options = { ...DEFAULTS, ...options };
    this.communityId = options.communityId;
    this.userId = options.userId;
    this.batchEvents = this.options.batchEvents;
    const { storagePrefix, queueEvents, queueBytes } = this.options;
    this.queue = new Queue(platform.storage, `${storagePrefix}queue`, queueEvents, queueBytes);
    this.identity = new Identity(platform, storagePrefix);
    this.unlisten = platform.listen?.({ leave: () => this.leave(), back: () => this.flush() }) ?? (() => undefined);
    if (this.queue.length > 0) this.schedule(0);
  }

  setCommunity(communityId: number | undefined): void {
    this.communityId = communityId;
  }

  /** Who signed in; `undefined` after signing out. */
  setUser(userId: number | undefined): void {
    this.userId = userId;
  }

  /** Forgets the visitor and the visit. */
  reset(): void {
    this.userId = undefined;
    this.identity.reset();
  }

  /** Notes that something happened. Returns the event's id. */
  track(type: EventType, props: Props = {}): string {
    const event: TrackedEvent = {
      event_id: this.platform.uuid(),
      type,
      ts: this.platform.now(),
      anonymous_id: this.identity.anonymousId(),
      session_id: this.identity.sessionId(),
      platform: this.platform.name,
      ...(this.userId === undefined ? {} : { user_id: this.userId }),
      ...(this.communityId === undefined ? {} : { community_id: this.communityId }),
      ...this.platform.page?.(),
      ...props,
    };
    this.queue.push(event);
    this.schedule(this.queue.length >= this.batchEvents ? 0 : this.options.batchMs);
    return event.event_id;
  }

  /** A page was looked at. */
  view(props: Props = {}): string {
    return this.track('view', props);
  }

  /** Events that are not acknowledged yet, and how many were given up for want of room. */
  state(): { waiting: number; dropped: number } {
    return { waiting: this.queue.length, dropped: this.queue.dropped };
  }

  /** Sends what waits, unless the collector asked for patience. */
  flush(): void {
    if (this.queue.length > 0) this.schedule(0);
  }

  /** Stops; what is not sent stays in the storage for the next page. */
  close(): void {
    this.leave();
    this.unlisten();
    this.platform.clearTimer(this.timer);
    this.timer = undefined;
    this.closed = true;
  }

  private closed = false;

  private schedule(afterMs: number): void {
    if (this.sending || this.closed) return;
    const dueAt = Math.max(this.platform.now() + afterMs, this.notBefore);
    if (this.timer !== undefined) {
      if (this.dueAt <= dueAt) return;
      this.platform.clearTimer(this.timer);
    }
    this.dueAt = dueAt;
    this.timer = this.platform.setTimer(() => {
      this.timer = undefined;
      void this.send();
    }, dueAt - this.platform.now());
  }

  private async send(): Promise<void> {
    const batch = this.queue.head(this.batchEvents, this.options.batchBytes);
    if (batch.length === 0 || this.sending) return;
    this.sending = true;
    let answer: Answer;
    try {
      answer = await this.platform.send(this.options.url, `[${batch.join(',')}]`);
    } catch {
      answer = { status: 0 };
    }
    this.sending = false;
    this.settle(batch, answer);
    if (this.queue.length > 0) this.schedule(this.queue.length >= this.batchEvents ? 0 : this.options.batchMs);
  }

  private settle(batch: readonly string[], answer: Answer): void {
    const { status } = answer;
    if (status >= 200 && status < 300) {
      this.queue.remove(batch);
      this.failures = 0;
      this.notBefore = 0;
      this.batchEvents = this.options.batchEvents;
    } else if (status === 413 && batch.length > 1) {
      this.batchEvents = Math.max(1, batch.length >> 1);
    } else if (status === 0 || status === 408 || status === 429 || status >= 500) {
      this.failures += 1;
      this.notBefore = this.platform.now() + this.backoffMs(answer.retryAfterMs);
    } else {
      // Refused for good: sending it again would not help.
      this.queue.remove(batch);
      this.options.onRefused?.(status, batch.length);
    }
  }

  /** Doubles with each failure, and is spread so that visitors do not all come back at once; never sooner than asked for. */
  private backoffMs(askedMs = 0): number {
    const { retryMinMs, retryMaxMs } = this.options;
    const ceiling = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.failures - 1, 30));
    return Math.min(Math.max(askedMs, 0), retryMaxMs) + ceiling * (0.5 + this.platform.random() / 2);
  }

  /** The page may go away: hands over what fits. What the browser takes is not sent again; the ids make a repeat harmless. */
  private leave(): void {
    const sendLast = this.platform.sendLast;
    if (!sendLast || this.closed || this.platform.now() < this.notBefore) return;
    for (;;) {
      const batch = this.queue.head(this.batchEvents, this.options.batchBytes);
      if (batch.length === 0 || !sendLast(this.options.url, `[${batch.join(',')}]`)) return;
      this.queue.remove(batch);
    }
  }
}
