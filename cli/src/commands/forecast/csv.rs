//! CSV files with a header, plain or gzipped: fields may be quoted, as RFC 4180 has it, but lines may not be broken.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::failure::{Failure, Kind, Outcome};

/// Most days of a series: ten years.
pub const DAYS_MAX: usize = 3660;

/// A file that is read line by line.
pub struct CsvFile {
    path: PathBuf,
    header: Vec<String>,
    lines: Box<dyn BufRead>,
    line: String,
    number: usize,
}

/// The fields of one line.
pub type Fields = Vec<String>;

impl CsvFile {
    /// Opens a file, unzipped where its name ends on `.gz`.
    pub fn open(path: &Path) -> Outcome<CsvFile> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let source: Box<dyn Read> = match path.extension().is_some_and(|extension| extension == "gz") {
            true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
            false => Box::new(file),
        };
        CsvFile::from(path.to_owned(), source)
    }

    /// From what `path` was turned into.
    pub fn from(path: PathBuf, source: Box<dyn Read>) -> Outcome<CsvFile> {
        let mut file = CsvFile {
            path,
            header: Vec::new(),
            lines: Box::new(BufReader::with_capacity(1 << 16, source)),
            line: String::new(),
            number: 0,
        };
        file.header = file.next_line()?.ok_or_else(|| file.wrong("it is empty"))?;
        Ok(file)
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Outcome<usize> {
        self.optional_column(name)
            .ok_or_else(|| self.wrong(&format!("column {name} is missing, there are {}", self.header.join(", "))))
    }

    pub fn optional_column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The next line with as many fields as the header.
    pub fn next_row(&mut self) -> Outcome<Option<Fields>> {
        let Some(fields) = self.next_line()? else { return Ok(None) };
        if fields.len() == self.header.len() {
            return Ok(Some(fields));
        }
        Err(self.wrong(&format!("line has {} fields, the header {}", fields.len(), self.header.len())))
    }

    /// A field as a number.
    pub fn number<T: std::str::FromStr>(&self, fields: &Fields, column: usize) -> Outcome<T> {
        fields[column].parse().map_err(|_| {
            self.wrong(&format!("\"{}\" in column {} is no number that fits", fields[column], self.header[column]))
        })
    }

    /// A field as a day, counted from 0.
    pub fn day(&self, fields: &Fields, column: usize) -> Outcome<usize> {
        match self.number(fields, column)? {
            day if day < DAYS_MAX => Ok(day),
            day => Err(self.wrong(&format!("day {day} is past {DAYS_MAX}"))),
        }
    }

    /// A field as units of a day; an empty one is a day that is not known: NaN.
    pub fn units(&self, fields: &Fields, column: usize) -> Outcome<f64> {
        if fields[column].is_empty() { Ok(f64::NAN) } else { self.number(fields, column) }
    }

    /// A failure that names file and line.
    pub fn wrong(&self, what: &str) -> Failure {
        Failure::new(Kind::Input, format!("{}, line {}: {what}", self.path.display(), self.number))
    }

    fn next_line(&mut self) -> Outcome<Option<Fields>> {
        self.line.clear();
        self.number += 1;
        let read = self.lines.read_line(&mut self.line).map_err(|error| unreadable(&self.path, &error))?;
        if read == 0 {
            return Ok(None);
        }
        split(self.line.trim_end_matches(['\n', '\r'])).map(Some).ok_or_else(|| self.wrong("a quote is not closed"))
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Input, format!("{} cannot be read: {error}", path.display()))
}

/// Fields of a line; `None` where a quote stays open.
fn split(line: &str) -> Option<Fields> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, quoted) {
            ('"', true) if characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(std::mem::take(&mut field)),
            (other, _) => field.push(other),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_hold_commas_and_quotes() {
        assert_eq!(split("a,\"b, \"\"c\"\"\",").expect("closed"), ["a", "b, \"c\"", ""]);
        assert_eq!(split("\"a"), None);
    }
}
