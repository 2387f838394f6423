//! Where to go on: decided from what the server has, never by guessing.

use linli_connectors::{Error, ErrorKind};

use super::gtid::GtidSet;
use super::options::CdcOptions;
use super::position::{Place, Position};
use super::server::Server;
use super::store::ServerIdentity;
use super::wire::{Address, DumpFrom, DumpOptions, Wire, WireError};

/// How to ask for the binlog.
#[derive(Debug, PartialEq, Eq)]
pub struct From {
    pub dump: DumpFrom,
    pub start: Start,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Start {
    /// At the place that was written down.
    There,
    /// On another server, or in other files: at the same transaction, whose place is told by the stream.
    Elsewhere(Position),
}

/// What was found out about a server, for [`decide`].
#[derive(Debug)]
pub struct Facts {
    pub server: ServerIdentity,
    /// Files and their lengths, oldest first.
    pub binlogs: Vec<(String, u64)>,
    /// MySQL: `gtid_executed`. MariaDB: `gtid_binlog_pos`.
    pub executed: GtidSet,
    /// MySQL: `gtid_purged`.
    pub purged: GtidSet,
    /// MariaDB: the GTIDs before the place that was written down.
    pub at_place: Option<GtidSet>,
}

pub async fn from(
    wire: &mut Wire,
    server: &Server,
    known: &ServerIdentity,
    position: &Position,
    object: &str,
) -> Result<From, Error> {
    let facts = facts(wire, server, position).await.map_err(|error| error.at(object.to_owned()))?;
    decide(&facts, known, position, object)
}

async fn facts(wire: &mut Wire, server: &Server, position: &Position) -> Result<Facts, WireError> {
    let binlogs = Server::binlogs(wire).await?;
    let executed = server.current(wire).await?.gtids;
    let purged = match (server.identity.mariadb, server.gtids) {
        (false, true) => {
            let text = super::server::variable(wire, "gtid_purged").await?.unwrap_or_default();
            super::gtid::MysqlGtids::parse(&text).map(GtidSet::Mysql).unwrap_or_default()
        }
        _ => GtidSet::None,
    };
    let at_place = if server.identity.mariadb { server.gtids_at(wire, &position.place).await? } else { None };
    Ok(Facts { server: server.identity.clone(), binlogs, executed, purged, at_place })
}

/// By file and offset on the same server; else by GTID; else not at all.
pub fn decide(facts: &Facts, known: &ServerIdentity, position: &Position, object: &str) -> Result<From, Error> {
    if is_same_log(facts, known, position)
        && let Ok(pos) = u32::try_from(position.place.pos)
    {
        let dump = DumpFrom::File { file: position.place.file.clone(), pos };
        return Ok(From { dump, start: Start::There });
    }
    let stop = |cause: String| {
        Err(Error::new(ErrorKind::Corrupt, object, cause).hint(
            "changes between would be lost: begin anew with a snapshot by `linli ingest cdc position reset`, \
             or set another position by `linli ingest cdc position set`",
        ))
    };
    let oldest = facts.binlogs.first().map_or("none", |(file, _)| file);
    let elsewhere = || Start::Elsewhere(Position { place: Place::default(), ..position.clone() });
    match (&position.gtids, &facts.executed) {
        (GtidSet::Mysql(ours), GtidSet::Mysql(executed)) => {
            if !executed.includes(ours) {
                return stop(format!(
                    "the server lacks transactions that were read already: {ours} is not within {executed}"
                ));
            }
            if let GtidSet::Mysql(purged) = &facts.purged
                && !ours.includes(purged)
            {
                return stop(format!(
                    "the binlog behind {position} is purged (the oldest file is {oldest}, purged are {purged})"
                ));
            }
            Ok(From { dump: DumpFrom::MysqlGtids(ours.encode()), start: elsewhere() })
        }
        (GtidSet::Mariadb(ours), GtidSet::Mariadb(executed)) => {
            if !executed.includes(ours) {
                return stop(format!(
                    "the server lacks transactions that were read already: {ours} is not within {executed}"
                ));
            }
            Ok(From { dump: DumpFrom::MariadbGtids(ours.to_string()), start: elsewhere() })
        }
        _ => stop(format!(
            "the binlog has no {} any more (the oldest file is {oldest}), and there are no GTIDs to go by",
            position.place
        )),
    }
}

fn is_same_log(facts: &Facts, known: &ServerIdentity, position: &Position) -> bool {
    let file = facts.binlogs.iter().find(|(file, _)| *file == position.place.file);
    let there = file.is_some_and(|(_, length)| position.place.pos <= *length);
    // Files of two servers have the same names: a place of one is none of the other's.
    if !there || *known != facts.server {
        return false;
    }
    if known.mariadb {
        return match (&facts.at_place, &position.gtids) {
            (Some(at_place), gtids) => at_place == gtids,
            (None, GtidSet::None) => true,
            (None, _) => false,
        };
    }
    facts.executed.includes(&position.gtids)
}

/// No server takes a longer name of a replica.
const HOST_MAX: usize = 60;

pub fn dump_options(options: &CdcOptions, address: &Address, server: &Server) -> DumpOptions {
    let name = format!("linli/{}/{}", options.reader, address.name);
    let hash = number_of(&name);
    let own = 1 << 31 | (hash as u32 & 0x3fff_ffff);
    let server_id = match options.server_id {
        0 if own == server.server_id => own ^ 1,
        0 => own,
        id => id,
    };
    let second = number_of(&format!("{name}/uuid"));
    let uuid = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        hash >> 32,
        hash >> 16 & 0xffff,
        hash & 0xffff,
        second >> 48,
        second & 0xffff_ffff_ffff
    );
    let shown = if options.reader.is_empty() { format!("linli/{}", address.name) } else { name };
    let host = shown.chars().filter(char::is_ascii_graphic).take(HOST_MAX).collect();
    let heartbeat_s = options.heartbeat.as_secs().max(1);
    DumpOptions { server_id, uuid, host, heartbeat_s, mariadb: server.identity.mariadb }
}

