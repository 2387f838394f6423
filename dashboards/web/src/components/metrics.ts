// The cards: which number, how it is written; names and definitions come from the server's catalogue.

import { computed, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";

import type { Live, MetricDefinition } from "../api/client";
import { compactCount, compactMoney, exactCount, exactMoney, type Parts } from "../format";
import type { Locale } from "../i18n";
import { useLive } from "../stores/live";

type TodayKey = keyof Live["today"];

export type Card = { key: TodayKey; name: string; definition: string; parts: Parts; exact: string };

const KEYS: TodayKey[] = ["gmv", "orders", "active_users", "buyers", "aov"];
const MONEY = new Set<TodayKey>(["gmv", "aov"]);

export function useMetric(): (key: string) => { name: string; definition: string } {
  const live = useLive();
  const { locale } = useI18n<{ locale: Locale }>();
  return (key) => {
    const metric: MetricDefinition | undefined = live.catalog?.metrics.find((known) => known.key === key);
    const language = locale.value as Locale;
    return { name: metric?.name[language] ?? "", definition: metric?.definition[language] ?? "" };
  };
}

export function useCards(): ComputedRef<Card[]> {
  const live = useLive();
  const metric = useMetric();
  const { locale } = useI18n();
  return computed(() =>
    KEYS.map((key) => {
      const value = live.live?.today[key] ?? null;
      const language = locale.value as Locale;
      const money = MONEY.has(key);
      return {
        key,
        ...metric(key),
        parts: money ? compactMoney(value, language) : compactCount(value, language),
        exact: money ? exactMoney(value) : exactCount(value),
      };
    }),
  );
}
