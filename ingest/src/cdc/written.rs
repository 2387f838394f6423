//! Rows that were changed by statements which are logged without them: which tables they may be of.
//!
//! A statement names tables and views; triggers, functions and procedures may change others. What is not certain counts as
//! changed: it costs a reading, the other way it costs rows.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Catalog;
use super::ddl::tokens::{Quoting, Token, tokens};
use super::position::Place;
use super::route::Router;
use super::wire::{Wire, WireResult};

/// Database and name.
type Name = (String, String);

/// What such statements name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Tables and views that they may change.
    pub tables: BTreeSet<Name>,
    /// Names of what may be functions, in lower case.
    pub calls: BTreeSet<String>,
    /// They are too long to be read whole.
    pub any_function: bool,
    pub any_table: bool,
}

impl Written {
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.calls.is_empty() && !self.any_function && !self.any_table
    }

    pub fn add(&mut self, other: Written) {
        self.tables.extend(other.tables);
        self.calls.extend(other.calls);
        self.any_function |= other.any_function;
        self.any_table |= other.any_table;
    }
}

/// What stands in views, triggers and routines, as far as the user may see it.
#[derive(Debug, Default)]
pub struct Definitions {
    views: BTreeMap<Name, Text>,
    /// By the table whose changes they follow.
    triggers: BTreeMap<Name, Vec<Text>>,
    /// By their names in lower case, whatever their database.
    routines: BTreeMap<String, Vec<Text>>,
}

/// What a definition mentions; `None` where it may not be seen.
type Text = Option<BTreeSet<Name>>;

/// The followed tables that statements may have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reached {
    pub tables: BTreeSet<Name>,
    /// Of followed databases, but no tables that are known: temporary ones, or such that the user may not see.
    pub unknown: BTreeSet<Name>,
}

impl Reached {
    /// Tells it to whom it concerns.
    pub fn tell(&self, server: &str, place: &Place) {
        let list = |names: &BTreeSet<Name>| {
            let names: Vec<String> = names.iter().map(|(db, name)| format!("{db}.{name}")).collect();
            names.join(", ")
        };
        if !self.tables.is_empty() {
            tracing::error!(
                server, %place, tables = list(&self.tables),
                "rows were changed by a statement that is logged without them: the tables are read anew. \
                 Let all sessions have binlog_format=ROW"
            );
        }
        if !self.unknown.is_empty() {
            tracing::warn!(
                server, %place, tables = list(&self.unknown),
                "a statement that is logged without its rows names tables that are not known: unless they are temporary, \
                 grant SELECT on them and read them anew by linli ingest cdc snapshot TABLE"
            );
        }
    }
}

const SYSTEM: &str = "('mysql','sys','information_schema','performance_schema')";

impl Definitions {
    pub async fn read(wire: &mut Wire) -> WireResult<Definitions> {
        let mut found = Definitions::default();
        let of = |row: &[Option<String>]| match row {
            [Some(db), Some(name), text] => {
                let text = text.as_deref().filter(|text| !text.is_empty());
                Some((db.clone(), name.clone(), text.map(|text| mentioned(db, text))))
            }
            _ => None,
        };
        let sql = "SELECT table_schema, table_name, view_definition FROM information_schema.views";
        for row in wire.query(&format!("{sql} WHERE table_schema NOT IN {SYSTEM}")).await? {
            found.views.extend(of(&row).map(|(db, name, text)| ((db, name), text)));
        }
        let sql = "SELECT event_object_schema, event_object_table, action_statement FROM information_schema.triggers";
        for row in wire.query(&format!("{sql} WHERE event_object_schema NOT IN {SYSTEM}")).await? {
            if let Some((db, name, text)) = of(&row) {
                found.triggers.entry((db, name)).or_default().push(text);
            }
        }
        let sql = "SELECT routine_schema, routine_name, routine_definition FROM information_schema.routines";
        for row in wire.query(&format!("{sql} WHERE routine_schema NOT IN {SYSTEM}")).await? {
            if let Some((_, name, text)) = of(&row) {
                found.routines.entry(name.to_lowercase()).or_default().push(text);
            }
        }
        Ok(found)
    }

    pub fn reached(&self, written: &Written, catalog: &Catalog, router: &Router) -> Reached {
        let mut search = Search { definitions: self, seen: BTreeSet::new(), anything: written.any_table };
        written.tables.iter().for_each(|name| search.table(name));
        for (name, texts) in &self.routines {
            if written.any_function || written.calls.contains(name) {
                texts.iter().for_each(|text| search.text(text));
            }
        }
        let Search { seen, anything, .. } = search;
        let is_followed = |(db, name): &Name| router.follows(db, name) && !catalog.is_sequence(db, name);
        let known = catalog.tables().map(|known| (known.table.db.clone(), known.table.name.clone()));
        let tables = known.filter(|name| is_followed(name) && (anything || seen.contains(name))).collect();
        let is_unknown = |name: &&Name| {
            is_followed(name) && catalog.get(&name.0, &name.1).is_none() && !self.views.contains_key(*name)
        };
        Reached { tables, unknown: written.tables.iter().filter(is_unknown).cloned().collect() }
    }
}

