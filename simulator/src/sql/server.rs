//! A server that holds the shop's databases, or one of them.

use mysql_async::{Conn, Opts, OptsBuilder};

use crate::{Error, Result};

/// Nothing of how a server is set up changes what a statement means.
const SESSION: [&str; 2] =
    ["set session sql_mode = 'STRICT_ALL_TABLES'", "set session transaction isolation level read committed"];

#[derive(Clone, Debug)]
pub struct Server {
    opts: Opts,
}

impl Server {
    /// `mysql://USER:PASSWORD@HOST:PORT[?ssl-mode=…][#NAME]`, as change data capture reads it.
    pub fn parse(text: &str) -> Result<Server> {
        // the text may hold a password: it stays out of the words of an error
        let bad = |cause: String| Error::Address { cause };
        let (text, _name) = text.split_once('#').unwrap_or((text, ""));
        let (address, settings) = text.split_once('?').unwrap_or((text, ""));
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            let plain = matches!(value.to_ascii_uppercase().as_str(), "DISABLED" | "PREFERRED");
            if key == "ssl-mode" && !plain {
                return Err(bad(format!("ssl-mode={value} cannot be kept: the simulated shop writes without TLS")));
            }
        }
        let address = match address.split_once("://") {
            Some(("mysql" | "mariadb", rest)) => format!("mysql://{rest}"),
            _ => return Err(bad("it does not begin with mysql:// or mariadb://".to_owned())),
        };
        let opts = Opts::from_url(&address).map_err(|error| bad(error.to_string()))?;
        let user = opts.user().filter(|user| !user.is_empty()).unwrap_or("root").to_owned();
        let opts = OptsBuilder::from_opts(opts)
            .user(Some(user))
            .prefer_socket(false)
            .stmt_cache_size(0)
            // an update that finds its row counts, though it leaves the row as it was
            .client_found_rows(true)
            .init(SESSION.to_vec());
        Ok(Server { opts: opts.into() })
    }

    /// What errors call it.
    pub fn name(&self) -> String {
        format!("mysql://{}:{}", self.opts.ip_or_hostname(), self.opts.tcp_port())
    }

    /// For who connects otherwise.
    pub fn opts(&self) -> Opts {
        self.opts.clone()
    }

    pub async fn connect(&self) -> Result<Conn, mysql_async::Error> {
        Conn::new(self.opts.clone()).await
    }
}

/// Whether the same may succeed a while later, on a connection of its own.
pub fn passes(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Io(_) => true,
        mysql_async::Error::Driver(error) => matches!(error, mysql_async::DriverError::ConnectionClosed),
        // too many connections, shutting down, blocked, cut off, waited too long for a lock, deadlock, killed
        mysql_async::Error::Server(error) => matches!(
            error.code,
            1040 | 1053 | 1129 | 1152 | 1158..=1161 | 1184 | 1205 | 1213 | 1317 | 1927 | 2006 | 2013 | 3024 | 4031
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_change_data_capture_reads_them() {
        let server = Server::parse("mysql://shop:s3cret@db.example:3307?ssl-mode=disabled#east").expect("an address");
        assert_eq!(server.name(), "mysql://db.example:3307");
        assert_eq!((server.opts.user(), server.opts.pass()), (Some("shop"), Some("s3cret")));
        assert_eq!(Server::parse("mariadb://127.0.0.1").expect("an address").opts.user(), Some("root"));
    }

    #[test]
    fn addresses_that_cannot_be_are_refused_without_their_password() {
        for (text, word) in [
            ("postgres://shop:s3cret@db", "mysql://"),
            ("mysql://shop:s3cret@db?ssl-mode=REQUIRED", "TLS"),
            ("mysql://shop:s3cret@db:port", "port"),
        ] {
            let error = Server::parse(text).expect_err(text).to_string();
            assert!(error.contains(word) && !error.contains("s3cret"), "{error}");
        }
    }
}
