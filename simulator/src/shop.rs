//! The shop and its stream of changes.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use linli_schemas::EventTime;

use crate::catalog::Catalog;
use crate::city::{City, WAREHOUSES};
use crate::day::DayStream;
use crate::orders::Order;
use crate::rng::Rng;
use crate::{Change, Position, Result, ShopOptions};

/// What does not change from day to day.
#[derive(Debug)]
pub struct World {
    pub options: ShopOptions,
    pub city: City,
    pub catalog: Catalog,
    pub opened_on: i32,
}

/// A seeded shop: the same options have the same history.
#[derive(Clone, Debug)]
pub struct Shop {
    pub(crate) world: Arc<World>,
}

impl Shop {
    pub fn new(options: ShopOptions) -> Result<Shop> {
        options.validate()?;
        let city = City::new(&options);
        let mut shares = [0.0; WAREHOUSES];
        let total: f64 = city.communities.iter().map(|c| c.households as f64).sum();
        for community in &city.communities {
            shares[community.warehouse] += community.households as f64 / total;
        }
        let catalog = Catalog::new(&options, shares);
        let opened_on = day_number(options.opened_on);
        Ok(Shop { world: Arc::new(World { options, city, catalog, opened_on }) })
    }

    pub fn options(&self) -> &ShopOptions {
        &self.world.options
    }

    pub fn city(&self) -> &City {
        &self.world.city
    }

    pub fn catalog(&self) -> &Catalog {
        &self.world.catalog
    }

    /// The first change there is: the reference data, as the shop opens.
    pub fn start(&self) -> Position {
        Position { day: self.world.opened_on, index: 0 }
    }

    /// Where the local day of an instant begins.
    pub fn start_of_day(&self, at: EventTime) -> Position {
        Position { day: self.world.options.zone.day_number(at), index: 0 }
    }

    /// The endless stream from a position on; a position before the opening is taken to be the opening.
    pub fn changes(&self, from: Position) -> Changes {
        let from = from.max(self.start());
        let mut stream = DayStream::new(self.world.clone(), from.day);
        stream.skip_to(from.index);
        Changes { stream }
    }
}

/// An endless, resumable stream of changes in order of time.
pub struct Changes {
    stream: DayStream,
}

impl Changes {
    /// The position of the next change.
    pub fn position(&self) -> Position {
        self.stream.position()
    }

    /// When the next change happens. Plans the next day when this one is told.
    pub fn next_at(&mut self) -> EventTime {
        loop {
            if let Some(at) = self.stream.next_at() {
                return EventTime(at);
            }
            self.stream.next_day();
        }
    }
}

impl Iterator for Changes {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        self.next_at();
        self.stream.next()
    }
}

impl World {
    /// The half-open local day in epoch ms.
    pub fn bounds(&self, day: i32) -> (i64, i64) {
        let zone = self.options.zone;
        (zone.midnight(date(day)).0, zone.midnight(date(day + 1)).0)
    }

    /// 0 is Monday.
    pub fn weekday(&self, day: i32) -> usize {
        date(day).weekday().num_days_from_monday() as usize
    }

    pub fn warehouse_of(&self, order: &Order) -> usize {
        self.city.communities[order.community as usize].warehouse
    }

    /// Who comes, and to which community: nearly always to the one they live in.
    pub fn visitor(&self, rng: &mut Rng) -> (u32, u32) {
        let home = rng.by_weight(&self.city.demand);
        let residents = &self.city.communities[home].residents;
        let user = residents[(residents.len() as f64 * rng.unit().powf(1.5)) as usize];
        let community = if rng.chance(0.02) { rng.by_weight(&self.city.demand) } else { home };
        (user, community as u32)
    }

    /// What the shop has when it opens: a part of an ordinary day's demand.
    pub fn first_stock(&self) -> [Vec<i64>; WAREHOUSES] {
        std::array::from_fn(|w| self.catalog.skus.iter().map(|sku| (sku.expected[w] * 0.3) as i64 + 1).collect())
    }
}

pub fn day_number(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

pub fn date(day: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(day).unwrap_or_default()
}
