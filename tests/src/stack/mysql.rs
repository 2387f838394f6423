//! A real MySQL server that writes a row binlog with GTIDs.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Server, prepare};
use super::{Result, fetch, free_port, io};

pub struct Mysql {
    server: Option<Server>,
    port: u16,
    home: PathBuf,
    dir: TempDir,
    arguments: Vec<String>,
}

impl Mysql {
    /// An empty server with user `root` and no password, ready for requests.
    ///
    /// # Panics
    /// With the reason, when the server cannot be had: a test that needs it must fail.
    pub fn start() -> Mysql {
        Mysql::start_with(&[])
    }

    /// As [`Mysql::start`], with further arguments, which override its own.
    pub fn start_with(arguments: &[&str]) -> Mysql {
        Mysql::try_start_with(arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_start() -> Result<Mysql> {
        Mysql::try_start_with(&[])
    }

    fn try_start_with(arguments: &[&str]) -> Result<Mysql> {
        let home = fetch("mysql")?;
        let dir = tempfile::tempdir().map_err(io("make a folder for MySQL"))?;
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut mysql = Mysql { server: None, port: free_port()?, home, dir, arguments };
        prepare("mysql", mysql.mysqld().arg("--initialize-insecure"))?;
        mysql.run()?;
        Ok(mysql)
    }

    /// Kills the server, as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Ends the server as an operator would: everything is on disk after.
    pub fn shut_down(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.shut_down(&self.dir.path().join("mysql.pid")),
            None => Ok(()),
        }
    }

    /// Starts the server again after [`Mysql::kill`]: same port, same data.
    pub fn run(&mut self) -> Result<()> {
        self.kill();
        let mut command = self.mysqld();
        command
            .arg(format!("--port={}", self.port))
            .arg(format!("--socket={}", self.dir.path().join("mysql.sock").display()))
            .arg(format!("--pid-file={}", self.dir.path().join("mysql.pid").display()))
            .args(["--bind-address=127.0.0.1", "--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"])
            .args(["--binlog-row-image=FULL", "--binlog-row-metadata=FULL"])
            .args(["--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=OFF"])
            .args(["--performance-schema=OFF", "--max-allowed-packet=256M"])
            .args(&self.arguments);
        let port = self.port;
        let log = self.dir.path().join("mysql.log");
        self.server = Some(Server::start("mysql", &command, &log, |log| {
            log.contains("ready for connections") && TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?);
        Ok(())
    }

    /// Starts the server again with other arguments in place of those it was given.
    pub fn run_with(&mut self, arguments: &[&str]) -> Result<()> {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.run()
    }

    /// `mysql://root@127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As the server reports it, such as `8.0.15`.
    pub fn version(&self) -> Option<String> {
        let log = self.server.as_ref()?.log_text();
        let (_, rest) = log.split_once("Version: '")?;
        rest.split('\'').next().map(str::to_owned)
    }

    fn mysqld(&self) -> Command {
        let mut command = Command::new(self.home.join("bin/mysqld"));
        command
            .env("LD_LIBRARY_PATH", self.home.join("lib"))
            .args(["--no-defaults", "--user=root"])
            .arg(format!("--basedir={}", self.home.display()))
            .arg(format!("--lc-messages-dir={}", self.home.join("share").display()))
            .arg(format!("--character-sets-dir={}", self.home.join("share/charsets").display()))
            .arg(format!("--datadir={}", self.dir.path().join("data").display()))
            .env("TMPDIR", self.dir.path()); // a server that starts takes away what it finds of others
        command
    }
}
