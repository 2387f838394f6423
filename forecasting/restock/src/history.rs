//! Daily sales as a panel of series: one for each community and SKU, and one for each warehouse and SKU.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use linli_forecasting::distribution::Summary;
use linli_forecasting::holidays::occasions;
use linli_forecasting::{Labels, Panel};

use crate::books::{Books, Problem, Shelf};
use crate::calendar::days_between;
use crate::line::Place;
use crate::policy::Outlook;

/// Days of history that a run looks at.
pub const HISTORY_DAYS: u32 = 112;
/// Labels of levels.
const COMMUNITIES: u32 = 0;
const WAREHOUSES: u32 = 1;

/// Pieces sold on one day. What was brought back is taken off by the day of its sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    pub community_id: i64,
    pub sku_id: i64,
    pub date: NaiveDate,
    pub pieces: i64,
}

/// A SKU that is cheaper on some days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promoted {
    pub sku_id: i64,
    pub date: NaiveDate,
    /// The part of the day, 0 to 1, times the part of the price that is taken off, 0 to 1.
    pub strength: f32,
}

/// Days on which a shelf was empty for so long that what was sold does not tell what was wanted.
pub type SoldOut = BTreeSet<(Shelf, NaiveDate)>;

/// Day and pieces of a series.
type Sold = Vec<(usize, i64)>;

/// What a panel is made of.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The last day, the one that the run is made for.
    pub date: NaiveDate,
    /// It is not over yet: what it sold so far does not tell what it wants.
    pub open: bool,
    pub sales: Vec<Sale>,
    pub promoted: Vec<Promoted>,
    pub holidays: BTreeSet<NaiveDate>,
    pub sold_out: SoldOut,
    /// What the evening before expected of such days.
    pub eves: HashMap<(SeriesOf, NaiveDate), Summary>,
}

/// A series of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesOf {
    pub place: Place,
    pub sku_id: i64,
}

/// A panel with what its series are of.
#[derive(Clone, Debug)]
pub struct Built {
    pub panel: Panel,
    /// Sorted: warehouses (community 0) before their communities.
    pub series: Vec<SeriesOf>,
    pub problems: Vec<Problem>,
}

impl History {
    /// The first day of the history.
    pub fn first(&self) -> NaiveDate {
        self.date - chrono::Days::new(u64::from(HISTORY_DAYS) - 1)
    }

    /// The last day that is over.
    pub fn closed(&self) -> NaiveDate {
        self.date - chrono::Days::new(u64::from(self.open))
    }

    /// The panel with regressors `horizon` days ahead.
    ///
    /// A day before the first on which a SKU was sold anywhere is missing, not a day without demand; so is the last one
    /// while it is open. A day on which its shelf was empty for long tells what it makes likely.
    ///
    /// # Errors
    /// [`linli_forecasting::Error`] where a number cannot be one of a panel.
    pub fn panel(&self, books: &Books, horizon: usize) -> linli_forecasting::Result<Built> {
        let (sold, problems) = self.sold(books);
        let mut series: Vec<SeriesOf> = sold.keys().copied().collect();
        // Goods that are stocked and were never sold have a forecast too: that nothing is wanted.
        series
            .extend(books.stock.keys().filter(|shelf| books.skus.contains_key(&shelf.1)).map(|shelf| of_shelf(*shelf)));
        series.sort_unstable();
        series.dedup();
        let days = HISTORY_DAYS as usize;
        let mut first_sold: HashMap<i64, usize> = HashMap::new();
        for (of, sales) in &sold {
            let first = sales.iter().map(|(day, _)| *day).min().unwrap_or(0);
            first_sold.entry(of.sku_id).and_modify(|day| *day = first.min(*day)).or_insert(first);
        }
        let mut missing: HashMap<Shelf, Vec<usize>> = HashMap::new();
        for (shelf, date) in &self.sold_out {
            missing.entry(*shelf).or_default().extend(self.day_of(*date));
        }
        let mut demand = vec![0.0; series.len() * days];
        for (of, row) in series.iter().zip(demand.chunks_exact_mut(days)) {
            for (day, pieces) in sold.get(of).into_iter().flatten() {
                row[*day] += *pieces as f64;
            }
            row.iter_mut().for_each(|pieces| *pieces = pieces.max(0.0));
            row[..first_sold.get(&of.sku_id).copied().unwrap_or(0)].fill(f64::NAN);
            if self.open {
                row[days - 1] = f64::NAN;
            }
            if let Some(missing) = missing.get(&(of.place.warehouse_id, of.sku_id)) {
                let eve = |day: usize| self.eves.get(&(*of, self.first() + chrono::Days::new(day as u64)));
                sold_out(row, missing, eve);
            }
        }
        let labels = series.iter().map(|of| self.labels(of, books)).collect();
        let known = days + horizon;
        let promoted = self.promotions(&series, known);
        let panel = Panel::new(labels, days, demand)?
            .with_regressors(known, vec![promoted], Vec::new())?
            .with_occasions(occasions(&self.holidays, self.first(), known).into())?;
        Ok(Built { panel, series, problems })
    }

