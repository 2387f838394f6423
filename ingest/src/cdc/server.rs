//! What a server is and how it is set up: checked before anything is read from it.

use linli_binlog::Checksum;
use linli_connectors::{Error, ErrorKind};

use super::gtid::{GtidSet, MariadbGtids, MysqlGtids};
use super::position::{Place, Position};
use super::store::ServerIdentity;
use super::wire::{Address, Wire, WireError, WireResult, literal};

#[derive(Clone, Debug)]
pub struct Server {
    pub identity: ServerIdentity,
    pub version: String,
    pub server_id: u32,
    /// Transactions are numbered.
    pub gtids: bool,
    pub checksum: Checksum,
    /// The log holds whole rows.
    pub full_images: bool,
    /// The log tells definitions of tables.
    pub full_metadata: bool,
}

/// Connects, with the session as every reading needs it.
pub async fn connect(address: &Address) -> Result<Wire, Error> {
    let object = address.object();
    let mut wire = address.connect().await.map_err(|error| error.at(object.clone()))?;
    let session = "SET NAMES utf8mb4, time_zone='+00:00', sql_mode='', net_write_timeout=600, wait_timeout=28800";
    wire.execute(session).await.map_err(|error| error.at(object))?;
    Ok(wire)
}

impl Server {
    /// Asks the server what it is, and refuses what would lose changes, each with its remedy.
    pub async fn examine(wire: &mut Wire, address: &Address) -> Result<Server, Error> {
        let object = address.object();
        let at = |error: WireError| error.at(object.clone());
        let mariadb = wire.version().contains("MariaDB");
        let mut problems = Vec::new();
        let log_bin = variable(wire, "log_bin").await.map_err(at)?;
        if log_bin.as_deref() != Some("1") && log_bin.as_deref() != Some("ON") {
            problems.push("it writes no binlog: start it with --log-bin and restart".to_owned());
        }
        for (name, wanted, remedy) in [
            ("binlog_format", "ROW", "set global binlog_format = 'ROW', and let its clients reconnect"),
            ("binlog_row_value_options", "", "set global binlog_row_value_options = ''"),
        ] {
            let value = variable(wire, name).await.map_err(at)?;
            if let Some(value) = value.filter(|value| !value.eq_ignore_ascii_case(wanted)) {
                problems.push(format!("{name} is {value}: {remedy}"));
            }
        }
        let server_id =
            variable(wire, "server_id").await.map_err(at)?.and_then(|id| id.parse::<u32>().ok()).unwrap_or(0);
        if server_id == 0 {
            problems.push("server_id is 0: set global server_id to a number of its own".to_owned());
        }
        problems.extend(missing_privileges(wire).await.map_err(at)?);
        if !problems.is_empty() {
            return Err(Error::new(ErrorKind::Config, object, problems.join("; "))
                .hint("the shop's database has to be set up for reading its binlog"));
        }
        let is = async |wire: &mut Wire, name: &str, wanted: &str| -> WireResult<bool> {
            Ok(variable(wire, name).await?.is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
        };
        let full_metadata = is(wire, "binlog_row_metadata", "FULL").await.map_err(at)?;
        let full_images = is(wire, "binlog_row_image", "FULL").await.map_err(at)?;
        if !full_metadata {
            tracing::info!(server = %object, "binlog_row_metadata is not FULL: definitions come from information_schema and the DDL in the log");
        }
        let crc = is(wire, "binlog_checksum", "CRC32").await.map_err(at)?;
        Ok(Server {
            gtids: mariadb || is(wire, "gtid_mode", "ON").await.map_err(at)?,
            identity: ServerIdentity {
                mariadb,
                uuid: if mariadb {
                    mariadb_identity(wire).await.map_err(at)?
                } else {
                    variable(wire, "server_uuid").await.map_err(at)?
                },
            },
            version: wire.version().to_owned(),
            server_id,
            checksum: if crc { Checksum::Crc32 } else { Checksum::None },
            full_images,
            full_metadata,
        })
    }

    /// Where the binlog ends now, without GTIDs.
    pub async fn place(&self, wire: &mut Wire) -> WireResult<Place> {
        Ok(status(wire).await?.0)
    }

    /// Where the binlog ends now.
    pub async fn current(&self, wire: &mut Wire) -> WireResult<Position> {
        let (place, executed) = status(wire).await?;
        let gtids = match self.identity.mariadb {
            true => self.gtids_at(wire, &place).await?.unwrap_or_default(),
            false if self.gtids => {
                GtidSet::Mysql(MysqlGtids::parse(&executed).ok_or(WireError::Protocol("the executed GTIDs"))?)
            }
            false => GtidSet::None,
        };
        Ok(Position { place, partial: None, gtids })
    }

    /// MariaDB: the GTIDs before a place; `None` where it has no such place.
    pub async fn gtids_at(&self, wire: &mut Wire, place: &Place) -> WireResult<Option<GtidSet>> {
        let sql = format!("SELECT BINLOG_GTID_POS({}, {})", literal(&place.file), place.pos);
        let text = wire.query_one(&sql).await?;
        Ok(text.and_then(|text| MariadbGtids::parse(&text)).map(GtidSet::Mariadb))
    }

    /// The binlogs that are there, with their lengths.
    pub async fn binlogs(wire: &mut Wire) -> WireResult<Vec<(String, u64)>> {
        let rows = wire.query("SHOW BINARY LOGS").await?;
        let file = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter();
            let name = cells.next().flatten()?;
            Some((name, cells.next().flatten()?.parse().ok()?))
        };
        Ok(rows.into_iter().filter_map(file).collect())
    }
}

