//! One line of an order.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, days_between, later};
use crate::policy::{Fate, Margins, Outlook, Policy, Quantile, Rule};
use crate::stock::{Batch, usable};
use crate::terms::{Addend, Sum, Term, Terms, pieces, rounded, whole_packs_above};

/// Where stock is held: a community, or (community 0) the warehouse itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub warehouse_id: i64,
    pub community_id: i64,
}

/// What is known of one SKU at one place at the close of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation {
    pub place: Place,
    pub sku_id: i64,
    pub supplier_id: i64,
    pub calendar: Calendar,
    /// `None`: the cost is not known.
    pub margins: Option<Margins>,
    /// A buyer's wish, before the margins.
    pub service_level: Option<f64>,
    /// Days on which goods can be sold, the day of their arrival the first; `None`: they do not spoil.
    pub life_days: Option<u32>,
    pub pack: i64,
    pub min_order: i64,
    pub min_stock: i64,
    pub batches: Vec<Batch>,
    pub in_transit: i64,
    pub on_order: i64,
    /// Largest demand of a recent day; `None`: not known.
    pub recent_max: Option<f64>,
}

/// What cannot hold together: for a person to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "conflict", rename_all = "snake_case")]
pub enum Conflict {
    /// Expiry leaves less room than is wanted.
    ShelfCoverBelowLevel { room: i64, needed: i64 },
    /// Expiry leaves less room than `min_stock` asks for.
    ShelfCoverBelowMinStock { room: i64, needed: i64 },
    /// Expiry leaves less room than a pack or the supplier's minimum: nothing is ordered.
    ShelfCoverBelowMinimum { room: i64, minimum: i64 },
}

/// Why a line waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "snake_case")]
pub enum Hold {
    /// More than a multiple of what was recently wanted.
    Absurd {
        most: f64,
    },
    NoForecast,
    /// The forecast holds what is not a number, or less than nothing.
    UnsoundForecast,
    /// A cost is missing: the quantile is that of a service level.
    NoCost,
    /// The supplier's time for the day's orders was over when the run was made.
    CutOffMissed,
    /// Less than half a piece is wanted within one life of the goods: sell them to order.
    SlowerThanItSpoils {
        life_demand: f64,
    },
}

/// One line of an order, with the sum that it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub supplier_id: i64,
    #[serde(flatten)]
    pub place: Place,
    pub sku_id: i64,
    pub quantity: i64,
    pub terms: Terms,
    pub sum: Vec<Addend>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// Not empty: nobody acts on it before a person releases it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
}

/// Expected sales within one life of goods below which they are not worth a place on a shelf.
const LIFE_DEMAND_MIN: f64 = 0.5;

/// What to order at the close of `date`.
pub fn order(date: NaiveDate, situation: &Situation, outlook: &Outlook, policy: &Policy) -> Line {
    let cover = situation.calendar.cover(date);
    let cover_days = cover.days_after(date);
    let sound = outlook.is_sound();
    let mean_total = |days: u32| if sound { outlook.mean_total(days) } else { 0.0 };
    let quantile = match (situation.service_level, situation.margins) {
        (Some(level), _) => Quantile::ServiceLevel { level: rounded(level) },
        (None, Some(margins)) => Quantile::Margins(margins),
        (None, None) => Quantile::ServiceLevel { level: rounded(policy.service_level) },
    };
    let life_until = situation.life_days.map(|life| later(cover.arrives_on, life.max(1) - 1));
    let pack = situation.pack.max(1);
    let lot = whole_packs_above(situation.min_order, pack).max(pack);
    let spans = Spans {
        cover: cover_days,
        review: days_between(cover.arrives_on, later(cover.until, 1)),
        life: life_until.map(|until| days_between(date, until)),
    };
    let probability = rounded(quantile.probability(|probability| fate_of(outlook, spans, lot, probability)));
    let wanted = match policy.rule {
        _ if !sound => 0.0,
        Rule::Newsvendor => outlook.quantile_total(cover_days, probability),
        Rule::Multiple { factor, days } => factor * outlook.mean_total(days.unwrap_or(cover_days)),
    };
    let newsvendor = policy.rule == Rule::Newsvendor;
    let shelf_cover = policy.sell_through.zip(life_until).filter(|_| sound).map(|(sell_through, until)| {
        // Sold with this probability: the quantile that demand exceeds with it.
        outlook.quantile_total(days_between(date, until), 1.0 - sell_through).floor() as i64
    });
    let on_hand: i64 = situation.batches.iter().map(|batch| batch.quantity.max(0)).sum();
    // Who does not look at expiry counts what can be sold tomorrow as if it kept.
    let counted_until = if policy.sell_through.is_some() { cover.until } else { later(date, 1) };
    let stock = usable(&situation.batches, date, counted_until, mean_total);
    let terms = Terms {
        policy: policy.name.clone(),
        policy_version: policy.version.clone(),
        model: outlook.model.clone(),
        order_on: cover.order_on,
        arrives_on: cover.arrives_on,
        covers_until: cover.until,
        cover_days,
        quantile: newsvendor.then_some(quantile),
        probability: newsvendor.then_some(probability),
        mean: rounded(mean_total(cover_days)),
        wanted: rounded(wanted),
        min_stock: situation.min_stock,
        stock,
        spoiling: on_hand - stock,
        in_transit: situation.in_transit,
        on_order: situation.on_order,
        shelf_cover,
        pack,
        min_order: situation.min_order,
        recent_max: situation.recent_max.map(rounded),
        guard_multiple: rounded(policy.guard_multiple),
        released: None,
    };
    let sum = terms.sum();
    let life_demand = life_until.filter(|_| newsvendor && sound).map(|until| {
        mean_total(days_between(date, until)) - mean_total(days_between(later(date, 1), cover.arrives_on))
    });
    Line {
        supplier_id: situation.supplier_id,
        place: situation.place,
        sku_id: situation.sku_id,
        quantity: sum.quantity,
        conflicts: conflicts(&terms, &sum),
        holds: holds(situation, outlook, &terms, sum.quantity, life_demand),
        sum: sum.addends,
        terms,
    }
}

