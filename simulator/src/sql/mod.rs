//! The same changes as committed SQL transactions on real servers, whose binlogs then tell them.
//!
//! Each of the shop's two databases has a few lanes: connections that commit whole strands in their order. How far a
//! lane has come is committed with its rows, so after a crash of either side it goes on with the next transaction.

mod home;
mod lane;
mod server;
mod statement;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use linli_connectors::clock::SharedClock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::shop::date;
use crate::{Error, Position, Result, Shop, ShopOptions, Strand, Transaction};
use home::{Doorway, Home};
use lane::{Committer, Counters, DATABASES, Lane, PER_DATABASE, Work};
pub use server::Server;
pub(crate) use server::passes;

/// Transactions that wait for a lane: so far may one be ahead of another.
const WAITING_MAX: usize = 256;

#[derive(Clone, Debug)]
pub struct SqlOptions {
    /// `opened_on` counts for a first start alone; later it is what the servers remember.
    pub shop: ShopOptions,
    /// One server for both of the shop's databases, or one for each.
    pub servers: Vec<Server>,
    /// Rows that a lane commits at once where more wait, at most; a transaction of the shop is not cut.
    pub rows_max: usize,
}

impl SqlOptions {
    pub fn new(shop: ShopOptions, servers: Vec<Server>) -> SqlOptions {
        SqlOptions { shop, servers, rows_max: 500 }
    }
}

/// What was committed since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Of the shop; several are committed at once while they wait.
    pub transactions: u64,
    /// Rows made, and rows that an update found.
    pub rows: u64,
    pub commits: u64,
    /// Updates whose row somebody else took away.
    pub missing: u64,
}

/// A shop whose transactions are committed on servers.
pub struct SqlShop {
    shop: Shop,
    home: Home,
    lanes: BTreeMap<Lane, Entrance>,
    running: JoinSet<Result<()>>,
    stop: CancellationToken,
    counters: Arc<Counters>,
    /// What was last handed over belongs to the opening, which the rest waits for.
    opening: bool,
}

struct Entrance {
    queue: mpsc::Sender<Work>,
    /// What lies before is committed.
    from: Position,
}

impl SqlShop {
    /// Makes tables that are missing, and finds out where to go on. Commits in the background until `shutdown`.
    pub async fn open(options: SqlOptions, clock: SharedClock, shutdown: CancellationToken) -> Result<SqlShop> {
        let (home, positions) = settle_in(&options, &clock).await?;
        let stop = shutdown.child_token();
        let shop = Shop::new(ShopOptions { opened_on: date(home.opened_on), ..options.shop.clone() })?;
        let (counters, mut running, mut lanes) = (Arc::new(Counters::default()), JoinSet::new(), BTreeMap::new());
        for lane in positions.into_keys() {
            let server = server_of(&options.servers, lane.0 / PER_DATABASE);
            let (conn, from) = lane::enter(server, lane).await?;
            let (sender, queue) = mpsc::channel(WAITING_MAX);
            lanes.insert(lane, Entrance { queue: sender, from });
            let committer = Committer {
                lane,
                server: server.clone(),
                zone: options.shop.zone,
                rows_max: options.rows_max,
                clock: clock.clone(),
                stop: stop.clone(),
                queue,
                counters: Arc::clone(&counters),
                conn: Some(conn),
                from,
                sql: String::new(),
            };
            running.spawn(committer.run());
        }
        Ok(SqlShop { shop, home, lanes, running, stop, counters, opening: false })
    }

    /// The shop that the servers hold.
    pub fn shop(&self) -> &Shop {
        &self.shop
    }

    /// Names this shop on these servers: one made anew on the same server is another.
    pub fn name(&self) -> String {
        format!("{} in databases of {}", self.home.shop, self.home.born_ms)
    }

    /// All transactions before it are committed; of those behind it, some are.
    pub fn position(&self) -> Position {
        self.lanes.values().map(|lane| lane.from).min().unwrap_or(self.shop.start()).max(self.shop.start())
    }

    pub fn applied(&self) -> Applied {
        let get = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Applied {
            transactions: get(&self.counters.transactions),
            rows: get(&self.counters.rows),
            commits: get(&self.counters.commits),
            missing: get(&self.counters.missing),
        }
    }

