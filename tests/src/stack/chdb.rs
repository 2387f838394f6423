//! The warehouse engine's library.

use std::path::PathBuf;

use super::{Result, fetch};

pub struct Chdb;

impl Chdb {
    /// The path of `libchdb.so`.
    pub fn library() -> Result<PathBuf> {
        Ok(fetch("chdb")?.join("libchdb.so"))
    }
}
