//! The shop's buyer: a small transactional service that turns restock runs into purchase orders.
//!
//! The reference for how `forecast.restock` is to be read. What comes on the topics goes into tables of the buyer's, with
//! the positions in the same transaction; a run is acted on when all of it is there, by one transaction a purchase
//! order, whose id is a hash of run, supplier and warehouse. So killed anywhere it goes on, and orders nothing twice.

mod answers;
mod inbox;
mod order;
mod receive;
mod tables;

use std::time::Duration;

use chrono::NaiveDate;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::{Batch, LogReader, SharedLog, TopicPartition};
use linli_schemas::EventTime;
use linli_schemas::Topic;
use linli_schemas::forecast::RunId;
use linli_schemas::identity::EventKey;
use linli_schemas::zone::{DAY_MS, Zone};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio_util::sync::CancellationToken;

use crate::sql::{Server, sql_error};
use crate::{Error, Result};

/// A run that was published longer ago is not acted on.
pub const FRESH_MS: i64 = DAY_MS;
/// How far the clock of who published may be ahead.
const AHEAD_MS: i64 = 600_000;
const TOPICS: [Topic; 2] = [Topic::ForecastRestock, Topic::ForecastAnswers];
const RECORDS_MAX: usize = 2_000;
const WAIT: Duration = Duration::from_millis(200);
/// Seconds that a buyer waits for one that is ending.
const TAKEN_S: u32 = 15;
/// Prepared statements that are kept.
const STATEMENTS: usize = 32;
const BACKOFF: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct BuyerOptions {
    /// That of the shop's first database.
    pub server: Server,
    /// The shop's first database, as in `shop_0`.
    pub database: String,
    pub zone: Zone,
    /// Of every topic.
    pub partitions: u32,
}

/// When the buyer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Told,
    /// When all that is on the topics now is done.
    CaughtUp,
}

/// What was done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Bought {
    pub records: u64,
    /// Records that could not be read: their run never becomes whole.
    pub unreadable: u64,
    pub runs: u64,
    pub purchase_orders: u64,
    /// Lines that name a SKU which the shop does not have: listed in `linli_buyer.refused`.
    pub refused: u64,
    pub answers: u64,
    pub received: u64,
}

/// One buyer; others wait until it has ended.
pub struct Buyer {
    options: BuyerOptions,
    log: SharedLog,
    clock: SharedClock,
    bought: Bought,
}

/// A connection of the only buyer, with its place on the topics.
struct Session {
    conn: Conn,
    reader: Box<dyn LogReader>,
    sources: Vec<TopicPartition>,
    next: Vec<u64>,
    /// Where the topics ended when it began.
    ends: Vec<u64>,
}

impl Session {
    /// Whether something that was there when it began is not read yet.
    fn is_behind(&self) -> bool {
        self.next.iter().zip(&self.ends).any(|(next, end)| next < end)
    }
}

impl Buyer {
    pub fn new(options: BuyerOptions, log: SharedLog, clock: SharedClock) -> Buyer {
        Buyer { options, log, clock, bought: Bought::default() }
    }