/// MariaDB has no uuid of its own in all versions: its id, which is unlike that of any replica, and where it runs.
async fn mariadb_identity(wire: &mut Wire) -> WireResult<Option<String>> {
    wire.query_one("SELECT CONCAT(@@global.server_id, '@', @@hostname, ':', @@port)").await
}

/// The end of the binlog, and MySQL's executed GTIDs.
async fn status(wire: &mut Wire) -> WireResult<(Place, String)> {
    let rows = match wire.query("SHOW MASTER STATUS").await {
        Err(WireError::Server { code: 1064, .. }) => wire.query("SHOW BINARY LOG STATUS").await?,
        rows => rows?,
    };
    let row = rows.into_iter().next().ok_or(WireError::Protocol("no position of the binlog"))?;
    let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
    let pos = cell(1).parse().map_err(|_| WireError::Protocol("the position of the binlog"))?;
    Ok((Place::new(cell(0), pos), cell(4)))
}

/// A global setting; `None` where the server does not know it.
pub async fn variable(wire: &mut Wire, name: &str) -> WireResult<Option<String>> {
    match wire.query_one(&format!("SELECT @@global.{name}")).await {
        Err(WireError::Server { code: 1193, .. }) => Ok(None),
        value => value,
    }
}

/// One sentence for each privilege that reading needs and the user lacks.
async fn missing_privileges(wire: &mut Wire) -> WireResult<Vec<String>> {
    let grants: Vec<String> = match wire.query("SHOW GRANTS").await {
        Ok(rows) => rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect(),
        Err(WireError::Server { .. }) => return Ok(Vec::new()), // cannot be told: the attempt will
        Err(error) => return Err(error),
    };
    let user = wire.query_one("SELECT CURRENT_USER()").await?.unwrap_or_default();
    Ok(lacking(&grants)
        .into_iter()
        .map(|privilege| format!("user {user} lacks {privilege}: grant {privilege} on *.* to it"))
        .collect())
}

fn lacking(grants: &[String]) -> Vec<&'static str> {
    let grants: Vec<String> = grants.iter().map(|grant| grant.to_ascii_uppercase()).collect();
    let globally = |name: &str| {
        grants.iter().any(|grant| {
            let (privileges, rest) = grant.split_once(" ON ").unwrap_or((grant, ""));
            rest.starts_with("*.*") && (privileges.contains("ALL PRIVILEGES") || privileges.contains(name))
        })
    };
    let anywhere = |name: &str| grants.iter().any(|grant| grant.contains(name) || grant.contains("ALL PRIVILEGES"));
    // Roles may hold what is not seen here.
    if grants.iter().any(|grant| !grant.contains(" ON ")) {
        return Vec::new();
    }
    let mut lacking = Vec::new();
    if !globally("REPLICATION SLAVE") && !globally("REPLICATION REPLICA") {
        lacking.push("REPLICATION SLAVE");
    }
    if !globally("REPLICATION CLIENT") && !globally("BINLOG MONITOR") && !globally("SUPER") {
        lacking.push("REPLICATION CLIENT");
    }
    if !anywhere("SELECT") {
        lacking.push("SELECT");
    }
    lacking
}

#[cfg(test)]
mod tests {
    use super::lacking;

    #[test]
    fn each_missing_privilege_is_named() {
        let case = |grants: &[&str]| lacking(&grants.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert!(case(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]).is_empty());
        assert_eq!(case(&["GRANT USAGE ON *.* TO `x`@`%`"]), ["REPLICATION SLAVE", "REPLICATION CLIENT", "SELECT"]);
        assert_eq!(
            case(&["GRANT REPLICATION SLAVE ON *.* TO `x`@`%`", "GRANT SELECT ON `shop_0`.* TO `x`@`%`"]),
            ["REPLICATION CLIENT"]
        );
        assert!(
            case(&[
                "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `x`@`%`",
                "GRANT SELECT ON `shop_0`.* TO `x`@`%`"
            ])
            .is_empty()
        );
    }
}
