//! `CREATE TABLE`: columns and primary key.

use linli_binlog::{Column, ColumnDefault, ColumnType, Literal, Table};

use super::types::{TypeText, charset_clause, column_type};
use super::{Effect, Reading, TableName, Token, group, is, parts, skip_word, skip_words, take_name};
use crate::cdc::catalog::{History, Known};

/// What follows the name of a new table.
pub(super) fn table(reading: &Reading<'_>, db: String, name: String, mut rest: &[Token]) -> Vec<Effect> {
    if !reading.concerns(&db) {
        return Vec::new();
    }
    // LIKE other, with or without parentheses
    let like = match rest {
        [first, behind @ ..] if first.is("like") => Some(behind),
        [open, first, behind @ ..] if open.is_symbol('(') && first.is("like") => Some(behind),
        _ => None,
    };
    if let Some(mut like) = like {
        return created_like(reading, db, name, reading.table_name(&mut like));
    }
    let body = group(&mut rest);
    let opens = ends_with_start_transaction(rest);
    let mut table_charset = None;
    let mut options = rest;
    let mut selects = body.is_none();
    while !options.is_empty() {
        if let Some(charset) = charset_clause(&mut options) {
            table_charset = Some(charset);
        } else if skip_word(&mut options, "partition") {
            break; // its clauses name nothing that matters, but may hold anything
        } else {
            selects |= is(options, "select") || is(options, "with") && !skip_words(&mut { options }, &VERSIONING);
            options = options.get(1..).unwrap_or_default();
        }
    }
    let charset = table_charset
        .or_else(|| reading.catalog.charset(&db).map(str::to_owned))
        .or_else(|| reading.server_charset.clone());
    let defined = if selects {
        Err("it is made by a SELECT".to_owned())
    } else {
        columns(reading, body.unwrap_or_default(), charset.as_deref())
    };
    let mut effects = match defined {
        Ok((columns, primary_key)) => {
            let mut table = Table { db, name, columns, primary_key };
            let body = body.unwrap_or_default();
            let versioned = has_words(rest, &VERSIONING) || has_words(body, &VERSIONING);
            let history = versioned.then(|| match parts(body).into_iter().find_map(row_end) {
                Some(end) => History { end, hidden: false },
                None => History::hide_in(&mut table),
            });
            history.iter().for_each(|history| history.take_from_key(&mut table));
            reading.put(Known { table, charset, lost: None, history })
        }
        Err(why) => lost(reading, db, name, charset, why),
    };
    if opens {
        effects.push(Effect::OpensTransaction);
    }
    effects
}

/// Of a table, or of its columns.
const VERSIONING: [&str; 3] = ["with", "system", "versioning"];

/// The name of a column that is `GENERATED ALWAYS AS ROW END`.
pub(super) fn row_end(part: &[Token]) -> Option<String> {
    has_words(part, &["as", "row", "end"]).then(|| part.first()?.name().map(str::to_owned))?
}

fn has_words(rest: &[Token], words: &[&str]) -> bool {
    (0..rest.len()).any(|at| skip_words(&mut rest.get(at..).unwrap_or_default(), words))
}

/// MySQL 8.0.21 logs `CREATE TABLE … START TRANSACTION` before the rows of a SELECT.
fn ends_with_start_transaction(rest: &[Token]) -> bool {
    matches!(rest, [.., a, b] if a.is("start") && b.is("transaction"))
}

fn created_like(reading: &Reading<'_>, db: String, name: String, like: Option<TableName>) -> Vec<Effect> {
    let model = like.and_then(|(db, name)| reading.catalog.get(&db, &name).cloned());
    match model {
        Some(model) => {
            let mut known = (*model).clone();
            (known.table.db, known.table.name) = (db, name);
            reading.put(known)
        }
        None => lost(reading, db, name, None, "the table it was made like is not known".to_owned()),
    }
}

