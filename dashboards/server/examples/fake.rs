//! The page on made-up numbers that move: `cargo run -p linli-dashboards --example fake -- 127.0.0.1:8090`.
//!
//! Everything is a function of the clock, so that a reload shows the same day. A number behind the address is how
//! many alerts fire.

use std::sync::Arc;

use async_trait::async_trait;
use linli_connectors::clock::{SharedClock, SystemClock};
use linli_connectors::log::{MemoryLog, NewRecord, OpenOptions, SharedLog, TopicSpec};
use linli_dashboards::{
    LiveSource, Minute, Names, ServeOptions, SkuName, Snapshot, SourceError, Top, TopQuery, TopRow, TopScope,
    TopWindow, Totals, View, bind,
};
use linli_schemas::alert::{Alert, AlertState, QUARANTINE};
use linli_schemas::zone::{HOUR_MS, MINUTE_MS, Zone};
use linli_schemas::{CategoryId, CommunityId, EventTime, Money, SkuId, Topic};
use tokio_util::sync::CancellationToken;

const COMMUNITIES: [&str; 12] = [
    "锦绣花园",
    "滨江壹号",
    "阳光新城",
    "和平里社区",
    "翠湖雅苑",
    "金地名邸",
    "绿城百合",
    "东方苑",
    "梧桐里",
    "桂花园",
    "春江花园",
    "银杏里",
];
const CATEGORIES: [&str; 6] = ["水果", "蔬菜", "肉禽蛋", "水产", "乳品烘焙", "粮油日用"];
const SKUS: [(&str, i64); 24] = [
    ("红富士苹果 5斤装", 1),
    ("本地鲜鸡蛋 30枚", 3),
    ("纯牛奶 250ml×12", 5),
    ("五常大米 10kg", 6),
    ("赣南脐橙 8斤", 1),
    ("冷鲜猪前腿肉 500g", 3),
    ("西红柿 3斤", 2),
    ("抽纸 24包", 6),
    ("花生油 5L", 6),
    ("活鲜基围虾 500g", 4),
    ("上海青 500g", 2),
    ("巨峰葡萄 2斤", 1),
    ("原味酸奶 1L", 5),
    ("全麦吐司 400g", 5),
    ("黄瓜 2斤", 2),
    ("鲈鱼 1条", 4),
    ("琯溪蜜柚 2个", 1),
    ("土豆 5斤", 2),
    ("三黄鸡 1只", 3),
    ("菠菜 500g", 2),
    ("花蛤 2斤", 4),
    ("手工水饺 1kg", 6),
    ("库尔勒香梨 4斤", 1),
    ("嫩豆腐 400g×3", 6),
];

struct Fake {
    clock: SharedClock,
}

/// A fixed hash, in 0..1.
fn noise(seed: i64) -> f64 {
    let mut x = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 32;
    (x % 10_000) as f64 / 10_000.0
}

/// Orders in a minute at full length.
fn orders_in(minute: i64) -> i64 {
    let hour = ((minute * MINUTE_MS + 8 * HOUR_MS).rem_euclid(24 * HOUR_MS)) as f64 / HOUR_MS as f64;
    let bump = |at: f64, width: f64| (-((hour - at) / width).powi(2)).exp();
    let curve = 0.04 + 0.55 * bump(10.5, 1.8) + bump(20.0, 2.2) + 0.3 * bump(13.0, 1.5) + 0.35 * bump(4.0, 3.0);
    (curve * 90.0 * (0.75 + 0.5 * noise(minute))) as i64
}

fn amount_of(minute: i64, orders: i64) -> i64 {
    orders * (5200 + (1400.0 * noise(minute * 7 + 3)) as i64) + minute % 97
}

/// Nothing was received in these.
fn lost(minute: i64, day: i64) -> bool {
    let at = minute - day / MINUTE_MS;
    (131..150).contains(&at) || at == 152
}

impl Fake {
    fn minute(&self, minute: i64, share: f64) -> Minute {
        let now = self.clock.now_ms();
        let part = ((now - minute * MINUTE_MS) as f64 / MINUTE_MS as f64).clamp(0.0, 1.0);
        let orders = (orders_in(minute) as f64 * part * share) as i64;
        Minute { start: EventTime(minute * MINUTE_MS), gmv: Money(amount_of(minute, orders)), orders }
    }

    fn day_minutes(&self, from: i64, to: i64, share: f64, day: i64) -> Vec<Minute> {
        let newest = self.clock.now_ms() / MINUTE_MS;
        (from / MINUTE_MS..(to / MINUTE_MS).min(newest + 1))
            .filter(|minute| !lost(*minute, day))
            .map(|minute| self.minute(minute, share))
            .collect()
    }

