//! The ClickHouse engine inside this process, served on the loopback in ClickHouse's HTTP protocol.
//!
//! One process owns a directory: `DIR/lock` says so (and by which process id), `DIR/address` says where it listens.

mod failure;
mod ffi;
mod http;
mod library;
pub(super) mod request;
mod statement;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use rustix::fs::FlockOperation;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::{Error, ErrorKind, Result};

pub use library::{VERSION as LIBRARY_VERSION, find as find_library};

pub(super) const ADDRESS_FILE: &str = "address";
pub(super) const LOCK_FILE: &str = "lock";

/// How long to wait for the lock: a predecessor that is ending still holds it.
const LOCK_WITHIN: Duration = Duration::from_secs(45);
const LOCK_AGAIN: Duration = Duration::from_millis(50);
/// How long statements may go on after the end has been asked for.
const FINISH_WITHIN: Duration = Duration::from_secs(20);

/// The engine knows one directory per process.
static SERVING: AtomicBool = AtomicBool::new(false);

/// Which engine to serve.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Holds `data/`, `lock` and `address`; made when it is missing.
    pub directory: PathBuf,
    /// libchdb.so; [`find_library`] when absent.
    pub library: Option<PathBuf>,
}

/// Serves until `shutdown`, then lets running statements end, closes the engine and returns. `ready` is called once
/// with the address, such as `http://127.0.0.1:40123`.
///
/// An error of kind `Retry` at the end says that a statement still ran after 20 seconds: end the process.
pub async fn serve(options: EngineOptions, ready: impl FnOnce(&str), shutdown: CancellationToken) -> Result<()> {
    let library = options.library.map_or_else(find_library, Ok)?;
    let directory = prepare(&options.directory)?;
    let _lock = lock(&directory, &shutdown).await?;
    if SERVING.swap(true, Ordering::SeqCst) {
        return Err(Error::new(ErrorKind::Config, name(&directory), "this process already serves another warehouse"));
    }
    let served = serve_locked(&library, &directory, ready, shutdown).await;
    SERVING.store(false, Ordering::SeqCst);
    served
}

async fn serve_locked(
    library: &Path,
    directory: &Path,
    ready: impl FnOnce(&str),
    shutdown: CancellationToken,
) -> Result<()> {
    let failed = |cause: &'static str| {
        let object = name(directory);
        move |error: std::io::Error| Error::new(ErrorKind::Config, object, cause).caused_by(error)
    };
    let (library, data) = (library.to_path_buf(), directory.join("data"));
    let opened = tokio::task::spawn_blocking(move || ffi::Engine::open(&library, &data).and_then(describe)).await;
    let (engine, version, timezone) = opened.map_err(|error| {
        Error::new(ErrorKind::Corrupt, name(directory), "the engine broke while opening").caused_by(error)
    })??;
    let engine = Arc::new(engine);
    let running = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let front = Arc::new(http::Front {
        engine: Arc::clone(&engine),
        running: Arc::new(Semaphore::new(running)),
        admitted: http::Front::admissions(running),
        version,
        timezone,
        directory: directory_header(directory),
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed("cannot listen on the loopback"))?;
    let address = format!("http://{}", listener.local_addr().map_err(failed("cannot listen on the loopback"))?);
    write_whole(&directory.join(ADDRESS_FILE), &address).map_err(failed("cannot write its address file"))?;
    tracing::info!(address, directory = %directory.display(), version = front.version, "warehouse engine ready");
    ready(&address);

    let serving = axum::serve(listener, http::router(front)).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let overdue = async {
        shutdown.cancelled().await;
        SystemClock.sleep(FINISH_WITHIN).await;
    };
    tokio::select! {
        served = async { serving.await } => served.map_err(failed("stopped listening"))?,
        () = overdue => {}
    }
    // Gone before the engine closes: nobody shall come any more.
    drop(fs::remove_file(directory.join(ADDRESS_FILE)));
    close(engine, directory).await
}

