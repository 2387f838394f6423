//! Statements that change rows: they are in the log where a session does not log rows.

use super::tokens::{Quoting, first_tokens};
use super::{Effect, Reading, Token, group, is, skip_word};
use crate::cdc::written::Written;

/// First words of statements that may change rows. A function that is called alone is logged as a SELECT.
pub(super) const VERBS: [&str; 9] = ["insert", "replace", "update", "delete", "load", "with", "select", "do", "call"];
/// Those that may stand behind a WITH.
const MAIN_VERBS: [&str; 4] = ["insert", "replace", "update", "delete"];
/// What may stand between the verb and the table.
const MODIFIERS: [&str; 6] = ["low_priority", "high_priority", "delayed", "ignore", "quick", "into"];
/// Of a statement of rows, whose values may be many megabytes: the tables that it changes stand before them.
const TOKENS_MAX: usize = 20_000;

/// The words of a statement that may change rows, no more than are wanted; `None` of another.
pub(super) fn of_rows(sql: &str, quoting: Quoting) -> Option<Vec<Token>> {
    let first = first_tokens(sql, quoting, 1);
    VERBS.iter().any(|verb| is(&first, verb)).then(|| first_tokens(sql, quoting, TOKENS_MAX))
}

/// The tables that a statement may change, and what it calls; tables that it reads alone are not among them.
pub(super) fn unlogged(reading: &Reading<'_>, verb: &str, words: &[Token], rest: &[Token]) -> Vec<Effect> {
    let is_cut = words.len() >= TOKENS_MAX;
    let mut written = Written { any_function: is_cut, ..Written::default() };
    match targets(verb, rest, is_cut) {
        Some(targets) => {
            for mut rest in targets {
                if let Some((db, table)) = reading.table_name(&mut rest)
                    && reading.router.follows_database(&db)
                {
                    written.tables.insert((db, table));
                }
            }
        }
        None => written.any_table = true,
    }
    written.calls = calls(words);
    if written.is_empty() { Vec::new() } else { vec![Effect::Unlogged(written)] }
}

/// Where names of tables may begin that are changed; `None` where that cannot be told.
fn targets<'a>(verb: &str, mut rest: &'a [Token], is_cut: bool) -> Option<Vec<&'a [Token]>> {
    while MODIFIERS.iter().any(|word| skip_word(&mut rest, word)) {}
    let until = |ends: &[&str]| {
        let end = top(rest).find(|rest| ends.iter().any(|end| is(rest, end))).map(<[Token]>::len);
        match end {
            None if is_cut => None,
            end => Some(references(rest.get(..rest.len() - end.unwrap_or(0)).unwrap_or_default())),
        }
    };
    match verb {
        "insert" | "replace" => Some(vec![rest]),
        "load" => {
            let tables = top(rest).filter(|rest| is(rest, "table"));
            Some(tables.map(|rest| rest.get(1..).unwrap_or_default()).collect())
        }
        "update" => until(&["set"]),
        "delete" => until(&["where", "using", "order", "limit", "returning"]),
        "with" => match top(rest).find(|rest| MAIN_VERBS.iter().any(|verb| is(rest, verb))) {
            Some([Token::Word(verb), rest @ ..]) => targets(&verb.to_ascii_lowercase(), rest, is_cut),
            _ if is_cut => None,
            _ => Some(Vec::new()), // a SELECT
        },
        _ => Some(Vec::new()),
    }
}

/// Where names of tables begin in a list of tables or joins; those of subqueries are not among them.
fn references(mut rest: &[Token]) -> Vec<&[Token]> {
    let mut found = Vec::new();
    let mut expected = true;
    while let Some(first) = rest.first() {
        let (here, inside) = (rest, rest.get(1..).unwrap_or_default());
        let is_query = is(inside, "select") || is(inside, "with") || is(inside, "values");
        if first.is_symbol('(') && (is_query || !expected) && group(&mut rest).is_some() {
            expected = false;
            continue;
        }
        rest = inside;
        if first.is_symbol(',') || ["from", "join", "straight_join"].iter().any(|word| first.is(word)) {
            expected = true;
        } else if expected && first.name().is_some() {
            found.push(here);
            expected = false;
        }
    }
    found
}

/// Names of what may be functions, in lower case.
fn calls(words: &[Token]) -> std::collections::BTreeSet<String> {
    let called = |pair: &[Token]| match pair {
        [name, open] if open.is_symbol('(') => name.name().map(str::to_lowercase),
        _ => None,
    };
    words.windows(2).filter_map(called).collect()
}

/// The rests of a statement that begin outside of all parentheses.
fn top(words: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0usize;
    (0..words.len()).filter_map(move |at| {
        let rest = words.get(at..)?;
        match rest.first()? {
            Token::Symbol('(') => depth += 1,
            Token::Symbol(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(rest)
    })
}