    fn totals(&self, minutes: &[Minute]) -> Totals {
        let orders: i64 = minutes.iter().map(|m| m.orders).sum();
        Totals {
            gmv: Some(Money(minutes.iter().map(|m| m.gmv.0).sum())),
            orders: Some(orders),
            buyers: Some(orders * 83 / 100),
            active_users: Some(orders * 9 + (self.clock.now_ms() / 700) % 40),
        }
    }

    fn top(&self, query: TopQuery, day: EventTime) -> Top {
        let now = self.clock.now_ms();
        let (start, size) = match query.window {
            TopWindow::Day => (day.0, 40.0),
            TopWindow::Hour => ((now / MINUTE_MS - 59) * MINUTE_MS, 6.0),
        };
        let scale = match query.scope {
            TopScope::Community(id) => share(Some(id)),
            _ => 1.0,
        };
        let mut rows: Vec<TopRow> = (1i64..)
            .zip(SKUS)
            .filter(|(_, (_, category))| !matches!(query.scope, TopScope::Category(id) if id.0 != *category))
            .map(|(sku, _)| {
                let drift = 1.0 + 0.25 * ((now as f64 / 45_000.0) + noise(sku) * 6.3).sin();
                let qty = scale * size * 400.0 / (3.0 + sku as f64) * drift;
                TopRow { sku: SkuId(sku), qty: qty as i64 }
            })
            .collect();
        rows.sort_by_key(|row| (-row.qty, row.sku));
        Top { window_start: EventTime(start), window_end: EventTime(now), rows }
    }
}

fn share(community: Option<CommunityId>) -> f64 {
    community.map_or(1.0, |id| 0.22 / (1.0 + 0.35 * id.0 as f64))
}

#[async_trait]
impl LiveSource for Fake {
    async fn names(&self) -> Result<Names, SourceError> {
        let sku = |(name, category): (&str, i64)| SkuName {
            name: Some(name.to_owned()),
            category: Some(CategoryId(category)),
        };
        Ok(Names {
            communities: (1..).map(CommunityId).zip(COMMUNITIES.map(|name| Some(name.to_owned()))).collect(),
            categories: (1..).map(CategoryId).zip(CATEGORIES.map(|name| Some(name.to_owned()))).collect(),
            skus: (1..).map(SkuId).zip(SKUS.map(sku)).collect(),
        })
    }

    async fn snapshot(&self, view: View) -> Result<Snapshot, SourceError> {
        let now = self.clock.now_ms();
        let (day_start, day_end) = Zone::SHANGHAI.day_of(EventTime(now));
        let minutes = self.day_minutes(day_start.0, day_end.0, share(view.community), day_start.0);
        Ok(Snapshot {
            day_start,
            day_end,
            as_of: Some(EventTime(now - 2_000)),
            totals: self.totals(&minutes),
            minutes,
            top: self.top(view.top, day_start),
        })
    }
}

/// A log on which so many alerts fire: tables that are held, and then a forecast that drifts.
async fn alerts(count: usize, now: i64) -> linli_connectors::Result<SharedLog> {
    let log: SharedLog = Arc::new(MemoryLog::new(OpenOptions::default()));
    let topic = Topic::Alerts.name();
    log.create_topics(&[TopicSpec { name: topic.to_owned(), partitions: 1, compacted: false }]).await?;
    let reason = "a row event does not fit the definition that is known: column 2 is VARCHAR(200), not BIGINT";
    let drift = "the forecasts of four weeks lie on one side of what was sold";
    let record = |number: usize| {
        let (rule, subject, reason) = match number {
            4 => ("forecast.drift", "category/3".to_owned(), drift),
            _ => (QUARANTINE, format!("10.0.3.12:3306/shop_{}.orders_{number}", number % 2), reason),
        };
        let since = now - (number as i64 + 1) * 20 * MINUTE_MS;
        let (rule, reason, state) = (rule.to_owned(), Some(reason.to_owned()), AlertState::Firing);
        let alert = Alert { rule, subject, state, value: 1.0, threshold: None, since, reason };
        let (key, value) = (alert.log_key().into(), Some(alert.encode().into()));
        NewRecord { topic: topic.into(), partition: 0, timestamp_ms: now, key, value }
    };
    log.append((0..count).map(record).collect()).await?;
    Ok(log)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let alerts_count = std::env::args().nth(2).map_or(Ok(0), |count| count.parse())?;
    let clock: SharedClock = Arc::new(SystemClock);
    let alerts = Arc::new(alerts(alerts_count, clock.now_ms()).await?);
    let server = bind(ServeOptions { listen: listen.parse()?, ..ServeOptions::default() }).await?;
    println!("http://{}", server.address());
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    server.run(Arc::new(Fake { clock: clock.clone() }), alerts, clock, shutdown).await?;
    Ok(())
}
