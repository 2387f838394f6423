//! Finding a place in the binlog by reading it: by time, or the transactions before a byte.

use linli_binlog::{Event, FormatDescription, Header, frame, parse};
use linli_connectors::{Error, ErrorKind};

use super::control::Target;
use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::position::{Place, Position};
use super::server::{Server, connect};
use super::wire::{Address, DumpFrom, DumpOptions, WireError};

/// Where the first event of a file begins.
const FIRST_POS: u32 = 4;

/// The first transaction at or behind a target.
pub async fn locate(
    address: &Address,
    server: &Server,
    dump: &DumpOptions,
    binlogs: &[(String, u64)],
    target: &Target,
) -> Result<Position, Error> {
    let missing = || {
        let oldest = binlogs.first().map_or("none", |(file, _)| file);
        Error::new(ErrorKind::Config, address.object(), format!("has no binlog for {target:?}; the oldest is {oldest}"))
            .hint("SHOW BINARY LOGS tells which there are")
    };
    match target {
        Target::Place(place) => {
            let (file, length) = binlogs.iter().find(|(file, _)| *file == place.file).ok_or_else(missing)?;
            if place.pos > *length {
                return Err(missing());
            }
            scan(address, server, dump, file, *length, |at, _| at >= place.pos).await
        }
        Target::Time(time_ms) => {
            for (file, length) in binlogs.iter().rev() {
                let position = scan(address, server, dump, file, *length, |_, ms| ms >= *time_ms).await?;
                // Found within the file, and not at its very first transaction: or there is no earlier file.
                let first = scan(address, server, dump, file, *length, |_, _| true).await?;
                if position != first || binlogs.first().is_some_and(|(oldest, _)| oldest == file) {
                    return Ok(position);
                }
            }
            Err(missing())
        }
        Target::Gtids(_) | Target::Reset => Err(missing()),
    }
}

/// Reads one file until a transaction begins that `found` accepts (by its place and time); else to its end.
async fn scan(
    address: &Address,
    server: &Server,
    dump: &DumpOptions,
    file: &str,
    length: u64,
    found: impl Fn(u64, i64) -> bool,
) -> Result<Position, Error> {
    let at = |error: WireError| error.at(address.object());
    let mut wire = connect(address).await?;
    let options = DumpOptions { server_id: dump.server_id ^ 0x4000_0000, uuid: flipped(&dump.uuid), ..dump.clone() };
    wire.start_dump(&DumpFrom::File { file: file.to_owned(), pos: FIRST_POS }, &options).await.map_err(at)?;
    let mut format = FormatDescription::assumed(server.checksum);
    let mut position = Position { place: Place::new(file, u64::from(FIRST_POS)), partial: None, gtids: GtidSet::None };
    loop {
        wire.read().await.map_err(at)?;
        let Some(bytes) = wire.event().map_err(at)? else {
            return Ok(position);
        };
        let broken =
            |error: linli_binlog::DecodeError| Error::new(ErrorKind::Corrupt, address.object(), error.to_string());
        let (header, body) = frame(bytes, format.checksum).map_err(broken)?;
        let event = parse(&header, body, &format).map_err(broken)?;
        let begins = matches!(event, Event::Gtid(_) | Event::AnonymousGtid(_) | Event::MariadbGtid(_));
        let start = u64::from(header.next_pos).saturating_sub(u64::from(header.size));
        if begins && found(start, committed_ms(&header, &event)) {
            return Ok(position);
        }
        match event {
            Event::FormatDescription(told) => format = told,
            Event::Heartbeat { .. } => return Ok(position),
            Event::Rotate { file: next, .. } if next != file => return Ok(position),
            event => count(&mut position.gtids, &event, server),
        }
        if !header.is_artificial() && header.next_pos != 0 {
            position.place.pos = u64::from(header.next_pos);
        }
        if position.place.pos >= length {
            return Ok(position);
        }
    }
}

fn committed_ms(header: &Header, event: &Event<'_>) -> i64 {
    match event {
        Event::Gtid(gtid) | Event::AnonymousGtid(gtid) => gtid.committed_us.map(|us| (us / 1000) as i64),
        _ => None,
    }
    .unwrap_or(i64::from(header.timestamp) * 1000)
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
