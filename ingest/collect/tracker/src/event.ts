/** What the collector knows. */
export type EventType = 'view' | 'cart' | 'order' | 'pay' | 'search' | 'share' | 'login';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** What the caller says about one event. Other names go along as they are. */
export interface Props {
  community_id?: number;
  sku_id?: number;
  page?: string;
  referrer?: string;
  properties?: { [name: string]: Json };
  [name: string]: Json | undefined;
}

/** One event as it is sent. Times are epoch milliseconds by the visitor's clock. */
export interface TrackedEvent extends Props {
  event_id: string;
  type: EventType;
  ts: number;
  user_id?: number;
  anonymous_id: string;
  session_id: string;
  platform: string;
}
