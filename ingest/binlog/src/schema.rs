//! Tables as a schema history keeps them.

use serde::{Deserialize, Serialize};

use crate::charset::Charset;
use crate::defaults::ColumnDefault;

/// A table at one point of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub db: String,
    pub name: String,
    pub columns: Vec<Column>,
    /// Indices of columns, in the order of the key. Empty without a primary key.
    pub primary_key: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub nullable: bool,
    /// A virtual or stored generated column.
    #[serde(default)]
    pub generated: bool,
    /// What an insert gives it that does not name it.
    #[serde(default, skip_serializing_if = "ColumnDefault::is_unknown")]
    pub default: ColumnDefault,
}

/// What a column's values are, as far as reading them needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ColumnType {
    /// TINYINT to BIGINT; `bytes` is 1, 2, 3, 4 or 8.
    Integer {
        bytes: u8,
        unsigned: bool,
    },
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Bit {
        length: u8,
    },
    Year,
    Date,
    Time {
        fsp: u8,
    },
    DateTime {
        fsp: u8,
    },
    Timestamp {
        fsp: u8,
    },
    /// CHAR, VARCHAR and the TEXTs with a character set.
    Text {
        charset: Charset,
    },
    /// BINARY(length): padded with zero bytes.
    Binary {
        length: u16,
    },
    /// VARBINARY and the BLOBs.
    Bytes,
    Enum {
        values: Vec<String>,
    },
    Set {
        values: Vec<String>,
    },
    /// MySQL's binary JSON; MariaDB's JSON is `Text`.
    Json,
    /// POINT and its kin.
    Geometry,
    /// MariaDB's UUID.
    Uuid,
    /// MariaDB's INET4.
    Inet4,
    /// MariaDB's INET6.
    Inet6,
}

impl Table {
    /// `db.name`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.db, self.name)
    }

    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}
