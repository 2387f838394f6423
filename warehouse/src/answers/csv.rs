//! Writing a file of numbers, whole or not at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufWriter};

use crate::query::{self, Named};
use crate::{Error, ErrorKind, Result, Warehouse};

/// A CSV file under way, beside its name until it is finished.
pub(super) struct File {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<tokio::fs::File>,
    rows: u64,
}

impl File {
    pub async fn create(folder: &Path, name: &str, header: &str) -> Result<File> {
        let path = folder.join(format!("{name}.csv"));
        let partial = folder.join(format!(".{name}.csv.partial"));
        let file = tokio::fs::File::create(&partial).await.map_err(|error| file_failure(&partial, error))?;
        let mut file = File { path, partial, out: BufWriter::with_capacity(1 << 18, file), rows: 0 };
        file.bytes(header.as_bytes()).await?;
        file.bytes(b"\n").await?;
        Ok(file)
    }

    pub async fn row(&mut self, values: &[i64]) -> Result<()> {
        let mut line = Vec::with_capacity(values.len() * 12);
        put_row(&mut line, values);
        self.rows(&line, 1).await
    }

    /// Whole lines.
    pub async fn rows(&mut self, lines: &[u8], count: u64) -> Result<()> {
        self.rows += count;
        self.bytes(lines).await
    }

    async fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).await.map_err(|error| file_failure(&self.partial, error))
    }

    /// Makes the file appear under its name. Returns the rows without the header.
    pub async fn finish(mut self) -> Result<u64> {
        self.out.flush().await.map_err(|error| file_failure(&self.partial, error))?;
        self.out.get_ref().sync_all().await.map_err(|error| file_failure(&self.partial, error))?;
        tokio::fs::rename(&self.partial, &self.path).await.map_err(|error| file_failure(&self.path, error))?;
        Ok(self.rows)
    }
}

pub(super) fn put_row(line: &mut Vec<u8>, values: &[i64]) {
    let mut number = itoa::Buffer::new();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        line.extend_from_slice(number.format(*value).as_bytes());
    }
    line.push(b'\n');
}

/// Streams the rows of a query, which the server writes as CSV itself. All its columns must be numbers.
pub(super) async fn write_query(
    warehouse: &Warehouse,
    named: Named,
    limit: Duration,
    folder: &Path,
    name: &str,
    header: &str,
) -> Result<u64> {
    let mut file = File::create(folder, name, header).await?;
    let failure = |error| query::named_failure(warehouse, named, error);
    let mut cursor = warehouse.query_within(named.sql, limit).fetch_bytes("CSV").map_err(failure)?;
    while let Some(chunk) = cursor.next().await.map_err(failure)? {
        let lines = chunk.iter().filter(|byte| **byte == b'\n').count();
        file.rows(&chunk, lines as u64).await?;
    }
    file.finish().await
}

pub(super) fn file_failure(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Config, format!("file \"{}\"", path.display()), error.to_string())
        .hint("the folder must be writable and have room")
        .caused_by(error)
}
