import type { Platform } from './platform.js';

/** A visit ends when nothing happened for so long. */
export const SESSION_IDLE_MS = 30 * 60_000;

/** Who visits, and which visit it is; both kept over reloads and shared by tabs. */
export class Identity {
  constructor(
    private readonly platform: Platform,
    private readonly prefix: string,
  ) {}

  private memory: { anonymous?: string; session?: { id: string; last: number } } = {};

  anonymousId(): string {
    const kept = this.read('anonymous') ?? this.memory.anonymous;
    if (kept) return (this.memory.anonymous = kept);
    const made = this.platform.uuid();
    this.memory.anonymous = made;
    this.write('anonymous', made);
    return made;
  }

  /** The visit's id; counts as something happening. */
  sessionId(): string {
    const now = this.platform.now();
    const kept = this.session();
    const idle = kept ? now - kept.last : Infinity;
    // A clock set back far is a new visit too.
    const id = kept && idle < SESSION_IDLE_MS && idle > -SESSION_IDLE_MS ? kept.id : this.platform.uuid();
    this.memory.session = { id, last: now };
    this.write('session', `${id}|${now}`);
    return id;
  }

  /** Forgets who it was, as on a shared device after signing out. */
  reset(): void {
    this.memory = {};
    this.platform.storage.remove(`${this.prefix}anonymous`);
    this.platform.storage.remove(`${this.prefix}session`);
  }

  private session(): { id: string; last: number } | undefined {
    const [id, last] = (this.read('session') ?? '').split('|');
    const at = Number(last);
    return id && last && Number.isFinite(at) ? { id, last: at } : this.memory.session;
  }

  private read(name: string): string | null {
    try {
      return this.platform.storage.get(this.prefix + name);
    } catch {
      return null;
    }
  }

  private write(name: string, value: string): void {
    try {
      this.platform.storage.set(this.prefix + name, value);
    } catch {
      // Without storage the ids last as long as the page.
    }
  }
}
