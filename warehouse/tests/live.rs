//! The Live page's numbers: summed over shards, from the serving store, else from the warehouse.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use linli_connectors::clock::{Clock, SharedClock};
use linli_schemas::metric::{Metric, MetricRecord};
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId, Topic};
use linli_warehouse::live::{LiveOptions, LiveQuery, LiveSnapshot, LiveView, Source, TopScope, TopWindow};

use super::support::records::{on_log, part};
use super::support::serving::TestServing;
use super::support::{Bench, DAY, PARTITIONS};

const MINUTE: i64 = 60_000;
const NOW: i64 = DAY + 100 * MINUTE + 30_000;

/// A clock that stands where the test puts it.
#[derive(Default)]
struct Hand(std::sync::atomic::AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, _: std::time::Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

fn results() -> Vec<MetricRecord> {
    let as_of = |mut record: MetricRecord| {
        record.as_of = DAY + 99 * MINUTE + i64::from(record.key.shard) * 1_000;
        record.window_end = record.window_end.max(DAY + 100 * MINUTE);
        record
    };
    [
        part(Metric::GmvDay, DAY, 0, 0, 1, &[&[1, 2], &[100, 250], &[1, 2], &[1, 2]]),
        part(Metric::GmvDay, DAY, 0, 1, 1, &[&[10], &[12], &[2], &[1]]),
        part(Metric::BuyersDayTotal, DAY, 0, 3, 1, &[&[3]]),
        part(Metric::UvDayTotal, DAY, 0, 0, 1, &[&[30]]),
        part(Metric::UvDayTotal, DAY, 0, 1, 1, &[&[5]]),
        part(Metric::UvDay, DAY, 0, 0, 1, &[&[1], &[6]]),
        part(Metric::UvDay, DAY, 0, 1, 1, &[&[1], &[2]]),
        part(Metric::GmvMin, DAY + 5 * MINUTE, 0, 0, 1, &[&[1, 2], &[100, 250], &[1, 2]]),
        part(Metric::GmvMin, DAY + 99 * MINUTE, 0, 1, 1, &[&[10], &[12], &[2]]),
        part(Metric::TopDay, DAY, 6, 0, 1, &[&[1], &[70], &[9]]),
        part(Metric::TopDay, DAY, 6, 1, 1, &[&[1], &[70], &[1]]),
        part(Metric::TopDay, DAY, 16, 1, 1, &[&[2], &[80], &[10]]),
        part(Metric::TopMin, DAY + 5 * MINUTE, 0, 0, 1, &[&[1], &[70], &[9]]),
        part(Metric::TopMin, DAY + 99 * MINUTE, 0, 1, 1, &[&[1, 2], &[70, 80], &[1, 10]]),
        part(Metric::TopDayCommunity, DAY, 2, 0, 1, &[&[70, 80], &[4, 1]]),
        part(Metric::TopHopCommunity, 0, 2, 0, 1, &[&[80], &[1]]),
    ]
    .map(as_of)
    .to_vec()
}

struct Stage {
    bench: Bench,
    serving: Arc<TestServing>,
    hand: Arc<Hand>,
    view: LiveView,
}

async fn stage(name: &str) -> Stage {
    let bench = Bench::new(name).await;
    let serving = TestServing::new();
    let hand = Arc::new(Hand::default());
    hand.0.store(NOW, Ordering::Relaxed);
    let clock: SharedClock = Arc::clone(&hand) as SharedClock;
    let options = LiveOptions::new(bench.zone, PARTITIONS);
    let view = LiveView::new(serving.clone(), bench.warehouse.clone(), clock, options);
    Stage { bench, serving, hand, view }
}

impl Stage {
    async fn ask(&self, query: LiveQuery) -> LiveSnapshot {
        self.view.snapshot(&query).await.expect("an answer")
    }

    fn pass(&self, ms: i64) {
        self.hand.0.fetch_add(ms, Ordering::Relaxed);
    }
}

fn top(snapshot: &LiveSnapshot) -> Vec<(u32, i64, i64)> {
    snapshot.top.iter().map(|entry| (entry.rank, entry.sku_id.0, entry.quantity)).collect()
}

/// What both stores must answer.
async fn check(stage: &Stage, source: Source) {
    let all = stage.ask(LiveQuery::default()).await;
    assert_eq!(all.source, source);
    assert_eq!(all.day_start, EventTime(DAY));
    assert_eq!((all.gmv, all.orders, all.buyers, all.uv), (Some(Money(362)), Some(5), Some(3), Some(35)));
    assert_eq!(all.as_of, Some(EventTime(DAY + 99 * MINUTE)), "the lowest of the shards that wrote");
    assert_eq!((all.online, all.refund_amount), (None, None), "unknown is not zero");
    let minutes: Vec<_> = all.by_minute.iter().map(|m| ((m.minute.0 - DAY) / MINUTE, m.gmv.0, m.orders)).collect();
    assert_eq!(minutes, [(5, 350, 3), (99, 12, 2)]);
    assert_eq!(top(&all), [(1, 70, 10), (2, 80, 10)], "ties go to the lower SKU");

    let one = stage.ask(LiveQuery { community: Some(CommunityId(2)), ..LiveQuery::default() }).await;
    assert_eq!((one.gmv, one.orders, one.buyers), (Some(Money(250)), Some(2), Some(2)));
    assert_eq!(one.by_minute.len(), 1);
    let first = stage.ask(LiveQuery { community: Some(CommunityId(1)), ..LiveQuery::default() }).await;
    assert_eq!(first.uv, Some(8));

    let hour = |top_scope| LiveQuery { top_window: TopWindow::LastHour, top_scope, ..LiveQuery::default() };
    let last = stage.ask(hour(TopScope::All)).await;
    assert_eq!((last.top_start.0, last.top_end.0), (DAY + 40 * MINUTE, DAY + 100 * MINUTE));
    assert_eq!(top(&last), [(1, 80, 10), (2, 70, 1)]);
    assert_eq!(top(&stage.ask(hour(TopScope::Category(CategoryId(1)))).await), [(1, 70, 1)]);
    let day = |top_scope| LiveQuery { top_scope, ..LiveQuery::default() };
    assert_eq!(top(&stage.ask(day(TopScope::Category(CategoryId(2)))).await), [(1, 80, 10)]);
    assert_eq!(top(&stage.ask(day(TopScope::Community(CommunityId(2)))).await), [(1, 70, 4), (2, 80, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_store_answers() {
    let stage = stage("live_serving").await;
    stage.serving.put(&results()).await;
    check(&stage, Source::Serving).await;
    let scope = TopScope::Community(CommunityId(2));
    let hop = stage.ask(LiveQuery { top_window: TopWindow::LastHour, top_scope: scope, ..LiveQuery::default() }).await;
    assert_eq!(top(&hop), [(1, 80, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_warehouse_answers_the_same_where_the_serving_store_holds_nothing() {
    let stage = stage("live_warehouse").await;
    for record in results() {
        stage.bench.append(record.key.metric.topic(), &[on_log(&record)]).await;
    }
    stage.bench.load_results().await;
    check(&stage, Source::Warehouse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_known_is_not_zero() {
    let stage = stage("live_empty").await;
    let empty = stage.ask(LiveQuery::default()).await;
    assert_eq!((empty.gmv, empty.orders, empty.buyers, empty.uv, empty.as_of), (None, None, None, None, None));
    assert!(empty.top.is_empty() && empty.by_minute.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_record_shows_after_the_refresh_and_a_second_question_is_cheap() {
    let stage = stage("live_refresh").await;
    stage.serving.put(&results()).await;
    stage.ask(LiveQuery::default()).await;
    let asked = stage.serving.fields_read.load(Ordering::Relaxed);
    stage.ask(LiveQuery { community: Some(CommunityId(2)), ..LiveQuery::default() }).await;
    assert_eq!(stage.serving.fields_read.load(Ordering::Relaxed), asked, "within the interval nothing is asked");

    stage.serving.put(&[part(Metric::GmvDay, DAY, 0, 1, 2, &[&[10, 11], &[112, 1], &[3, 1], &[1, 1]])]).await;
    stage.serving.put(&[part(Metric::GmvMin, DAY + 100 * MINUTE, 0, 1, 2, &[&[10], &[101], &[2]])]).await;
    stage.pass(1_000);
    let next = stage.ask(LiveQuery::default()).await;
    assert_eq!(next.gmv, Some(Money(463)));
    assert_eq!(next.by_minute.last().map(|m| m.gmv), Some(Money(101)));
    let fields = stage.serving.fields_read.load(Ordering::Relaxed) - asked;
    assert!(fields < 100, "a refresh asks for the newest minutes only, asked for {fields} fields");

    // A late record corrects an early minute: seen at the next sweep.
    stage.serving.put(&[part(Metric::GmvMin, DAY + 5 * MINUTE, 0, 0, 2, &[&[1, 2], &[100, 300], &[1, 3]])]).await;
    stage.pass(30_000);
    let swept = stage.ask(LiveQuery::default()).await;
    assert_eq!(swept.by_minute[0].gmv, Money(400));

    // The day counts an order of an early minute that was not there at the sweep: it is looked for soon.
    stage.serving.put(&[part(Metric::GmvDay, DAY, 0, 1, 3, &[&[10, 11], &[119, 1], &[40, 1], &[1, 1]])]).await;
    stage.serving.put(&[part(Metric::GmvMin, DAY + 7 * MINUTE, 0, 1, 3, &[&[10], &[7], &[1]])]).await;
    stage.pass(3_000);
    let soon = stage.ask(LiveQuery::default()).await;
    assert!(soon.by_minute.iter().any(|point| point.minute.0 == DAY + 7 * MINUTE), "{:?}", soon.by_minute);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_store_is_noticed() {
    let stage = stage("live_flushed").await;
    stage.serving.put(&results()).await;
    assert_eq!(stage.ask(LiveQuery::default()).await.source, Source::Serving);
    stage.serving.flush();
    stage.pass(1_000);
    let after = stage.ask(LiveQuery::default()).await;
    assert_eq!((after.source, after.gmv), (Source::Warehouse, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_chosen_is_of_today_and_of_the_last_days() {
    let stage = stage("live_known").await;
    let yesterday = [
        part(Metric::GmvDay, DAY - 86_400_000, 0, 0, 1, &[&[40], &[1], &[1], &[1]]),
        part(Metric::TopDay, DAY - 86_400_000, 1, 0, 1, &[&[9], &[65], &[1]]),
    ];
    for record in yesterday {
        stage.bench.append(record.key.metric.topic(), &[on_log(&record)]).await;
    }
    stage.bench.load_results().await;
    stage.serving.put(&results()).await;
    let row = |op: &str, before: &str, after: &str| {
        let text = format!(
            r#"{{"before":{before},"after":{after},"op":"{op}","ts_ms":{DAY},"source":{{"server":"s","ts_ms":{DAY}}}}}"#
        );
        ("1".to_owned(), text)
    };
    let (old, new) = (r#"{"sku_id":65,"title":"苹果"}"#, r#"{"sku_id":65,"title":"红富士苹果"}"#);
    stage.bench.append(Topic::Skus, &[row("r", "null", old), row("u", old, new)]).await;
    let gone = r#"{"community_id":2,"name":"旧苑"}"#;
    let lives = r#"{"community_id":40,"name":"滨江花园"}"#;
    stage
        .bench
        .append(Topic::Communities, &[row("c", "null", gone), row("d", gone, "null"), row("c", "null", lives)])
        .await;
    stage.bench.load_facts().await;
    let known = stage.view.known().await.expect("an answer");
    assert_eq!(known.sku_names, BTreeMap::from([(SkuId(65), "红富士苹果".to_owned())]));
    assert_eq!(known.community_names, BTreeMap::from([(CommunityId(40), "滨江花园".to_owned())]));
    assert_eq!(known.communities.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2, 10, 40]);
    assert_eq!(known.categories.iter().map(|c| c.0).collect::<Vec<_>>(), [1, 2, 9]);
    assert_eq!(known.skus.iter().map(|(s, c)| (s.0, c.0)).collect::<Vec<_>>(), [(65, 9), (70, 1), (80, 2)]);
}
