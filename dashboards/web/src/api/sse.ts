// Server-sent events over fetch: unlike EventSource it tells a refusal from a broken line, backs off, and
// notices a line that has gone silent.

import { ApiError, request } from "./client";

export type ServerEvent = { name: string; id: string; data: string };

/** Cuts a byte stream's text into events, whatever the pieces it arrives in. */
export class EventParser {
  private rest = "";
  private name = "";
  private data: string[] = [];
  lastId = "";

  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) {
          events.push({ name: this.name || "message", id: this.lastId, data: this.data.join("\n") });
        }
        this.name = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") this.data.push(value);
      else if (field === "event") this.name = value;
      else if (field === "id" && !value.includes("\0")) this.lastId = value;
    }
    return events;
  }
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** The server says something every 15 s; a line silent for longer than this is dead. */
const SILENCE_MS = 40_000;

/** How long to wait before the `attempt`-th try (from 1): doubling, with a spread so that tabs do not come back at once. */
export function backoff(attempt: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 10));
  return wait * (0.5 + 0.5 * random);
}

export type Listener = {
  event(event: ServerEvent): void;
  open(): void;
  /** The line is down; it is tried again unless the server refused. */
  down(error: ApiError): void;
};

export type Subscription = { retryNow(): void; close(): void };

export function subscribe(path: string, listener: Listener): Subscription {
  const closed = new AbortController();
  let lastId = "";
  let attempt = 0;
  let wake: (() => void) | null = null;

  async function once(): Promise<void> {
    const line = new AbortController();
    const signal = AbortSignal.any([closed.signal, line.signal]);
    let silence = window.setTimeout(() => line.abort(), SILENCE_MS);
    const heard = () => {
      window.clearTimeout(silence);
      silence = window.setTimeout(() => line.abort(), SILENCE_MS);
    };
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (lastId) headers["last-event-id"] = lastId;
      const response = await request(path, { signal, headers, cache: "no-store" });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      if (!reader) throw new ApiError(0, "unreachable", "no body");
      listener.open();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        for (const event of parser.push(value)) {
          attempt = 0;
          listener.event(event);
        }
        lastId = parser.lastId || lastId;
      }
    } finally {
      window.clearTimeout(silence);
    }
  }

  async function run(): Promise<void> {
    while (!closed.signal.aborted) {
      let error = new ApiError(0, "unreachable", "the line was closed");
      try {
        await once();
      } catch (cause) {
        if (cause instanceof ApiError) error = cause;
      }
      if (closed.signal.aborted) return;
      listener.down(error);
      attempt += 1;
      const refused = error.status >= 400 && error.status < 500;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (!refused) window.setTimeout(resolve, backoff(attempt, Math.random()));
      });
      wake = null;
    }
  }

  void run();
  return {
    retryNow: () => wake?.(),
    close: () => {
      closed.abort();
      wake?.();
    },
  };
}
