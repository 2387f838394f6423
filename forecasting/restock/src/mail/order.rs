//! What one supplier is asked to deliver, and what a person must look at first.

use chrono::NaiveDate;
use linli_schemas::forecast::RunId;
use serde::{Deserialize, Serialize};

use super::address;

/// Lines that one mail and its page carry.
pub const LINES_MAX: usize = 50_000;
/// Pieces of one line.
pub const QUANTITY_MAX: i64 = 100_000_000;
/// Fen of one line: below it a sheet's numbers are exact.
pub const AMOUNT_FEN_MAX: i64 = 10_000_000_000_000;
/// SKUs that a problem names; it counts the rest.
const NAMED_MAX: usize = 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    Zh,
    En,
}

impl Language {
    pub fn parse(text: &str) -> Option<Language> {
        match text.trim().to_ascii_lowercase().as_str() {
            "zh" | "zh-cn" => Some(Language::Zh),
            "en" => Some(Language::En),
            _ => None,
        }
    }

    /// As HTML and HTTP name it.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Zh => "zh-CN",
            Language::En => "en",
        }
    }

    /// The first in Chinese, the second in English; the other one where one is empty.
    pub(crate) fn of<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Language::Zh if !zh.is_empty() => zh,
            Language::Zh => en,
            Language::En if !en.is_empty() => en,
            Language::En => zh,
        }
    }
}

/// A name in both languages; either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub zh: String,
    pub en: String,
}

impl Name {
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Name {
        Name { zh: zh.into(), en: en.into() }
    }

    pub fn in_language(&self, language: Language) -> &str {
        language.of(&self.zh, &self.en)
    }
}

/// One line that a supplier is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    pub warehouse_id: i64,
    /// 0: the warehouse's own stock.
    pub community_id: i64,
    pub sku_id: i64,
    /// The supplier's own code; empty where there is none.
    pub supplier_code: String,
    pub title: Name,
    pub spec: String,
    pub warehouse: Name,
    pub community: Name,
    /// Pieces in a pack; at least 1.
    pub pack: i64,
    /// Pieces.
    pub quantity: i64,
    /// Fen a piece; `None`: not known.
    pub cost_fen: Option<i64>,
    /// The shop's local day on which the goods must be there.
    #[serde(with = "crate::date")]
    pub needed_by: NaiveDate,
}

impl OrderLine {
    pub fn packs(&self) -> i64 {
        self.quantity / self.pack.max(1)
    }

    pub fn is_whole_packs(&self) -> bool {
        self.quantity % self.pack.max(1) == 0
    }

    pub fn amount_fen(&self) -> Option<i64> {
        self.cost_fen?.checked_mul(self.quantity)
    }

    /// Whether its numbers can be meant.
    fn is_sound(&self) -> bool {
        let counted = self.pack >= 1 && (0..=QUANTITY_MAX).contains(&self.quantity);
        let paid = match self.cost_fen {
            None => true,
            Some(cost) => cost >= 0 && self.amount_fen().is_some_and(|amount| (0..=AMOUNT_FEN_MAX).contains(&amount)),
        };
        counted && paid
    }
}

/// What one supplier is asked for in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupplierOrder {
    pub run: RunId,
    #[serde(with = "crate::date")]
    pub business_date: NaiveDate,
    pub supplier_id: i64,
    pub name: Name,
    pub email: Option<String>,
    pub language: Language,
    /// Epoch milliseconds after which the supplier takes no order for these days.
    pub must_order_by: i64,
    pub lines: Vec<OrderLine>,
    /// Lines that wait for a person: they are not among `lines`.
    pub held: usize,
}

