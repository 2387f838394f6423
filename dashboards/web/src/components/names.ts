// Names of things as the catalogue has them; their ids where it has none.

import { computed, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";

import { useLive } from "../stores/live";
import { useView } from "../stores/view";

export type Choice = { value: string; label: string };

const KINDS = {
  communities: { all: "allCommunities", unnamed: "communityNamed", chosen: "community" },
  categories: { all: "allCategories", unnamed: "categoryNamed", chosen: "category" },
} as const;

/** Everything that can be chosen, the chosen one among it even when the catalogue does not know it (yet). */
export function useChoices(kind: keyof typeof KINDS): ComputedRef<Choice[]> {
  const live = useLive();
  const { view } = useView();
  const { t } = useI18n();
  const { all, unnamed, chosen } = KINDS[kind];
  return computed(() => {
    const known = live.catalog?.[kind] ?? [];
    const id = view.value[chosen];
    const listed = id && !known.some((one) => one.id === id) ? [...known, { id, name: null }] : known;
    return [
      { value: "", label: t(all) },
      ...listed.map((one) => ({ value: one.id, label: one.name ?? t(unnamed, { id: one.id }) })),
    ];
  });
}
