//! Who runs the engine of a `chdb://` directory: another process that already does, or a child of this one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

use super::engine::{ADDRESS_FILE, LOCK_FILE, directory_header, prepare};
use crate::clock::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

/// An engine may have to wait for a predecessor, then replays what was written last.
const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_millis(25);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long a child may take to close its data before it is killed.
const CLOSE_WITHIN: Duration = Duration::from_secs(45);

/// How to start the engine in a process of its own. The program must serve `DIR` (its last argument) until its
/// standard input ends: see `engine::serve` and `engine::cancel_when_stdin_ends`.
#[derive(Clone, Debug)]
pub struct EngineCommand {
    pub program: PathBuf,
    /// Before the directory.
    pub args: Vec<String>,
}

/// A reachable engine.
pub(super) struct Owner {
    /// `http://127.0.0.1:PORT`
    pub address: String,
    pub pid: Option<u32>,
    child: Option<Running>,
}

struct Running {
    child: Child,
    /// The child ends when this is closed: by us, or by the system when this process is gone.
    stdin: ChildStdin,
}

impl Owner {
    /// The owner that is alive, else a new child.
    pub(super) async fn of(directory: &Path, command: Option<&EngineCommand>) -> Result<Owner> {
        let directory = prepare(directory)?;
        if let Some(address) = alive(&directory).await {
            tracing::debug!(address, directory = %directory.display(), "warehouse engine of another process");
            return Ok(Owner { address, pid: owner_pid(&directory), child: None });
        }
        match command {
            Some(command) => spawn(&directory, command).await,
            None => Err(Error::new(ErrorKind::Config, name(&directory), "nobody serves it")
                .hint("start: linli warehouse engine DIR")),
        }
    }

    /// Lets the child close its data and end, and kills it when it does not.
    pub(super) async fn close(self) -> Result<()> {
        let Some(Running { mut child, stdin }) = self.child else {
            return Ok(());
        };
        drop(stdin);
        tokio::select! {
            ended = child.wait() => match ended {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(Error::new(ErrorKind::Corrupt, "warehouse engine", format!("ended with {status}"))),
                Err(error) => Err(Error::new(ErrorKind::Retry, "warehouse engine", "cannot be waited for").caused_by(error)),
            },
            () = SystemClock.sleep(CLOSE_WITHIN) => {
                drop(child.kill().await);
                Err(Error::new(ErrorKind::Retry, "warehouse engine", "did not close in time and was killed"))
            }
        }
    }
}

fn name(directory: &Path) -> String {
    format!("warehouse chdb://{}", directory.display())
}

fn owner_pid(directory: &Path) -> Option<u32> {
    std::fs::read_to_string(directory.join(LOCK_FILE)).ok()?.trim().parse().ok()
}

/// The address in the directory, if the directory's engine answers there.
async fn alive(directory: &Path) -> Option<String> {
    let address = std::fs::read_to_string(directory.join(ADDRESS_FILE)).ok()?.trim().to_owned();
    let answer = tokio::select! {
        answer = ping(address.strip_prefix("http://")?) => answer.ok()?,
        () = SystemClock.sleep(ANSWER_WITHIN) => return None,
    };
    // Another program, or the engine of another directory, may have got the port of one that crashed.
    let directory = directory_header(directory);
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let same = |line: &str| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("x-linli-warehouse") && value.as_bytes() == directory.as_bytes()
        })
    };
    (head.starts_with("HTTP/1.1 200") && head.lines().any(same)).then_some(address)
}

async fn ping(host: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(format!("GET /ping HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(16 << 10).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn spawn(directory: &Path, command: &EngineCommand) -> Result<Owner> {
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Config, name(directory), format!("cannot start {}", command.program.display()))
            .caused_by(error)
    };
    let mut child = Command::new(&command.program)
        .args(&command.args)
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C reaches the whole foreground group; the engine must outlive those who still write.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let last_words = relay(&mut child);
    let pid = child.id();
    let stdin = child.stdin.take();
    let mut waited = Duration::ZERO;
    loop {
        if owner_pid(directory) == pid
            && let Some(address) = alive(directory).await
        {
            let running = stdin.map(|stdin| Running { child, stdin });
            return Ok(Owner { address, pid, child: running });
        }
        if let Ok(Some(status)) = child.try_wait() {
            let words = last_words.await.unwrap_or_default();
            return Err(ended(directory, &format!("the engine ended with {status}"), &words));
        }
        if waited >= READY_WITHIN {
            drop(child.kill().await);
            return Err(ended(directory, "the engine was not ready in time", &last_words.await.unwrap_or_default()));
        }
        SystemClock.sleep(ASK_AGAIN).await;
        waited += ASK_AGAIN;
    }
}

fn ended(directory: &Path, cause: &str, last_words: &[String]) -> Error {
    let cause = if last_words.is_empty() { cause.to_owned() } else { format!("{cause}: {}", last_words.join(" | ")) };
    Error::new(ErrorKind::Config, name(directory), cause)
        .hint("fetch the engine with: make chdb; one process owns a warehouse directory at a time")
}

/// Passes on what the child says, and keeps its last lines for the error if it fails to start.
fn relay(child: &mut Child) -> tokio::task::JoinHandle<Vec<String>> {
    const KEPT: usize = 8;
    let stderr = child.stderr.take();
    tokio::spawn(async move {
        let mut kept: Vec<String> = Vec::new();
        let Some(stderr) = stderr else { return kept };
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            tracing::info!(target: "linli_warehouse_engine", "{line}");
            if kept.len() == KEPT {
                kept.remove(0);
            }
            kept.push(line);
        }
        kept
    })
}
