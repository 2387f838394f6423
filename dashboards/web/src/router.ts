import { createRouter, createWebHistory } from "vue-router";

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", redirect: (to) => ({ path: "/live", query: to.query }) },
    { path: "/live", name: "live", component: () => import("./views/live/index.vue") },
    { path: "/:rest(.*)*", redirect: "/live" },
  ],
});
