//! Results: absolute values of metrics with their version, packed many cells to a record.

use serde::{Deserialize, Serialize};

use crate::Topic;
use crate::strict::{Int, Object, int, named};
use crate::zone::DAY_MS;

/// A metric as one job writes it. The doc of each variant names its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// By minute: `community_id, gmv (fen), orders`.
    GmvMin,
    /// By local day: `community_id, gmv (fen), orders, buyers`.
    GmvDay,
    /// By minute: `community_id, refund_amount (fen), refunds`.
    RefundMin,
    /// By local day: `community_id, refund_amount (fen), refunds`.
    RefundDay,
    /// By minute: `community_id, uv`.
    UvMin,
    /// By hour: `community_id, uv`.
    UvHour,
    /// By local day: `community_id, uv`.
    UvDay,
    /// By minute, the whole shop: `uv`.
    UvMinTotal,
    /// By hour, the whole shop: `uv`.
    UvHourTotal,
    /// By local day, the whole shop: `uv`.
    UvDayTotal,
    /// By minute, every SKU sold: `category_id, sku_id, qty`. Sums of 60 of them make the hopping lists.
    TopMin,
    /// By local day and bucket (`sku_id` modulo [`TOP_DAY_BUCKETS`]), every SKU sold: `category_id, sku_id, qty`.
    TopDay,
    /// By local day and community (the dimension), the first 100 in order: `sku_id, qty`.
    TopDayCommunity,
    /// By community (the dimension), the last 60 minutes, newest only, the first 100 in order: `sku_id, qty`.
    TopHopCommunity,
    /// By local day, the whole shop: `buyers`.
    BuyersDayTotal,
}

named!(Metric {
    "gmv_min" => Metric::GmvMin,
    "gmv_day" => Metric::GmvDay,
    "refund_min" => Metric::RefundMin,
    "refund_day" => Metric::RefundDay,
    "uv_min" => Metric::UvMin,
    "uv_hour" => Metric::UvHour,
    "uv_day" => Metric::UvDay,
    "uv_min_total" => Metric::UvMinTotal,
    "uv_hour_total" => Metric::UvHourTotal,
    "uv_day_total" => Metric::UvDayTotal,
    "top_min" => Metric::TopMin,
    "top_day" => Metric::TopDay,
    "top_day_community" => Metric::TopDayCommunity,
    "top_hop_community" => Metric::TopHopCommunity,
    "buyers_day_total" => Metric::BuyersDayTotal,
});

/// How many records a day's quantities of a shard are spread over, so that one sale rewrites a part only.
pub const TOP_DAY_BUCKETS: i64 = 64;

/// How long a TOP list is.
pub const TOP_N: usize = 100;

impl Metric {
    pub const ALL: [Metric; 15] = [
        Metric::GmvMin,
        Metric::GmvDay,
        Metric::RefundMin,
        Metric::RefundDay,
        Metric::UvMin,
        Metric::UvHour,
        Metric::UvDay,
        Metric::UvMinTotal,
        Metric::UvHourTotal,
        Metric::UvDayTotal,
        Metric::TopMin,
        Metric::TopDay,
        Metric::TopDayCommunity,
        Metric::TopHopCommunity,
        Metric::BuyersDayTotal,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Metric::GmvMin => "gmv_min",
            Metric::GmvDay => "gmv_day",
            Metric::RefundMin => "refund_min",
            Metric::RefundDay => "refund_day",
            Metric::UvMin => "uv_min",
            Metric::UvHour => "uv_hour",
            Metric::UvDay => "uv_day",
            Metric::UvMinTotal => "uv_min_total",
            Metric::UvHourTotal => "uv_hour_total",
            Metric::UvDayTotal => "uv_day_total",
            Metric::TopMin => "top_min",
            Metric::TopDay => "top_day",
            Metric::TopDayCommunity => "top_day_community",
            Metric::TopHopCommunity => "top_hop_community",
            Metric::BuyersDayTotal => "buyers_day_total",
        }
    }

    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Metric::GmvMin => &["community_id", "gmv", "orders"],
            Metric::GmvDay => &["community_id", "gmv", "orders", "buyers"],
            Metric::RefundMin | Metric::RefundDay => &["community_id", "refund_amount", "refunds"],
            Metric::UvMin | Metric::UvHour | Metric::UvDay => &["community_id", "uv"],
            Metric::UvMinTotal | Metric::UvHourTotal | Metric::UvDayTotal => &["uv"],
            Metric::TopMin | Metric::TopDay => &["category_id", "sku_id", "qty"],
            Metric::TopDayCommunity | Metric::TopHopCommunity => &["sku_id", "qty"],
            Metric::BuyersDayTotal => &["buyers"],
        }
    }

    /// The topic of the job that writes it.
    pub const fn topic(self) -> Topic {
        match self {
            Metric::GmvMin | Metric::GmvDay | Metric::RefundMin | Metric::RefundDay => Topic::MetricsGmv,
            Metric::UvMin
            | Metric::UvHour
            | Metric::UvDay
            | Metric::UvMinTotal
            | Metric::UvHourTotal
            | Metric::UvDayTotal => Topic::MetricsActivity,
            Metric::TopMin | Metric::TopDay | Metric::TopDayCommunity | Metric::TopHopCommunity => Topic::MetricsTopN,
            Metric::BuyersDayTotal => Topic::MetricsBuyers,
        }
    }
}

/// Orders the writings of one shard. Epochs of a task form one line over all its generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(Int<u32>, Int<u64>, Int<u32>)", into = "(u32, u64, u32)")]
pub struct Version {
    pub generation: u32,
    pub epoch: u64,
    pub sequence: u32,
}

