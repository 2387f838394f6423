//! What is expected to be wanted, what should be ordered because of it, and what suppliers say to that.
//!
//! Both topics of a run carry the run in every record, and in every partition a last record with the counts: whoever acts
//! waits until it has them all. After a crash records may stand twice; they are the same then, and counted once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::de::{Deserializer, Error, Unexpected};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::strict::{Object, int, int_column, named, optional_counts, time_ms};

/// The identity of a run: 1 to 40 letters, digits, dots, hyphens and underscores, as in `2026-03-02-1a2b3c4d5e6f`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RunId(String);

/// A text that names no run.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not the id of a run: 1 to 40 letters, digits, '.', '-' and '_', a letter or digit first")]
pub struct MalformedRunId {
    pub text: String,
}

impl RunId {
    pub fn parse(text: &str) -> Result<RunId, MalformedRunId> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.len() <= 40 && text.chars().all(allowed) {
            return Ok(RunId(text.to_owned()));
        }
        Err(MalformedRunId { text: text.to_owned() })
    }

    /// The run of a business date whose inputs have this hash.
    pub fn of(business_date: NaiveDate, inputs: u64) -> RunId {
        RunId(format!("{business_date}-{:012x}", inputs >> 16))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RunId, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        RunId::parse(&text).map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"the id of a run"))
    }
}

/// A day of the shop, `2026-03-02` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub NaiveDate);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Day, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        // chrono takes years of any length and signs too
        let date = (text.len() == 10 && !text.starts_with(['+', '-'])).then(|| text.parse().ok()).flatten();
        date.map(Day).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"a date as in 2026-03-02"))
    }
}

/// The quantiles of a step that are published.
pub const QUANTILES: [f64; 8] = [0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.95, 0.99];

/// The demand expected on one day at one place: one community's, or (community 0) that of a whole warehouse.
///
/// Its identity is `(run, warehouse_id, community_id, sku_id, step_on)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandStep {
    pub run: RunId,
    pub model: String,
    #[serde(deserialize_with = "int_column")]
    pub warehouse_id: i64,
    #[serde(deserialize_with = "int_column")]
    pub community_id: i64,
    #[serde(deserialize_with = "int")]
    pub sku_id: i64,
    pub step_on: Day,
    /// Pieces, as all that follows.
    pub mean: f64,
    pub q10: f64,
    pub q25: f64,
    pub q50: f64,
    pub q75: f64,
    pub q80: f64,
    pub q90: f64,
    pub q95: f64,
    pub q99: f64,
}

/// A record of topic `forecast.demand`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DemandRecord {
    Step(DemandStep),
    End(End),
    Withdrawn(Withdrawn),
}

/// Whether a line may be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineStatus {
    Ready,
    /// A person has to release it first.
    Held,
}

named!(LineStatus { "ready" => LineStatus::Ready, "held" => LineStatus::Held });

impl LineStatus {
    pub const fn name(self) -> &'static str {
        match self {
            LineStatus::Ready => "ready",
            LineStatus::Held => "held",
        }
    }
}

/// Pieces that a term of the sum adds or takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonAddend {
    pub term: String,
    #[serde(deserialize_with = "int")]
    pub pieces: i64,
}

/// Why so many: from `terms` the quantity can be computed again. What the fields of `terms` mean the policy's version tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub terms: Map<String, Value>,
    #[serde(deserialize_with = "objects")]
    pub sum: Vec<ReasonAddend>,
    /// Bounds that cannot both hold, for a person.
    pub conflicts: Vec<Map<String, Value>>,
    /// Why a person has to release it.
    pub holds: Vec<Map<String, Value>>,
}

