//! Whatever the interleaving, lateness, repetition, crashes and epochs: the results are those of a naive batch fold.

use std::collections::{BTreeMap, BTreeSet};

use linli_schemas::metric::Metric;
use linli_schemas::partition::partition_of;
use linli_schemas::zone::{HOUR_MS, MINUTE_MS, Zone};
use linli_schemas::{EventTime, Topic};
use proptest::prelude::*;

use crate::shop::{LATENESS_MS, OUT_OF_ORDERNESS_MS, Shop, Table};

const PARTITIONS: u32 = 2;
const ZONE: Zone = Zone::SHANGHAI;
/// 2026-11-01T00:00Z.
const START: i64 = 1_793_491_200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Order { id: u8, user: u8, fen: u16 },
    Line { order: u8, line: u8, sku: u8, quantity: u8 },
    Refund { id: u8, fen: u16 },
    Click { id: u16, user: u8 },
}

/// A record: what it says, of which community, its event time, and how much later than in order it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    what: What,
    community: u8,
    at: i64,
    delay: i64,
}

impl Event {
    fn topic(&self) -> Topic {
        match self.what {
            What::Order { .. } => Topic::Orders,
            What::Line { .. } => Topic::OrderItems,
            What::Refund { .. } => Topic::Refunds,
            What::Click { .. } => Topic::Clicks,
        }
    }

    fn key(&self) -> String {
        match self.what {
            What::Click { user, .. } => user.to_string(),
            _ => self.community.to_string(),
        }
    }

    fn value(&self) -> String {
        let (community, at) = (self.community, self.at);
        let utc = chrono::DateTime::from_timestamp_millis(at).expect("a time").format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let fen = |fen: u16| format!("\"{}.{:02}\"", fen / 100, fen % 100);
        let (id, row) = match self.what {
            What::Click { id, user } => {
                return format!(
                    r#"{{"event_id":"c{id}","type":"view","user_id":{user},"anonymous_id":"a","session_id":"s","community_id":{community},"ts":{at},"platform":"web"}}"#
                );
            }
            What::Order { id, user, fen: amount } => (
                format!("o{id}"),
                format!(
                    r#""order_id":{id},"user_id":{user},"community_id":{community},"pay_amount":{},"paid_at":"{utc}""#,
                    fen(amount)
                ),
            ),
            What::Line { order, line, sku, quantity } => (
                format!("i{order}-{line}"),
                format!(
                    r#""item_id":{line},"order_id":{order},"community_id":{community},"sku_id":{sku},"qty":{quantity}"#
                ),
            ),
            What::Refund { id, fen: amount } => (
                format!("r{id}"),
                format!(
                    r#""refund_id":{id},"order_id":1,"community_id":{community},"amount":{},"refunded_at":"{utc}""#,
                    fen(amount)
                ),
            ),
        };
        format!(
            r#"{{"before":null,"after":{{{row}}},"op":"c","ts_ms":{at},"source":{{"server":"import","table":"t","event_id":"{id}","row":0,"ts_ms":{at}}}}}"#
        )
    }
}

/// The batch fold over the distinct records in time, given every partition's records in the order of its log.
fn fold(logs: &BTreeMap<(Topic, u32), Vec<Event>>) -> Table {
    let (mut counted, mut high) = (BTreeSet::new(), BTreeMap::new());
    for ((topic, partition), events) in logs {
        for event in events {
            let high = high.entry((*topic, *partition)).or_insert(i64::MIN);
            let timed = *topic != Topic::OrderItems;
            if !timed || event.at >= high.saturating_sub(OUT_OF_ORDERNESS_MS + LATENESS_MS) {
                *high = event.at.max(*high);
                counted.insert((event.what, event.community, event.at));
            }
        }
    }
    let mut table = Table::new();
    let mut distinct = BTreeSet::new();
    let mut add = |metric, start, dimension, key: Vec<i64>, values: Vec<i64>| {
        let sums = table.entry((metric, start, dimension, key)).or_insert_with(|| vec![0; values.len()]);
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    };
    let mut first = |window: (Metric, i64), who: (i64, i64)| i64::from(distinct.insert((window, who)));
    let minute = |at: i64| at - at.rem_euclid(MINUTE_MS);
    let paid: BTreeMap<u8, i64> = counted
        .iter()
        .filter_map(|(what, _, at)| if let What::Order { id, .. } = what { Some((*id, *at)) } else { None })
        .collect();
    for (what, community, at) in counted {
        let (community, min, day) = (i64::from(community), minute(at), ZONE.day_of(EventTime(at)).0.0);
        match what {
            What::Order { user, fen, .. } => {
                let (user, gmv) = (i64::from(user), i64::from(fen));
                add(Metric::GmvMin, min, 0, vec![community], vec![gmv, 1]);
                let buyers = first((Metric::GmvDay, day), (community, user));
                add(Metric::GmvDay, day, 0, vec![community], vec![gmv, 1, buyers]);
                add(Metric::BuyersDayTotal, day, 0, vec![], vec![first((Metric::BuyersDayTotal, day), (0, user))]);
            }
            What::Refund { fen, .. } => {
                add(Metric::RefundMin, min, 0, vec![community], vec![i64::from(fen), 1]);
                add(Metric::RefundDay, day, 0, vec![community], vec![i64::from(fen), 1]);
            }
            What::Click { user, .. } => {
                let (user, hour) = (i64::from(user), at - at.rem_euclid(HOUR_MS));
                for (metric, total, start) in [
                    (Metric::UvMin, Metric::UvMinTotal, min),
                    (Metric::UvHour, Metric::UvHourTotal, hour),
                    (Metric::UvDay, Metric::UvDayTotal, day),
                ] {
                    add(metric, start, 0, vec![community], vec![first((metric, start), (community, user))]);
                    add(total, start, 0, vec![], vec![first((total, start), (0, user))]);
                }
            }
            What::Line { order, sku, quantity, .. } => {
                let Some(paid_at) = paid.get(&order) else { continue };
                let (min, day) = (minute(*paid_at), ZONE.day_of(EventTime(*paid_at)).0.0);
                let (sku, quantity) = (i64::from(sku), i64::from(quantity));
                add(Metric::TopMin, min, 0, vec![0, sku], vec![quantity]);
                add(Metric::TopDay, day, sku % 64, vec![0, sku], vec![quantity]);
                add(Metric::TopDayCommunity, day, community, vec![sku], vec![quantity]);
                let partition = partition_of(community.to_string().as_bytes(), PARTITIONS);
                let newest = high.get(&(Topic::Orders, partition)).map_or(0, |high| minute(*high));
                if min > newest - HOUR_MS {
                    add(Metric::TopHopCommunity, 0, community, vec![sku], vec![quantity]);
                }
            }
        }
    }
    table
}