    fn day_of(&self, date: NaiveDate) -> Option<usize> {
        (self.first() <= date && date <= self.date).then(|| days_between(self.first(), date) as usize)
    }

    /// By series of both levels.
    fn sold(&self, books: &Books) -> (HashMap<SeriesOf, Sold>, Vec<Problem>) {
        let mut sold: HashMap<SeriesOf, Sold> = HashMap::new();
        let mut problems = BTreeSet::new();
        for sale in &self.sales {
            let Some(day) = self.day_of(sale.date) else { continue };
            let Some(warehouse_id) = books.warehouse_of.get(&sale.community_id).copied() else {
                problems.insert(Problem::CommunityWithoutWarehouse { community_id: sale.community_id });
                continue;
            };
            if !books.skus.contains_key(&sale.sku_id) {
                problems.insert(Problem::UnknownSku { sku_id: sale.sku_id });
                continue;
            }
            let place = Place { warehouse_id, community_id: sale.community_id };
            for of in [SeriesOf { place, sku_id: sale.sku_id }, of_shelf((warehouse_id, sale.sku_id))] {
                sold.entry(of).or_default().push((day, sale.pieces));
            }
        }
        (sold, problems.into_iter().collect())
    }

    fn labels(&self, of: &SeriesOf, books: &Books) -> Labels {
        let sku = books.skus.get(&of.sku_id);
        let whole = of.place.community_id == 0;
        let place = if whole { of.place.warehouse_id } else { of.place.community_id };
        Labels {
            // Ids of places are 32 bit in the shop's tables.
            key: (of.sku_id as u64).rotate_left(32) ^ (place as u64) << 1 ^ u64::from(whole),
            level: if whole { WAREHOUSES } else { COMMUNITIES },
            department: sku.map_or(0, |sku| u32::from(sku.shelf_days.is_some_and(|days| days <= 3))),
            category: sku.map_or(0, |sku| sku.category_id as u32),
            product: of.sku_id as u32,
            place: place as u32,
        }
    }

    fn promotions(&self, series: &[SeriesOf], known: usize) -> Vec<f32> {
        let mut of_sku: BTreeMap<i64, Vec<(usize, f32)>> = BTreeMap::new();
        for promoted in &self.promoted {
            let day = days_between(self.first(), promoted.date) as usize;
            if promoted.date >= self.first() && day < known {
                of_sku.entry(promoted.sku_id).or_default().push((day, promoted.strength));
            }
        }
        let mut table = vec![0.0; series.len() * known];
        for (of, row) in series.iter().zip(table.chunks_exact_mut(known)) {
            for (day, strength) in of_sku.get(&of.sku_id).into_iter().flatten() {
                row[*day] += *strength;
            }
        }
        table
    }
}

/// What was wanted on days on which the shelf was empty: what the forecast of the eve makes likely of a day that sold so many
/// and then sold out. If they were left out, only days on which little was wanted would be left, and who orders by them sells
/// out ever more. Without a forecast they are missing, unless more was sold than on a usual day.
fn sold_out<'a>(row: &mut [f64], missing: &[usize], eve: impl Fn(usize) -> Option<&'a Summary>) {
    let told = row.iter().enumerate().filter(|(day, pieces)| !missing.contains(day) && pieces.is_finite());
    let (sum, days) = told.fold((0.0, 0), |(sum, days), (_, pieces)| (sum + pieces, days + 1));
    let usual = sum / f64::from(days.max(1));
    for day in missing.iter().filter(|day| row[**day].is_finite()).copied().collect::<BTreeSet<_>>() {
        let sold = row[day];
        row[day] = match eve(day) {
            Some(eve) => {
                let outlook = Outlook { steps: vec![*eve], ..Outlook::default() };
                outlook.wanted_when_sold_out(sold as i64).unwrap_or(f64::NAN)
            }
            None if days > 0 && sold > usual => sold,
            None => f64::NAN,
        };
    }
}

fn of_shelf((warehouse_id, sku_id): Shelf) -> SeriesOf {
    SeriesOf { place: Place { warehouse_id, community_id: 0 }, sku_id }
}
