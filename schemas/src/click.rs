//! The `clicks` topic: one tracked event of a page, an app or a mini-program.

use serde::Deserialize;

use crate::event::{ActorId, Click, ClickType, Event, Record, Reject, cause_of};
use crate::identity::{EventKey, Identity};
use crate::{CommunityId, EventTime, SkuId, Topic, UserId};

/// The fields that the jobs read, borrowed from the record. Others are kept on the log and skipped here.
#[derive(Debug, Deserialize)]
pub struct ClickRow<'a> {
    #[serde(borrow)]
    pub event_id: std::borrow::Cow<'a, str>,
    #[serde(rename = "type")]
    pub click_type: ClickType,
    #[serde(default)]
    pub user_id: Option<i64>,
    #[serde(default, borrow)]
    pub anonymous_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    pub session_id: Option<std::borrow::Cow<'a, str>>,
    pub community_id: i64,
    #[serde(default)]
    pub sku_id: Option<i64>,
    pub ts: i64,
    #[serde(default)]
    pub received_at: Option<i64>,
    #[serde(default, borrow)]
    pub platform: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> ClickRow<'a> {
    pub fn parse(value: &'a [u8]) -> Result<ClickRow<'a>, Reject> {
        sonic_rs::from_slice(value).map_err(|error| malformed(cause_of(&error)))
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
