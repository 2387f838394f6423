//! Finding a place in the binlog by reading it: by time, by GTIDs, or the transactions before a byte.

use linli_binlog::{Event, FormatDescription, Header, frame, parse};
use linli_connectors::{Error, ErrorKind};

use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::position::{Place, Position};
use super::server::{Server, connect};
use super::wire::{Address, DumpFrom, DumpOptions, Wire, WireError};

/// Where the first event of a file begins.
const FIRST_POS: u64 = 4;

/// Reads the binlogs of one server beside its reader.
pub struct Scanner<'a> {
    address: &'a Address,
    server: &'a Server,
    dump: DumpOptions,
}

/// A transaction that begins.
struct Begins<'a> {
    at: u64,
    /// When it was committed, epoch ms.
    committed_ms: i64,
    event: &'a Event<'a>,
}

impl<'a> Scanner<'a> {
    /// `reader` is what the reader itself asks for the binlog with.
    pub fn new(address: &'a Address, server: &'a Server, reader: DumpOptions) -> Scanner<'a> {
        // A reader that runs is not to be ended by it.
        let server_id = reader.server_id ^ 0x4000_0000;
        let dump = DumpOptions { server_id, uuid: flipped(&reader.uuid), heartbeat_s: 1, ..reader };
        Scanner { address, server, dump }
    }

    /// The first transaction at a place or behind it.
    pub async fn at(&self, place: &Place, binlogs: &[(String, u64)]) -> Result<Position, Error> {
        match binlogs.iter().find(|(file, _)| *file == place.file) {
            Some((file, length)) if place.pos <= *length => {
                self.first(file, *length, |begins| begins.at >= place.pos).await
            }
            _ => Err(self.missing(&place.to_string(), binlogs)),
        }
    }

    /// The first transaction that was committed at a time or later.
    pub async fn since(&self, time_ms: i64, binlogs: &[(String, u64)]) -> Result<Position, Error> {
        for (index, (file, length)) in binlogs.iter().enumerate().rev() {
            let found = self.first(file, *length, |begins| begins.committed_ms >= time_ms).await?;
            // At the very first of a file an earlier file may have some too.
            if index == 0 || found != self.first(file, *length, |_| true).await? {
                return Ok(found);
            }
        }
        Err(self.missing("that time", binlogs))
    }

    /// The first transaction that is not among these.
    pub async fn behind(&self, gtids: GtidSet, binlogs: &[(String, u64)]) -> Result<Position, Error> {
        for (file, length) in binlogs.iter().rev() {
            let start = self.first(file, *length, |_| true).await?;
            if !start.gtids.is_none() && !gtids.includes(&start.gtids) {
                continue; // the file begins behind
            }
            let found = self.first(file, *length, |begins| !contains(&gtids, begins.event)).await?;
            return Ok(Position { gtids, ..found });
        }
        Err(self.missing(&gtids.to_string(), binlogs))
    }

    fn missing(&self, what: &str, binlogs: &[(String, u64)]) -> Error {
        let oldest = binlogs.first().map_or("none", |(file, _)| file);
        let cause = format!("has no binlog for {what}; the oldest is {oldest}");
        Error::new(ErrorKind::Config, self.address.object(), cause).hint("SHOW BINARY LOGS tells which there are")
    }

    async fn open(&self, file: &str, pos: u64) -> Result<Wire, Error> {
        let mut wire = connect(self.address).await?;
        let pos = u32::try_from(pos).unwrap_or(FIRST_POS as u32);
        let from = DumpFrom::File { file: file.to_owned(), pos };
        wire.start_dump(&from, &self.dump).await.map_err(|error| error.at(self.address.object()))?;
        Ok(wire)
    }

    /// Reads one file until a transaction begins that `found` accepts; else to its end.
    async fn first(&self, file: &str, length: u64, found: impl Fn(&Begins<'_>) -> bool) -> Result<Position, Error> {
        let mut wire = self.open(file, FIRST_POS).await?;
        let mut format = FormatDescription::assumed(self.server.checksum);
        let mut position = Position { place: Place::new(file, FIRST_POS), partial: None, gtids: GtidSet::None };
        loop {
            let at = |error: WireError| error.at(self.address.object());
            wire.read().await.map_err(at)?;
            let Some(bytes) = wire.event().map_err(at)? else {
                return Ok(position);
            };
            let broken = |error: linli_binlog::DecodeError| {
                Error::new(ErrorKind::Corrupt, self.address.object(), error.to_string())
            };
            let (header, body) = frame(bytes, format.checksum).map_err(broken)?;
            let event = parse(&header, body, &format).map_err(broken)?;
            if begins(&event) && found(&Begins::new(&header, &event)) {
                return Ok(position);
            }
            match event {
                Event::FormatDescription(told) => format = told,
                Event::Heartbeat { .. } => return Ok(position),
                Event::Rotate { file: next, .. } if next != file => return Ok(position),
                event => count(&mut position.gtids, &event, self.server),
            }
            if !header.is_artificial() && header.next_pos != 0 {
                position.place.pos = u64::from(header.next_pos);
            }
            if position.place.pos >= length {
                return Ok(position);
            }
        }
    }

    /// How many transactions begin at `from` or behind it and before `to`.
    pub async fn transactions(&self, from: &Place, to: &Place) -> Result<u64, Error> {
        let mut wire = self.open(&from.file, from.pos).await?;
        let mut format = FormatDescription::assumed(self.server.checksum);
        let (mut place, mut count) = (from.clone(), 0);
        while place.order() < to.order() {
            let at = |error: WireError| error.at(self.address.object());
            wire.read().await.map_err(at)?;
            let Some(bytes) = wire.event().map_err(at)? else {
                break;
            };
            let broken = |error: linli_binlog::DecodeError| {
                Error::new(ErrorKind::Corrupt, self.address.object(), error.to_string())
            };
            let (header, body) = frame(bytes, format.checksum).map_err(broken)?;
            match parse(&header, body, &format).map_err(broken)? {
                Event::FormatDescription(told) => format = told,
                Event::Heartbeat { .. } => break, // the end of the log
                Event::Rotate { file, pos } => {
                    if file != place.file {
                        place = Place::new(file, pos);
                    }
                    continue; // it is the last of the file before
                }
                event => count += u64::from(begins(&event)),
            }
            if !header.is_artificial() && u64::from(header.next_pos) > place.pos {
                place.pos = u64::from(header.next_pos);
            }
        }
        Ok(count)
    }
}

