import type { ApiError } from "../api/client";
import type { Freshness } from "../stores/freshness";

export type PanelState = "loading" | "empty" | "error" | "forbidden" | "stale" | "ready";

export type PanelFacts = {
  hasData: boolean;
  isEmpty: boolean;
  error: ApiError | null;
  freshness: Freshness;
  failing: boolean;
};

/** What a panel shows. A broken line is an error only while there is nothing to show; numbers stay, marked as old. */
export function panelState(facts: PanelFacts): PanelState {
  if (facts.error?.isForbidden) return "forbidden";
  if (!facts.hasData) return facts.error ? "error" : "loading";
  if (facts.isEmpty) return "empty";
  return facts.failing || facts.error || facts.freshness.level === "stale" ? "stale" : "ready";
}
