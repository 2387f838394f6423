//! The decoder against events written by `build`, which knows the formats on its own.

mod build;
mod damage;
mod events;
mod rules;
mod samples;
mod types;
mod values;

use linli_binlog::{Column, ColumnType, Table};

pub fn table(kinds: Vec<ColumnType>) -> Table {
    let columns = kinds.into_iter().enumerate().map(|(index, kind)| Column {
        name: format!("c{index}"),
        kind,
        nullable: true,
        generated: false,
        default: Default::default(),
    });
    Table { db: "shop".into(), name: "t".into(), columns: columns.collect(), primary_key: vec![0] }
}