/// A table that is there, but of which nothing is known.
fn lost(reading: &Reading<'_>, db: String, name: String, charset: Option<String>, why: String) -> Vec<Effect> {
    let table = Table { db: db.clone(), name: name.clone(), columns: Vec::new(), primary_key: Vec::new() };
    let mut effects = reading.put(Known { table, charset, lost: Some(why.clone()), history: None });
    if reading.router.follows(&db, &name) {
        effects.push(Effect::Lost { db: db.clone(), table: name.clone(), why });
        effects.push(Effect::Held { db, table: name });
    }
    effects
}

fn columns(reading: &Reading<'_>, body: &[Token], charset: Option<&str>) -> Result<(Vec<Column>, Vec<usize>), String> {
    let (mut columns, mut key): (Vec<Column>, Vec<String>) = (Vec::new(), Vec::new());
    for part in parts(body) {
        match definition(reading, part, charset)? {
            Definition::Column { column, primary } => {
                if primary {
                    key = vec![column.name.clone()];
                }
                columns.push(column);
            }
            Definition::PrimaryKey(names) => key = names,
            Definition::Other => {}
        }
    }
    let index = |name: &String| columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    let key =
        key.iter().map(|name| index(name).ok_or_else(|| format!("its primary key names {name:?}, which it lacks")));
    let key: Vec<usize> = key.collect::<Result<_, _>>()?;
    for index in &key {
        if let Some(column) = columns.get_mut(*index) {
            column.nullable = false;
        }
    }
    Ok((columns, key))
}

/// A part of a table's body.
pub(super) enum Definition {
    Column {
        column: Column,
        primary: bool,
    },
    PrimaryKey(Vec<String>),
    /// An index, a constraint, a check, a period.
    Other,
}

