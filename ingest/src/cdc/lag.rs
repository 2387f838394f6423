//! How far behind its server a reader is: asked over a connection of its own, for the binlog's is busy.

use std::time::Duration;

use linli_connectors::clock::SharedClock;
use tokio::task::JoinHandle;

use super::gtid::{GtidSet, MariadbGtids};
use super::meters::Meters;
use super::position::{Place, Position};
use super::server::{Server, connect};
use super::wire::{Address, Wire, WireResult};

/// Between two questions.
const EVERY: Duration = Duration::from_secs(2);
/// For an answer; without one what is known of the lag is not known any more.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Asks until it is dropped.
pub struct Watch(JoinHandle<()>);

impl Watch {
    pub fn start(address: Address, server: Server, meters: Meters, clock: SharedClock) -> Watch {
        Watch(tokio::spawn(async move {
            let mut wire = None;
            loop {
                let asked = tokio::time::timeout(ANSWER_WITHIN, ask(&address, &server, &mut wire, &meters)).await;
                if !asked.unwrap_or(false) {
                    wire = None;
                    meters.behind(None, None);
                }
                clock.sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether it was told.
async fn ask(address: &Address, server: &Server, wire: &mut Option<Wire>, meters: &Meters) -> bool {
    let mut open = match wire.take() {
        Some(open) => open,
        None => match connect(address).await {
            Ok(open) => open,
            Err(_) => return false, // the reader's own connection says why
        },
    };
    // What is on the log is looked at last: it is never ahead of the end then.
    let (Ok(end), Ok(binlogs)) = (end(server, &mut open).await, Server::binlogs(&mut open).await) else {
        return false;
    };
    *wire = Some(open);
    let Some(position) = meters.position() else {
        return true;
    };
    meters.behind(bytes_between(&binlogs, &position.place, &end.place), end.gtids.count_without(&position.gtids));
    true
}

/// Where the binlog ends, cheaply: MariaDB tells its last GTIDs without reading the file.
async fn end(server: &Server, wire: &mut Wire) -> WireResult<Position> {
    if !server.identity.mariadb {
        return server.current(wire).await;
    }
    let place = server.place(wire).await?;
    let gtids = wire.query_one("SELECT @@global.gtid_binlog_pos").await?.unwrap_or_default();
    let gtids = MariadbGtids::parse(&gtids).map_or(GtidSet::None, GtidSet::Mariadb);
    Ok(Position { place, partial: None, gtids })
}

/// Bytes of the log from one place to a later one, 0 to an earlier one of the same file; `None` where a file is gone or
/// the order of the files is the other.
pub fn bytes_between(binlogs: &[(String, u64)], from: &Place, to: &Place) -> Option<u64> {
    if from.file == to.file {
        return Some(to.pos.saturating_sub(from.pos));
    }
    let start = binlogs.iter().position(|(file, _)| *file == from.file)?;
    let end = binlogs.iter().position(|(file, _)| *file == to.file)?;
    let whole: u64 = binlogs.get(start..end)?.iter().map(|(_, length)| length).sum();
    (whole + to.pos).checked_sub(from.pos)
}