/// What should be ordered of one SKU for one place.
///
/// Its identity is `(run, supplier_id, warehouse_id, community_id, sku_id)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestockLine {
    pub run: RunId,
    #[serde(deserialize_with = "int_column")]
    pub supplier_id: i64,
    #[serde(deserialize_with = "int_column")]
    pub warehouse_id: i64,
    /// 0: for the warehouse's own stock.
    #[serde(deserialize_with = "int_column")]
    pub community_id: i64,
    #[serde(deserialize_with = "int")]
    pub sku_id: i64,
    #[serde(deserialize_with = "pieces")]
    pub quantity: i64,
    pub status: LineStatus,
    /// Epoch ms.
    #[serde(deserialize_with = "time_ms")]
    pub must_order_by: i64,
    /// The first day on which the goods have to be there.
    pub needed_by: Day,
    #[serde(deserialize_with = "crate::strict::object")]
    pub reason: Reason,
}

/// The last record of a run in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub run: RunId,
    pub business_date: Day,
    /// Epoch ms.
    #[serde(deserialize_with = "time_ms")]
    pub published_at: i64,
    /// Distinct records of the run in all partitions, without marks like this.
    #[serde(deserialize_with = "int")]
    pub lines: u64,
    /// Those of this partition.
    #[serde(deserialize_with = "int")]
    pub lines_in_partition: u64,
    /// Purchase orders that the run knew of, by the run that they came of: all of each run of which one was still under
    /// way. Who acts on the run makes sure that there are no more of them: they would be ordered twice. `None`: not told.
    #[serde(default, deserialize_with = "optional_counts", skip_serializing_if = "Option::is_none")]
    pub orders_known: Option<BTreeMap<String, u32>>,
}

/// A run of which there are more purchase orders now than `run` knew of: by acting on `run` the same goods would be ordered
/// twice. `known` is [`End::orders_known`], `now` what [`crate::shop::ORDERS_BY_RUN`] reads; orders of `run` itself do not count.
pub fn ordered_since<'a>(run: &RunId, known: &BTreeMap<String, u32>, now: &'a [(String, u32)]) -> Option<&'a str> {
    let unknown =
        |(of, orders): &&(String, u32)| of.as_str() != run.as_str() && *orders > known.get(of).copied().unwrap_or(0);
    now.iter().find(unknown).map(|(of, _)| of.as_str())
}

/// Nobody acts on the run any more; in every partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    pub run: RunId,
}

/// A record of topic `forecast.restock`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum RestockRecord {
    Line(RestockLine),
    End(End),
    Withdrawn(Withdrawn),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// As ordered.
    Accepted,
    /// Another quantity.
    Changed,
    /// Nothing of it.
    Refused,
}

named!(AnswerKind {
    "accepted" => AnswerKind::Accepted,
    "changed" => AnswerKind::Changed,
    "refused" => AnswerKind::Refused,
});

/// A record of topic `forecast.answers`: what a supplier says of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplierAnswer {
    pub run: RunId,
    #[serde(deserialize_with = "int_column")]
    pub supplier_id: i64,
    #[serde(deserialize_with = "int_column")]
    pub warehouse_id: i64,
    #[serde(deserialize_with = "int_column")]
    pub community_id: i64,
    #[serde(deserialize_with = "int")]
    pub sku_id: i64,
    pub answer: AnswerKind,
    /// What will be delivered; 0 where it is refused.
    #[serde(deserialize_with = "pieces")]
    pub quantity: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Epoch ms.
    #[serde(deserialize_with = "time_ms")]
    pub answered_at: i64,
    /// A higher one replaces a lower one of the same line.
    #[serde(deserialize_with = "int")]
    pub version: u64,
}

/// A record of one of these topics that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a record of {topic}: {cause}")]
pub struct MalformedForecast {
    pub topic: &'static str,
    pub cause: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DemandKind {
    Step,
    End,
    Withdrawn,
}

named!(DemandKind { "step" => DemandKind::Step, "end" => DemandKind::End, "withdrawn" => DemandKind::Withdrawn });

#[derive(Clone, Copy, PartialEq, Eq)]
enum RestockKind {
    Line,
    End,
    Withdrawn,
}

named!(RestockKind { "line" => RestockKind::Line, "end" => RestockKind::End, "withdrawn" => RestockKind::Withdrawn });

/// What is read of a record to know what else is in it.
#[derive(Deserialize)]
struct Head<K> {
    kind: K,
}

impl DemandRecord {
    pub fn run(&self) -> &RunId {
        match self {
            DemandRecord::Step(step) => &step.run,
            DemandRecord::End(end) => &end.run,
            DemandRecord::Withdrawn(withdrawn) => &withdrawn.run,
        }
    }

