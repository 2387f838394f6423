//! `ALTER TABLE`: one clause after the other.

use linli_binlog::{Charset, Column, ColumnDefault, ColumnType, Table};

use super::create::{Definition, Place, column, default_of, definition, place, row_end};
use super::types::charset_clause;
use super::{Effect, Reading, TableName, Token, group, is, parts, skip_symbol, skip_word, skip_words, take_name};
use crate::cdc::catalog::{History, Known};

/// What follows the table's name.
pub(super) fn table(reading: &Reading<'_>, db: String, name: String, rest: &[Token]) -> Vec<Effect> {
    if !reading.concerns(&db) {
        return Vec::new();
    }
    let Some(known) = reading.catalog.get(&db, &name) else {
        return Vec::new(); // if rows of it come, its table map tells that it is not known
    };
    let mut altered = Altered {
        table: known.table.clone(),
        charset: known.charset.clone(),
        renamed: None,
        history: known.history.clone(),
        versioning: false,
        end: None,
    };
    let mut why = known.lost.clone();
    for clause in parts(rest) {
        // Where it goes is looked for in any case.
        if (why.is_none() || is(clause, "rename"))
            && let Err(cause) = altered.clause(reading, clause)
        {
            why = why.or(Some(cause));
        }
    }
    altered.add_versioning();
    let Altered { mut table, mut charset, renamed, mut history, .. } = altered;
    if why.is_some() {
        // The definition stays that of before: what is held of the table begins with this statement.
        (table, charset, history) = (known.table.clone(), known.charset.clone(), known.history.clone());
    }
    if let Some((db, name)) = &renamed {
        (table.db, table.name) = (db.clone(), name.clone());
    }
    let (new_db, new_name) = (table.db.clone(), table.name.clone());
    let mut effects = reading.defined(|catalog| {
        if renamed.is_some() {
            catalog.remove(&db, &name);
        }
        catalog.put(Known { table, charset, lost: why.clone(), history });
    });
    let old = (db.clone(), name.clone());
    effects.extend(renamed.as_ref().and_then(|new| reading.renamed(&old, new)));
    if let Some(why) = why.filter(|_| reading.router.follows(&new_db, &new_name)) {
        if known.lost.is_none() {
            effects.push(Effect::Lost { db: new_db.clone(), table: new_name.clone(), why });
        }
        effects.push(Effect::Held { db: new_db, table: new_name });
    }
    effects
}

struct Altered {
    table: Table,
    charset: Option<String>,
    renamed: Option<TableName>,
    history: Option<History>,
    /// It begins to keep its old rows, with this column if it has one for it.
    versioning: bool,
    end: Option<String>,
}

impl Altered {
    fn add_versioning(&mut self) {
        if self.versioning && self.history.is_none() {
            let history = match self.end.take() {
                Some(end) => History { end, hidden: false },
                None => History::hide_in(&mut self.table),
            };
            history.take_from_key(&mut self.table);
            self.history = Some(history);
        }
    }

    fn drop_versioning(&mut self) {
        let hidden = self.history.take().map_or(0, |history| history.hidden_columns());
        self.table.columns.truncate(self.table.columns.len().saturating_sub(hidden));
    }

    fn clause(&mut self, reading: &Reading<'_>, clause: &[Token]) -> Result<(), String> {
        let mut rest = clause;
        if skip_word(&mut rest, "add") {
            return self.add(reading, rest);
        }
        if skip_word(&mut rest, "drop") {
            return self.drop(rest);
        }
        if skip_word(&mut rest, "modify") {
            skip_word(&mut rest, "column");
            skip_words(&mut rest, &["if", "exists"]);
            let name = take_name(&mut rest).ok_or("MODIFY without a column")?;
            return self.change(reading, &name, name.clone(), rest);
        }
        if skip_word(&mut rest, "change") {
            skip_word(&mut rest, "column");
            skip_words(&mut rest, &["if", "exists"]);
            let old = take_name(&mut rest).ok_or("CHANGE without a column")?;
            let new = take_name(&mut rest).ok_or("CHANGE without a new name")?;
            return self.change(reading, &old, new, rest);
        }
        if skip_word(&mut rest, "rename") {
            return self.rename(reading, rest);
        }
        if skip_word(&mut rest, "alter") {
            self.alter(rest);
            return Ok(());
        }
        if skip_words(&mut rest, &["convert", "to"]) {
            let charset = charset_clause(&mut rest).ok_or("CONVERT TO is not understood")?;
            return self.convert(charset);
        }
        skip_word(&mut rest, "default");
        while !rest.is_empty() {
            match charset_clause(&mut rest) {
                Some(charset) => self.charset = Some(charset),
                None => rest = rest.get(1..).unwrap_or_default(),
            }
        }
        Ok(()) // indexes, defaults, options, partitions: columns stay as they are
    }

