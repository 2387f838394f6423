//! One line of an import, read and held to its rules.

use std::borrow::Cow;

use linli_schemas::event::ClickType;
use serde::Deserialize;

/// No shop kept such records before 1971; smaller times are seconds taken for milliseconds.
pub const TIME_MS_MIN: i64 = 31_536_000_000;

/// The longest `event_id` and `anonymous_id`, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// The quantities of one item: the shop's column is an INT. What a customer gives back has one below 0.
pub const QUANTITIES: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

/// The largest pay amount, fen: so much that thousands of them still fit into 64 bits when they are summed.
pub const PAY_AMOUNT_MAX: i64 = 999_999_999_999_999;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    Order,
    Click,
}

/// Why a line was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("not a line of the import format: {cause}")]
    Malformed { cause: String },
    #[error("field \"{field}\" {problem}")]
    Field { field: &'static str, problem: String },
    #[error("the line has {bytes} bytes, more than {max}", max = super::LINE_BYTES_MAX)]
    TooLong { bytes: u64 },
    #[error("field \"{field}\" is {at_ms}, more than {ahead_ms} ms ahead of the import at {received_at_ms}")]
    Future { field: &'static str, at_ms: i64, received_at_ms: i64, ahead_ms: i64 },
}

impl LineError {
    /// The stable word for counters and filters.
    pub const fn code(&self) -> &'static str {
        match self {
            LineError::Malformed { .. } | LineError::Field { .. } | LineError::TooLong { .. } => "malformed",
            LineError::Future { .. } => "future",
        }
    }
}

pub(super) enum Parsed<'a> {
    Order(Order<'a>),
    Click(Click<'a>),
}

pub(super) struct Order<'a> {
    pub event_id: Cow<'a, str>,
    pub order_id: u64,
    pub user_id: i64,
    pub community_id: i64,
    pub leader_id: Option<i64>,
    pub items: Vec<Item>,
    pub at_ms: i64,
    pub status: Status,
    /// Fen.
    pub pay_amount: i64,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub sku_id: i64,
    pub qty: i64,
    /// Fen a piece.
    pub price_cents: i64,
}

pub(super) struct Click<'a> {
    pub event_id: Cow<'a, str>,
    pub click_type: ClickType,
    pub user_id: Option<i64>,
    /// Empty when there is a user only.
    pub anonymous_id: Cow<'a, str>,
    pub community_id: i64,
    pub sku_id: Option<i64>,
    pub at_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Status {
    #[serde(rename = "PAID")]
    Paid,
    #[serde(rename = "CANCELED")]
    Canceled,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Order,
    Click,
}

/// Both kinds at once, so that the line is read in one pass whatever the order of its fields. Other fields are skipped.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    kind: Kind,
    order_id: Option<u64>,
    user_id: Option<i64>,
    community_id: i64,
    leader_id: Option<i64>,
    items: Option<Vec<Item>>,
    paid_at: Option<i64>,
    status: Option<Status>,
    #[serde(rename = "type")]
    click_type: Option<ClickType>,
    anonymous_id: Option<Cow<'a, str>>,
    sku_id: Option<i64>,
    ts: Option<i64>,
}

pub(super) fn parse(line: &[u8], received_at_ms: i64, ahead_ms: i64) -> Result<Parsed<'_>, LineError> {
    let wire: Wire<'_> =
        sonic_rs::from_slice(line).map_err(|error| LineError::Malformed { cause: first_line(&error) })?;
    check_id("event_id", &wire.event_id)?;
    let (field, at) = match wire.kind {
        Kind::Order => ("paid_at", wire.paid_at),
        Kind::Click => ("ts", wire.ts),
    };
    let at_ms = at.ok_or_else(|| missing(field))?;
    if at_ms < TIME_MS_MIN {
        return Err(problem(field, format!("is {at_ms}: not milliseconds since 1970 of a day after 1970")));
    }
    if at_ms > received_at_ms.saturating_add(ahead_ms) {
        return Err(LineError::Future { field, at_ms, received_at_ms, ahead_ms });
    }
    match wire.kind {
        Kind::Order => order(wire, at_ms).map(Parsed::Order),
        Kind::Click => click(wire, at_ms).map(Parsed::Click),
    }
}

fn order(wire: Wire<'_>, at_ms: i64) -> Result<Order<'_>, LineError> {
    let items = wire.items.ok_or_else(|| missing("items"))?;
    let status = wire.status.ok_or_else(|| missing("status"))?;
    if items.is_empty() && status == Status::Paid {
        return Err(problem("items", "is empty: the pay amount of the order is not known".to_owned()));
    }
    let mut pay_amount = 0_i64;
    for (i, item) in items.iter().enumerate() {
        if !QUANTITIES.contains(&item.qty) {
            return Err(problem("items", format!("has qty {} in item {i}: it does not fit into 32 bits", item.qty)));
        }
        pay_amount = item
            .qty
            .checked_mul(item.price_cents)
            .and_then(|amount| pay_amount.checked_add(amount))
            .filter(|sum| (-PAY_AMOUNT_MAX..=PAY_AMOUNT_MAX).contains(sum))
            .ok_or_else(|| problem("items", format!("adds up to more than {PAY_AMOUNT_MAX} fen")))?;
    }
    Ok(Order {
        event_id: wire.event_id,
        order_id: wire.order_id.ok_or_else(|| missing("order_id"))?,
        user_id: wire.user_id.ok_or_else(|| missing("user_id"))?,
        community_id: wire.community_id,
        leader_id: wire.leader_id,
        items,
        at_ms,
        status,
        pay_amount,
    })
}

fn click(wire: Wire<'_>, at_ms: i64) -> Result<Click<'_>, LineError> {
    let anonymous_id = wire.anonymous_id.unwrap_or_default();
    if !anonymous_id.is_empty() {
        check_id("anonymous_id", &anonymous_id)?;
    } else if wire.user_id.is_none() {
        return Err(problem("user_id", "is missing, and there is no anonymous_id".to_owned()));
    }
    Ok(Click {
        event_id: wire.event_id,
        click_type: wire.click_type.ok_or_else(|| missing("type"))?,
        user_id: wire.user_id,
        anonymous_id,
        community_id: wire.community_id,
        sku_id: wire.sku_id,
        at_ms,
    })
}

fn check_id(field: &'static str, id: &str) -> Result<(), LineError> {
    if id.is_empty() {
        return Err(problem(field, "is empty".to_owned()));
    }
    if id.len() > ID_BYTES_MAX {
        return Err(problem(field, format!("has {} bytes, more than {ID_BYTES_MAX}", id.len())));
    }
    Ok(())
}

fn missing(field: &'static str) -> LineError {
    problem(field, "is missing".to_owned())
}

fn problem(field: &'static str, problem: String) -> LineError {
    LineError::Field { field, problem }
}

/// The parser's words without the excerpt of the input that follows them.
fn first_line(error: &sonic_rs::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
