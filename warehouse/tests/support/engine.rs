//! One engine for all tests of this binary, in a child process as in production.

use std::path::PathBuf;
use std::sync::LazyLock;

use linli_connectors::tables::{self, EngineCommand, OpenOptions, Tables, engine};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Outlives the runtimes of the tests, of which the first starts the engine.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
});
/// Holds the child's standard input open until this process ends.
static OWNER: OnceCell<Tables> = OnceCell::const_new();

/// A new database.
pub async fn open(name: &str) -> Tables {
    OWNER.get_or_init(|| async { connect("owner").await }).await;
    connect(name).await
}

async fn connect(namespace: &str) -> Tables {
    let url = format!("chdb://{}", directory().display());
    let program = std::env::current_exe().expect("the path of this binary");
    // This binary again, asked for the one test below. The directory follows as one more filter, which matches nothing.
    let args =
        ["support::engine::serves_the_directory_it_is_given", "--exact", "--nocapture"].map(str::to_owned).to_vec();
    let engine = Some(EngineCommand { program, args });
    let options = OpenOptions { namespace: namespace.to_owned(), engine, ..OpenOptions::default() };
    let opening = RUNTIME.spawn(async move { tables::open(&url, options).await });
    opening.await.expect("no panic").expect("the engine starts: fetch it once with `make chdb`")
}

/// A folder of this run in the build directory; those of earlier runs are removed.
fn directory() -> PathBuf {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let parent = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("warehouse");
        for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            if !PathBuf::from(format!("/proc/{pid}")).exists() {
                drop(std::fs::remove_dir_all(entry.path()));
            }
        }
        parent.join(std::process::id().to_string())
    });
    DIRECTORY.clone()
}

/// Run by [`connect`] in a process of its own; among the other tests it has no directory and nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn serves_the_directory_it_is_given() {
    let Some(directory) = std::env::args().skip(1).last().map(PathBuf::from).filter(|path| path.is_absolute()) else {
        return;
    };
    let shutdown = CancellationToken::new();
    engine::cancel_when_stdin_ends(shutdown.clone()).expect("standard input");
    let options = engine::EngineOptions { directory, library: None };
    engine::serve(options, |_| {}, shutdown).await.expect("serves");
}
