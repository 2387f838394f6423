//! Statements that change what tables are, followed in the binlog.
//!
//! Only what defines columns and primary keys is understood; of the rest it is known that it does not matter. A statement
//! that may matter and is not understood makes its table lost: it is never guessed.

mod alter;
mod create;
mod statement;
pub mod tokens;
pub mod types;

use std::sync::Arc;

use linli_binlog::{Query, Session};

use super::catalog::{Catalog, Known};
use super::route::Router;
use super::written::Written;
use tokens::{Quoting, Token, tokens};

/// What a statement does to the tables that are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The tables are these from here on.
    Defined(Arc<Catalog>),
    Truncated {
        db: String,
        table: String,
    },
    /// A table's definition is not known any more.
    Lost {
        db: String,
        table: String,
        why: String,
    },
    /// The statement is about a table whose definition is not known: it is kept with its changes.
    Held {
        db: String,
        table: String,
    },
    /// A table has another name: no change of a row tells that its rows are there now.
    Renamed {
        db: String,
        table: String,
    },
    /// A statement changed rows, and the log holds the statement instead of the rows.
    Unlogged(Written),
    /// Rows follow in the same transaction.
    OpensTransaction,
}

/// Database and name of a table.
type TableName = (String, String);

/// What statements are read with.
pub(super) struct Reading<'a> {
    /// The statement's default database.
    pub db: &'a str,
    pub catalog: &'a Arc<Catalog>,
    pub router: &'a Router,
    pub mariadb: bool,
    /// What a database without a character set gets.
    pub server_charset: Option<String>,
}

/// What `query` does. Tables that are not followed are not looked at, except where one takes the place of another.
pub fn apply(sql: &str, query: &Query<'_>, catalog: &Arc<Catalog>, router: &Router, mariadb: bool) -> Vec<Effect> {
    let mode = query.session.sql_mode.unwrap_or(0);
    let quoting = Quoting {
        ansi_quotes: mode & Session::ANSI_QUOTES != 0,
        no_backslash_escapes: mode & Session::NO_BACKSLASH_ESCAPES != 0,
    };
    let words = statement::of_rows(sql, quoting).unwrap_or_else(|| tokens(sql, quoting));
    let charset =
        query.session.server_collation.and_then(|number| linli_binlog::Charset::of_collation(u32::from(number)));
    let reading = Reading {
        db: &query.db,
        catalog,
        router,
        mariadb,
        server_charset: charset.and_then(|charset| serde_json::to_value(charset).ok()?.as_str().map(str::to_owned)),
    };
    reading.statement(&words)
}

