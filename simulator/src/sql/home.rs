//! What a server remembers of the shop that its databases hold.

use std::collections::BTreeMap;

use linli_schemas::shop::{self, Place, Shards};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::lane::Lane;
use super::{Server, sql_error};
use crate::{Error, Position, Result, Table};

/// Which shop it is, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The shop's fingerprint.
    pub shop: String,
    /// The shop's first day, in days since 1970-01-01.
    pub opened_on: i32,
    /// When its tables were made, epoch ms: tells it from one that was there before on the same server.
    pub born_ms: i64,
}

/// A connection to one server, for what is done before anything is committed.
pub struct Doorway {
    name: String,
    conn: Conn,
    /// The numbers of the databases that lie on it.
    databases: Vec<u8>,
}

impl Doorway {
    pub async fn open(server: &Server, databases: Vec<u8>) -> Result<Doorway> {
        let conn = server.connect().await.map_err(sql_error(server.name(), "connect"))?;
        Ok(Doorway { name: server.name(), conn, databases })
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).await.map_err(sql_error(self.name.clone(), sql))
    }

    /// Makes the databases and tables that are missing.
    pub async fn create_tables(&mut self) -> Result<()> {
        for statement in shop::statements(&Shards::default()) {
            if self.databases.iter().any(|database| u32::from(*database) == statement.database) {
                self.run(&statement.sql).await?;
            }
        }
        for sql in [include_str!("database.sql"), include_str!("shop.sql"), include_str!("lanes.sql")] {
            self.run(sql).await?;
        }
        Ok(())
    }

    pub async fn home(&mut self) -> Result<Option<Home>> {
        let sql = "select shop, datediff(opened_on, '1970-01-01'), born_ms from linli_simulator.shop where one = 1";
        let row: Option<(String, i32, i64)> =
            self.conn.query_first(sql).await.map_err(sql_error(self.name.clone(), sql))?;
        Ok(row.map(|(shop, opened_on, born_ms)| Home { shop, opened_on, born_ms }))
    }

    /// Refuses tables that hold rows of somebody else's.
    pub async fn move_in(&mut self, home: &Home) -> Result<()> {
        for database in self.databases.clone() {
            for table in tables(database) {
                let sql = format!("select 1 from {table} limit 1");
                let row: Option<u8> = self.conn.query_first(&sql).await.map_err(sql_error(self.name.clone(), &sql))?;
                if row.is_some() {
                    return Err(Error::NotOurs { server: self.name.clone(), table });
                }
            }
        }
        let sql = "insert into linli_simulator.shop (one, shop, opened_on, born_ms) values (1, ?, ?, ?)";
        let opened_on = crate::shop::date(home.opened_on).to_string();
        let values = (&home.shop, opened_on, home.born_ms);
        self.conn.exec_drop(sql, values).await.map_err(sql_error(self.name.clone(), sql))
    }

    /// Up to where the lanes have committed; those that are new begin with the shop.
    pub async fn lanes(&mut self, lanes: impl Iterator<Item = Lane>) -> Result<BTreeMap<Lane, Position>> {
        let mut known = BTreeMap::new();
        for lane in lanes {
            self.run(&format!("insert ignore into linli_simulator.lanes values ({}, 0, 0)", lane.0)).await?;
            let position = position(&mut self.conn, lane).await.map_err(sql_error(self.name.clone(), "read a lane"))?;
            known.insert(lane, position);
        }
        Ok(known)
    }

    pub async fn close(self) {
        // nothing is open on it any more
        let _ = self.conn.disconnect().await;
    }
}

/// Up to which change a lane has committed.
pub async fn position(conn: &mut Conn, lane: Lane) -> Result<Position, mysql_async::Error> {
    let sql = format!("select day, number from linli_simulator.lanes where lane = {}", lane.0);
    let row: Option<(i32, u64)> = conn.query_first(sql).await?;
    let (day, index) = row.unwrap_or_default();
    Ok(Position { day, index })
}

/// The tables of a database that the simulated shop fills.
fn tables(database: u8) -> Vec<String> {
    let (shards, database) = (Shards::default(), u32::from(database));
    let filled = shop::TABLES.into_iter().filter(|table| Table::ALL.iter().any(|ours| ours.name() == table.name));
    let mut names = Vec::new();
    for table in filled {
        match table.place {
            Place::First if database > 0 => {}
            Place::First | Place::Each => names.push(table.name.to_owned()),
            Place::Split => {
                let own = (0..shards.tables).filter(|number| shards.database_of(*number) == database);
                names.extend(own.map(|number| format!("{}_{number}", table.name)));
            }
        }
    }
    names.into_iter().map(|name| format!("{}.{name}", shards.database(database))).collect()
}