pub(super) fn definition(reading: &Reading<'_>, part: &[Token], charset: Option<&str>) -> Result<Definition, String> {
    let mut rest = part;
    let Some(first) = rest.first() else {
        return Ok(Definition::Other);
    };
    if let Token::Word(word) = first {
        let word = word.to_ascii_lowercase();
        if word == "constraint" {
            rest = rest.get(1..).unwrap_or_default();
            let named = rest
                .first()
                .is_some_and(|token| !["primary", "unique", "foreign", "check"].iter().any(|word| token.is(word)));
            if named {
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        if skip_words(&mut rest, &["primary", "key"]) {
            return Ok(Definition::PrimaryKey(key_columns(rest)));
        }
        let follows_name = |keyword: &str| part.get(1).is_some_and(|token| token.is(keyword));
        let is_other = match word.as_str() {
            "constraint" | "index" | "key" | "unique" | "fulltext" | "spatial" | "foreign" | "check" => true,
            "period" => follows_name("for"),
            _ => false,
        };
        if is_other {
            return Ok(Definition::Other);
        }
    }
    let name = take_name(&mut rest).ok_or_else(|| "a column without a name".to_owned())?;
    column(reading, name, rest, charset)
}

/// A column behind its name.
pub(super) fn column(
    reading: &Reading<'_>,
    name: String,
    mut rest: &[Token],
    charset: Option<&str>,
) -> Result<Definition, String> {
    let shown = rest.first().map_or_else(String::new, |token| format!("{token:?}"));
    let Some(TypeText { kind, not_null }) = column_type(&mut rest, charset, reading.mariadb) else {
        return Err(format!("the type of column {name:?} is not understood ({shown})"));
    };
    let (mut nullable, mut primary, mut generated) = (!not_null, false, false);
    let mut default = None;
    let mut attributes = rest;
    while let Some(first) = attributes.first() {
        if skip_word(&mut attributes, "default") {
            default = Some(default_of(&mut attributes, &kind));
        } else if group(&mut attributes).is_some() {
            continue; // an expression
        }
        if skip_words(&mut attributes, &["not", "null"]) {
            nullable = false;
        } else if skip_words(&mut attributes, &["primary", "key"]) || skip_words(&mut attributes, &["primary"]) {
            (primary, nullable) = (true, false);
        } else if skip_words(&mut attributes, &["unique", "key"]) || skip_words(&mut attributes, &["comment"]) {
        } else if first.is("references") || first.is("on") {
            attributes = attributes.get(2..).unwrap_or_default(); // with the value behind it
        } else if skip_word(&mut attributes, "key") {
            (primary, nullable) = (true, false);
        } else {
            generated |= first.is("as") || first.is("generated");
            attributes = attributes.get(1..).unwrap_or_default();
        }
    }
    let default = default.unwrap_or_else(|| ColumnDefault::implicit(&kind, nullable));
    Ok(Definition::Column { column: Column { name, kind, nullable, generated, default }, primary })
}

/// The value behind DEFAULT, taken from `rest`; unknown where it is an expression, whose outcome the log tells.
pub(super) fn default_of(rest: &mut &[Token], kind: &ColumnType) -> ColumnDefault {
    if group(rest).is_some() {
        return ColumnDefault::Unknown;
    }
    let literal = match *rest {
        [Token::Symbol(sign @ ('-' | '+')), number, ..] => {
            let sign = if *sign == '-' { "-" } else { "" };
            number_of(number).map(|number| (2, Literal::Number(format!("{sign}{number}"))))
        }
        [Token::Word(word), Token::Text(digits), ..] if word.eq_ignore_ascii_case("b") => {
            bits(digits).map(|bytes| (2, Literal::Bytes(bytes)))
        }
        [Token::Word(word), Token::Text(digits), ..] if word.eq_ignore_ascii_case("x") => {
            hex(digits).map(|bytes| (2, Literal::Bytes(bytes)))
        }
        [Token::Word(word), Token::Text(text), ..] if word.starts_with('_') || word.eq_ignore_ascii_case("n") => {
            Some((2, Literal::Text(text.clone())))
        }
        [Token::Text(text), ..] => Some((1, Literal::Text(text.clone()))),
        [word, ..] if word.is("null") => Some((1, Literal::Null)),
        [word, ..] if word.is("true") => Some((1, Literal::Number("1".to_owned()))),
        [word, ..] if word.is("false") => Some((1, Literal::Number("0".to_owned()))),
        [Token::Word(word), ..] if word.starts_with("0x") => hex(&word[2..]).map(|bytes| (1, Literal::Bytes(bytes))),
        [number, ..] => number_of(number).map(|number| (1, Literal::Number(number))),
        [] => None,
    };
    let (taken, default) = match literal {
        Some((taken, literal)) => (taken, ColumnDefault::of_literal(kind, &literal)),
        None => (1, ColumnDefault::Unknown), // CURRENT_TIMESTAMP, whose digits in parentheses are skipped after
    };
    *rest = rest.get(taken..).unwrap_or_default();
    default
}

/// A number, be it `1.5` or `1e3`.
fn number_of(token: &Token) -> Option<String> {
    match token {
        Token::Number(text) => Some(text.clone()),
        Token::Word(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            text.parse::<f64>().is_ok().then(|| text.clone())
        }
        _ => None,
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn bits(digits: &str) -> Option<Vec<u8>> {
    let value = u64::from_str_radix(digits, 2).ok()?;
    Some(value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect())
}

/// Names of columns in parentheses, without lengths and orders.
pub(super) fn key_columns(mut rest: &[Token]) -> Vec<String> {
    while !rest.is_empty() && !rest.first().is_some_and(|token| token.is_symbol('(')) {
        rest = rest.get(1..).unwrap_or_default(); // USING BTREE, a name
    }
    let inside = group(&mut rest).unwrap_or_default();
    parts(inside).into_iter().filter_map(|part| part.first()?.name().map(str::to_owned)).collect()
}

/// Whether a column's place is told: FIRST, or behind another.
pub(super) fn place(part: &[Token]) -> Option<Place> {
    match part {
        [.., last] if last.is("first") => Some(Place::First),
        [.., after, name] if after.is("after") => Some(Place::After(name.name()?.to_owned())),
        _ => None,
    }
}

pub(super) enum Place {
    First,
    After(String),
}