/// Waits for the statements that still hold the engine; it closes with the last of them.
async fn close(engine: Arc<ffi::Engine>, directory: &Path) -> Result<()> {
    let mut engine = engine;
    let mut waited = Duration::ZERO;
    loop {
        match Arc::try_unwrap(engine) {
            Ok(engine) => {
                return tokio::task::spawn_blocking(move || drop(engine)).await.map_err(|error| {
                    Error::new(ErrorKind::Corrupt, name(directory), "the engine broke while closing").caused_by(error)
                });
            }
            Err(_) if waited >= FINISH_WITHIN => {
                return Err(Error::new(ErrorKind::Retry, name(directory), "a statement still runs"));
            }
            Err(shared) => engine = shared,
        }
        SystemClock.sleep(LOCK_AGAIN).await;
        waited += LOCK_AGAIN;
    }
}

/// The engine with its version and time zone.
fn describe(engine: ffi::Engine) -> Result<(ffi::Engine, String, String)> {
    let asked =
        engine.session().and_then(|session| session.query(b"SELECT version(), timezone()", "TabSeparated", &[]));
    let answer = asked.map_err(|error| Error::new(ErrorKind::Config, "warehouse engine", error))?;
    let line = String::from_utf8_lossy(&answer.body).trim().to_owned();
    let (version, timezone) = line.split_once('\t').unwrap_or((&line, "UTC"));
    let (version, timezone) = (version.to_owned(), timezone.to_owned());
    Ok((engine, version, timezone))
}

/// Ends with the process that holds the other end of standard input, however that one ends: `token` is cancelled when
/// standard input is at its end.
pub fn cancel_when_stdin_ends(token: CancellationToken) -> Result<()> {
    let watch = move || {
        let mut buffer = [0_u8; 256];
        let mut stdin = std::io::stdin().lock();
        while !matches!(stdin.read(&mut buffer), Ok(0) | Err(_)) {}
        token.cancel();
    };
    // A thread of its own: tokio's reads of standard input keep a runtime from ending.
    std::thread::Builder::new().name("stdin".to_owned()).spawn(watch).map(drop).map_err(|error| {
        Error::new(ErrorKind::Config, "warehouse engine", "cannot watch its standard input").caused_by(error)
    })
}

fn name(directory: &Path) -> String {
    format!("warehouse chdb://{}", directory.display())
}

/// Makes the directory and gives its one true path.
pub(super) fn prepare(directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory).and_then(|()| fs::canonicalize(directory)).map_err(|error| {
        Error::new(ErrorKind::Config, name(directory), "cannot be made")
            .hint("name a directory that this user may write to")
            .caused_by(error)
    })
}

/// Takes the directory for this process.
async fn lock(directory: &Path, shutdown: &CancellationToken) -> Result<File> {
    let path = directory.join(LOCK_FILE);
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Config, name(directory), "its lock file cannot be written").caused_by(error)
    };
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let mut waited = Duration::ZERO;
    while rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        if waited >= LOCK_WITHIN || shutdown.is_cancelled() {
            let owner = fs::read_to_string(&path).unwrap_or_default();
            return Err(Error::new(ErrorKind::Config, name(directory), format!("belongs to process {}", owner.trim()))
                .hint("one process owns a warehouse directory: stop that one, or name another directory"));
        }
        SystemClock.sleep(LOCK_AGAIN).await;
        waited += LOCK_AGAIN;
    }
    // The address of a predecessor that crashed.
    drop(fs::remove_file(directory.join(ADDRESS_FILE)));
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}

/// Appears whole or not at all.
fn write_whole(path: &Path, line: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("fresh");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// The directory's path as a header can carry it.
pub(super) fn directory_header(directory: &Path) -> HeaderValue {
    let path: String = url::form_urlencoded::byte_serialize(directory.as_os_str().as_encoded_bytes()).collect();
    HeaderValue::from_str(&path).unwrap_or(HeaderValue::from_static("?"))
}
