import type { TrackedEvent } from './event.js';
import type { Storage } from './platform.js';

/** Events that are not acknowledged yet. Bounded: the oldest go first. Kept in the storage, so that a reload loses none. */
export class Queue {
  private events: { text: string; bytes: number }[] = [];
  private bytes = 0;
  /** How many were given up because there were too many. */
  dropped = 0;

  constructor(
    private readonly storage: Storage,
    private readonly key: string,
    private readonly eventsMax: number,
    private readonly bytesMax: number,
  ) {
    for (const text of this.restore()) this.add(text);
  }

  get length(): number {
    return this.events.length;
  }

  push(event: TrackedEvent): void {
    this.add(JSON.stringify(event));
    this.persist();
  }

  /** The first events, up to so many and so many bytes; at least one when there is any. */
  head(eventsMax: number, bytesMax: number): string[] {
    const batch: string[] = [];
    let bytes = 0;
    for (const event of this.events) {
      if (batch.length >= eventsMax || (batch.length > 0 && bytes + event.bytes > bytesMax)) break;
      batch.push(event.text);
      bytes += event.bytes;
    }
    return batch;
  }

  /** Takes out the given events, wherever they are by now. */
  remove(batch: readonly string[]): void {
    const gone = new Set(batch);
    this.events = this.events.filter((event) => !gone.has(event.text));
    this.bytes = this.events.reduce((sum, event) => sum + event.bytes, 0);
    this.persist();
  }

  private add(text: string): void {
    const bytes = utf8Length(text) + 1;
    this.events.push({ text, bytes });
    this.bytes += bytes;
    while (this.events.length > this.eventsMax || (this.bytes > this.bytesMax && this.events.length > 1)) {
      this.bytes -= this.events.shift()?.bytes ?? 0;
      this.dropped += 1;
    }
  }

  private restore(): string[] {
    try {
      const kept: unknown = JSON.parse(this.storage.get(this.key) ?? '[]');
      // Taken over: another tab that starts must not send the same again.
      this.storage.remove(this.key);
      return Array.isArray(kept) ? kept.filter((text): text is string => typeof text === 'string') : [];
    } catch {
      return [];
    }
  }

  private persist(): void {
    try {
      if (this.events.length === 0) this.storage.remove(this.key);
      else this.storage.set(this.key, JSON.stringify(this.events.map((event) => event.text)));
    } catch {
      // No room: the events stay in memory.
    }
  }
}

/** The bytes of a text in UTF-8; TextEncoder is missing in mini-programs. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
