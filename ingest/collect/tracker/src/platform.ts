/** Everything the tracker asks of where it runs. A mini-program gives its own. */
export interface Platform {
  /** Name sent with every event: `web`, `app`, `mini-program`. */
  name: string;
  now(): number;
  /** A random number, 0 inclusive to 1 exclusive. */
  random(): number;
  uuid(): string;
  setTimer(run: () => void, afterMs: number): unknown;
  clearTimer(timer: unknown): void;
  storage: Storage;
  send: Transport;
  /** Sends while the page goes away, without an answer; false when it cannot be taken. */
  sendLast?(url: string, body: string): boolean;
  /** Calls `leave` when the page may go away now, `back` when it is looked at (again) or online again. */
  listen?(on: { leave(): void; back(): void }): () => void;
  page?(): { page: string; referrer: string };
}

export interface Storage {
  get(key: string): string | null;
  /** May throw or do nothing where there is no room. */
  set(key: string, value: string): void;
  remove(key: string): void;
}

/** What came back. `retryAfterMs` is what the collector asked for. */
export interface Answer {
  status: number;
  retryAfterMs?: number;
}

/** Rejects when there was no answer. */
export type Transport = (url: string, body: string) => Promise<Answer>;

/** Storage that lasts as long as the page does. */
export function memoryStorage(): Storage {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
  };
}

/** A random UUID (version 4), also where `crypto.randomUUID` is missing: it is on pages without TLS. */
export function uuid(random: () => number = Math.random): string {
  const crypto = globalThis.crypto as Crypto | undefined;
  if (crypto?.randomUUID) return crypto.randomUUID();
  const bytes = new Uint8Array(16);
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => (bytes[i] = Math.floor(random() * 256)));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** `Retry-After` in seconds or as a date, in milliseconds. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** The browser. */
export function browser(): Platform {
  return {
    name: 'web',
    now: () => Date.now(),
    random: () => Math.random(),
    uuid: () => uuid(),
    setTimer: (run, afterMs) => setTimeout(run, afterMs),
    clearTimer: (timer) => clearTimeout(timer as number),
    storage: localStorageOrMemory(),
    send: async (url, body) => {
      // text/plain: the browser need not ask first. No cookies go along.
      const headers = { 'content-type': 'text/plain;charset=UTF-8' };
      const response = await fetch(url, { method: 'POST', body, headers, credentials: 'omit', referrerPolicy: 'no-referrer' });
      const after = retryAfterMs(response.headers.get('retry-after'), Date.now());
      return { status: response.status, ...(after === undefined ? {} : { retryAfterMs: after }) };
    },
    sendLast: (url, body) =>
      typeof navigator.sendBeacon === 'function' &&
      navigator.sendBeacon(url, new Blob([body], { type: 'text/plain;charset=UTF-8' })),
    listen: (on) => {
      const seen = (): void => (document.visibilityState === 'hidden' ? on.leave() : on.back());
      // pagehide for the pages that go without being hidden first; visibilitychange for phones, which may never tell more.
      document.addEventListener('visibilitychange', seen);
      window.addEventListener('pagehide', on.leave);
      window.addEventListener('online', on.back);
      return () => {
        document.removeEventListener('visibilitychange', seen);
        window.removeEventListener('pagehide', on.leave);
        window.removeEventListener('online', on.back);
      };
    },
    page: () => ({ page: location.href, referrer: document.referrer }),
  };
}

/** localStorage throws where the visitor forbids it. */
function localStorageOrMemory(): Storage {
  try {
    const probe = 'linli.probe';
    localStorage.setItem(probe, '1');
    localStorage.removeItem(probe);
    return {
      get: (key) => localStorage.getItem(key),
      set: (key, value) => localStorage.setItem(key, value),
      remove: (key) => localStorage.removeItem(key),
    };
  } catch {
    return memoryStorage();
  }
}