    fn add(&mut self, reading: &Reading<'_>, mut rest: &[Token]) -> Result<(), String> {
        let told = skip_word(&mut rest, "column");
        skip_words(&mut rest, &["if", "not", "exists"]);
        if !told && skip_words(&mut rest, &["system", "versioning"]) {
            self.versioning = true;
            return Ok(());
        }
        if !told && is(rest, "partition") {
            return Ok(());
        }
        if let Some(inside) = group(&mut rest) {
            for part in parts(inside) {
                self.add_one(reading, part, None)?;
            }
            return Ok(());
        }
        self.add_one(reading, rest, place(rest))
    }

    fn add_one(&mut self, reading: &Reading<'_>, part: &[Token], place: Option<Place>) -> Result<(), String> {
        self.end = row_end(part).or(self.end.take());
        match definition(reading, part, self.charset.as_deref())? {
            Definition::Column { column, primary } => {
                if self.table.column(&column.name).is_some() {
                    return Ok(()); // IF NOT EXISTS
                }
                let name = column.name.clone();
                self.insert(column, place)?;
                if primary {
                    self.set_key(&[name])?;
                }
                Ok(())
            }
            Definition::PrimaryKey(names) => self.set_key(&names),
            Definition::Other => Ok(()),
        }
    }

    /// Those stand behind every other.
    fn hidden_columns(&self) -> usize {
        self.history.as_ref().map_or(0, History::hidden_columns).min(self.table.columns.len())
    }

    fn insert(&mut self, column: Column, place: Option<Place>) -> Result<(), String> {
        let at = match place {
            None => self.table.columns.len() - self.hidden_columns(),
            Some(Place::First) => 0,
            Some(Place::After(name)) => self.index(&name)? + 1,
        };
        self.table.columns.insert(at, column);
        for index in &mut self.table.primary_key {
            *index += usize::from(*index >= at);
        }
        Ok(())
    }

