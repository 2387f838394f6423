// How old the numbers are: by the event-time watermark, never by the time of the question.

export const AMBER_MS = 60_000;
export const RED_MS = 300_000;

export type Freshness = { level: "unknown" | "fresh" | "late" | "stale"; behindMs: number };

export function freshness(asOf: number | null, now: number): Freshness {
  if (asOf === null) return { level: "unknown", behindMs: 0 };
  const behindMs = Math.max(0, now - asOf);
  if (behindMs > RED_MS) return { level: "stale", behindMs };
  return { level: behindMs > AMBER_MS ? "late" : "fresh", behindMs };
}
