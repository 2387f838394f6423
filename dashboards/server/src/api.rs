//! The API's messages. Ids are text, because they have 64 bits and a browser's numbers have 53;
//! amounts are fen; instants are epoch milliseconds UTC; `null` is unknown, which is not zero.

use serde::Serialize;
use utoipa::ToSchema;

use crate::alert_log::AlertsState;
use crate::alerts::Firing;
use crate::definitions::MetricDefinition;
use crate::hub::Frame;
use crate::source::{self, Names, TopScope, TopWindow, View};
use linli_schemas::EventTime;

/// The day so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Live {
    /// Rises with every change, also over restarts of the server. The id of the stream's events.
    pub version: u64,
    /// When the server sent this, for the reader's clock to be set by.
    pub server_time: i64,
    /// The event-time watermark: everything before it is counted.
    #[schema(required)]
    pub as_of: Option<i64>,
    pub source: SourceState,
    pub day_start: i64,
    pub day_end: i64,
    /// The community these are the totals of; `null` is the whole shop.
    #[schema(required)]
    pub community: Option<String>,
    pub today: Today,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    Ok,
    /// The source does not answer; the numbers are the last that were read.
    Failing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Today {
    /// Fen.
    #[schema(required)]
    pub gmv: Option<i64>,
    #[schema(required)]
    pub orders: Option<i64>,
    #[schema(required)]
    pub active_users: Option<i64>,
    #[schema(required)]
    pub buyers: Option<i64>,
    /// Average order value: fen, rounded half up.
    #[schema(required)]
    pub aov: Option<i64>,
}

