//! Migrations: numbered statements, each applied once and remembered with a checksum.

use clickhouse::Row;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Error, ErrorKind, Result, Warehouse};

/// One file of `ddl/`. Statements end with `;` at the end of a line and can be repeated: a crash between the statement
/// and its record runs it again.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub number: u32,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal),* $(,)?) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../ddl/", $name, ".sql")),
        }),*]
    };
}

/// In order of their numbers. A file that was released is never changed: the next one changes what it made.
pub const MIGRATIONS: &[Migration] = migrations![
    1 "0001_metric_parts",
    2 "0002_orders",
    3 "0003_order_items",
    4 "0004_clicks",
    5 "0005_dead_letters",
    6 "0006_order_sale_dates",
    7 "0007_community_sales",
    8 "0008_metric_views",
    9 "0009_sales",
    10 "0010_settings",
    11 "0011_names",
    12 "0012_stock_levels",
    13 "0013_demand_forecasts",
    14 "0014_restock_lines",
    15 "0015_restock_runs",
    16 "0016_ads_near_expiry",
    17 "0017_ads_restock_value",
];

const BOOKKEEPING: &str = include_str!("../ddl/0000_schema_migrations.sql");

/// What a call of [`migrate`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Names of the migrations that this call applied.
    pub now: Vec<&'static str>,
    /// How many had been applied before.
    pub before: usize,
}

#[derive(Row, Deserialize)]
struct Recorded {
    number: u32,
    checksum: String,
}

/// Brings the database to the state that this binary expects. Safe to call at every start.
pub async fn migrate(warehouse: &Warehouse) -> Result<Applied> {
    migrate_with(warehouse, MIGRATIONS).await
}

/// As [`migrate`], with a table of migrations of the caller's.
pub async fn migrate_with(warehouse: &Warehouse, migrations: &[Migration]) -> Result<Applied> {
    warehouse.execute(BOOKKEEPING).await?;
    let recorded: Vec<Recorded> = warehouse
        .query("select number, any(checksum) as checksum from schema_migrations group by number order by number")
        .fetch_all()
        .await
        .map_err(|error| warehouse.failure(error))?;
    check(&recorded, migrations)?;
    let mut applied = Applied { now: Vec::new(), before: recorded.len() };
    for migration in migrations {
        if recorded.iter().any(|r| r.number == migration.number) {
            continue;
        }
        for statement in statements(migration.sql) {
            warehouse.execute(statement).await.map_err(|mut error| {
                error.object = format!("migration {} on {}", migration.name, error.object);
                error
            })?;
        }
        warehouse
            .query("insert into schema_migrations (number, name, checksum) select {number:UInt32}, {name:String}, {checksum:String}")
            .param("number", migration.number)
            .param("name", migration.name)
            .param("checksum", checksum(migration.sql))
            .execute()
            .await
            .map_err(|error| warehouse.failure(error))?;
        tracing::info!(migration = migration.name, "warehouse migrated");
        applied.now.push(migration.name);
    }
    Ok(applied)
}

fn check(recorded: &[Recorded], migrations: &[Migration]) -> Result<()> {
    for record in recorded {
        let Some(known) = migrations.iter().find(|m| m.number == record.number) else {
            return Err(Error::new(
                ErrorKind::Config,
                "warehouse schema",
                format!("migration {} was applied by a newer version of linli", record.number),
            )
            .hint("start that version or a later one, or name another --namespace"));
        };
        if checksum(known.sql) != record.checksum {
            return Err(Error::new(
                ErrorKind::Config,
                "warehouse schema",
                format!("migration {} was applied with another content than this binary holds", known.name),
            )
            .hint("start the version of linli that applied it, or name another --namespace and load again"));
        }
    }
    Ok(())
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statements of a file: each ends with `;` at the end of a line, or with the file.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_names_begin_with_them() {
        for (i, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.number as usize, i + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.number)), "{}", migration.name);
            assert!(migration.sql.starts_with("-- "), "{} says first what it is for", migration.name);
            assert!(statements(migration.sql).count() >= 1);
        }
    }

    #[test]
    fn every_metric_of_the_catalogue_but_the_newest_only_has_a_view() {
        let views = MIGRATIONS.iter().find(|m| m.name == "0008_metric_views").expect("the views").sql;
        for metric in linli_schemas::metric::Metric::ALL {
            if metric == linli_schemas::metric::Metric::TopHopCommunity {
                continue;
            }
            assert!(views.contains(&format!("create or replace view {} as", metric.name())), "{}", metric.name());
            assert!(views.contains(&format!("where metric = '{}'", metric.name())), "{}", metric.name());
        }
    }
}
