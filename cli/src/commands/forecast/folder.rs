//! Tables to forecast from: files in CSV or Parquet, or what the warehouse holds.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use linli_warehouse::query::{self, Named};

use super::csv::CsvFile;
use crate::failure::{Failure, Kind, Outcome};
use crate::parts::{OpenWarehouse, Parts};

/// Of a table that is turned into CSV in memory.
const TABLE_BYTES_MAX: usize = 2 << 30;
/// Those that a panel may have.
const TABLES: [&str; 4] = ["series.csv", "sales.csv", "calendar.csv", "promo_weekly.csv"];

/// Tables by their names as CSV files.
pub struct Folder {
    name: String,
    dir: Option<PathBuf>,
    /// Those that are no CSV files.
    turned: HashMap<String, (PathBuf, Vec<u8>)>,
}

impl Folder {
    /// CSV files of a directory, plain or gzipped.
    pub fn of(dir: &Path) -> Folder {
        Folder { name: dir.display().to_string(), dir: Some(dir.to_owned()), turned: HashMap::new() }
    }

    /// Those, and Parquet files where there is no CSV; without a directory, daily sales of the warehouse.
    pub async fn open(dir: Option<&Path>, parts: &Parts) -> Outcome<Folder> {
        let Some(dir) = dir else {
            return Folder::of_warehouse(parts).await;
        };
        let mut folder = Folder::of(dir);
        for name in TABLES {
            let parquet = dir.join(name).with_extension("parquet");
            if parquet.exists() && !dir.join(name).exists() && !dir.join(format!("{name}.gz")).exists() {
                let rows = rows_of_parquet(&parquet, parts).await?;
                folder.turned.insert(name.to_owned(), (parquet, rows));
            }
        }
        Ok(folder)
    }

    async fn of_warehouse(parts: &Parts) -> Outcome<Folder> {
        let open = parts.migrated_warehouse().await?;
        let mut turned = HashMap::new();
        for (name, named) in [("series.csv", query::DEMAND_SERIES), ("sales.csv", query::DEMAND_DAYS)] {
            turned.insert(name.to_owned(), (PathBuf::from("community_sales"), rows_of(&open, named, None).await?));
        }
        open.tables.close().await?;
        Ok(Folder { name: "the warehouse".to_owned(), dir: None, turned })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A table, `None` where there is none.
    pub fn find(&self, name: &str) -> Outcome<Option<CsvFile>> {
        if let Some((path, rows)) = self.turned.get(name) {
            return CsvFile::from(path.clone(), Box::new(Cursor::new(rows.clone()))).map(Some);
        }
        let Some(dir) = &self.dir else { return Ok(None) };
        for path in [dir.join(name), dir.join(format!("{name}.gz"))] {
            if path.exists() {
                return CsvFile::open(&path).map(Some);
            }
        }
        Ok(None)
    }
}

/// One table: a CSV file, plain or gzipped, or a Parquet file.
pub async fn table(path: &Path, parts: &Parts) -> Outcome<CsvFile> {
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let rows = rows_of_parquet(path, parts).await?;
        return CsvFile::from(path.to_owned(), Box::new(Cursor::new(rows)));
    }
    CsvFile::open(path)
}

/// The warehouse's engine reads it, in a directory of its own.
async fn rows_of_parquet(path: &Path, parts: &Parts) -> Outcome<Vec<u8>> {
    let unreadable =
        |error: std::io::Error| Failure::new(Kind::Input, format!("{} cannot be read: {error}", path.display()));
    let absolute = path.canonicalize().map_err(unreadable)?;
    let text = absolute.to_str().ok_or_else(|| {
        Failure::new(Kind::Input, format!("{} has a name that is not UTF-8", path.display())).hint("rename it")
    })?;
    let dir = tempfile::tempdir().map_err(unreadable)?;
    let open = parts.engine_in(dir.path()).await?;
    let rows = rows_of(&open, query::FILE_ROWS, Some(text)).await;
    open.tables.close().await?;
    rows.map_err(|failure| Failure {
        kind: Kind::Input,
        message: format!("{}: {}", path.display(), failure.message),
        ..failure
    })
}

/// Turns forecasts from CSV into Parquet; the file is there whole or not at all.
pub async fn write_parquet(csv: &Path, path: &Path, parts: &Parts) -> Outcome {
    let failed = |what: &str| {
        Failure::new(Kind::Input, format!("{} cannot be written: {what}", path.display()))
            .hint("name a file in a directory that exists")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| failed(&error.to_string()))?;
    let dir = tempfile::tempdir_in(&folder).map_err(|error| failed(&error.to_string()))?;
    let made = dir.path().join("forecasts.parquet");
    let (Some(from), Some(to)) = (csv.to_str(), made.to_str()) else {
        return Err(failed("its path is not UTF-8"));
    };
    let engine = tempfile::tempdir().map_err(|error| failed(&error.to_string()))?;
    let open = parts.engine_in(engine.path()).await?;
    let written = query::write_forecasts(&open.warehouse, from, to).await;
    open.tables.close().await?;
    written?;
    std::fs::rename(&made, path).map_err(|error| failed(&error.to_string()))
}

async fn rows_of(open: &OpenWarehouse, named: Named, path: Option<&str>) -> Outcome<Vec<u8>> {
    let mut query = open.warehouse.query(named.sql);
    if let Some(path) = path {
        query = query.param("path", path);
    }
    Ok(query::csv(&open.warehouse, named, query, TABLE_BYTES_MAX).await?)
}
