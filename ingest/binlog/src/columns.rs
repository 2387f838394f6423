//! A table's columns on their way to a JSON object, whichever source their values come from.

use crate::decoder::{Cell, Warning};
use crate::error::{Mismatch, Result};
use crate::escape::{Form, escape};
use crate::rules::{ColumnRule, Transform};
use crate::schema::{ColumnType, Table};
use crate::value::Outcome;

/// Writes values of one column.
pub(crate) trait Source {
    fn write(&self, cell: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome>;
}

/// Writes values as a SELECT shows them.
pub(crate) trait SqlSource: Source {
    /// Appends the text of a value that is not NULL, in UTF-8.
    fn write_sql(&self, cell: &[u8], out: &mut Vec<u8>) -> Result<()>;
}

/// What a column has to tell as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlText {
    /// The log or a rule leaves the column out.
    Absent,
    Null,
    /// It was appended.
    Text,
}

impl<S: SqlSource> Columns<S> {
    /// Appends a value as a SELECT shows it, after its rule: what a rule makes of it is the same in every format.
    pub(crate) fn write_sql(&self, index: usize, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<SqlText> {
        let Some(column) = self.columns.get(index).filter(|column| !column.dropped) else {
            return Ok(SqlText::Absent);
        };
        let value = match cell {
            Cell::Absent => return Ok(SqlText::Absent),
            Cell::Null => return Ok(SqlText::Null),
            Cell::Value(value) => value,
        };
        let named = |error: crate::error::DecodeError| error.in_column(&self.table, &column.name);
        let Some(transform) = &column.transform else {
            column.source.write_sql(value, out).map_err(named)?;
            return Ok(SqlText::Text);
        };
        let mut plain = Vec::new();
        if let Outcome::Null(_) = column.source.write(value, Form::Plain, &mut plain).map_err(named)? {
            return Ok(SqlText::Null);
        }
        transform.write(&plain, Form::Plain, out);
        Ok(SqlText::Text)
    }
}

#[derive(Debug)]
struct Column<S> {
    source: S,
    /// `,"name":`
    label: Box<[u8]>,
    name: Box<str>,
    dropped: bool,
    transform: Option<Transform>,
    default: Option<Filled>,
}

/// What an insert holds of a column that the log leaves out.
#[derive(Debug)]
struct Filled {
    json: Box<[u8]>,
    /// Before any rule, as JSON and as text; `None` where there is no value.
    value: Option<[Box<[u8]>; 2]>,
}

#[derive(Debug)]
pub(crate) struct Columns<S> {
    table: Box<str>,
    columns: Vec<Column<S>>,
}

impl<S: Source> Columns<S> {
    /// `sources` has one for each column of the table.
    pub(crate) fn new(table: &Table, rules: &[ColumnRule], sources: Vec<S>) -> Result<Columns<S>, Mismatch> {
        let (columns, given) = (table.columns.len(), rules.len());
        if given != 0 && given != columns {
            return Err(Mismatch::RuleCount { table: table.full_name(), columns, rules: given });
        }
        let columns = table.columns.iter().zip(sources).enumerate().map(|(index, (column, source))| {
            let rule = rules.get(index).unwrap_or(&ColumnRule::Keep);
            let mut label = b",\"".to_vec();
            escape(column.name.as_bytes(), &mut label);
            label.extend_from_slice(b"\":");
            Column {
                source,
                label: label.into(),
                name: column.name.as_str().into(),
                dropped: *rule == ColumnRule::Drop,
                transform: rule.transform(&column.kind),
                default: None,
            }
        });
        Ok(Columns { table: table.full_name().into(), columns: columns.collect() })
    }

    /// Learns what inserts hold of the columns that they leave out.
    pub(crate) fn fill(mut self, table: &Table, cell_of: impl Fn(usize, Vec<u8>) -> Vec<u8>) -> Columns<S> {
        for (index, (column, known)) in self.columns.iter_mut().zip(&table.columns).enumerate() {
            let Some(cell) = known.default.cell().filter(|_| !known.generated) else {
                continue;
            };
            let null = || Filled { json: b"null"[..].into(), value: None };
            column.default = match cell.map(|cell| cell_of(index, cell)) {
                None => Some(null()),
                Some(cell) => column.filled(&known.kind, &cell).ok().map(|filled| filled.unwrap_or_else(null)),
            };
        }
        self
    }

