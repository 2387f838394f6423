//! What became of every piece, and what it cost.

use std::fmt;

use crate::policy::Margins;

/// Ten thousandths of a fen: what holding a piece for a day costs comes in no larger coin.
pub const E4: i128 = 10_000;

/// Sums over days, and over items: pieces, and money in ten thousandths of a fen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    pub initial: i64,
    /// Ordered, whether it has come or not.
    pub bought: i64,
    pub sold: i64,
    pub thrown_away: i64,
    /// On hand.
    pub left: i64,
    pub under_way: i64,
    pub wanted: i64,
    /// Wanted and not there.
    pub lost: i64,
    /// Pieces on hand at the close, added over days.
    pub held: i64,
    pub cost_of_lost_e4: i128,
    pub cost_of_waste_e4: i128,
    pub cost_of_holding_e4: i128,
    /// Orders placed, and those of them that a person would have been asked about.
    pub orders: i64,
    pub orders_to_ask: i64,
}

impl Books {
    /// Nothing appears and nothing vanishes: what was there and what was bought was sold, thrown away, is left or under way;
    /// what was wanted was sold or lost.
    pub fn balance(&self) -> bool {
        let flows =
            [self.initial, self.bought, self.sold, self.thrown_away, self.left, self.under_way, self.lost, self.held];
        flows.iter().all(|pieces| *pieces >= 0)
            && self.initial + self.bought == self.sold + self.thrown_away + self.left + self.under_way
            && self.wanted == self.sold + self.lost
    }

    pub fn cost_e4(&self) -> i128 {
        self.cost_of_lost_e4 + self.cost_of_waste_e4 + self.cost_of_holding_e4
    }

    pub(super) fn add(&mut self, other: &Books) {
        self.initial += other.initial;
        self.bought += other.bought;
        self.sold += other.sold;
        self.thrown_away += other.thrown_away;
        self.left += other.left;
        self.under_way += other.under_way;
        self.wanted += other.wanted;
        self.lost += other.lost;
        self.held += other.held;
        self.cost_of_lost_e4 += other.cost_of_lost_e4;
        self.cost_of_waste_e4 += other.cost_of_waste_e4;
        self.cost_of_holding_e4 += other.cost_of_holding_e4;
        self.orders += other.orders;
        self.orders_to_ask += other.orders_to_ask;
    }

    /// A day's end: what was lost, what is thrown away, and what stays on the shelf.
    pub(super) fn close(&mut self, margins: &Margins, lost: i64, thrown_away: i64, held: i64) {
        let money = |pieces: i64, each_e4: i128| i128::from(pieces) * each_e4;
        self.lost += lost;
        self.thrown_away += thrown_away;
        self.held += held;
        self.cost_of_lost_e4 += money(lost, i128::from(margins.lost) * E4);
        self.cost_of_waste_e4 += money(thrown_away, i128::from(margins.waste) * E4);
        self.cost_of_holding_e4 += money(held, i128::from(margins.holding_e4));
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Books { initial, bought, sold, thrown_away, left, under_way, wanted, lost, .. } = self;
        write!(
            f,
            "initial {initial} + bought {bought} against sold {sold} + thrown away {thrown_away} + left {left} + under way \
             {under_way}; wanted {wanted} against sold + lost {lost}"
        )
    }
}
