//! The JSON of the records, written by hand: a serializer would cost more than the rest of the import.

use std::ops::Range;

use linli_schemas::event::ClickType;

use super::line::{Click, Order, Status};

const STATUS_PAID: u8 = 1;
const STATUS_CANCELED: u8 = 6;

/// Writes the keys and values of one line's records one after the other and tells where each lies.
pub(super) struct Writer {
    out: Vec<u8>,
    number: itoa::Buffer,
    received_at: String,
    /// The line's time in epoch ms and as a TIMESTAMP.
    at: String,
    at_text: [u8; 24],
    items: Vec<Range<usize>>,
}

impl Writer {
    pub fn new(received_at_ms: i64) -> Writer {
        Writer {
            out: Vec::with_capacity(4096),
            number: itoa::Buffer::new(),
            received_at: received_at_ms.to_string(),
            at: String::new(),
            at_text: [0; 24],
            items: Vec::new(),
        }
    }

    pub fn begin(&mut self, at_ms: i64) {
        self.out.clear();
        self.items.clear();
        self.at.clear();
        self.at.push_str(self.number.format(at_ms));
        self.at_text = utc_text(at_ms);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Where the rows of the items lie.
    pub fn items(&self) -> &[Range<usize>] {
        &self.items
    }

    pub fn key(&mut self, id: i64) -> Range<usize> {
        let start = self.out.len();
        self.int(id);
        start..self.out.len()
    }

    pub fn text_key(&mut self, id: &str) -> Range<usize> {
        let start = self.out.len();
        self.raw(id.as_bytes());
        start..self.out.len()
    }

    pub fn order_row(&mut self, order: &Order<'_>) -> Range<usize> {
        let start = self.out.len();
        self.raw(br#"{"before":null,"after":{"order_id":"#);
        self.int(order.order_id);
        self.raw(br#","user_id":"#);
        self.int(order.user_id);
        self.raw(br#","community_id":"#);
        self.int(order.community_id);
        self.raw(br#","leader_id":"#);
        match order.leader_id {
            Some(leader) => self.int(leader),
            None => self.raw(b"null"),
        }
        self.raw(br#","status":"#);
        self.int(if order.status == Status::Paid { STATUS_PAID } else { STATUS_CANCELED });
        self.raw(br#","pay_amount":"#);
        self.money(order.pay_amount);
        self.raw(br#","created_at":"#);
        self.timestamp();
        self.raw(br#","paid_at":"#);
        match order.status {
            Status::Paid => self.timestamp(),
            Status::Canceled => self.raw(b"null"),
        }
        self.source("orders", &order.event_id, 0);
        start..self.out.len()
    }

    pub fn item_rows(&mut self, order: &Order<'_>) {
        for (i, item) in order.items.iter().enumerate() {
            let start = self.out.len();
            let number = i as u64 + 1;
            self.raw(br#"{"before":null,"after":{"item_id":"#);
            self.int(number);
            self.raw(br#","order_id":"#);
            self.int(order.order_id);
            self.raw(br#","community_id":"#);
            self.int(order.community_id);
            self.raw(br#","sku_id":"#);
            self.int(item.sku_id);
            self.raw(br#","qty":"#);
            self.int(item.qty);
            self.raw(br#","price":"#);
            self.money(item.price_cents);
            self.raw(br#","amount":"#);
            self.money(item.qty * item.price_cents);
            self.source("order_items", &order.event_id, number);
            self.items.push(start..self.out.len());
        }
    }

    /// The click of type `order` that a tracked page would have sent.
    pub fn order_click(&mut self, order: &Order<'_>) -> Range<usize> {
        let start = self.out.len();
        self.raw(br#"{"event_id":""#);
        self.escaped(&order.event_id);
        self.raw(br#":order","type":"order","user_id":"#);
        self.int(order.user_id);
        self.click_tail(order.community_id, None);
        start..self.out.len()
    }

    pub fn click(&mut self, click: &Click<'_>) -> Range<usize> {
        let start = self.out.len();
        self.raw(br#"{"event_id":""#);
        self.escaped(&click.event_id);
        self.raw(br#"","type":""#);
        self.raw(type_name(click.click_type).as_bytes());
        self.raw(b"\"");
        if let Some(user) = click.user_id {
            self.raw(br#","user_id":"#);
            self.int(user);
        }
        if !click.anonymous_id.is_empty() {
            self.raw(br#","anonymous_id":""#);
            self.escaped(&click.anonymous_id);
            self.raw(b"\"");
        }
        self.click_tail(click.community_id, click.sku_id);
        start..self.out.len()
    }

    fn click_tail(&mut self, community_id: i64, sku_id: Option<i64>) {
        self.raw(br#","community_id":"#);
        self.int(community_id);
        if let Some(sku) = sku_id {
            self.raw(br#","sku_id":"#);
            self.int(sku);
        }
        self.raw(br#","ts":"#);
        self.out.extend_from_slice(self.at.as_bytes());
        self.raw(br#","received_at":"#);
        self.out.extend_from_slice(self.received_at.as_bytes());
        self.raw(br#","platform":"import"}"#);
    }

    /// Ends the row and the envelope around it.
    fn source(&mut self, table: &str, event_id: &str, row: u64) {
        self.raw(br#"},"op":"c","ts_ms":"#);
        self.out.extend_from_slice(self.received_at.as_bytes());
        self.raw(br#","source":{"server":"import","table":""#);
        self.raw(table.as_bytes());
        self.raw(br#"","event_id":""#);
        self.escaped(event_id);
        self.raw(br#"","row":"#);
        self.int(row);
        self.raw(br#","ts_ms":"#);
        self.out.extend_from_slice(self.at.as_bytes());
        self.raw(b"}}");
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn int(&mut self, value: impl itoa::Integer) {
        self.out.extend_from_slice(self.number.format(value).as_bytes());
    }

    fn timestamp(&mut self) {
        self.out.push(b'"');
        self.out.extend_from_slice(&self.at_text);
        self.out.push(b'"');
    }

    /// A DECIMAL as text: `"12.50"`, `"-0.05"`.
    fn money(&mut self, fen: i64) {
        self.out.push(b'"');
        if fen < 0 {
            self.out.push(b'-');
        }
        let fen = fen.unsigned_abs();
        self.int(fen / 100);
        let cents = (fen % 100) as u8;
        self.out.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10, b'"']);
    }

    /// The inside of a JSON string.
    fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut clean = 0;
        for (i, &byte) in bytes.iter().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.out.extend_from_slice(&bytes[clean..i]);
            clean = i + 1;
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                _ => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                    self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                }
            }
        }
        self.out.extend_from_slice(&bytes[clean..]);
    }
}

const fn type_name(click_type: ClickType) -> &'static str {
    match click_type {
        ClickType::View => "view",
        ClickType::Cart => "cart",
        ClickType::Order => "order",
        ClickType::Pay => "pay",
        ClickType::Search => "search",
        ClickType::Share => "share",
        ClickType::Login => "login",
    }
}

/// `2026-11-01T00:00:00.123Z`. Times after the year 9999 are cut to its end; they are refused before.
pub(super) fn utc_text(at_ms: i64) -> [u8; 24] {
    const YEAR_9999_END: i64 = 253_402_300_799_999;
    let at_ms = at_ms.clamp(0, YEAR_9999_END);
    let (days, in_day) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Civil date of a day number, after Howard Hinnant's algorithms for dates.
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |end: usize, digits: usize, mut value: i64| {
        for i in 0..digits {
            text[end - 1 - i] = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(4, 4, year);
    put(7, 2, month);
    put(10, 2, day);
    put(13, 2, in_day / 3_600_000);
    put(16, 2, in_day / 60_000 % 60);
    put(19, 2, in_day / 1000 % 60);
    put(23, 3, in_day % 1000);
    text
}
