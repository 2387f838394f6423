//! What the shop's tables hold, row by row, in the words of Debezium's records.

use std::collections::{BTreeMap, BTreeSet};

use linli_schemas::shop::{self, Owner};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value as Sql};
use serde_json::Value;

use super::Row;

/// How the values of a column are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// DECIMAL and texts: as they are.
    Text,
    /// Text that holds JSON, compared by what it means.
    Json,
    /// Wall time as if it were UTC: ms up to three decimals, µs above.
    Millis,
    Micros,
    /// Since 1970-01-01.
    Days,
}

#[derive(Debug)]
struct Table {
    columns: Vec<(String, Kind)>,
    key: Vec<String>,
}

/// The tables of the shop's databases on one server.
pub struct Tables {
    conn: Conn,
    /// By `database.table`.
    tables: BTreeMap<String, Table>,
}

impl Tables {
    /// As they are now.
    pub async fn read(url: &str) -> Tables {
        let mut conn = Conn::new(Opts::from_url(url).expect("a URL")).await.expect("the server answers");
        let sql = "SELECT table_schema, table_name, column_name, data_type, datetime_precision, column_key = 'PRI' \
                   FROM information_schema.columns WHERE table_schema REGEXP '^shop_[0-9]+$' \
                   ORDER BY table_schema, table_name, ordinal_position";
        type Column = (String, String, String, String, Option<u8>, bool);
        let columns: Vec<Column> = conn.query(sql).await.expect("columns");
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for (database, table, column, data_type, precision, in_key) in columns {
            // what Linli writes itself does not come back
            if shop::VIEWS.iter().any(|view| view.name == table)
                || shop::TABLES.iter().any(|known| known.owner == Owner::Linli && known.name == table)
            {
                continue;
            }
            let table = tables.entry(format!("{database}.{table}")).or_insert(Table { columns: vec![], key: vec![] });
            if in_key {
                table.key.push(column.clone());
            }
            let kind = match data_type.as_str() {
                "tinyint" | "smallint" | "int" | "bigint" => Kind::Number,
                "decimal" | "varchar" | "char" | "text" | "longtext" => Kind::Text,
                "json" => Kind::Json,
                "datetime" if precision.unwrap_or(0) <= 3 => Kind::Millis,
                "datetime" => Kind::Micros,
                "date" => Kind::Days,
                // of terms with suppliers: nobody agreed on any here
                "time" => Kind::Text,
                other => panic!("the oracle knows no {other}"),
            };
            table.columns.push((column, kind));
        }
        Tables { conn, tables }
    }

    pub fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// The topics that must tell them.
    pub fn topics(&self) -> BTreeSet<String> {
        self.tables.keys().map(|table| topic_of(table)).collect()
    }

    /// The tables that a topic must tell.
    pub fn of_topic(&self, topic: &str) -> Vec<String> {
        self.tables.keys().filter(|table| topic_of(table) == topic).cloned().collect()
    }

    pub fn key(&self, table: &str) -> &[String] {
        &self.tables.get(table).unwrap_or_else(|| panic!("there is no table {table}")).key
    }

    /// Brings a row of a topic into the form of [`Tables::rows`].
    pub fn understood(&self, table: &str, mut row: Row) -> Row {
        for (column, _) in self.tables[table].columns.iter().filter(|(_, kind)| *kind == Kind::Json) {
            if let Some(Value::String(text)) = row.get(column) {
                let meaning = serde_json::from_str(text).unwrap_or_else(|error| panic!("{table}.{column}: {error}"));
                row.insert(column.clone(), meaning);
            }
        }
        row
    }

    /// Shows every row of a table.
    pub async fn rows(&mut self, table: &str, mut show: impl FnMut(Row)) {
        let columns = &self.tables[table].columns;
        let mut result = self.conn.query_iter(format!("SELECT * FROM {table}")).await.expect("rows");
        let names: Vec<String> = result.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
        assert_eq!(names, columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), "{table}");
        while let Some(row) = result.next().await.expect("a row") {
            let cells = columns.iter().zip(row.unwrap());
            show(cells.map(|((name, kind), value)| (name.clone(), told(*kind, value))).collect());
        }
    }
}

/// `shop_0.orders_12` goes to `shop.orders`.
fn topic_of(table: &str) -> String {
    let name = table.split_once('.').map_or(table, |(_, name)| name);
    let logical = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_').unwrap_or(name);
    format!("shop.{logical}")
}

fn told(kind: Kind, value: Sql) -> Value {
    let text = match value {
        Sql::NULL => return Value::Null,
        Sql::Bytes(bytes) => String::from_utf8(bytes).expect("UTF-8"),
        other => panic!("text queries tell texts, not {other:?}"),
    };
    match kind {
        Kind::Number => match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => panic!("{text} is no integer"),
        },
        Kind::Text => Value::String(text),
        Kind::Json => serde_json::from_str(&text).expect("JSON"),
        Kind::Days => days(&text).into(),
        Kind::Millis => (micros(&text) / 1000).into(),
        Kind::Micros => micros(&text).into(),
    }
}

/// `2026-11-01 08:01:00.123`
fn micros(text: &str) -> i64 {
    let (date, time) = text.split_once(' ').expect("a date and a time");
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let clock: Vec<i64> = clock.split(':').map(number).collect();
    let [hours, minutes, seconds] = clock[..] else { panic!("{text} is no time") };
    ((days(date) * 24 + hours) * 60 + minutes) * 60_000_000 + seconds * 1_000_000 + number(&format!("{fraction:0<6}"))
}

/// `2026-11-01`, counted year by year.
fn days(text: &str) -> i64 {
    let date: Vec<i64> = text.split('-').map(number).collect();
    let [year, month, day] = date[..] else { panic!("{text} is no date") };
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths[..month as usize - 1].iter().sum::<i64>() + day - 1
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn wall_times_are_counted_from_1970() {
    assert_eq!(micros("1970-01-02 00:00:00"), 86_400_000_000);
    assert_eq!(micros("2026-11-01 08:01:00.123"), 1_793_520_060_123_000);
    assert_eq!(days("2000-03-01"), 11_017);
}
