//! Where libchdb.so is found.

use std::path::PathBuf;

use crate::{Error, ErrorKind, Result};

/// The engine that Linli is built and tested against.
pub const VERSION: &str = "26.7.3-stable.1";

/// `LINLI_CHDB`, else the cache that `make chdb` fills, else beside the program.
pub fn find() -> Result<PathBuf> {
    let missing = |path: &PathBuf, cause: &str| {
        Error::new(ErrorKind::Config, format!("warehouse engine {}", path.display()), cause)
            .hint("fetch it once with: make chdb (or name a ClickHouse server: --warehouse clickhouse://HOST:8123)")
    };
    if let Some(named) = std::env::var_os("LINLI_CHDB") {
        let named = PathBuf::from(named);
        return if named.is_file() { Ok(named) } else { Err(missing(&named, "is not there, but LINLI_CHDB names it")) };
    }
    let cache = std::env::var_os("LINLI_CACHE")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/linli")))
        .unwrap_or_default();
    let cached = cache.join(format!("chdb-{VERSION}/libchdb.so"));
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("libchdb.so")));
    [Some(cached.clone()), beside]
        .into_iter()
        .flatten()
        .find(|path| path.is_file())
        .ok_or_else(|| missing(&cached, "is not there"))
}