/// Names that a definition mentions, as tables or as routines.
fn mentioned(db: &str, text: &str) -> BTreeSet<Name> {
    let words = tokens(text, Quoting::default());
    // A text may be a name under ANSI_QUOTES.
    let name = |token: &Token| match token {
        Token::Text(name) => Some(name.clone()),
        token => token.name().map(str::to_owned),
    };
    let mut found: BTreeSet<Name> = words.iter().filter_map(name).map(|name| (db.to_owned(), name)).collect();
    found.extend(words.windows(3).filter_map(|part| match part {
        [of, dot, table] if dot.is_symbol('.') => Some((name(of)?, name(table)?)),
        _ => None,
    }));
    found
}

/// Goes from name to name.
struct Search<'a> {
    definitions: &'a Definitions,
    seen: BTreeSet<Name>,
    /// Something is changed of which nothing may be seen.
    anything: bool,
}

impl Search<'_> {
    fn table(&mut self, name: &Name) {
        if !self.seen.insert(name.clone()) {
            return;
        }
        let definitions = self.definitions;
        definitions.views.get(name).iter().for_each(|text| self.text(text));
        definitions.triggers.get(name).into_iter().flatten().for_each(|text| self.text(text));
        definitions.routines.get(&name.1.to_lowercase()).into_iter().flatten().for_each(|text| self.text(text));
    }

    fn text(&mut self, text: &Text) {
        match text {
            Some(names) => names.iter().for_each(|name| self.table(name)),
            None => self.anything = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use linli_binlog::Table;

    use super::*;
    use crate::cdc::catalog::Known;
    use crate::cdc::options::CdcOptions;

    fn name(name: &str) -> Name {
        ("shop_0".to_owned(), name.to_owned())
    }

    fn reached(definitions: &Definitions, written: &Written) -> (Vec<String>, Vec<String>) {
        let mut catalog = Catalog::default();
        for table in ["a", "b", "c", "d"] {
            let table = Table { db: "shop_0".into(), name: table.into(), columns: Vec::new(), primary_key: Vec::new() };
            catalog.put(Known { table, charset: None, lost: None, history: None });
        }
        catalog.put_sequence("shop_0", "numbers");
        let router = Router::new(Arc::new(CdcOptions::default())).unwrap();
        let Reached { tables, unknown } = definitions.reached(written, &catalog, &router);
        let names = |names: BTreeSet<Name>| names.into_iter().map(|(_, name)| name).collect();
        (names(tables), names(unknown))
    }

    fn to(table: &str) -> Written {
        Written { tables: BTreeSet::from([name(table)]), ..Written::default() }
    }

    #[test]
    fn what_a_statement_may_change_is_found_through_views_triggers_and_routines() {
        let text = |text: &str| Some(mentioned("shop_0", text));
        let mut definitions = Definitions::default();
        definitions.views.insert(name("v"), text("select `shop_0`.`a`.`id` AS `id` from `shop_0`.`a`"));
        definitions.views.insert(name("hidden"), None);
        definitions.triggers.insert(name("a"), vec![text("BEGIN CALL Log_It(NEW.id); END")]);
        definitions.routines.insert("log_it".to_owned(), vec![text("INSERT INTO shop_0.`b` SELECT id FROM \"v\"")]);
        definitions.routines.insert("f".to_owned(), vec![text("BEGIN UPDATE c SET x = 1; RETURN f(2); END")]);
        let all = ["a", "b", "c", "d"].as_slice();
        let calls = |call: &str| Written { calls: BTreeSet::from([call.to_owned()]), ..Written::default() };
        for (written, tables, unknown) in [
            (to("d"), ["d"].as_slice(), [].as_slice()),
            (to("a"), &["a", "b"], &[]),
            (to("v"), &["a", "b"], &[]),
            (to("hidden"), all, &[]),
            (to("temporary"), &[], &["temporary"]),
            (to("numbers"), &[], &[]),
            (calls("f"), &["c"], &[]),
            (calls("count"), &[], &[]),
            (Written { any_function: true, ..to("d") }, &["a", "b", "c", "d"], &[]),
            (Written { any_table: true, ..Written::default() }, all, &[]),
        ] {
            let (found, not_known) = reached(&definitions, &written);
            assert_eq!(
                (found.as_slice(), not_known.as_slice()),
                (strings(tables).as_slice(), strings(unknown).as_slice()),
                "{written:?}"
            );
        }
    }

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
