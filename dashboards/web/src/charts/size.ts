import { onBeforeUnmount, onMounted, type Ref, ref } from "vue";

/** The width of an element, followed. */
export function useElementSize(element: Readonly<Ref<HTMLElement | null>>): { width: Ref<number> } {
  const width = ref(0);
  const observer = new ResizeObserver(([entry]) => {
    if (entry) width.value = Math.round(entry.contentRect.width);
  });
  onMounted(() => element.value && observer.observe(element.value));
  onBeforeUnmount(() => observer.disconnect());
  return { width };
}
