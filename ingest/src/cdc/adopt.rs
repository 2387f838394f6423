//! A table's definition from the log itself, where the server writes full row metadata.

use linli_binlog::{Charset, Column, ColumnType, LogColumn, Table, TableLayout, column_type as t};

use super::catalog::Known;

/// What the log says of a table; `None` where it says too little. What the log does not tell is kept from what is known.
pub fn table_of(layout: &TableLayout, known: Option<&Known>) -> Option<Table> {
    let mut columns = Vec::with_capacity(layout.columns.len());
    for column in &layout.columns {
        let name = column.name.clone()?;
        let same = known.and_then(|known| known.table.columns.iter().find(|column| column.name == name));
        let kind = match same {
            Some(same) if looks_like_binary(&same.kind) && column.kind == t::STRING => same.kind.clone(),
            _ => kind_of(column)?,
        };
        let generated = same.is_some_and(|column| column.generated);
        let default = same.filter(|same| same.kind == kind).map(|same| same.default.clone()).unwrap_or_default();
        columns.push(Column { name, kind, nullable: column.nullable, generated, default });
    }
    let primary_key = layout.primary_key.clone().unwrap_or_default();
    let mut table = Table { db: layout.db.clone(), name: layout.name.clone(), columns, primary_key };
    if let Some(history) = known.and_then(|known| known.history.as_ref()) {
        history.take_from_key(&mut table);
    }
    Some(table)
}

/// MariaDB's own types, which the log does not tell from BINARY.
fn looks_like_binary(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6)
}

fn kind_of(column: &LogColumn) -> Option<ColumnType> {
    let (high, low) = ((column.meta >> 8) as u8, column.meta as u8);
    let integer = |bytes| Some(ColumnType::Integer { bytes, unsigned: column.unsigned? });
    match column.kind {
        t::TINY => integer(1),
        t::SHORT => integer(2),
        t::INT24 => integer(3),
        t::LONG => integer(4),
        t::LONGLONG => integer(8),
        t::FLOAT => Some(ColumnType::Float),
        t::DOUBLE => Some(ColumnType::Double),
        t::NEWDECIMAL => Some(ColumnType::Decimal { precision: high, scale: low }),
        t::BIT => Some(ColumnType::Bit { length: low.checked_mul(8)?.checked_add(high)? }),
        t::YEAR => Some(ColumnType::Year),
        t::DATE | t::NEWDATE => Some(ColumnType::Date),
        t::TIME | t::TIME2 => Some(ColumnType::Time { fsp: low }),
        t::DATETIME | t::DATETIME2 => Some(ColumnType::DateTime { fsp: low }),
        t::TIMESTAMP | t::TIMESTAMP2 => Some(ColumnType::Timestamp { fsp: low }),
        t::ENUM => Some(ColumnType::Enum { values: column.values()? }),
        t::SET => Some(ColumnType::Set { values: column.values()? }),
        t::JSON => Some(ColumnType::Json),
        t::GEOMETRY => Some(ColumnType::Geometry),
        t::STRING => match column.charset()? {
            Charset::Binary => Some(ColumnType::Binary { length: column.meta }),
            charset => Some(ColumnType::Text { charset }),
        },
        t::VARCHAR | t::VAR_STRING | t::TINY_BLOB..=t::BLOB => text_or_bytes(column),
        t::MARIADB_BLOB_COMPRESSED | t::MARIADB_VARCHAR_COMPRESSED => text_or_bytes(column),
        _ => None,
    }
}

fn text_or_bytes(column: &LogColumn) -> Option<ColumnType> {
    Some(match column.charset()? {
        Charset::Binary => ColumnType::Bytes,
        charset => ColumnType::Text { charset },
    })
}
