//! What the shop is a function of.

use chrono::NaiveDate;
use linli_schemas::zone::Zone;

use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq)]
pub struct ShopOptions {
    pub seed: u64,
    pub communities: u32,
    pub users: u32,
    pub skus: u32,
    /// On an ordinary day of the week; the week's curve lies around it.
    pub orders_per_day: u32,
    /// Where days begin, and in which DATETIMEs are written.
    pub zone: Zone,
    /// The shop's first local day: nothing happened before.
    pub opened_on: NaiveDate,
}

impl ShopOptions {
    /// The size that the demo shows: something moves every second.
    pub fn demo(seed: u64, zone: Zone, opened_on: NaiveDate) -> ShopOptions {
        ShopOptions { seed, communities: 120, users: 60_000, skus: 320, orders_per_day: 60_000, zone, opened_on }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        within("communities", self.communities, 1, 100_000)?;
        within("users", self.users, self.communities, 50_000_000)?;
        within("skus", self.skus, 20, 20_000)?;
        // order ids leave six digits to an order of a day
        within("orders_per_day", self.orders_per_day, 1, 500_000)
    }

    /// Names the shop: two shops with one fingerprint have the same history.
    pub fn fingerprint(&self) -> String {
        format!(
            "shop/1 seed {} communities {} users {} skus {} orders {} zone {} opened {}",
            self.seed,
            self.communities,
            self.users,
            self.skus,
            self.orders_per_day,
            self.zone.name(),
            self.opened_on
        )
    }
}

fn within(option: &'static str, value: u32, low: u32, high: u32) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::Option { option, value: value.to_string(), remedy: format!("between {low} and {high}") })
}
