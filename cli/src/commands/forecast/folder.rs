//! Tables to forecast from: files in CSV or Parquet, or what the warehouse holds.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use linli_warehouse::Warehouse;
use linli_warehouse::query::{self, Named};

use super::csv::CsvFile;
use crate::failure::{Failure, Kind, Outcome};
use crate::parts::Parts;

/// Of a table that is turned into CSV in memory.
const TABLE_BYTES_MAX: usize = 2 << 30;
/// Those that a panel may have.
const TABLES: [&str; 4] = ["series.csv", "sales.csv", "calendar.csv", "promo_weekly.csv"];

/// Tables by their names as CSV files.
pub struct Folder {
    name: String,
    dir: Option<PathBuf>,
    /// Those that are no CSV files.
    turned: HashMap<String, (PathBuf, Bytes)>,
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
        let missing = TABLES.into_iter().filter(|name| folder.file(name).is_none());
        let parquet = missing.map(|name| (name, dir.join(name).with_extension("parquet")));
        let files: Vec<(&str, PathBuf)> = parquet.filter(|(_, path)| path.exists()).collect();
        if !files.is_empty() {
            folder.turned = in_engine(parts, async |engine| {
                let mut turned = HashMap::new();
                for (name, path) in files {
                    let rows = rows_of_parquet(engine, &path).await?;
                    turned.insert(name.to_owned(), (path, rows));
                }
                Ok(turned)
            })
            .await?;
        }
        Ok(folder)
    }

    async fn of_warehouse(parts: &Parts) -> Outcome<Folder> {
        let open = parts.migrated_warehouse().await?;
        let mut turned = HashMap::new();
        for (name, named) in [("series.csv", query::DEMAND_SERIES), ("sales.csv", query::DEMAND_DAYS)] {
            turned.insert(
                name.to_owned(),
                (PathBuf::from("community_sales"), rows_of(&open.warehouse, named, None).await?),
            );
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
            return CsvFile::from(path.clone(), Box::new(Cursor::new(rows.clone()))).map(Some); // shared, not copied
        }
        self.file(name).map(|path| CsvFile::open(&path)).transpose()
    }

    /// The CSV file of a table, plain or gzipped.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let dir = self.dir.as_ref()?;
        [dir.join(name), dir.join(format!("{name}.gz"))].into_iter().find(|path| path.exists())
    }
}

/// One table: a CSV file, plain or gzipped, or a Parquet file.
pub async fn table(path: &Path, parts: &Parts) -> Outcome<CsvFile> {
    if path.extension().is_some_and(|extension| extension == "parquet") {
        let rows = in_engine(parts, async |engine| rows_of_parquet(engine, path).await).await?;
        return CsvFile::from(path.to_owned(), Box::new(Cursor::new(rows)));
    }
    CsvFile::open(path)
}

/// Works with a warehouse engine of its own, which has ended after.
async fn in_engine<T>(parts: &Parts, work: impl AsyncFnOnce(&Warehouse) -> Outcome<T>) -> Outcome<T> {
    let dir = tempfile::tempdir().map_err(|error| {
        Failure::new(Kind::Input, format!("a temporary directory cannot be made: {error}")).hint("set TMPDIR")
    })?;
    let open = parts.engine_in(dir.path()).await?;
    let done = work(&open.warehouse).await;
    open.tables.close().await?;
    done
}

async fn rows_of_parquet(engine: &Warehouse, path: &Path) -> Outcome<Bytes> {
    let absolute = path
        .canonicalize()
        .map_err(|error| Failure::new(Kind::Input, format!("{} cannot be read: {error}", path.display())))?;
    let text = absolute.to_str().ok_or_else(|| {
        Failure::new(Kind::Input, format!("{} has a name that is not UTF-8", path.display())).hint("rename it")
    })?;
    let named = |failure: Failure| {
        let message = format!("{}: {}", path.display(), failure.message);
        Failure { kind: Kind::Input, message, ..failure }
    };
    rows_of(engine, query::FILE_ROWS, Some(text)).await.map_err(named)
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
    in_engine(parts, async |engine| Ok(query::write_forecasts(engine, from, to).await?)).await?;
    std::fs::rename(&made, path).map_err(|error| failed(&error.to_string()))
}

async fn rows_of(warehouse: &Warehouse, named: Named, path: Option<&str>) -> Outcome<Bytes> {
    let mut query = warehouse.query(named.sql);
    if let Some(path) = path {
        query = query.param("path", path);
    }
    Ok(query::csv(warehouse, named, query, TABLE_BYTES_MAX).await?.into())
}