    /// Whether a column that is left out is known to be filled.
    pub(crate) fn fills(&self, index: usize) -> bool {
        self.columns.get(index).is_some_and(|column| column.default.is_some())
    }

    /// As [`Columns::write_one`], of what fills a column.
    pub(crate) fn write_filled(&self, index: usize, form: Form, out: &mut Vec<u8>) -> bool {
        let value = self.columns.get(index).and_then(|column| column.default.as_ref()?.value.as_ref());
        let Some([json, plain]) = value else {
            return false;
        };
        out.extend_from_slice(if form == Form::Plain { plain } else { json });
        true
    }

    /// Appends an object of the cells that are there. On an error `out` is as it was.
    #[inline]
    pub(crate) fn write_object<'a>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        is_insert: bool,
        out: &mut Vec<u8>,
        warnings: &mut Vec<Warning>,
    ) -> Result<()> {
        let start = out.len();
        for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            if column.dropped {
                continue;
            }
            let outcome = match cell {
                Cell::Absent => {
                    if let Some(filled) = column.default.as_ref().filter(|_| is_insert) {
                        out.extend_from_slice(&column.label);
                        out.extend_from_slice(&filled.json);
                    }
                    continue;
                }
                Cell::Null => {
                    out.extend_from_slice(&column.label);
                    out.extend_from_slice(b"null");
                    continue;
                }
                Cell::Value(value) => {
                    out.extend_from_slice(&column.label);
                    column.write(value, Form::Json, out)
                }
            };
            match outcome {
                Ok(Outcome::Written) => {}
                Ok(Outcome::Changed(kind)) => warnings.push(Warning { column: index, kind }),
                Ok(Outcome::Null(kind)) => {
                    out.extend_from_slice(b"null");
                    warnings.push(Warning { column: index, kind });
                }
                Err(error) => {
                    out.truncate(start);
                    return Err(error.in_column(&self.table, &column.name));
                }
            }
        }
        // The first label's comma gives way to the brace.
        match out.get_mut(start) {
            Some(first) => *first = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends one value, whatever its rule. False, and nothing appended, where there is none to tell.
    pub(crate) fn write_one(&self, index: usize, value: &[u8], form: Form, out: &mut Vec<u8>) -> Result<bool> {
        let Some(column) = self.columns.get(index) else {
            return Ok(false);
        };
        let start = out.len();
        match column.source.write(value, form, out) {
            Ok(Outcome::Null(_)) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => {
                out.truncate(start);
                Err(error.in_column(&self.table, &column.name))
            }
        }
    }
}

impl<S> Column<S> {
    /// A default of a kind of column; `None` where it is none to tell, such as a zero date.
    fn filled(&self, kind: &ColumnType, cell: &[u8]) -> Result<Option<Filled>> {
        let (mut plain, mut value) = (Vec::new(), Vec::new());
        if matches!(kind.write(cell, Form::Plain, &mut plain)?, Outcome::Null(_)) {
            return Ok(None);
        }
        kind.write(cell, Form::Json, &mut value)?;
        let mut json = Vec::new();
        match &self.transform {
            Some(transform) => transform.write(&plain, Form::Json, &mut json),
            None => json.clone_from(&value),
        }
        Ok(Some(Filled { json: json.into(), value: Some([value.into(), plain.into()]) }))
    }
}

impl<S: Source> Column<S> {
    #[inline]
    fn write(&self, value: &[u8], form: Form, out: &mut Vec<u8>) -> Result<Outcome> {
        let Some(transform) = &self.transform else {
            return self.source.write(value, form, out);
        };
        let mut plain = Vec::new();
        let outcome = self.source.write(value, Form::Plain, &mut plain)?;
        if !matches!(outcome, Outcome::Null(_)) {
            transform.write(&plain, form, out);
        }
        Ok(outcome)
    }
}
