//! `engine DIR`: serves the warehouse engine of a directory until standard input ends, as `linli warehouse engine DIR`
//! does; for tests that do not build the program.

use std::path::PathBuf;
use std::process::ExitCode;

use linli_connectors::tables::engine::{EngineOptions, cancel_when_stdin_ends, serve};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: engine DIR");
        return ExitCode::from(2);
    };
    let shutdown = CancellationToken::new();
    let served = match cancel_when_stdin_ends(shutdown.clone()) {
        Ok(()) => serve(EngineOptions { directory, library: None }, |address| eprintln!("{address}"), shutdown).await,
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if let Some(hint) = error.hint {
                eprintln!("hint: {hint}");
            }
            // Not by returning: a statement that still runs would hold the runtime.
            std::process::exit(1)
        }
    }
}
