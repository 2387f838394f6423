//! What the shop calls its communities, categories and SKUs.

use serde::Deserialize;

use crate::Topic;
use crate::change::{Envelope, Op, parse, row};
use crate::event::Reject;
use crate::strict::int;

/// A row that names something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: i64,
    pub name: Option<String>,
    /// The row went away.
    pub deleted: bool,
    /// When the change was published, epoch ms.
    pub published_ms: i64,
}

#[derive(Deserialize)]
struct CommunityRow {
    #[serde(deserialize_with = "int")]
    community_id: i64,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct CategoryRow {
    #[serde(deserialize_with = "int")]
    category_id: i64,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct SkuRow {
    #[serde(deserialize_with = "int")]
    sku_id: i64,
    #[serde(default)]
    title: Option<String>,
}

/// Reads a record of one of [`Topic::NAMING`]; `None` where it leaves no row.
pub fn parse_named(topic: Topic, value: &[u8]) -> Result<Option<Named>, Reject> {
    match topic {
        Topic::Communities => read(topic, value, |row: &CommunityRow| (row.community_id, row.name.clone())),
        Topic::Categories => read(topic, value, |row: &CategoryRow| (row.category_id, row.name.clone())),
        Topic::Skus => read(topic, value, |row: &SkuRow| (row.sku_id, row.title.clone())),
        other => Err(Reject::Malformed { topic: other.name(), cause: "it names nothing".to_owned() }),
    }
}

fn read<'a, R: Deserialize<'a>>(
    topic: Topic,
    value: &'a [u8],
    name: impl Fn(&R) -> (i64, Option<String>),
) -> Result<Option<Named>, Reject> {
    let envelope: Envelope<'a, R> = parse(topic, value)?;
    let Some(row) = row(topic, &envelope)? else { return Ok(None) };
    let (id, name) = name(row);
    Ok(Some(Named {
        id,
        name,
        deleted: envelope.op == Op::Delete,
        published_ms: envelope.ts_ms.unwrap_or(envelope.source.ts_ms),
    }))
}