/// Orders with their lines, refunds and clicks over three days; some published up to 40 hours after their turn.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let time = (0..72i64, 0..4i64, 0..3i64).prop_map(|(h, m, s)| START + h * HOUR_MS + m * 20 * MINUTE_MS + s * 19_999);
    let delay = prop_oneof![4 => 0..5_000i64, 1 => 0..40 * HOUR_MS];
    let seed = (0..4u8, any::<u8>(), 0..5u8, time, delay, any::<(u16, u8, u8)>(), 0..10 * HOUR_MS);
    proptest::collection::vec(seed, 1..60).prop_map(|seeds| {
        let mut events = Vec::new();
        for (i, (kind, salt, user, at, delay, (fen, sku, lines), line_delay)) in seeds.into_iter().enumerate() {
            let (id, community) = (i as u8, salt % 5);
            let event = |what, delay| Event { what, community, at, delay };
            match kind {
                0 | 1 => {
                    events.push(event(What::Order { id, user, fen }, delay));
                    for line in 0..lines % 4 {
                        let sku = sku.wrapping_mul(line + 1) % 70;
                        let what = What::Line { order: id, line, sku, quantity: 1 + sku % 5 };
                        events.push(event(what, line_delay * i64::from(line) / 4));
                    }
                }
                2 => events.push(event(What::Refund { id, fen }, delay)),
                _ => events.push(event(What::Click { id: u16::from(id), user }, delay)),
            }
        }
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn results_equal_the_naive_fold(
        events in events(),
        repeats in proptest::collection::vec((any::<prop::sample::Index>(), 0..30 * HOUR_MS), 0..20),
        turns in proptest::collection::vec((0..4usize, 0..12u8), 1..200),
    ) {
        let mut all = events.clone();
        for (index, later) in repeats {
            let event = *index.get(&events);
            // A repeated line is no later than its horizon; there is nothing to tell it by after that.
            let later = if event.topic() == Topic::OrderItems { later / 3 } else { later };
            all.push(Event { delay: event.delay + later, ..event });
        }
        all.sort_by_key(|event| event.at + event.delay);

        // Topics are read at any pace: turns say which comes next, and what happens then.
        let mut queues: Vec<_> = [Topic::Orders, Topic::OrderItems, Topic::Refunds, Topic::Clicks]
            .map(|topic| all.iter().copied().filter(|e| e.topic() == topic).collect::<Vec<_>>().into_iter())
            .into();
        let mut logs = BTreeMap::<_, Vec<Event>>::new();
        let mut shop = Shop::new(ZONE, PARTITIONS);
        let mut turn = turns.iter().cycle();
        while queues.iter().any(|queue| queue.len() > 0) {
            let (which, action) = *turn.next().expect("turns go round");
            let next = (0..4).map(|i| (which + i) % 4).find(|i| queues[*i].len() > 0).expect("one is left");
            let event = queues[next].next().expect("it has one");
            let partition = partition_of(event.key().as_bytes(), PARTITIONS);
            logs.entry((event.topic(), partition)).or_default().push(event);
            shop.publish(event.topic(), &event.key(), Some(&event.value()));
            match action {
                0 => shop.crash(),
                1 => drop(shop.epoch()),
                2 => { shop.epoch(); shop.crash(); }
                3 => shop.redeliver_keeping(),
                _ => {}
            }
        }
        shop.drain();
        prop_assert_eq!(shop.table(), fold(&logs));
    }
}