fn begins(event: &Event<'_>) -> bool {
    matches!(event, Event::Gtid(_) | Event::AnonymousGtid(_) | Event::MariadbGtid(_))
}

impl<'a> Begins<'a> {
    fn new(header: &Header, event: &'a Event<'a>) -> Begins<'a> {
        let committed_us = match event {
            Event::Gtid(gtid) | Event::AnonymousGtid(gtid) => gtid.committed_us,
            _ => None,
        };
        Begins {
            at: u64::from(header.next_pos).saturating_sub(u64::from(header.size)),
            committed_ms: committed_us.map_or(i64::from(header.timestamp) * 1000, |us| (us / 1000) as i64),
            event,
        }
    }
}

fn contains(gtids: &GtidSet, event: &Event<'_>) -> bool {
    match (gtids, event) {
        (GtidSet::Mysql(set), Event::Gtid(gtid)) => {
            set.contains(&linli_binlog::Uuid(gtid.uuid).to_string(), &gtid.tag, gtid.number)
        }
        (GtidSet::Mariadb(set), Event::MariadbGtid(gtid)) => set.contains(gtid.domain, gtid.number),
        _ => true,
    }
}

fn count(gtids: &mut GtidSet, event: &Event<'_>, server: &Server) {
    match event {
        Event::PreviousGtids(previous) if server.gtids => {
            *gtids = GtidSet::Mysql(MysqlGtids::parse(&previous.to_string()).unwrap_or_default());
        }
        Event::MariadbGtidList(list) => {
            *gtids = GtidSet::Mariadb(MariadbGtids::parse(&list.to_string()).unwrap_or_default())
        }
        Event::Gtid(gtid) => {
            if let GtidSet::Mysql(set) = gtids {
                set.add(&linli_binlog::Uuid(gtid.uuid).to_string(), &gtid.tag, gtid.number);
            }
        }
        Event::MariadbGtid(gtid) => {
            if let GtidSet::Mariadb(set) = gtids {
                set.add(gtid.domain, gtid.server_id, gtid.number);
            }
        }
        _ => {}
    }
}

fn flipped(uuid: &str) -> String {
    let (first, rest) = uuid.split_at(uuid.len().min(1));
    format!("{}{rest}", if first == "f" { "0" } else { "f" })
}