/// Minutes in order, column by column. On the stream: replaces everything from `from` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Minutes {
    pub version: u64,
    #[schema(required)]
    pub community: Option<String>,
    pub day_start: i64,
    pub day_end: i64,
    pub from: i64,
    /// The starts of the minutes. One that is not here is not known.
    pub start: Vec<i64>,
    /// Fen; as long as `start`.
    pub gmv: Vec<i64>,
    /// As long as `start`.
    pub orders: Vec<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopList {
    pub version: u64,
    pub window: TopWindowName,
    /// `all`, `category:ID` or `community:ID`.
    pub scope: String,
    pub window_start: i64,
    pub window_end: i64,
    /// When the list that `previous_rank` speaks of was read; `null` when there is none to compare with yet.
    #[schema(required)]
    pub compared_with: Option<i64>,
    pub rows: Vec<TopEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopWindowName {
    Day,
    Hour,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopEntry {
    pub rank: u32,
    pub sku_id: String,
    #[schema(required)]
    pub name: Option<String>,
    #[schema(required)]
    pub category: Option<String>,
    pub qty: i64,
    /// Its rank in the list compared with; `null` when it was not in it.
    #[schema(required)]
    pub previous_rank: Option<u32>,
}

/// What needs attention now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Alerts {
    /// `failing`: the log cannot be read, and what fires is not known; the rest is what fired when it was read last.
    pub source: SourceState,
    /// How many fire; counted up to 10,000.
    pub total: u32,
    /// How many of them are tables that change capture holds.
    pub tables: u32,
    /// The first hundred: tables first, what began last before what began earlier.
    pub firing: Vec<FiringAlert>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FiringAlert {
    /// What is watched, as in `cdc.quarantine`.
    pub rule: String,
    pub subject: String,
    pub since: i64,
    /// For people, in English.
    #[schema(required)]
    pub reason: Option<String>,
    /// The table that change capture holds, if it is about one: figures made from it are behind.
    #[schema(required)]
    pub held: Option<HeldTable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeldTable {
    /// `HOST:PORT`
    pub server: String,
    /// `DATABASE.TABLE`
    pub table: String,
    /// Commands for a shell: with the first the table goes on with what is held, with the second it is read anew.
    pub cures: Vec<String>,
}

/// What can be chosen, and what the numbers mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Catalog {
    /// The business zone, an IANA name.
    pub zone: String,
    pub communities: Vec<Named>,
    pub categories: Vec<Named>,
    pub metrics: Vec<MetricDefinition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Named {
    pub id: String,
    #[schema(required)]
    pub name: Option<String>,
}

impl Today {
    pub fn of(totals: &source::Totals) -> Today {
        let gmv = totals.gmv.map(|money| money.0);
        Today {
            gmv,
            orders: totals.orders,
            active_users: totals.active_users,
            buyers: totals.buyers,
            aov: gmv.zip(totals.orders).and_then(|(gmv, orders)| average(gmv, orders)),
        }
    }
}

/// Rounded half up; none of nothing.
fn average(sum: i64, count: i64) -> Option<i64> {
    if count <= 0 {
        return None;
    }
    i64::try_from((2 * i128::from(sum) + i128::from(count)).div_euclid(2 * i128::from(count))).ok()
}

impl Live {
    pub fn of(frame: &Frame, view: View, server_time: i64) -> Live {
        let snapshot = &frame.snapshot;
        Live {
            version: frame.version,
            server_time,
            as_of: snapshot.as_of.map(|at| at.0),
            source: if frame.failing { SourceState::Failing } else { SourceState::Ok },
            day_start: snapshot.day_start.0,
            day_end: snapshot.day_end.0,
            community: view.community.map(|id| id.to_string()),
            today: Today::of(&snapshot.totals),
        }
    }
}

impl Minutes {
    /// The minutes of a frame from `from` on.
    pub fn of(frame: &Frame, view: View, from: EventTime) -> Minutes {
        let rows = || frame.snapshot.minutes.iter().filter(|minute| minute.start >= from);
        Minutes {
            version: frame.version,
            community: view.community.map(|id| id.to_string()),
            day_start: frame.snapshot.day_start.0,
            day_end: frame.snapshot.day_end.0,
            from: from.0,
            start: rows().map(|minute| minute.start.0).collect(),
            gmv: rows().map(|minute| minute.gmv.0).collect(),
            orders: rows().map(|minute| minute.orders).collect(),
        }
    }
}

impl TopList {
    pub fn of(frame: &Frame, view: View, names: &Names) -> TopList {
        let top = &frame.snapshot.top;
        let category = |id| names.categories.iter().find(|(known, _)| *known == id).and_then(|(_, name)| name.clone());
        let rows = top.rows.iter().zip(1u32..).map(|(row, rank)| {
            let sku = names.skus.get(&row.sku);
            TopEntry {
                rank,
                sku_id: row.sku.to_string(),
                name: sku.and_then(|sku| sku.name.clone()),
                category: sku.and_then(|sku| sku.category).and_then(category),
                qty: row.qty,
                previous_rank: frame.previous.as_ref().and_then(|previous| previous.ranks.get(&row.sku).copied()),
            }
        });
        TopList {
            version: frame.version,
            window: match view.top.window {
                TopWindow::Day => TopWindowName::Day,
                TopWindow::Hour => TopWindowName::Hour,
            },
            scope: match view.top.scope {
                TopScope::All => "all".to_owned(),
                TopScope::Category(id) => format!("category:{id}"),
                TopScope::Community(id) => format!("community:{id}"),
            },
            window_start: top.window_start.0,
            window_end: top.window_end.0,
            compared_with: frame.previous.as_ref().map(|previous| previous.at),
            rows: rows.collect(),
        }
    }
}

/// So many alerts are sent.
const ALERTS_LISTED_MAX: usize = 100;

impl Alerts {
    pub fn of(state: &AlertsState) -> Alerts {
        let (source, firing): (SourceState, &[Firing]) = match state {
            AlertsState::Known(firing) => (SourceState::Ok, firing),
            AlertsState::Lost(Some(firing)) => (SourceState::Failing, firing),
            AlertsState::Starting | AlertsState::Lost(None) => (SourceState::Failing, &[]),
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Alerts {
            source,
            total: count(firing.len()),
            tables: count(firing.iter().filter(|one| one.is_held_table()).count()),
            firing: firing.iter().take(ALERTS_LISTED_MAX).map(FiringAlert::of).collect(),
        }
    }
}

impl FiringAlert {
    fn of(firing: &Firing) -> FiringAlert {
        let Firing { rule, subject, since, reason } = firing.clone();
        let held = firing.is_held_table().then(|| subject.split_once('/')).flatten().map(|(server, table)| {
            let word = shell_word(table);
            let cures =
                [format!("linli ingest cdc quarantine apply {word}"), format!("linli ingest cdc snapshot {word}")];
            HeldTable { server: server.to_owned(), table: table.to_owned(), cures: cures.into() }
        });
        FiringAlert { rule, subject, since, reason, held }
    }
}

/// A text as one word of a shell's command.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_held_names_the_commands_that_cure_it() {
        let firing = |rule: &str, subject: &str| {
            FiringAlert::of(&Firing { rule: rule.to_owned(), subject: subject.to_owned(), since: 1, reason: None }).held
        };
        let held = firing("cdc.quarantine", "[::1]:3306/shop_0.orders_3").unwrap();
        assert_eq!((held.server.as_str(), held.table.as_str()), ("[::1]:3306", "shop_0.orders_3"));
        assert_eq!(held.cures[0], "linli ingest cdc quarantine apply shop_0.orders_3");
        assert_eq!(held.cures[1], "linli ingest cdc snapshot shop_0.orders_3");
        let held = firing("cdc.quarantine", "h:1/s.it's; rm/x").unwrap();
        assert_eq!(held.cures[1], r"linli ingest cdc snapshot 's.it'\''s; rm/x'");
        assert_eq!(firing("cdc.quarantine", "no table"), None);
        assert_eq!(firing("forecast.drift", "category/3"), None);
    }

    #[test]
    fn the_average_rounds_half_up_and_knows_nothing_of_no_orders() {
        assert_eq!(average(100, 3), Some(33));
        assert_eq!(average(5, 2), Some(3));
        assert_eq!(average(0, 0), None);
        assert_eq!(average(i64::MAX, 1), Some(i64::MAX));
    }
}