    /// Hands a transaction over to its lane, and waits while too many wait there. One that is committed is left out.
    /// Transactions come in the order of the stream.
    pub async fn commit(&mut self, position: Position, transaction: Transaction) -> Result<()> {
        let opening = transaction.strand == Strand::Opening;
        if opening != self.opening {
            self.settle().await?;
            self.opening = opening;
        }
        let lane = Lane::of(&transaction);
        let handed_over = match self.lanes.get(&lane) {
            Some(entrance) if position < entrance.from => true,
            Some(entrance) => entrance.queue.send(Work::Commit(position, transaction)).await.is_ok(),
            None => true,
        };
        if handed_over { Ok(()) } else { self.failure().await }
    }

    /// Waits until everything that was handed over is committed.
    pub async fn settle(&mut self) -> Result<()> {
        let mut answers = Vec::new();
        for entrance in self.lanes.values() {
            let (sender, answer) = oneshot::channel();
            if entrance.queue.send(Work::Mark(sender)).await.is_err() {
                return self.failure().await;
            }
            answers.push(answer);
        }
        for answer in answers {
            if answer.await.is_err() {
                return self.failure().await;
            }
        }
        Ok(())
    }

    /// Why a lane takes nothing any more, once all have stopped; nothing is wrong when they were told to.
    async fn failure(&mut self) -> Result<()> {
        self.stop.cancel();
        self.ended().await
    }

    async fn ended(&mut self) -> Result<()> {
        self.lanes.clear();
        let mut outcome = Ok(());
        while let Some(ended) = self.running.join_next().await {
            outcome = outcome.and(ended?);
        }
        outcome
    }

    /// Waits until what was handed over is committed, or until the lanes have stopped where they were told to.
    pub async fn close(mut self) -> Result<Applied> {
        self.ended().await?;
        Ok(self.applied())
    }
}

fn server_of(servers: &[Server], database: u8) -> &Server {
    &servers[usize::from(database) % servers.len()]
}

/// Which shop the servers hold, once they all say the same, and how far their lanes are.
async fn settle_in(options: &SqlOptions, clock: &SharedClock) -> Result<(Home, BTreeMap<Lane, Position>)> {
    let servers = &options.servers;
    if !(1..=usize::from(DATABASES)).contains(&servers.len()) {
        let remedy = format!("1 to {DATABASES}: the simulated shop has {DATABASES} databases");
        return Err(Error::Option { option: "servers", value: servers.len().to_string(), remedy });
    }
    let mut doorways = Vec::new();
    for (n, server) in servers.iter().enumerate() {
        let databases = (0..DATABASES).filter(|database| usize::from(*database) % servers.len() == n).collect();
        let mut doorway = Doorway::open(server, databases).await?;
        doorway.create_tables().await?;
        doorways.push(doorway);
    }
    let mut homes = Vec::new();
    for doorway in &mut doorways {
        homes.push(doorway.home().await?);
    }
    let home = match homes.iter().flatten().next() {
        Some(known) => known.clone(),
        None => Home {
            shop: options.shop.fingerprint(),
            opened_on: Shop::new(options.shop.clone())?.start().day,
            born_ms: clock.now_ms(),
        },
    };
    let asked = ShopOptions { opened_on: date(home.opened_on), ..options.shop.clone() }.fingerprint();
    for (server, known) in servers.iter().zip(&homes) {
        if let Some(known) = known.as_ref().filter(|known| **known != home || known.shop != asked) {
            return Err(Error::OtherDatabase { server: server.name(), found: known.shop.clone(), asked });
        }
    }
    let mut lanes = BTreeMap::new();
    for (n, (mut doorway, known)) in doorways.into_iter().zip(homes).enumerate() {
        if known.is_none() {
            doorway.move_in(&home).await?;
        }
        let own = (0..DATABASES).filter(|database| usize::from(*database) % servers.len() == n);
        lanes.extend(doorway.lanes(own.flat_map(Lane::all)).await?);
        doorway.close().await;
    }
    Ok((home, lanes))
}

pub(crate) fn sql_error(
    server: impl Into<String>,
    action: impl Into<String>,
) -> impl FnOnce(mysql_async::Error) -> Error {
    let (server, action) = (server.into(), action.into());
    move |source| Error::Sql { server, action, source }
}
