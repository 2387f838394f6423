//! The `clicks` topic: one tracked event of a page, an app or a mini-program.

use std::borrow::Cow;

use serde::Deserialize;

use crate::event::{ActorId, Click, ClickType, Event, Record, Reject, cause_of};
use crate::identity::{EventKey, Identity};
use crate::plain::scan_time;
use crate::scan::{Scan, once};
use crate::strict::{Object, int, optional_int, optional_time_ms, time_ms};
use crate::{CommunityId, EventTime, SkuId, Topic, UserId};

/// The fields that the jobs read, borrowed from the record. Others are kept on the log and skipped here.
#[derive(Debug, Deserialize)]
pub struct ClickRow<'a> {
    #[serde(borrow)]
    pub event_id: Cow<'a, str>,
    #[serde(rename = "type")]
    pub click_type: ClickType,
    #[serde(default, deserialize_with = "optional_int")]
    pub user_id: Option<i64>,
    #[serde(default, borrow)]
    pub anonymous_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub session_id: Option<Cow<'a, str>>,
    #[serde(deserialize_with = "int")]
    pub community_id: i64,
    #[serde(default, deserialize_with = "optional_int")]
    pub sku_id: Option<i64>,
    #[serde(deserialize_with = "time_ms")]
    pub ts: i64,
    #[serde(default, deserialize_with = "optional_time_ms")]
    pub received_at: Option<i64>,
    #[serde(default, borrow)]
    pub platform: Option<Cow<'a, str>>,
}

impl<'a> ClickRow<'a> {
    pub fn parse(value: &'a [u8]) -> Result<ClickRow<'a>, Reject> {
        if let Some(row) = ClickRow::scan(value) {
            return Ok(row);
        }
        let Object(row) =
            sonic_rs::from_slice::<Object<ClickRow<'a>>>(value).map_err(|error| malformed(cause_of(&error)))?;
        // Clicks without an id would all be repetitions of one another.
        if row.event_id.is_empty() {
            return Err(malformed("event_id is empty".to_owned()));
        }
        Ok(row)
    }

    /// Reads plain JSON without serde; `None` leaves it to serde.
    fn scan(value: &'a [u8]) -> Option<ClickRow<'a>> {
        let mut json = Scan::new(value)?;
        let (mut event_id, mut click_type, mut user_id, mut anonymous_id) = (None, None, None, None);
        let (mut session_id, mut community_id, mut sku_id, mut ts) = (None, None, None, None);
        let (mut received_at, mut platform) = (None, None);
        json.object(|key, json| match key {
            "event_id" => once(&mut event_id, json.string().filter(|id| !id.is_empty())),
            "type" => once(&mut click_type, json.string().and_then(type_of)),
            "user_id" => once(&mut user_id, json.option(Scan::i64)),
            "anonymous_id" => once(&mut anonymous_id, json.option(Scan::string)),
            "session_id" => once(&mut session_id, json.option(Scan::string)),
            "community_id" => once(&mut community_id, json.i64()),
            "sku_id" => once(&mut sku_id, json.option(Scan::i64)),
            "ts" => once(&mut ts, scan_time(json)),
            "received_at" => once(&mut received_at, json.option(scan_time)),
            "platform" => once(&mut platform, json.option(Scan::string)),
            _ => json.skip(),
        })?;
        json.end()?;
        Some(ClickRow {
            event_id: Cow::Borrowed(event_id?),
            click_type: click_type?,
            user_id: user_id.flatten(),
            anonymous_id: anonymous_id.flatten().map(Cow::Borrowed),
            session_id: session_id.flatten().map(Cow::Borrowed),
            community_id: community_id?,
            sku_id: sku_id.flatten(),
            ts: ts?,
            received_at: received_at.flatten(),
            platform: platform.flatten().map(Cow::Borrowed),
        })
    }

    /// Who acted: the user, else the anonymous visitor.
    pub fn actor(&self) -> Result<ActorId, Reject> {
        match (self.user_id, &self.anonymous_id) {
            (Some(user), _) => Ok(ActorId::user(UserId(user))),
            (None, Some(id)) if !id.is_empty() => Ok(ActorId::anonymous(id)),
            _ => Err(malformed("neither user_id nor anonymous_id".to_owned())),
        }
    }
}

fn type_of(text: &str) -> Option<ClickType> {
    match text {
        "view" => Some(ClickType::View),
        "cart" => Some(ClickType::Cart),
        "order" => Some(ClickType::Order),
        "pay" => Some(ClickType::Pay),
        "search" => Some(ClickType::Search),
        "share" => Some(ClickType::Share),
        "login" => Some(ClickType::Login),
        _ => None,
    }
}

fn malformed(cause: String) -> Reject {
    Reject::Malformed { topic: Topic::Clicks.name(), cause }
}

pub(crate) fn decode_click(value: &[u8]) -> Result<Record, Reject> {
    let row = ClickRow::parse(value)?;
    Ok(Record {
        event: Event::Click(Click {
            actor: row.actor()?,
            community_id: CommunityId(row.community_id),
            click_type: row.click_type,
            sku_id: row.sku_id.map(SkuId),
        }),
        event_time: Some(EventTime(row.ts)),
        source_time: EventTime(row.ts),
        received_at: EventTime(row.received_at.unwrap_or(row.ts)),
        identity: Some(Identity::Event(EventKey::new(row.event_id.as_bytes(), 0))),
        snapshot_at: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ClickRow;

    const SAMPLE: &str = r#"{"event_id":"e1","type":"view","user_id":null,"anonymous_id":"a","session_id":"s","community_id":-7,"sku_id":3,"ts":1793491200000,"received_at":1793491200001,"platform":"web","page":"/","referrer":"","properties":{"a":[1,"x"]}}"#;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// However the bytes are damaged: what is read without serde, serde reads too, and to the same end.
        #[test]
        fn plain_reading_never_differs_from_serde(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..4),
        ) {
            let mut bytes = SAMPLE.as_bytes().to_vec();
            prop_assert!(ClickRow::scan(&bytes).is_some());
            for (index, byte, kind) in damage {
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte % 64 + 32),
                    _ => drop(bytes.remove(at)),
                }
            }
            if let Some(scanned) = ClickRow::scan(&bytes) {
                let parsed = sonic_rs::from_slice::<ClickRow<'_>>(&bytes);
                prop_assert_eq!(parsed.ok().map(|row| format!("{row:?}")), Some(format!("{scanned:?}")));
            }
        }
    }
}