impl From<(Int<u32>, Int<u64>, Int<u32>)> for Version {
    fn from((Int(generation), Int(epoch), Int(sequence)): (Int<u32>, Int<u64>, Int<u32>)) -> Self {
        Version { generation, epoch, sequence }
    }
}

impl From<(u32, u64, u32)> for Version {
    fn from((generation, epoch, sequence): (u32, u64, u32)) -> Self {
        Version { generation, epoch, sequence }
    }
}

impl From<Version> for (u32, u64, u32) {
    fn from(v: Version) -> Self {
        (v.generation, v.epoch, v.sequence)
    }
}

impl Version {
    /// One number in the same order, for ReplacingMergeTree and the serving store: 20 bits of generation and 44 of epoch.
    /// The sequence is left out: within an epoch a key is written once.
    pub fn as_u64(self) -> u64 {
        u64::from(self.generation) << 44 | self.epoch
    }
}

/// The key of a packed record: what a newer version of it replaces as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartKey {
    pub metric: Metric,
    /// Epoch ms of the window's start; 0 where only the newest window is kept.
    pub window_start: i64,
    /// The community, the bucket; 0 where the metric has none.
    pub dimension: i64,
    pub shard: u32,
}

impl PartKey {
    /// The key on the log.
    pub fn log_key(&self) -> String {
        format!("{}/{}/{}/{}", self.metric.name(), self.window_start, self.dimension, self.shard)
    }

    /// The key of the serving store's hash: one a metric and UTC day, so that it expires whole.
    pub fn serving_key(&self) -> String {
        serving_key(self.metric, self.window_start)
    }

    /// The field within that hash.
    pub fn serving_field(&self) -> String {
        format!("{}/{}/{}", self.window_start, self.dimension, self.shard)
    }
}

/// The serving store's hash that holds the windows of `metric` starting in the UTC day of `window_start`.
pub fn serving_key(metric: Metric, window_start: i64) -> String {
    format!("{}:{}", metric.name(), window_start.div_euclid(DAY_MS) * DAY_MS)
}

/// One packed record: the whole of its key, column by column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricRecord {
    #[serde(flatten)]
    pub key: PartKey,
    pub version: Version,
    /// How far this shard has come: the watermark of the job's timed topic, for "data as of".
    pub as_of: i64,
    /// Epoch ms of the window's end, exclusive.
    pub window_end: i64,
    /// As many vectors as [`Metric::columns`] names, all of one length.
    pub columns: Vec<Vec<i64>>,
}

impl MetricRecord {
    /// The JSON of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        debug_assert_eq!(self.columns.len(), self.key.metric.columns().len());
        let mut out = Vec::with_capacity(160 + self.columns.iter().map(|c| c.len() * 8).sum::<usize>());
        let mut number = itoa::Buffer::new();
        out.extend_from_slice(b"{\"metric\":\"");
        out.extend_from_slice(self.key.metric.name().as_bytes());
        out.extend_from_slice(b"\",\"window_start\":");
        out.extend_from_slice(number.format(self.key.window_start).as_bytes());
        out.extend_from_slice(b",\"window_end\":");
        out.extend_from_slice(number.format(self.window_end).as_bytes());
        out.extend_from_slice(b",\"dimension\":");
        out.extend_from_slice(number.format(self.key.dimension).as_bytes());
        out.extend_from_slice(b",\"shard\":");
        out.extend_from_slice(number.format(self.key.shard).as_bytes());
        out.extend_from_slice(b",\"version\":[");
        out.extend_from_slice(number.format(self.version.generation).as_bytes());
        out.push(b',');
        out.extend_from_slice(number.format(self.version.epoch).as_bytes());
        out.push(b',');
        out.extend_from_slice(number.format(self.version.sequence).as_bytes());
        out.extend_from_slice(b"],\"as_of\":");
        out.extend_from_slice(number.format(self.as_of).as_bytes());
        out.extend_from_slice(b",\"columns\":[");
        for (i, column) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            out.push(b'[');
            for (j, value) in column.iter().enumerate() {
                if j > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(number.format(*value).as_bytes());
            }
            out.push(b']');
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Reads what [`MetricRecord::encode`] wrote.
    pub fn decode(value: &[u8]) -> Result<MetricRecord, MalformedMetric> {
        let Object(wire) = sonic_rs::from_slice::<Object<Wire>>(value)
            .map_err(|error| MalformedMetric { cause: crate::event::cause_of(&error) })?;
        let record = MetricRecord {
            key: PartKey {
                metric: wire.metric,
                window_start: wire.window_start,
                dimension: wire.dimension,
                shard: wire.shard,
            },
            version: wire.version,
            as_of: wire.as_of,
            window_end: wire.window_end,
            columns: wire.columns.into_iter().map(|column| column.into_iter().map(|Int(n)| n).collect()).collect(),
        };
        let expected = record.key.metric.columns().len();
        let rows = record.columns.first().map_or(0, Vec::len);
        if record.columns.len() != expected || record.columns.iter().any(|c| c.len() != rows) {
            return Err(MalformedMetric {
                cause: format!("metric \"{}\" has {expected} columns of one length", record.key.metric.name()),
            });
        }
        Ok(record)
    }

    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a valid metric record: {cause}")]
pub struct MalformedMetric {
    pub cause: String,
}

/// The flat form on the wire; `flatten` would make serde buffer it.
#[derive(Deserialize)]
struct Wire {
    metric: Metric,
    #[serde(deserialize_with = "int")]
    window_start: i64,
    #[serde(deserialize_with = "int")]
    window_end: i64,
    #[serde(deserialize_with = "int")]
    dimension: i64,
    #[serde(deserialize_with = "int")]
    shard: u32,
    version: Version,
    #[serde(deserialize_with = "int")]
    as_of: i64,
    columns: Vec<Vec<Int<i64>>>,
}