    /// Reads, orders, books answers and receives what is due, until the end. What passes is tried again.
    pub async fn run(mut self, until: Until, stop: CancellationToken) -> Result<Bought> {
        let ends = match until {
            Until::Told => None,
            Until::CaughtUp => Some(self.log.ends(&sources(self.options.partitions)).await?),
        };
        let mut pause = BACKOFF;
        loop {
            let records = self.bought.records;
            match self.work(ends.as_deref(), &stop).await {
                Ok(()) => return Ok(self.bought),
                Err(error) if error.is_retry() || matches!(error, Error::BuyerTaken { .. }) => {
                    tracing::warn!(%error, "the buyer begins anew");
                }
                Err(error) => return Err(error),
            }
            pause = if self.bought.records > records { BACKOFF } else { (pause * 2).min(BACKOFF_MAX) };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = stop.cancelled() => return Ok(self.bought),
            }
        }
    }

    async fn work(&mut self, ends: Option<&[u64]>, stop: &CancellationToken) -> Result<()> {
        let mut session = self.enter().await?;
        let mut batch = Batch::default();
        let mut received_on = None;
        loop {
            // what comes behind a run may withdraw or supersede it
            if !session.is_behind() {
                self.act(&mut session.conn).await?;
            }
            let today = self.options.zone.date_of(EventTime(self.clock.now_ms()));
            if received_on != Some(today) {
                self.receive(&mut session.conn, today).await?;
                received_on = Some(today);
            }
            let caught_up = ends.is_some_and(|ends| session.next.iter().zip(ends).all(|(next, end)| next >= end));
            if caught_up || stop.is_cancelled() {
                // everything is committed
                let _ = session.conn.disconnect().await;
                return Ok(());
            }
            session.reader.poll(&mut batch, RECORDS_MAX, WAIT).await?;
            if !batch.is_empty() {
                self.take_in(&mut session, &batch).await?;
            }
        }
    }

    /// Receives what is due on a day or before, without reading the topics.
    pub async fn receive_on(mut self, date: NaiveDate) -> Result<Bought> {
        let mut conn = self.connect().await?;
        self.receive(&mut conn, date).await?;
        // everything is committed
        let _ = conn.disconnect().await;
        Ok(self.bought)
    }

    async fn connect(&self) -> Result<Conn> {
        let server = &self.options.server;
        // without a cache each statement that is run would stay prepared on the server
        let opts = OptsBuilder::from_opts(server.opts()).stmt_cache_size(STATEMENTS);
        let mut conn = Conn::new(opts).await.map_err(sql_error(server.name(), "connect"))?;
        let lock = "select get_lock('linli.buyer', ?)";
        let taken: Option<Option<u8>> =
            conn.exec_first(lock, (TAKEN_S,)).await.map_err(sql_error(server.name(), lock))?;
        if taken.flatten() != Some(1) {
            return Err(Error::BuyerTaken { server: server.name() });
        }
        for sql in tables::TABLES {
            conn.query_drop(sql).await.map_err(sql_error(server.name(), sql))?;
        }
        Ok(conn)
    }

    async fn enter(&self) -> Result<Session> {
        let mut conn = self.connect().await?;
        let sql = "select topic, part, next_offset from linli_buyer.positions";
        let known: Vec<(String, u32, u64)> =
            conn.query(sql).await.map_err(sql_error(self.options.server.name(), sql))?;
        let sources = sources(self.options.partitions);
        let next = |source: &TopicPartition| {
            let own =
                known.iter().find(|(topic, part, _)| (topic.as_str(), *part) == (&*source.topic, source.partition));
            own.map_or(0, |(_, _, next)| *next)
        };
        let next: Vec<u64> = sources.iter().map(next).collect();
        let ends = self.log.ends(&sources).await?;
        let reader = self.log.reader(sources.iter().cloned().zip(next.iter().copied()).collect()).await?;
        Ok(Session { conn, reader, sources, next, ends })
    }

    fn failed(&self, action: &str) -> impl Fn(mysql_async::Error) -> Error + use<> {
        let (server, action) = (self.options.server.name(), action.to_owned());
        move |source| Error::Sql { server: server.clone(), action: action.clone(), source }
    }

    /// Now, as a DATETIME(3) of the shop.
    fn wall_now(&self) -> String {
        let now = self.clock.now_ms();
        format!("{}.{:03}", self.options.zone.wall_text(EventTime(now)), now.rem_euclid(1000))
    }
}

fn sources(partitions: u32) -> Vec<TopicPartition> {
    let of =
        |topic: Topic| (0..partitions).map(move |partition| TopicPartition { topic: topic.name().into(), partition });
    TOPICS.into_iter().flat_map(of).collect()
}

/// The id of the purchase order of a run, a supplier and a warehouse: the same whenever it is made.
pub fn purchase_order_id(run: &RunId, supplier_id: i64, warehouse_id: i64) -> u64 {
    hash(&format!("{run}/{supplier_id}/{warehouse_id}"))
}

fn hash(of: &str) -> u64 {
    let EventKey([low, high, _]) = EventKey::new(of.as_bytes(), 0);
    u64::from(high) << 32 | u64::from(low)
}
