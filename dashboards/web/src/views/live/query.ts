// What the page's panels show, from the stream's numbers and the view.

import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { lastWhole, seriesOf } from "../../charts/series";
import { panelState } from "../../components/panel";
import { compactMoney, hourMinute, joined, lag, moment } from "../../format";
import type { Locale } from "../../i18n";
import { useLive } from "../../stores/live";
import { useView } from "../../stores/view";

export function usePanels() {
  const live = useLive();
  const { view } = useView();
  const { t, locale } = useI18n();

  const facts = computed(() => ({ error: live.error, freshness: live.fresh, failing: live.failing }));
  const isEmptyDay = computed(() => {
    const today = live.live?.today;
    return today !== undefined && Object.values(today).every((value) => value === null);
  });
  const series = computed(() => seriesOf(live.minutes, view.value.range, live.live?.as_of ?? null, minuteOf(live.now)));
  const last = computed(() => lastWhole(series.value));

  const cards = computed(() => panelState({ ...facts.value, hasData: live.live !== null, isEmpty: isEmptyDay.value }));
  const chart = computed(() =>
    panelState({
      ...facts.value,
      hasData: live.minutes !== null && live.live !== null,
      isEmpty: last.value === null && series.value.running === null,
    }),
  );
  const top = computed(() =>
    panelState({ ...facts.value, hasData: live.top !== null, isEmpty: live.top?.rows.length === 0 }),
  );

  /** Why numbers are shown as old. */
  const note = computed(() => {
    const asOf = live.live?.as_of;
    if (live.fresh.level === "stale" && asOf) {
      const { key, n } = lag(live.fresh.behindMs);
      return t("staleText", { lag: t(key, { n }), time: moment(asOf, live.now, live.zone) });
    }
    return live.failing ? t("failingText") : t("reconnecting");
  });
  const emptyText = computed(() => {
    const asOf = live.live?.as_of;
    return asOf ? t("emptySince", { time: moment(asOf, live.now, live.zone) }) : t("emptyText");
  });
  const summary = computed(() =>
    t("chartSummary", {
      from: hourMinute(series.value.from, live.zone),
      to: hourMinute(series.value.to, live.zone),
      last: joined(compactMoney(last.value?.gmv ?? null, locale.value as Locale)),
    }),
  );

  return { series, last, cards, chart, top, note, emptyText, summary };
}

/** The axis moves once a minute, not with every tick of the clock. */
function minuteOf(ms: number): number {
  return Math.floor(ms / 60_000) * 60_000;
}
