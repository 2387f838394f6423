//! The tables as information_schema tells them.

use std::collections::BTreeMap;

use linli_binlog::{Column, Table};
use linli_connectors::Error;

use super::catalog::{Catalog, Known};
use super::ddl::types::from_information_schema;
use super::route::Router;
use super::server::Server;
use super::wire::{Wire, WireError, WireResult, literal};

/// Reads the definitions of all tables that are followed. What cannot be understood is marked as lost.
pub async fn read(wire: &mut Wire, server: &Server, router: &Router, object: &str) -> Result<Catalog, Error> {
    let mut catalog = Catalog::default();
    let at = |error: WireError| error.at(object.to_owned());
    let sql = "SELECT schema_name, default_character_set_name FROM information_schema.schemata";
    for row in wire.query(sql).await.map_err(at)? {
        if let [Some(db), charset] = row.as_slice()
            && router.follows_database(db)
        {
            catalog.set_charset(db, charset.clone());
        }
    }
    for known in tables(wire, server, router, None).await.map_err(at)? {
        catalog.put(known);
    }
    Ok(catalog)
}

/// One table anew.
pub async fn read_table(
    wire: &mut Wire,
    server: &Server,
    router: &Router,
    db: &str,
    table: &str,
) -> WireResult<Option<Known>> {
    Ok(tables(wire, server, router, Some((db, table))).await?.into_iter().next())
}

async fn tables(
    wire: &mut Wire,
    server: &Server,
    router: &Router,
    only: Option<(&str, &str)>,
) -> WireResult<Vec<Known>> {
    let filter = match only {
        Some((db, table)) => format!("table_schema={} AND table_name={}", literal(db), literal(table)),
        None => "table_schema NOT IN ('mysql','sys','information_schema','performance_schema')".to_owned(),
    };
    let sql = format!(
        "SELECT t.table_schema, t.table_name, c.character_set_name FROM information_schema.tables t \
         LEFT JOIN information_schema.collation_character_set_applicability c ON c.collation_name=t.table_collation \
         WHERE table_type='BASE TABLE' AND {filter}"
    );
    let mut charsets: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    for row in wire.query(&sql).await? {
        if let [Some(db), Some(table), charset] = row.as_slice()
            && router.follows(db, table)
        {
            charsets.insert((db.clone(), table.clone()), charset.clone());
        }
    }
    let mut found: BTreeMap<(String, String), Known> = BTreeMap::new();
    for row in wire.query(&columns_sql(&filter)).await? {
        let [Some(db), Some(table), Some(name), Some(kind), charset, Some(nullable), generated] = row.as_slice() else {
            continue;
        };
        let Some(default) = charsets.get(&(db.clone(), table.clone())) else {
            continue;
        };
        let known = found.entry((db.clone(), table.clone())).or_insert_with(|| Known {
            table: Table { db: db.clone(), name: table.clone(), columns: Vec::new(), primary_key: Vec::new() },
            charset: default.clone(),
            lost: None,
        });
        let Some(kind) = from_information_schema(kind, charset.as_deref(), server.identity.mariadb) else {
            known.lost = Some(format!("the type {kind:?} of column {name:?} is not known"));
            continue;
        };
        known.table.columns.push(Column {
            name: name.clone(),
            kind,
            nullable: nullable == "YES",
            generated: generated.as_deref().is_some_and(|expression| !expression.is_empty()),
        });
    }
    for row in wire.query(&keys_sql(&filter)).await? {
        if let [Some(db), Some(table), Some(column)] = row.as_slice()
            && let Some(known) = found.get_mut(&(db.clone(), table.clone()))
            && let Some(index) = known.table.column(column)
        {
            known.table.primary_key.push(index);
        }
    }
    Ok(found.into_values().collect())
}

fn columns_sql(filter: &str) -> String {
    format!(
        "SELECT table_schema, table_name, column_name, column_type, character_set_name, is_nullable, generation_expression \
         FROM information_schema.columns WHERE {filter} ORDER BY table_schema, table_name, ordinal_position"
    )
}

fn keys_sql(filter: &str) -> String {
    format!(
        "SELECT table_schema, table_name, column_name FROM information_schema.statistics \
         WHERE index_name='PRIMARY' AND {filter} ORDER BY table_schema, table_name, seq_in_index"
    )
}