    fn drop(&mut self, mut rest: &[Token]) -> Result<(), String> {
        if skip_words(&mut rest, &["primary", "key"]) {
            self.table.primary_key.clear();
            return Ok(());
        }
        if skip_words(&mut rest, &["system", "versioning"]) {
            self.drop_versioning();
            return Ok(());
        }
        let told = skip_word(&mut rest, "column");
        const OTHERS: [&str; 9] =
            ["index", "key", "foreign", "check", "constraint", "partition", "system", "period", "default"];
        if !told && OTHERS.iter().any(|other| is(rest, other)) {
            return Ok(());
        }
        let may_be_missing = skip_words(&mut rest, &["if", "exists"]);
        let name = take_name(&mut rest).ok_or("DROP without a name")?;
        match self.table.column(&name) {
            Some(at) => self.remove(at),
            None if may_be_missing => {}
            None => return Err(format!("column {name:?} was dropped, which was not known")),
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        self.table.columns.remove(at);
        self.table.primary_key.retain(|index| *index != at);
        for index in &mut self.table.primary_key {
            *index -= usize::from(*index > at);
        }
    }

    fn change(&mut self, reading: &Reading<'_>, old: &str, new: String, rest: &[Token]) -> Result<(), String> {
        let Some(at) = self.table.column(old) else {
            return Err(format!("column {old:?} was changed, which was not known"));
        };
        let Definition::Column { mut column, primary } = column(reading, new, rest, self.charset.as_deref())? else {
            return Err(format!("the change of column {old:?} is not understood"));
        };
        let in_key = self.table.primary_key.contains(&at);
        column.nullable &= !in_key;
        let name = column.name.clone();
        match place(rest) {
            None => {
                if let Some(place) = self.table.columns.get_mut(at) {
                    *place = column;
                }
            }
            Some(place) => {
                let key: Vec<String> = self.key_names();
                self.table.columns.remove(at);
                let to = match place {
                    Place::First => 0,
                    Place::After(after) => self.index(&after)? + 1,
                };
                self.table.columns.insert(to, column);
                let key: Vec<String> = key
                    .into_iter()
                    .map(|part| if part.eq_ignore_ascii_case(old) { name.clone() } else { part })
                    .collect();
                self.set_key(&key)?;
            }
        }
        if primary { self.set_key(&[name]) } else { Ok(()) }
    }

    fn rename(&mut self, reading: &Reading<'_>, mut rest: &[Token]) -> Result<(), String> {
        if is(rest, "index") || is(rest, "key") {
            return Ok(());
        }
        if skip_word(&mut rest, "column") {
            skip_words(&mut rest, &["if", "exists"]);
            let old = take_name(&mut rest).ok_or("RENAME COLUMN without a name")?;
            skip_word(&mut rest, "to");
            let new = take_name(&mut rest).ok_or("RENAME COLUMN without a new name")?;
            let at = self.index(&old)?;
            if let Some(column) = self.table.columns.get_mut(at) {
                column.name = new;
            }
            return Ok(());
        }
        let _ = skip_word(&mut rest, "to") || skip_word(&mut rest, "as") || skip_symbol(&mut rest, '=');
        let name = take_name(&mut rest).ok_or("RENAME without a name")?;
        self.renamed = Some(match skip_symbol(&mut rest, '.') {
            true => (name, take_name(&mut rest).ok_or("RENAME without a name")?),
            // within the session's database, not the table's
            false => (reading.db.to_owned(), name),
        });
        Ok(())
    }

    /// `ALTER [COLUMN] a SET DEFAULT x` or `DROP DEFAULT`; of indexes and constraints nothing matters.
    fn alter(&mut self, mut rest: &[Token]) {
        const OTHERS: [&str; 4] = ["index", "key", "check", "constraint"];
        if OTHERS.iter().any(|other| is(rest, other)) {
            return;
        }
        skip_word(&mut rest, "column");
        skip_words(&mut rest, &["if", "exists"]);
        let column = take_name(&mut rest).and_then(|name| self.table.column(&name));
        let Some(column) = column.and_then(|index| self.table.columns.get_mut(index)) else {
            return;
        };
        if skip_words(&mut rest, &["set", "default"]) {
            column.default = default_of(&mut rest, &column.kind);
        } else if skip_words(&mut rest, &["drop", "default"]) {
            column.default = ColumnDefault::implicit(&column.kind, column.nullable);
        }
    }

    fn convert(&mut self, charset: String) -> Result<(), String> {
        let named = Charset::named(&charset).map_err(|error| error.to_string())?;
        for column in &mut self.table.columns {
            if let ColumnType::Text { charset } = &mut column.kind {
                *charset = named;
            }
        }
        self.charset = Some(charset);
        Ok(())
    }

    fn index(&self, name: &str) -> Result<usize, String> {
        self.table.column(name).ok_or_else(|| format!("column {name:?} was named, which was not known"))
    }

    fn key_names(&self) -> Vec<String> {
        let name = |index: &usize| self.table.columns.get(*index).map(|column| column.name.clone());
        self.table.primary_key.iter().filter_map(name).collect()
    }

    fn set_key(&mut self, names: &[String]) -> Result<(), String> {
        self.table.primary_key = names.iter().map(|name| self.index(name)).collect::<Result<_, _>>()?;
        for index in &self.table.primary_key {
            if let Some(column) = self.table.columns.get_mut(*index) {
                column.nullable = false;
            }
        }
        Ok(())
    }
}