fn number_of(text: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::super::gtid::{MariadbGtids, MysqlGtids};
    use super::*;

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn mysql(set: &str) -> GtidSet {
        GtidSet::Mysql(MysqlGtids::parse(&set.replace("A:", &format!("{UUID}:"))).unwrap())
    }

    fn at(place: &str, gtids: GtidSet) -> Position {
        Position { place: Place::parse(place).unwrap(), partial: None, gtids }
    }

    fn identity(uuid: &str) -> ServerIdentity {
        ServerIdentity { mariadb: false, uuid: Some(uuid.to_owned()) }
    }

    fn facts(uuid: &str, files: &[&str], executed: GtidSet, purged: GtidSet) -> Facts {
        let binlogs = files.iter().map(|file| ((*file).to_owned(), 1000)).collect();
        Facts { server: identity(uuid), binlogs, executed, purged, at_place: None }
    }

    #[test]
    fn the_same_server_goes_on_by_place_and_another_by_gtid() {
        let position = at("binlog.000002:500", mysql("A:1-10"));
        let files = ["binlog.000002", "binlog.000003"];
        let same = facts("x", &files, mysql("A:1-20"), mysql(""));
        let from = decide(&same, &identity("x"), &position, "server").unwrap();
        assert_eq!(from, From { dump: DumpFrom::File { file: "binlog.000002".into(), pos: 500 }, start: Start::There });
        let other = facts("y", &files, mysql("A:1-20"), mysql("A:1-5"));
        let from = decide(&other, &identity("x"), &position, "server").unwrap();
        let GtidSet::Mysql(set) = &position.gtids else { panic!() };
        assert_eq!(from.dump, DumpFrom::MysqlGtids(set.encode()));
        assert!(matches!(from.start, Start::Elsewhere(_)));
    }

    #[test]
    fn what_is_missing_stops_the_reader() {
        let position = at("binlog.000002:500", mysql("A:1-10"));
        for (facts, word) in [
            (facts("x", &["binlog.000001"], mysql("A:1-3"), mysql("")), "lacks transactions"),
            (facts("x", &["binlog.000009"], mysql("A:1-99"), mysql("A:1-50")), "purged"),
            (facts("y", &["binlog.000002"], GtidSet::None, GtidSet::None), "no GTIDs"),
        ] {
            let error = decide(&facts, &identity("x"), &position, "server").unwrap_err();
            assert_eq!(error.kind, ErrorKind::Corrupt);
            assert!(error.to_string().contains(word), "{error}");
            assert!(error.hint.unwrap().contains("position reset"));
        }
        let none = at("binlog.000002:500", GtidSet::None);
        let purged = facts("x", &["binlog.000003"], GtidSet::None, GtidSet::None);
        assert!(decide(&purged, &identity("x"), &none, "server").is_err());
    }

    #[test]
    fn mariadb_goes_on_by_place_where_the_place_has_our_transactions() {
        let maria = |text: &str| GtidSet::Mariadb(MariadbGtids::parse(text).unwrap());
        let known = ServerIdentity { mariadb: true, uuid: None };
        let position = at("binlog.000002:500", maria("0-1-10"));
        let mut facts = facts("", &["binlog.000002"], maria("0-1-20"), GtidSet::None);
        facts.server = known.clone();
        facts.at_place = Some(maria("0-1-10"));
        assert_eq!(decide(&facts, &known, &position, "server").unwrap().start, Start::There);
        facts.at_place = Some(maria("0-1-12"));
        let from = decide(&facts, &known, &position, "server").unwrap();
        assert_eq!(from.dump, DumpFrom::MariadbGtids("0-1-10".into()));
    }

    #[test]
    fn a_place_of_one_mariadb_is_none_of_another() {
        let maria = |text: &str| GtidSet::Mariadb(MariadbGtids::parse(text).unwrap());
        let known = ServerIdentity { mariadb: true, uuid: Some("1@a:3306".to_owned()) };
        let position = at("binlog.000002:500", maria("0-1-10"));
        let mut facts = facts("", &["binlog.000002"], maria("0-1-20"), GtidSet::None);
        // In the middle of an event there, which BINLOG_GTID_POS does not mind.
        facts.server = ServerIdentity { mariadb: true, uuid: Some("2@b:3306".to_owned()) };
        facts.at_place = Some(maria("0-1-10"));
        let from = decide(&facts, &known, &position, "server").unwrap();
        assert_eq!(from.dump, DumpFrom::MariadbGtids("0-1-10".into()));
    }
}
