import { expect, it } from "vitest";

import { ApiError } from "../api/client";
import { type PanelFacts, panelState } from "./panel";

const good: PanelFacts = {
  hasData: true,
  isEmpty: false,
  error: null,
  freshness: { level: "fresh", behindMs: 0 },
  failing: false,
};

it.each<[string, Partial<PanelFacts>]>([
  ["ready", {}],
  ["ready", { freshness: { level: "late", behindMs: 90_000 } }],
  ["loading", { hasData: false }],
  ["error", { hasData: false, error: new ApiError(503, "source_unavailable", "") }],
  ["forbidden", { error: new ApiError(403, "forbidden", "") }],
  ["empty", { isEmpty: true }],
  ["stale", { failing: true }],
  ["stale", { error: new ApiError(0, "unreachable", "") }],
  ["stale", { freshness: { level: "stale", behindMs: 400_000 } }],
])("%s", (state, facts) => {
  expect(panelState({ ...good, ...facts })).toBe(state);
});
