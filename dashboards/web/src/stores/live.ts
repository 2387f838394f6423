// The tab's one live stream, and what it has brought.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";

import { type Alerts, ApiError, type Catalog, getCatalog, type Live, type Minutes, type TopList } from "../api/client";
import { type ServerEvent, subscribe, type Subscription } from "../api/sse";
import { type Freshness, freshness } from "./freshness";
import { mergeMinutes } from "./minutes";
import { scopeOf, type ViewState } from "./view";

const CATALOG_EVERY_MS = 60_000;
/** A shop that has only just begun has nothing to choose from yet. */
const CATALOG_EVERY_MS_WHILE_EMPTY = 5_000;

export const useLive = defineStore("live", () => {
  const live = shallowRef<Live | null>(null);
  const minutes = shallowRef<Minutes | null>(null);
  const top = shallowRef<TopList | null>(null);
  const catalog = shallowRef<Catalog | null>(null);
  /** What needs attention; of no view. `null` until it is known. */
  const alerts = shallowRef<Alerts | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const connected = ref(false);
  /** The server's time, by this machine's clock set right. */
  const now = ref(Date.now());
  let ahead = 0;
  let line: Subscription | null = null;
  let following = "";

  const zone = computed(() => catalog.value?.zone ?? "Asia/Shanghai");
  const fresh = computed<Freshness>(() => freshness(live.value?.as_of ?? null, now.value));
  const failing = computed(() => live.value?.source === "failing");

  function on(event: ServerEvent): void {
    const body: unknown = JSON.parse(event.data);
    if (event.name === "live") {
      live.value = body as Live;
      ahead = live.value.server_time - Date.now();
      now.value = Date.now() + ahead;
    } else if (event.name === "minutes") {
      minutes.value = mergeMinutes(minutes.value, body as Minutes);
    } else if (event.name === "top") {
      top.value = body as TopList;
    } else if (event.name === "alerts") {
      alerts.value = body as Alerts;
    }
  }

  /** Follows a view; numbers of another view are never left standing under its name. */
  function follow(view: ViewState): void {
    const query = new URLSearchParams();
    if (view.community) query.set("community", view.community);
    query.set("window", view.top);
    query.set("scope", scopeOf(view));
    const path = `/api/v1/stream?${query}`;
    if (path === following) return;
    const community = new URLSearchParams(following.split("?")[1] ?? "").get("community") ?? "";
    if (community !== view.community) {
      live.value = null;
      minutes.value = null;
    }
    top.value = null;
    following = path;
    line?.close();
    line = subscribe(path, {
      event: on,
      open: () => {
        connected.value = true;
        error.value = null;
      },
      down: (cause) => {
        connected.value = false;
        error.value = cause;
      },
    });
  }

  async function loadCatalog(signal: AbortSignal): Promise<void> {
    try {
      catalog.value = await getCatalog(signal);
    } catch {
      // Ids are shown until it comes; the stream tells of a server that is gone.
    }
  }

  /** Starts the clock and the catalogue; the returned function ends everything. */
  function start(): () => void {
    const ended = new AbortController();
    const clock = window.setInterval(() => (now.value = Date.now() + ahead), 500);
    let reload = 0;
    const keepCatalog = async (): Promise<void> => {
      await loadCatalog(ended.signal);
      const empty = !catalog.value?.communities.length;
      if (!ended.signal.aborted) {
        reload = window.setTimeout(() => void keepCatalog(), empty ? CATALOG_EVERY_MS_WHILE_EMPTY : CATALOG_EVERY_MS);
      }
    };
    // A tab that is looked at again does not wait for its backoff.
    const seen = () => document.visibilityState === "visible" && line?.retryNow();
    document.addEventListener("visibilitychange", seen);
    void keepCatalog();
    return () => {
      ended.abort();
      window.clearInterval(clock);
      window.clearTimeout(reload);
      document.removeEventListener("visibilitychange", seen);
      line?.close();
      line = null;
      following = "";
    };
  }

  return { live, minutes, top, catalog, alerts, error, connected, now, zone, fresh, failing, follow, start, retry: () => line?.retryNow() };
});