impl Reading<'_> {
    fn statement(&self, words: &[Token]) -> Vec<Effect> {
        let mut rest = words;
        // MariaDB: SET STATEMENT a=b FOR ALTER …
        if is(rest, "set") && rest.get(1).is_some_and(|token| token.is("statement")) {
            let behind = rest.iter().position(|token| token.is("for")).map_or(rest.len(), |at| at + 1);
            rest = rest.get(behind..).unwrap_or_default();
        }
        let Some(first) = take_word(&mut rest) else {
            return Vec::new();
        };
        match first.to_ascii_lowercase().as_str() {
            "create" => self.create(rest),
            "alter" => self.alter(rest),
            "drop" => self.drop(rest),
            "rename" => self.rename(rest),
            "truncate" => self.truncate(rest),
            verb if statement::VERBS.contains(&verb) => statement::unlogged(self, verb, words, rest),
            _ => Vec::new(),
        }
    }

    fn create(&self, mut rest: &[Token]) -> Vec<Effect> {
        skip_words(&mut rest, &["or", "replace"]);
        if skip_word(&mut rest, "temporary") {
            return Vec::new();
        }
        if skip_word(&mut rest, "database") || skip_word(&mut rest, "schema") {
            return self.create_database(rest);
        }
        if skip_word(&mut rest, "sequence") {
            skip_words(&mut rest, &["if", "not", "exists"]);
            return match self.table_name(&mut rest) {
                Some((db, name)) => self.defined(|catalog| catalog.put_sequence(&db, &name)),
                None => Vec::new(),
            };
        }
        if !skip_word(&mut rest, "table") {
            return Vec::new(); // an index, a view, a trigger
        }
        let exists_is_fine = skip_words(&mut rest, &["if", "not", "exists"]);
        let Some((db, name)) = self.table_name(&mut rest) else {
            return Vec::new();
        };
        if exists_is_fine && self.catalog.get(&db, &name).is_some_and(|known| known.lost.is_none()) {
            return Vec::new();
        }
        create::table(self, db, name, rest)
    }

    fn create_database(&self, mut rest: &[Token]) -> Vec<Effect> {
        skip_words(&mut rest, &["if", "not", "exists"]);
        let Some(db) = take_name(&mut rest) else {
            return Vec::new();
        };
        let charset = database_charset(rest).or_else(|| self.server_charset.clone());
        self.defined(|catalog| catalog.set_charset(&db, charset))
    }

    fn alter(&self, mut rest: &[Token]) -> Vec<Effect> {
        if skip_word(&mut rest, "database") || skip_word(&mut rest, "schema") {
            let db = take_name(&mut rest).unwrap_or_else(|| self.db.to_owned());
            return match database_charset(rest) {
                Some(charset) => self.defined(|catalog| catalog.set_charset(&db, Some(charset))),
                None => Vec::new(),
            };
        }
        skip_word(&mut rest, "online");
        skip_word(&mut rest, "offline");
        skip_word(&mut rest, "ignore");
        if !skip_word(&mut rest, "table") {
            return Vec::new();
        }
        skip_words(&mut rest, &["if", "exists"]);
        match self.table_name(&mut rest) {
            Some((db, name)) => alter::table(self, db, name, rest),
            None => Vec::new(),
        }
    }

    fn drop(&self, mut rest: &[Token]) -> Vec<Effect> {
        if skip_word(&mut rest, "temporary") {
            return Vec::new();
        }
        if skip_word(&mut rest, "database") || skip_word(&mut rest, "schema") {
            skip_words(&mut rest, &["if", "exists"]);
            return match take_name(&mut rest) {
                Some(db) => self.defined(|catalog| catalog.drop_database(&db)),
                None => Vec::new(),
            };
        }
        if !["table", "tables", "sequence"].iter().any(|word| skip_word(&mut rest, word)) {
            return Vec::new();
        }
        skip_words(&mut rest, &["if", "exists"]);
        let mut names = Vec::new();
        while let Some(name) = self.table_name(&mut rest) {
            names.push(name);
            if !skip_symbol(&mut rest, ',') {
                break;
            }
        }
        self.defined(|catalog| {
            for (db, name) in names {
                catalog.remove(&db, &name);
                catalog.remove_sequence(&db, &name);
            }
        })
    }

    /// `RENAME TABLE a TO b, c TO d`: one after the other, as a swap needs it.
    fn rename(&self, mut rest: &[Token]) -> Vec<Effect> {
        if !(skip_word(&mut rest, "table") || skip_word(&mut rest, "tables")) {
            return Vec::new();
        }
        skip_words(&mut rest, &["if", "exists"]);
        let mut pairs = Vec::new();
        while let Some(from) = self.table_name(&mut rest) {
            while skip_word(&mut rest, "nowait")
                || skip_word(&mut rest, "wait")
                || matches!(rest.first(), Some(Token::Number(_)))
            {
                if matches!(rest.first(), Some(Token::Number(_))) {
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
            if !skip_word(&mut rest, "to") {
                break;
            }
            let Some(to) = self.table_name(&mut rest) else {
                break;
            };
            pairs.push((from, to));
            if !skip_symbol(&mut rest, ',') {
                break;
            }
        }
        let mut lost = Vec::new();
        let mut effects = self.defined(|catalog| {
            for (from, to) in &pairs {
                if catalog.remove_sequence(&from.0, &from.1) {
                    catalog.put_sequence(&to.0, &to.1);
                    continue;
                }
                match catalog.remove(&from.0, &from.1) {
                    Some(known) => {
                        let mut known = (*known).clone();
                        (known.table.db, known.table.name) = to.clone();
                        catalog.put(known);
                        lost.retain(|name| name != to);
                    }
                    None => {
                        catalog.remove(&to.0, &to.1);
                        lost.push(to.clone());
                    }
                }
            }
        });
        let followed = |(db, name): &TableName| self.router.follows(db, name);
        for (db, table) in lost.into_iter().filter(followed) {
            let why = "it was another table before, whose definition is not known".to_owned();
            effects.push(Effect::Lost { db, table, why });
        }
        effects.extend(pairs.iter().filter_map(|(from, to)| self.renamed(from, to)));
        effects
    }

    /// A followed table that got its name. Not where tools for changes without locks put their copy in place: it holds the
    /// rows that the table held.
    fn renamed(&self, (from_db, from): &TableName, (db, table): &TableName) -> Option<Effect> {
        let is_copy = from_db == db && [format!("_{table}_gho"), format!("_{table}_new")].contains(from);
        (self.router.follows(db, table) && !is_copy && !self.catalog.is_sequence(from_db, from))
            .then(|| Effect::Renamed { db: db.clone(), table: table.clone() })
    }

    fn truncate(&self, mut rest: &[Token]) -> Vec<Effect> {
        skip_word(&mut rest, "table");
        match self.table_name(&mut rest) {
            Some((db, table)) if !self.router.follows(&db, &table) => Vec::new(),
            Some((db, table)) if self.is_lost(&db, &table) => vec![Effect::Held { db, table }],
            Some((db, table)) => vec![Effect::Truncated { db, table }],
            None => Vec::new(),
        }
    }

    /// `name` or `db.name`.
    fn table_name(&self, rest: &mut &[Token]) -> Option<TableName> {
        let first = take_name(rest)?;
        if skip_symbol(rest, '.') {
            return Some((first, take_name(rest)?));
        }
        Some((self.db.to_owned(), first))
    }

    /// The catalog after a change; nothing where it changes nothing.
    fn defined(&self, change: impl FnOnce(&mut Catalog)) -> Vec<Effect> {
        let mut catalog = (**self.catalog).clone();
        change(&mut catalog);
        if catalog == **self.catalog { Vec::new() } else { vec![Effect::Defined(Arc::new(catalog))] }
    }

    /// Definitions of tables of other databases are kept too where a followed one may come of them.
    fn put(&self, known: Known) -> Vec<Effect> {
        self.defined(|catalog| catalog.put(known))
    }

    fn is_lost(&self, db: &str, table: &str) -> bool {
        self.catalog.get(db, table).is_some_and(|known| known.lost.is_some())
    }

    /// Whether a table is of a database that is followed: also those that are left out, for one may be renamed.
    fn concerns(&self, db: &str) -> bool {
        self.router.follows_database(db)
    }
}

fn database_charset(mut rest: &[Token]) -> Option<String> {
    while !rest.is_empty() {
        if let Some(charset) = types::charset_clause(&mut rest) {
            return Some(charset);
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    None
}

fn is(rest: &[Token], keyword: &str) -> bool {
    rest.first().is_some_and(|token| token.is(keyword))
}

fn take_word(rest: &mut &[Token]) -> Option<String> {
    match rest.split_first() {
        Some((Token::Word(word), behind)) => {
            *rest = behind;
            Some(word.clone())
        }
        _ => None,
    }
}

fn take_name(rest: &mut &[Token]) -> Option<String> {
    let (first, behind) = rest.split_first()?;
    let name = first.name()?.to_owned();
    *rest = behind;
    Some(name)
}

fn skip_word(rest: &mut &[Token], keyword: &str) -> bool {
    skip_words(rest, &[keyword])
}

fn skip_words(rest: &mut &[Token], keywords: &[&str]) -> bool {
    let found =
        keywords.iter().enumerate().all(|(index, keyword)| rest.get(index).is_some_and(|token| token.is(keyword)));
    if found {
        *rest = rest.get(keywords.len()..).unwrap_or_default();
    }
    found
}

fn skip_symbol(rest: &mut &[Token], symbol: char) -> bool {
    match rest.split_first() {
        Some((first, behind)) if first.is_symbol(symbol) => {
            *rest = behind;
            true
        }
        _ => false,
    }
}

/// Skips a whole group in parentheses, if one begins here; what is inside.
fn group<'a>(rest: &mut &'a [Token]) -> Option<&'a [Token]> {
    let all = *rest;
    if !all.first()?.is_symbol('(') {
        return None;
    }
    let mut depth = 0usize;
    for (at, token) in all.iter().enumerate() {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            *rest = all.get(at + 1..).unwrap_or_default();
            return all.get(1..at);
        }
    }
    None
}

/// Parts between commas outside of parentheses.
fn parts(words: &[Token]) -> Vec<&[Token]> {
    let (mut depth, mut start, mut out) = (0usize, 0, Vec::new());
    for (at, token) in words.iter().enumerate() {
        match token {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            Token::Symbol(',') if depth == 0 => {
                out.extend(words.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    out.extend(words.get(start..));
    out
}

#[cfg(test)]
mod tests;
