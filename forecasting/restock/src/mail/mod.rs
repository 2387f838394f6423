//! The suppliers' mail: each supplier gets its own lines, once a run.
//!
//! Pure: [`sort`] tells what is mailed and what a person must look at, [`workbook`] and [`letter`] write it; the same
//! order gives the same bytes, and a mail's Message-ID is a hash of namespace, run and supplier. [`job`] brings the mails out
//! by a [`mailer`], and keeps on the blob store how far each one is ([`outbox`]).

mod address;
mod error;
pub mod job;
pub mod mailer;
mod message;
mod order;
pub mod outbox;
pub mod shop;
pub(crate) mod texts;
mod workbook;

pub use error::{Error, Result};
pub use message::{Kind, Letter, Sender, Writing, letter, message_id};
pub(crate) use message::{escape, packs_text};
pub(crate) use order::grouped;
pub use order::{
    AMOUNT_FEN_MAX, LINES_MAX, Language, Name, OrderLine, Problem, QUANTITY_MAX, Sorted, SupplierOrder, sort,
};
pub(crate) use workbook::item_name;
pub use workbook::workbook;

use linli_schemas::EventTime;
use linli_schemas::zone::Zone;

/// A local time to the minute, with its zone where that is not the shop's usual one: `2026-03-02 22:00`.
pub(crate) fn instant_text(at: i64, zone: Zone) -> String {
    let mut text = zone.wall_text(EventTime(at));
    text.truncate("2026-03-02 22:00".len());
    text
}
