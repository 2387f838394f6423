//! A real MariaDB server that writes a row binlog.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::process::{Server, prepare};
use super::{Result, debian, fetch, free_port, io};

pub struct MariaDb {
    server: Option<Server>,
    port: u16,
    /// Where the package's `usr` is.
    usr: PathBuf,
    dir: TempDir,
    arguments: Vec<String>,
}

impl MariaDb {
    /// An empty server with user `root` and no password, ready for requests.
    ///
    /// # Panics
    /// With the reason, when the server cannot be had: a test that needs it must fail.
    pub fn start() -> MariaDb {
        MariaDb::try_start(&[]).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`MariaDb::start`], with further arguments, which override its own.
    pub fn start_with(arguments: &[&str]) -> MariaDb {
        MariaDb::try_start(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`MariaDb::start_with`].
    pub fn try_start(arguments: &[&str]) -> Result<MariaDb> {
        let program = fetch("mariadb")?;
        let usr = program.ancestors().find(|folder| folder.ends_with("usr")).unwrap_or(Path::new("/usr"));
        let dir = tempfile::tempdir().map_err(io("make a folder for MariaDB"))?;
        let mut server = MariaDb {
            server: None,
            port: free_port()?,
            usr: usr.to_owned(),
            dir,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        let mut install = debian(&server.usr.join("bin/mariadb-install-db"));
        install
            .args(["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--basedir={}", server.usr.display()))
            .arg(format!("--datadir={}", server.dir.path().join("data").display()))
            .env("TMPDIR", server.dir.path()); // a server that starts takes away what it finds of others
        prepare("mariadb", &mut install)?;
        server.run()?;
        Ok(server)
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Ends the server as an operator would: everything is on disk after.
    pub fn shut_down(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.shut_down(&self.dir.path().join("mariadb.pid")),
            None => Ok(()),
        }
    }

    /// Starts the server again after [`MariaDb::kill`]: same port, same data.
    pub fn run(&mut self) -> Result<()> {
        self.kill();
        let mut command = debian(&self.usr.join("sbin/mariadbd"));
        command
            .args(["--no-defaults", "--user=root"])
            .arg(format!("--basedir={}", self.usr.display()))
            .arg(format!("--datadir={}", self.dir.path().join("data").display()))
            .arg(format!("--port={}", self.port))
            .env("TMPDIR", self.dir.path())
            .arg(format!("--socket={}", self.dir.path().join("mariadb.sock").display()))
            .arg(format!("--pid-file={}", self.dir.path().join("mariadb.pid").display()))
            .args(["--bind-address=127.0.0.1", "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"])
            .args(["--binlog-row-image=FULL", "--binlog-row-metadata=FULL", "--binlog-annotate-row-events=ON"])
            .args(["--gtid-strict-mode=ON", "--max-allowed-packet=256M"])
            .args(&self.arguments);
        let port = self.port;
        let log = self.dir.path().join("mariadb.log");
        self.server = Some(Server::start("mariadb", &command, &log, |log| {
            log.contains("ready for connections") && TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?);
        Ok(())
    }

    /// `mysql://root@127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}