impl SupplierOrder {
    pub fn pieces(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    /// Fen of the lines whose cost is known.
    pub fn amount_fen(&self) -> i64 {
        self.lines.iter().filter_map(OrderLine::amount_fen).fold(0, i64::saturating_add)
    }

    /// Pieces by SKU, most first, ties by the lower id.
    pub(crate) fn by_item(&self) -> Vec<(&OrderLine, i64)> {
        let mut sums: std::collections::BTreeMap<i64, (&OrderLine, i64)> = std::collections::BTreeMap::new();
        for line in &self.lines {
            sums.entry(line.sku_id).or_insert((line, 0)).1 += line.quantity;
        }
        let mut items: Vec<_> = sums.into_values().collect();
        items.sort_by_key(|(line, pieces)| (-pieces, line.sku_id));
        items
    }

    /// Lines, pieces and fen by the day on which they are needed.
    pub(crate) fn by_day(&self) -> Vec<(NaiveDate, usize, i64, i64)> {
        let mut days: std::collections::BTreeMap<NaiveDate, (usize, i64, i64)> = std::collections::BTreeMap::new();
        for line in &self.lines {
            let day = days.entry(line.needed_by).or_default();
            day.0 += 1;
            day.1 += line.quantity;
            day.2 = day.2.saturating_add(line.amount_fen().unwrap_or(0));
        }
        days.into_iter().map(|(date, (lines, pieces, fen))| (date, lines, pieces, fen)).collect()
    }
}

/// What a person must look at. Nothing is left out without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// Not mailed.
    NoAddress { supplier_id: i64, name: String, lines: usize },
    /// Not mailed.
    BadAddress { supplier_id: i64, name: String, lines: usize, address: String },
    /// Not mailed before a person releases them.
    HeldLines { supplier_id: i64, lines: usize },
    /// Left out of the mail: the quantity, the pack or the cost cannot be meant.
    UnsoundLines { supplier_id: i64, lines: usize, sku_ids: Vec<i64> },
    /// Mailed without an amount.
    NoCost { supplier_id: i64, lines: usize, sku_ids: Vec<i64> },
    /// Mailed in pieces: they are no whole number of packs.
    BrokenPacks { supplier_id: i64, lines: usize, sku_ids: Vec<i64> },
    /// Not mailed: more lines than one mail carries.
    TooManyLines { supplier_id: i64, lines: usize, most: usize },
    /// Not mailed: another supplier of the run has the same id.
    RepeatedSupplier { supplier_id: i64, lines: usize },
    /// The mail server will not take it; `answer` is what it said.
    Refused { supplier_id: i64, answer: String },
    /// It could not be sent before the supplier's cut-off; `reason` is what the last attempt met.
    Missed { supplier_id: i64, attempts: u32, reason: String },
    /// The run was withdrawn before its mail was sent.
    Withdrawn { supplier_id: i64 },
}

/// A run's orders, sorted into what is mailed and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sorted {
    pub mails: Vec<SupplierOrder>,
    /// Suppliers of whom nothing is wanted.
    pub empty: Vec<i64>,
    pub problems: Vec<Problem>,
}

/// Sorts a run's orders. Lines come out in one order, whatever the order they were read in.
pub fn sort(orders: Vec<SupplierOrder>) -> Sorted {
    let mut sorted = Sorted::default();
    let mut seen = std::collections::BTreeSet::new();
    for order in orders {
        if !seen.insert(order.supplier_id) {
            let (supplier_id, lines) = (order.supplier_id, order.lines.len());
            sorted.problems.push(Problem::RepeatedSupplier { supplier_id, lines });
        } else {
            sorted.add(order);
        }
    }
    sorted
}

