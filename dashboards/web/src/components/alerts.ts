// What of the alerts a page shows, and under which heading.

import type { Alerts, FiringAlert } from "../api/client";

export type AlertsNote = {
  /** `tables`: figures are behind; `others`: something else fires; `unknown`: nobody can tell; `calm`: nothing is said. */
  kind: "tables" | "others" | "unknown" | "calm";
  tables: number;
  /** Those that are no tables. */
  others: number;
  shown: FiringAlert[];
  /** Not shown: folded, or not sent by the server. */
  more: number;
  /** The list can be unfolded. */
  isFolded: boolean;
  /** What is shown fired when the alerts could be read last. */
  isOld: boolean;
};

/** Shows `most` of them at most. */
export function alertsNote(alerts: Alerts | null, most: number): AlertsNote {
  const firing = alerts?.firing ?? [];
  const total = alerts?.total ?? 0;
  const tables = alerts?.tables ?? 0;
  const shown = firing.slice(0, most);
  const isOld = alerts?.source === "failing";
  return {
    kind: tables > 0 ? "tables" : total > 0 ? "others" : isOld ? "unknown" : "calm",
    tables,
    others: total - tables,
    shown,
    more: total - shown.length,
    isFolded: shown.length < firing.length,
    isOld,
  };
}
