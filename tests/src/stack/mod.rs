//! Starts the real servers natively: each on a free port, in a folder of its own, gone when dropped.
//!
//! What is not in the cache is fetched first by `tests/stack/fetch.sh`. A server that cannot be had or started is an
//! error that says why, never a skipped test.

mod chdb;
mod kafka;
mod mariadb;
mod mysql;
mod process;
mod redis;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub use chdb::Chdb;
pub use kafka::Kafka;
pub use mariadb::MariaDb;
pub use mysql::Mysql;
pub use redis::Redis;

/// How long a server may take to answer its first request on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("{server} could not be fetched: run tests/stack/fetch.sh {server}\n{output}")]
    Fetch { server: &'static str, output: String },
    #[error("{server} did not start\n{log}")]
    Start { server: &'static str, log: String },
    #[error("{server} was not ready within {within:?}\n{log}")]
    NotReady { server: &'static str, within: Duration, log: String },
    #[error("{doing}: {source}")]
    Io { doing: String, source: std::io::Error },
}

pub type Result<T, E = StackError> = std::result::Result<T, E>;

fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> StackError {
    let doing = doing.into();
    move |source| StackError::Io { doing, source }
}

/// The path that `fetch.sh` made ready: a folder of the cache or a program.
fn fetch(server: &'static str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("stack/fetch.sh");
    let output = Command::new(&script)
        .arg(server)
        .stdin(Stdio::null())
        .output()
        .map_err(io(format!("run {}", script.display())))?;
    let path = String::from_utf8_lossy(&output.stdout).lines().last().map(PathBuf::from);
    match path {
        Some(path) if output.status.success() && path.exists() => Ok(path),
        _ => Err(StackError::Fetch { server, output: String::from_utf8_lossy(&output.stderr).into_owned() }),
    }
}

/// Runs a Debian program; where its package had to be unpacked into the cache, with the libraries beside it.
fn debian(program: &Path) -> Command {
    let mut command = Command::new(program);
    let root = program.ancestors().find(|ancestor| ancestor.ends_with("usr")).and_then(Path::parent);
    if let Some(root) = root.filter(|root| *root != Path::new("/")) {
        let platform = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = ["usr/lib", "lib"].map(|folder| root.join(folder).join(&platform).display().to_string());
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
    }
    command
}

/// A port of the loopback that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port"))?;
    Ok(listener.local_addr().map_err(io("find a free port"))?.port())
}
