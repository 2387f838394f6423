//! One connection that commits, in their order, the transactions of the strands that are its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linli_connectors::clock::SharedClock;
use linli_schemas::zone::Zone;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::server::passes;
use super::{Server, home, sql_error, statement};
use crate::{Error, Position, Result, Strand, Transaction};

/// Lanes of each of the shop's databases. A part of what a server remembers: another count is another shop.
pub const PER_DATABASE: u8 = 4;
/// Databases of the shop.
pub const DATABASES: u8 = 2;
/// Seconds to wait for whoever commits in a lane to go away: a session that died may linger.
const TAKEN_S: u32 = 10;
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane(pub u8);

impl Lane {
    /// The lane of a transaction. One lane has whole strands, so what changes the same rows stays in order.
    pub fn of(transaction: &Transaction) -> Lane {
        let strand = match transaction.strand {
            Strand::Opening | Strand::Promotion(_) => 0,
            Strand::Warehouse(warehouse) => warehouse,
            // orders of one table in one lane: their new rows are one statement
            Strand::Order(order_id) => order_id,
        };
        Lane(transaction.server * PER_DATABASE + (strand % u64::from(PER_DATABASE)) as u8)
    }

    /// Of one database.
    pub fn all(database: u8) -> impl Iterator<Item = Lane> {
        (0..PER_DATABASE).map(move |n| Lane(database * PER_DATABASE + n))
    }
}

/// What was committed since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub transactions: AtomicU64,
    pub rows: AtomicU64,
    pub commits: AtomicU64,
    pub missing: AtomicU64,
}

pub enum Work {
    Commit(Position, Transaction),
    /// Answered when all before it is committed.
    Mark(oneshot::Sender<()>),
}

pub struct Committer {
    pub lane: Lane,
    pub server: Server,
    pub zone: Zone,
    /// Rows committed at once where more wait, at most; one transaction is not cut.
    pub rows_max: usize,
    pub clock: SharedClock,
    pub stop: CancellationToken,
    pub queue: mpsc::Receiver<Work>,
    pub counters: Arc<Counters>,
    pub conn: Option<Conn>,
    /// All of this lane that lies before it is committed.
    pub from: Position,
    pub sql: String,
}

impl Committer {
    /// Commits until nothing more comes, or until it is told to stop.
    pub async fn run(mut self) -> Result<()> {
        let mut waiting = None;
        loop {
            let first = match waiting.take() {
                Some(work) => work,
                None => tokio::select! {
                    biased;
                    () = self.stop.cancelled() => break,
                    work = self.queue.recv() => match work {
                        Some(work) => work,
                        None => break,
                    },
                },
            };
            match first {
                Work::Mark(answer) => {
                    // who asked may have gone
                    let _ = answer.send(());
                }
                Work::Commit(position, transaction) => {
                    let mut group = vec![(position, transaction)];
                    waiting = self.gather(&mut group);
                    if !self.commit(group).await? {
                        break;
                    }
                }
            }
        }
        if let Some(conn) = self.conn.take() {
            // everything is committed
            let _ = conn.disconnect().await;
        }
        Ok(())
    }

    /// Adds what waits already. Returns what comes first that does not belong.
    fn gather(&mut self, group: &mut Vec<(Position, Transaction)>) -> Option<Work> {
        let mut rows: usize = group.iter().map(|(_, transaction)| transaction.rows.len()).sum();
        loop {
            match self.queue.try_recv() {
                Ok(Work::Commit(position, transaction)) if rows + transaction.rows.len() <= self.rows_max => {
                    rows += transaction.rows.len();
                    group.push((position, transaction));
                }
                Ok(other) => return Some(other),
                Err(_) => return None,
            }
        }
    }

    /// Commits each transaction of the group once, however often the connection breaks: what is committed already
    /// is told by the lane's position. `false` when told to stop before.
    async fn commit(&mut self, mut group: Vec<(Position, Transaction)>) -> Result<bool> {
        let mut pause = BACKOFF;
        loop {
            let error = match self.try_commit(&mut group).await {
                Ok(()) => return Ok(true),
                Err(error) => error,
            };
            self.conn = None;
            match error {
                Error::Sql { source, .. } if passes(&source) => {
                    tracing::warn!(server = %self.server.name(), error = %source, "the shop's database did not take a commit: trying again");
                }
                Error::Taken { .. } => tracing::warn!(%error, "trying again"),
                error => return Err(error),
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = self.stop.cancelled() => return Ok(false),
            }
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    async fn try_commit(&mut self, group: &mut Vec<(Position, Transaction)>) -> Result<()> {
        let name = || format!("shop_{} at {}", self.lane.0 / PER_DATABASE, self.server.name());
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => {
                let (conn, from) = enter(&self.server, self.lane).await?;
                self.from = from;
                conn
            }
        };
        group.retain(|(position, _)| *position >= self.from);
        let Some((last, _)) = group.last() else {
            self.conn = Some(conn);
            return Ok(());
        };
        let next = Position { index: last.index + 1, ..*last };
        let transactions = group.iter().map(|(_, transaction)| transaction);
        let expected = statement::write(self.lane, transactions, next, self.zone, &mut self.sql);
        let (found, told) = all_results(&mut conn, &self.sql).await.map_err(sql_error(name(), "commit"))?;
        if told != Some(next) {
            // A server that shuts down leaves off between two statements without an error: what it has not said to be
            // committed is begun again, on a connection that asks for the position first.
            let closed = mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed);
            return Err(sql_error(name(), "commit")(closed));
        }
        self.conn = Some(conn);
        self.from = next;
        if found < expected && self.counters.missing.fetch_add(expected - found, Ordering::Relaxed) == 0 {
            tracing::warn!(
                server = %self.server.name(),
                rows = expected - found,
                "rows of the simulated shop are not there any more: their updates change nothing; more are counted only"
            );
        }
        self.counters.transactions.fetch_add(group.len() as u64, Ordering::Relaxed);
        self.counters.rows.fetch_add(found - 1, Ordering::Relaxed);
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// A connection that alone commits in a lane, and up to where that has been done.
pub async fn enter(server: &Server, lane: Lane) -> Result<(Conn, Position)> {
    let failed = |action: &'static str| sql_error(server.name(), action);
    let mut conn = server.connect().await.map_err(failed("connect"))?;
    let sql = format!("select get_lock('linli_simulator.{}', {TAKEN_S})", lane.0);
    let locked: Option<Option<u8>> = conn.query_first(sql).await.map_err(failed("take a lane"))?;
    if locked.flatten() != Some(1) {
        return Err(Error::Taken { server: server.name() });
    }
    let from = home::position(&mut conn, lane).await.map_err(failed("read a lane"))?;
    Ok((conn, from))
}

/// Runs statements, of which one tells a position: the rows that the others found or made, and the position.
async fn all_results(conn: &mut Conn, sql: &str) -> Result<(u64, Option<Position>), mysql_async::Error> {
    let mut results = conn.query_iter(sql).await?;
    let (mut rows, mut told) = (0, None);
    loop {
        if results.columns_ref().is_empty() {
            rows += results.affected_rows();
        }
        if results.is_empty() {
            return Ok((rows, told));
        }
        for (day, index) in results.collect::<(i32, u64)>().await? {
            told = Some(Position { day, index });
        }
    }
}
