//! What can be wrong with bytes, and with a schema that does not fit them.

use thiserror::Error;

/// The bytes are not what the format says. Nothing of the event may be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    #[error("{what} ends too early: {needed} bytes are needed, {left} are left")]
    Truncated { what: &'static str, needed: usize, left: usize },
    #[error("event checksum is {found:08x}, its bytes give {computed:08x}: the log is damaged or was cut in transit")]
    Checksum { found: u32, computed: u32 },
    #[error("{what} is not valid: {detail}")]
    Invalid { what: &'static str, detail: String },
    #[error("{what} is declared with {declared} bytes, at most {max} are taken")]
    TooLarge { what: &'static str, declared: u64, max: u64 },
    #[error("table map {found} of a rows event is not the one at hand ({expected})")]
    WrongTable { expected: u64, found: u64 },
    #[error("column {column} of {table}: {source}")]
    Value { table: String, column: String, source: Box<DecodeError> },
    #[error("event of type {kind} cannot be followed: {hint}")]
    Unsupported { kind: u8, hint: &'static str },
}

impl DecodeError {
    pub(crate) fn invalid(what: &'static str, detail: impl Into<String>) -> DecodeError {
        DecodeError::Invalid { what, detail: detail.into() }
    }
}

pub type Result<T, E = DecodeError> = std::result::Result<T, E>;

/// A table map of the log does not fit the schema it is to be read with: the schema at hand is older or newer than the event.
/// The table has to be quarantined until the right schema is known; other tables are not concerned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    #[error("table {table} has {schema} columns by the schema at hand and {log} in the binlog")]
    ColumnCount { table: String, schema: usize, log: usize },
    #[error("column {index} of table {table} is \"{schema}\" by the schema at hand and \"{log}\" in the binlog")]
    ColumnName { table: String, index: usize, schema: String, log: String },
    #[error("column \"{column}\" of table {table} is {schema} by the schema at hand and {log} in the binlog")]
    ColumnType { table: String, column: String, schema: String, log: String },
    #[error("table {table} has {columns} columns, but {rules} column rules were given")]
    RuleCount { table: String, columns: usize, rules: usize },
}

/// A type text that is not known, or lacks what is needed to read its values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeError {
    #[error("column type \"{0}\" is not known")]
    Unknown(String),
    #[error("character set \"{0}\" is not known")]
    Charset(String),
}