impl Sorted {
    fn add(&mut self, mut order: SupplierOrder) {
        let supplier_id = order.supplier_id;
        if order.held > 0 {
            self.problems.push(Problem::HeldLines { supplier_id, lines: order.held });
        }
        let (sound, unsound): (Vec<_>, Vec<_>) = order.lines.into_iter().partition(OrderLine::is_sound);
        if let Some((lines, sku_ids)) = named(unsound.iter()) {
            self.problems.push(Problem::UnsoundLines { supplier_id, lines, sku_ids });
        }
        order.lines = sound.into_iter().filter(|line| line.quantity > 0).collect();
        let key = |line: &OrderLine| (line.needed_by, line.warehouse_id, line.community_id, line.sku_id);
        order.lines.sort_by_key(key);
        let lines = order.lines.len();
        if lines == 0 {
            self.empty.push(supplier_id);
            return;
        }
        if lines > LINES_MAX {
            self.problems.push(Problem::TooManyLines { supplier_id, lines, most: LINES_MAX });
            return;
        }
        if let Some((lines, sku_ids)) = named(order.lines.iter().filter(|line| line.cost_fen.is_none())) {
            self.problems.push(Problem::NoCost { supplier_id, lines, sku_ids });
        }
        if let Some((lines, sku_ids)) = named(order.lines.iter().filter(|line| !line.is_whole_packs())) {
            self.problems.push(Problem::BrokenPacks { supplier_id, lines, sku_ids });
        }
        let name = order.name.in_language(Language::Zh).to_owned();
        match order.email.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            None => self.problems.push(Problem::NoAddress { supplier_id, name, lines }),
            Some(text) => match address::parse(text) {
                Some(_) => self.mails.push(order),
                None => {
                    let address = address::shown(text);
                    self.problems.push(Problem::BadAddress { supplier_id, name, lines, address });
                }
            },
        }
    }
}

/// How many lines, and the first SKUs of them; `None` for no line.
fn named<'a>(lines: impl Iterator<Item = &'a OrderLine>) -> Option<(usize, Vec<i64>)> {
    let sku_ids: Vec<i64> = lines.map(|line| line.sku_id).collect();
    (!sku_ids.is_empty()).then(|| (sku_ids.len(), sku_ids.into_iter().take(NAMED_MAX).collect()))
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::NoAddress { supplier_id, name, lines } => {
                write!(f, "supplier {supplier_id} ({name}) has no address: {lines} lines are not mailed")
            }
            Problem::BadAddress { supplier_id, name, lines, address } => {
                write!(f, "supplier {supplier_id} ({name}): \"{address}\" is no address: {lines} lines are not mailed")
            }
            Problem::HeldLines { supplier_id, lines } => {
                write!(f, "supplier {supplier_id}: {lines} lines are held and not mailed: release them first")
            }
            Problem::UnsoundLines { supplier_id, lines, sku_ids } => {
                let skus = list(sku_ids);
                write!(f, "supplier {supplier_id}: {lines} lines with impossible numbers are not mailed (SKU {skus})")
            }
            Problem::NoCost { supplier_id, lines, sku_ids } => {
                let skus = list(sku_ids);
                write!(f, "supplier {supplier_id}: {lines} lines are mailed without a price: no cost (SKU {skus})")
            }
            Problem::BrokenPacks { supplier_id, lines, sku_ids } => {
                let skus = list(sku_ids);
                write!(f, "supplier {supplier_id}: {lines} lines are no whole packs: see supply_terms (SKU {skus})")
            }
            Problem::TooManyLines { supplier_id, lines, most } => {
                write!(f, "supplier {supplier_id}: {lines} lines are more than a mail carries ({most})")
            }
            Problem::RepeatedSupplier { supplier_id, lines } => {
                write!(f, "supplier {supplier_id} stands twice in the run: {lines} lines are not mailed")
            }
            Problem::Refused { supplier_id, answer } => {
                write!(f, "supplier {supplier_id}: the mail server refused the mail: {answer}")
            }
            Problem::Missed { supplier_id, attempts, reason } => {
                write!(f, "supplier {supplier_id}: not sent before the cut-off, {attempts} attempts: {reason}")
            }
            Problem::Withdrawn { supplier_id } => {
                write!(f, "supplier {supplier_id}: not sent, the run was withdrawn before")
            }
        }
    }
}

fn list(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

/// Fen as yuan with two decimals: `1234.50`.
pub(crate) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// A whole number in groups of three: `12,345`.
pub(crate) fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
