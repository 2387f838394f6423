//! The tables as information_schema tells them.

use std::collections::BTreeMap;

use linli_binlog::{Column, ColumnDefault, ColumnType, Table};
use linli_connectors::Error;

use super::catalog::{Catalog, History, Known};
use super::ddl::types::from_information_schema;
use super::route::Router;
use super::server::Server;
use super::wire::{Cells, Wire, WireError, WireResult, literal, name};

/// What MariaDB calls tables that keep their old rows.
const VERSIONED: &str = "SYSTEM VERSIONED";

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
    let sql = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type='SEQUENCE'";
    for row in wire.query(sql).await.map_err(at)? {
        if let [Some(db), Some(name)] = row.as_slice()
            && router.follows_database(db)
        {
            catalog.put_sequence(db, name);
        }
    }
    Ok(catalog)
}

/// Foreign keys by which a server changes rows of followed tables without a word in its log, as `table (constraint)`.
pub async fn cascades(wire: &mut Wire, router: &Router) -> WireResult<Vec<String>> {
    let sql = "SELECT constraint_schema, table_name, constraint_name FROM information_schema.referential_constraints \
               WHERE update_rule IN ('CASCADE', 'SET NULL') OR delete_rule IN ('CASCADE', 'SET NULL') ORDER BY 1, 2, 3";
    let told = |row: Vec<Option<String>>| match row.as_slice() {
        [Some(db), Some(table), Some(constraint)] if router.follows(db, table) => {
            Some(format!("{db}.{table} ({constraint})"))
        }
        _ => None,
    };
    Ok(wire.query(sql).await?.into_iter().filter_map(told).collect())
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
        "SELECT t.table_schema, t.table_name, c.character_set_name, table_type FROM information_schema.tables t \
         LEFT JOIN information_schema.collation_character_set_applicability c ON c.collation_name=t.table_collation \
         WHERE table_type IN ('BASE TABLE', '{VERSIONED}') AND {filter}"
    );
    let mut charsets: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    let mut versioned: Vec<(String, String)> = Vec::new();
    for row in wire.query(&sql).await? {
        if let [Some(db), Some(table), charset, kind] = row.as_slice()
            && router.follows(db, table)
        {
            charsets.insert((db.clone(), table.clone()), charset.clone());
            versioned.extend((kind.as_deref() == Some(VERSIONED)).then(|| (db.clone(), table.clone())));
        }
    }
    let mut found: BTreeMap<(String, String), Known> = BTreeMap::new();
    // Columns whose defaults are literals: the server itself shows them exactly.
    let mut told: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for row in wire.query(&columns_sql(&filter)).await? {
        let [Some(db), Some(table), Some(name), Some(kind), charset, Some(nullable), generated, default, extra] =
            row.as_slice()
        else {
            continue;
        };
        let Some(table_charset) = charsets.get(&(db.clone(), table.clone())) else {
            continue;
        };
        let known = found.entry((db.clone(), table.clone())).or_insert_with(|| Known {
            table: Table { db: db.clone(), name: table.clone(), columns: Vec::new(), primary_key: Vec::new() },
            charset: table_charset.clone(),
            lost: None,
            history: None,
        });
        if generated.as_deref() == Some("ROW END") {
            known.history = Some(History { end: name.clone(), hidden: false });
        }
        let Some(kind) = from_information_schema(kind, charset.as_deref(), server.identity.mariadb) else {
            known.lost = Some(format!("the type {kind:?} of column {name:?} is not known"));
            continue;
        };
        let nullable = nullable == "YES";
        if is_literal(default.as_deref(), extra.as_deref().unwrap_or_default(), server.identity.mariadb) {
            told.entry((db.clone(), table.clone())).or_default().push(known.table.columns.len());
        }
        let default = match default.as_deref() {
            None => ColumnDefault::implicit(&kind, nullable),
            Some("NULL") if server.identity.mariadb => ColumnDefault::Null,
            Some(_) => ColumnDefault::Unknown,
        };
        known.table.columns.push(Column {
            name: name.clone(),
            kind,
            nullable,
            generated: generated.as_deref().is_some_and(|expression| !expression.is_empty()),
            default,
        });
    }
    for (name, columns) in told {
        if let Some(known) = found.get_mut(&name) {
            read_defaults(wire, &mut known.table, &columns).await?;
        }
    }
    for row in wire.query(&keys_sql(&filter)).await? {
        if let [Some(db), Some(table), Some(column)] = row.as_slice()
            && let Some(known) = found.get_mut(&(db.clone(), table.clone()))
            && let Some(index) = known.table.column(column)
        {
            known.table.primary_key.push(index);
        }
    }
    for name in versioned {
        if let Some(known) = found.get_mut(&name) {
            let history = known.history.take().unwrap_or_else(|| History::hide_in(&mut known.table));
            history.take_from_key(&mut known.table);
            known.history = Some(history);
        }
    }
    Ok(found.into_values().collect())
}

/// Whether a default is a literal: the outcome of an expression is in the log, and asking for it may have effects.
fn is_literal(default: Option<&str>, extra: &str, mariadb: bool) -> bool {
    let Some(default) = default else {
        return false;
    };
    if mariadb {
        let digits = default.strip_prefix('-').unwrap_or(default);
        return default.starts_with('\'')
            || default.starts_with("b'")
            || digits.starts_with(|c: char| c.is_ascii_digit());
    }
    !extra.to_ascii_uppercase().contains("DEFAULT_GENERATED")
        && !default.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP")
}

/// As a row of a SELECT would show them. What the text in information_schema is of depends on the session that wrote it.
async fn read_defaults(wire: &mut Wire, table: &mut Table, columns: &[usize]) -> WireResult<()> {
    let expression = |index: &usize| {
        let column = table.columns.get(*index)?;
        let float = if column.kind == ColumnType::Float { "+0e0" } else { "" };
        Some(format!("DEFAULT(t.{}){float}", name(&column.name)))
    };
    let expressions: Vec<String> = columns.iter().filter_map(expression).collect();
    let sql = format!(
        "SELECT {} FROM (SELECT 1) one LEFT JOIN {}.{} t ON FALSE",
        expressions.join(","),
        name(&table.db),
        name(&table.name)
    );
    match wire.start_query(&sql).await {
        Ok(_) => {}
        // Without the right to read it: then its rows are not read either.
        Err(WireError::Server { code, message, .. }) => {
            tracing::warn!(table = table.full_name(), code, message, "the defaults of a table cannot be read");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let mut cells = Cells::new();
    while wire.next_row(&mut cells).await? {
        let payload = wire.payload();
        for (index, cell) in columns.iter().zip(&cells) {
            if let Some(column) = table.columns.get_mut(*index) {
                column.default = ColumnDefault::of_cell(cell.clone().and_then(|cell| payload.get(cell)));
            }
        }
    }
    Ok(())
}

fn columns_sql(filter: &str) -> String {
    format!(
        "SELECT table_schema, table_name, column_name, column_type, character_set_name, is_nullable, generation_expression, \
         column_default, extra \
         FROM information_schema.columns WHERE {filter} ORDER BY table_schema, table_name, ordinal_position"
    )
}

fn keys_sql(filter: &str) -> String {
    format!(
        "SELECT table_schema, table_name, column_name FROM information_schema.statistics \
         WHERE index_name='PRIMARY' AND {filter} ORDER BY table_schema, table_name, seq_in_index"
    )
}