    /// The key on the log; that of a mark, which goes to every partition, says nothing of the partition.
    pub fn log_key(&self) -> String {
        match self {
            DemandRecord::Step(step) => format!("{}/{}", step.community_id, step.sku_id),
            DemandRecord::End(_) | DemandRecord::Withdrawn(_) => self.run().to_string(),
        }
    }

    /// The JSON of the record's value. A number that is not finite is written as `null`, which nobody reads: a publisher
    /// refuses it before.
    pub fn encode(&self) -> Vec<u8> {
        // text keys alone: writing it cannot fail
        sonic_rs::to_vec(self).unwrap_or_default()
    }

    pub fn decode(value: &[u8]) -> Result<DemandRecord, MalformedForecast> {
        let topic = crate::Topic::ForecastDemand;
        Ok(match read::<Head<DemandKind>>(topic, value)?.kind {
            DemandKind::Step => DemandRecord::Step(read(topic, value)?),
            DemandKind::End => DemandRecord::End(read(topic, value)?),
            DemandKind::Withdrawn => DemandRecord::Withdrawn(read(topic, value)?),
        })
    }
}

impl RestockRecord {
    pub fn run(&self) -> &RunId {
        match self {
            RestockRecord::Line(line) => &line.run,
            RestockRecord::End(end) => &end.run,
            RestockRecord::Withdrawn(withdrawn) => &withdrawn.run,
        }
    }

    /// The key on the log; that of a mark, which goes to every partition, says nothing of the partition.
    pub fn log_key(&self) -> String {
        match self {
            RestockRecord::Line(line) => {
                format!("{}/{}/{}/{}", line.supplier_id, line.warehouse_id, line.community_id, line.sku_id)
            }
            RestockRecord::End(_) | RestockRecord::Withdrawn(_) => self.run().to_string(),
        }
    }

    /// The JSON of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        // text keys alone: writing it cannot fail
        sonic_rs::to_vec(self).unwrap_or_default()
    }

    pub fn decode(value: &[u8]) -> Result<RestockRecord, MalformedForecast> {
        let topic = crate::Topic::ForecastRestock;
        Ok(match read::<Head<RestockKind>>(topic, value)?.kind {
            RestockKind::Line => RestockRecord::Line(read(topic, value)?),
            RestockKind::End => RestockRecord::End(read(topic, value)?),
            RestockKind::Withdrawn => RestockRecord::Withdrawn(read(topic, value)?),
        })
    }
}

impl SupplierAnswer {
    /// The key on the log: the answers of a supplier to a run are in their order.
    pub fn log_key(&self) -> String {
        format!("{}/{}", self.run, self.supplier_id)
    }

    /// The JSON of the record's value.
    pub fn encode(&self) -> Vec<u8> {
        // strings and integers alone: writing them cannot fail
        sonic_rs::to_vec(self).unwrap_or_default()
    }

    pub fn decode(value: &[u8]) -> Result<SupplierAnswer, MalformedForecast> {
        read(crate::Topic::ForecastAnswers, value)
    }
}

fn read<'de, T: Deserialize<'de>>(topic: crate::Topic, value: &'de [u8]) -> Result<T, MalformedForecast> {
    sonic_rs::from_slice::<Object<T>>(value)
        .map(|Object(read)| read)
        .map_err(|error| MalformedForecast { topic: topic.name(), cause: crate::event::cause_of(&error) })
}

fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(from)?.into_iter().map(|Object(item)| item).collect())
}

/// A quantity of an INT column, 0 or more.
fn pieces<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let value = int_column(from)?;
    if value >= 0 {
        return Ok(value);
    }
    Err(D::Error::invalid_value(Unexpected::Signed(value), &"a quantity of 0 or more"))
}
