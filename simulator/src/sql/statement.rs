//! Row changes as SQL: one text for all that is committed together, so that it takes one round trip.

use std::fmt::Write as _;

use linli_schemas::zone::Zone;

use super::lane::Lane;
use crate::records::{decimal, physical};
use crate::table::Value;
use crate::{Position, RowChange, Transaction};

/// Writes one SQL transaction: the rows of `group`, and how far `lane` has come with them, and asks for that. Returns how
/// many rows it finds or makes, that of the lane included.
///
/// What is created comes first, table by table; then the updates, in their order. A row is created once and
/// never goes away, so none is updated before it is there.
pub fn write<'a>(
    lane: Lane,
    group: impl Iterator<Item = &'a Transaction> + Clone,
    next: Position,
    zone: Zone,
    sql: &mut String,
) -> u64 {
    sql.clear();
    sql.push_str("begin;");
    let mut rows = inserts(group.clone(), zone, sql);
    for transaction in group {
        for row in &transaction.rows {
            rows += u64::from(update(transaction.server, row, zone, sql));
        }
    }
    put(
        sql,
        format_args!(
            "update linli_simulator.lanes set day={},number={} where lane={lane};commit;\
             select day,number from linli_simulator.lanes where lane={lane}",
            next.day,
            next.index,
            lane = lane.0
        ),
    );
    rows + 1
}

/// The new rows of one table.
struct Insert {
    table: String,
    columns: String,
    rows: String,
}

fn inserts<'a>(group: impl Iterator<Item = &'a Transaction>, zone: Zone, sql: &mut String) -> u64 {
    let mut inserts: Vec<Insert> = Vec::new();
    let mut count = 0;
    for transaction in group {
        for row in transaction.rows.iter().filter(|row| row.before.is_none()) {
            let table = table_of(transaction.server, row);
            let known = inserts.iter().position(|insert| insert.table == table).unwrap_or_else(|| {
                let columns: Vec<&str> = row.table.columns().iter().map(|column| column.name).collect();
                inserts.push(Insert { table, columns: columns.join(","), rows: String::new() });
                inserts.len() - 1
            });
            let rows = &mut inserts[known].rows;
            rows.push_str(if rows.is_empty() { "(" } else { ",(" });
            for (i, value) in row.after.iter().enumerate() {
                rows.push_str(if i == 0 { "" } else { "," });
                literal(value, zone, rows);
            }
            rows.push(')');
            count += 1;
        }
    }
    for Insert { table, columns, rows } in inserts {
        put(sql, format_args!("insert into {table} ({columns}) values {rows};"));
    }
    count
}

/// Says whether there is anything to update.
fn update(server: u8, row: &RowChange, zone: Zone, sql: &mut String) -> bool {
    let Some(before) = &row.before else { return false };
    let columns = row.table.columns();
    let mut changed = (0..columns.len()).filter(|i| before[*i] != row.after[*i]).peekable();
    if changed.peek().is_none() {
        return false;
    }
    put(sql, format_args!("update {} set ", table_of(server, row)));
    for (n, i) in changed.enumerate() {
        put(sql, format_args!("{}{}=", if n == 0 { "" } else { "," }, columns[i].name));
        literal(&row.after[i], zone, sql);
    }
    for (i, (column, value)) in columns.iter().zip(&row.after).take(row.table.key_columns()).enumerate() {
        put(sql, format_args!(" {} {}=", if i == 0 { "where" } else { "and" }, column.name));
        literal(value, zone, sql);
    }
    sql.push(';');
    true
}

fn table_of(server: u8, row: &RowChange) -> String {
    format!("shop_{server}.{}", physical(row))
}

fn literal(value: &Value, zone: Zone, sql: &mut String) {
    match value {
        Value::Null => sql.push_str("null"),
        Value::Int(n) => put(sql, format_args!("{n}")),
        Value::UInt(n) => put(sql, format_args!("{n}")),
        Value::Fen(n) => sql.push_str(&decimal(*n, 2)),
        Value::Micro(n) => sql.push_str(&decimal(*n, 6)),
        Value::Day(day) => put(sql, format_args!("'{}'", crate::shop::date(*day))),
        Value::Instant(at) => {
            let wall = chrono::DateTime::from_timestamp_millis(zone.to_wall_ms(*at)).unwrap_or_default();
            put(sql, format_args!("'{}'", wall.format("%Y-%m-%d %H:%M:%S%.3f")));
        }
        Value::Word(word) => text(word, sql),
        Value::Text(other) => text(other, sql),
    }
}

/// Escaped as the session reads it, where a backslash escapes.
fn text(value: &str, sql: &mut String) {
    sql.push('\'');
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            sql.push('\\');
        }
        sql.push(character);
    }
    sql.push('\'');
}

fn put(sql: &mut String, text: std::fmt::Arguments<'_>) {
    // writing to a String cannot fail
    let _ = sql.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use linli_schemas::EventTime;

    use super::*;
    use crate::{Strand, Table};

    fn change(table: Table, before: Option<Vec<Value>>, after: Vec<Value>) -> RowChange {
        RowChange { table, shard: None, before, after }
    }

    #[test]
    fn new_rows_of_a_table_are_one_statement_before_the_updates() {
        let brand = |id, name: &str| vec![Value::Int(id), Value::Text(name.into()), Value::Text("".into())];
        let stock = |on_hand| {
            let at = Value::Instant(EventTime(1_793_491_260_123));
            vec![Value::Int(1), Value::Int(7), Value::Int(on_hand), Value::Int(0), Value::Null, at]
        };
        let of = |rows| Transaction { server: 0, strand: Strand::Opening, rows };
        let group = [
            of(vec![
                change(Table::Brands, None, brand(1, r"O'Br\ien")),
                change(Table::Stock, Some(stock(5)), stock(4)),
                change(Table::Stock, Some(stock(4)), stock(4)),
            ]),
            of(vec![change(Table::Brands, None, brand(2, "牌"))]),
        ];
        let mut sql = String::new();
        let rows = write(Lane(3), group.iter(), Position { day: 20_000, index: 9 }, Zone::SHANGHAI, &mut sql);
        assert_eq!(rows, 4);
        let statements: Vec<&str> = sql.split(';').collect();
        assert_eq!(
            statements,
            [
                "begin",
                r"insert into shop_0.brands (brand_id,name,name_en) values (1,'O\'Br\\ien',''),(2,'牌','')",
                "update shop_0.stock set on_hand=4 where warehouse_id=1 and sku_id=7",
                "update linli_simulator.lanes set day=20000,number=9 where lane=3",
                "commit",
                "select day,number from linli_simulator.lanes where lane=3",
            ]
        );
        assert_eq!(
            {
                sql.clear();
                literal(&stock(1)[5], Zone::SHANGHAI, &mut sql);
                sql
            },
            "'2026-11-01 08:01:00.123'"
        );
    }
}