/// Overshoots that are looked at.
const OVERSHOOTS: i64 = 8;

/// Days that matter to an order, from the day after it on.
#[derive(Clone, Copy)]
struct Spans {
    /// Until the goods of the next order come.
    cover: u32,
    /// From its arrival until then.
    review: u32,
    /// Until what arrives expires.
    life: Option<u32>,
}

/// What becomes of the last piece of the level at a probability, for goods that are ordered in lots: an order goes beyond the
/// level by anything below a lot, and as often by one as by another (Hadley & Whitin 1963).
fn fate_of(outlook: &Outlook, spans: Spans, lot: i64, probability: f64) -> Fate {
    let level = outlook.quantile_total(spans.cover, probability);
    let count = lot.min(OVERSHOOTS);
    let mut fate = Fate { left: 0.0, spoils: 0.0, held_days: 0.0 };
    for number in 0..count {
        let reached = level + ((lot - 1) * number / (count - 1).max(1)) as f64;
        // The level itself is a quantile, also where several quantiles are one number.
        let left = outlook.probability_below(spans.cover, reached).max(probability);
        fate.left += left / count as f64;
        fate.spoils += spans.life.map_or(0.0, |life| outlook.probability_below(life, reached)) / count as f64;
        fate.held_days += (f64::from(spans.review) * left + held_beyond(outlook, spans.cover, reached)) / count as f64;
    }
    fate
}

/// Days beyond those covered on which a piece is not even needed for the days to come, as after an offer: more is there than
/// these are expected to want. Only days that are forecast are looked at.
fn held_beyond(outlook: &Outlook, cover: u32, level: f64) -> f64 {
    let mut held = 0.0;
    for days in cover..outlook.horizon().saturating_sub(cover) {
        let to_come = outlook.mean_total(days + cover) - outlook.mean_total(days);
        let unneeded = outlook.probability_below(days, level - to_come);
        if unneeded <= 0.0 {
            break;
        }
        held += unneeded;
    }
    held
}

/// What was wanted and could not be had, since it would expire: judged by what is ordered in the end, in whole packs.
fn conflicts(terms: &Terms, sum: &Sum) -> Vec<Conflict> {
    let Some(room) = terms.room().filter(|_| sum.holds(Term::ShelfCover)) else { return Vec::new() };
    let (mut found, position) = (Vec::new(), terms.position());
    let in_packs = room / terms.pack * terms.pack;
    let needed = pieces(terms.wanted) - position;
    if needed > sum.quantity {
        found.push(Conflict::ShelfCoverBelowLevel { room: in_packs, needed });
    }
    let needed = terms.min_stock - position;
    if needed > sum.quantity {
        found.push(Conflict::ShelfCoverBelowMinStock { room: in_packs, needed });
    }
    if sum.quantity == 0 {
        found.push(Conflict::ShelfCoverBelowMinimum { room, minimum: terms.least_order() });
    }
    found
}

fn holds(
    situation: &Situation,
    outlook: &Outlook,
    terms: &Terms,
    quantity: i64,
    life_demand: Option<f64>,
) -> Vec<Hold> {
    let mut found = Vec::new();
    if outlook.horizon() == 0 {
        found.push(Hold::NoForecast);
    } else if !outlook.is_sound() {
        found.push(Hold::UnsoundForecast);
    }
    if situation.margins.is_none() && situation.service_level.is_none() {
        found.push(Hold::NoCost);
    }
    if let Some(most) = terms.guard().filter(|most| quantity as f64 > *most) {
        // A pack or the supplier's minimum is no absurd quantity.
        if quantity > terms.pack.max(terms.min_order).max(terms.min_stock) {
            found.push(Hold::Absurd { most: rounded(most) });
        }
    }
    if let Some(life_demand) = life_demand.filter(|demand| *demand < LIFE_DEMAND_MIN && quantity > 0) {
        found.push(Hold::SlowerThanItSpoils { life_demand: rounded(life_demand) });
    }
    found
}
