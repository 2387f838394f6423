//! What all reads of the shop's tables share.

use linli_connectors::{Error, ErrorKind};

/// No such table or column, or no right to read it.
const OTHER_TABLES: [u16; 5] = [1146, 1054, 1142, 1044, 1045];

/// A statement in which `{db}` is the database with its dot.
pub(crate) fn qualified(statement: &str, database: &str) -> String {
    statement.replace("{db}", &format!("`{}`.", database.replace('`', "``")))
}

/// A read that failed; `again` is what can be started again.
pub(crate) fn failed(object: &str, error: mysql_async::Error, again: &str) -> Error {
    let config = matches!(&error, mysql_async::Error::Server(server) if OTHER_TABLES.contains(&server.code));
    let (kind, hint) = if config {
        (ErrorKind::Config, "the tables are those of schemas/shop; the user needs SELECT on them".to_owned())
    } else {
        (ErrorKind::Retry, format!("check that the server of --shop is up; {again} can be started again"))
    };
    Error::new(kind, object, error.to_string()).hint(hint)
}
