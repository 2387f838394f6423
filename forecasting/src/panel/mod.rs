//! Many daily series of one shop: demand, what they belong to, and what is known ahead.

mod exact_sum;
mod grouping;
mod view;

pub use exact_sum::ExactSum;
pub use grouping::Grouping;
pub use view::View;
pub(crate) use view::outcome;

use crate::{Error, Result};

/// Days of the week.
pub const WEEK: usize = 7;
/// The largest demand of a day.
pub const DEMAND_MAX: f64 = 1e9;
/// The largest magnitude of a regressor's value.
pub const REGRESSOR_MAX: f64 = 1e6;
/// Most regressors of one kind.
pub const REGRESSORS_MAX: usize = 16;

/// What a series belongs to; equal numbers mean the same group. What a caller does not know, it sets to 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Names the series for good, whatever its place in the panel: a hash of its identifier.
    pub key: u64,
    /// Where stock is held: community, warehouse, whole shop.
    pub level: u32,
    pub department: u32,
    pub category: u32,
    /// The product, the same number at every level.
    pub product: u32,
    /// The community or warehouse.
    pub place: u32,
}

/// Daily demand of many series over the same days.
///
/// Demand is in units, at least 0; `NaN` is a day whose demand was not seen (sold out, closed, not yet on sale).
/// Regressors are known ahead: one value per day, for at least the days of the demand; those of a series' own are compressed
/// by `asinh`, so that they may be counts, amounts or flags.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    labels: Vec<Labels>,
    days: usize,
    known_days: usize,
    /// Series after series.
    demand: Vec<f64>,
    /// One table per regressor, series after series: promotion, price.
    own: Vec<Vec<f32>>,
    /// One row per regressor: holidays, also of the lunar calendar.
    calendar: Vec<Vec<f32>>,
    /// So many of them, the last ones, are occasions.
    occasions: usize,
}

impl Panel {
    /// A panel of `labels.len()` series over `days` days; `demand` holds them one after the other.
    ///
    /// # Errors
    /// [`Error::PanelShape`] where the numbers do not fit each other, [`Error::Demand`] where a demand is negative,
    /// infinite or above [`DEMAND_MAX`].
    pub fn new(labels: Vec<Labels>, days: usize, demand: Vec<f64>) -> Result<Panel> {
        let needed = labels.len().saturating_mul(days);
        if days == 0 || demand.len() != needed {
            return Err(Error::PanelShape { what: "days of demand", given: demand.len(), needed: needed.max(1) });
        }
        let wrong = |value: &f64| !value.is_nan() && !(0.0..=DEMAND_MAX).contains(value);
        if let Some(position) = demand.iter().position(wrong) {
            let (series, day) = (position / days, position % days);
            return Err(Error::Demand { series, day, value: demand[position] });
        }
        Ok(Panel { labels, days, known_days: days, demand, own: Vec::new(), calendar: Vec::new(), occasions: 0 })
    }

    /// With regressors: `own` has one table each (series after series), `calendar` one row each, all over `known_days`.
    ///
    /// # Errors
    /// [`Error::PanelShape`] where a table has another size or there are more than [`REGRESSORS_MAX`] of a kind,
    /// [`Error::Regressor`] where a value is not a number or above [`REGRESSOR_MAX`].
    pub fn with_regressors(mut self, known_days: usize, own: Vec<Vec<f32>>, calendar: Vec<Vec<f32>>) -> Result<Panel> {
        if known_days < self.days {
            return Err(Error::PanelShape { what: "days of regressors", given: known_days, needed: self.days });
        }
        let most = own.len().max(calendar.len());
        if most > REGRESSORS_MAX {
            return Err(Error::PanelShape { what: "regressors", given: most, needed: REGRESSORS_MAX });
        }
        let cells = self.labels.len() * known_days;
        for (table, needed) in
            own.iter().map(|table| (table, cells)).chain(calendar.iter().map(|row| (row, known_days)))
        {
            if table.len() != needed {
                return Err(Error::PanelShape { what: "values of a regressor", given: table.len(), needed });
            }
            let wrong = |value: &f32| f64::from(value.abs()) > REGRESSOR_MAX || value.is_nan();
            if let Some(position) = table.iter().position(wrong) {
                return Err(Error::Regressor { position, value: f64::from(table[position]) });
            }
        }
        self.known_days = known_days;
        // Large counts matter less than the first: what models see is compressed once, here.
        self.own = own;
        self.own.iter_mut().flatten().for_each(|value| *value = value.asinh());
        self.calendar = calendar;
        self.occasions = 0;
        Ok(self)
    }

    /// With occasions besides: regressors of the calendar of 0 (an ordinary day) to 1 (the whole of it), as
    /// [`crate::holidays::occasions`] makes them. The weekly profile learns what each does to demand, by group; what other
    /// rows of the calendar mean is for the trees alone to find.
    ///
    /// # Errors
    /// [`Error::PanelShape`] where a row does not have the known days, or there are more than [`REGRESSORS_MAX`] rows in
    /// all, [`Error::Regressor`] for a value that is not 0 to 1.
    pub fn with_occasions(mut self, rows: Vec<Vec<f32>>) -> Result<Panel> {
        let given = self.calendar.len() + rows.len();
        if given > REGRESSORS_MAX {
            return Err(Error::PanelShape { what: "regressors", given, needed: REGRESSORS_MAX });
        }
        for row in &rows {
            if row.len() != self.known_days {
                let (given, needed) = (row.len(), self.known_days);
                return Err(Error::PanelShape { what: "values of a regressor", given, needed });
            }
            if let Some(position) = row.iter().position(|value| !(0.0..=1.0).contains(value)) {
                return Err(Error::Regressor { position, value: f64::from(row[position]) });
            }
        }
        self.occasions += rows.len();
        self.calendar.extend(rows);
        Ok(self)
    }

    /// Series.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Days of demand.
    pub fn days(&self) -> usize {
        self.days
    }

    pub fn labels(&self) -> &[Labels] {
        &self.labels
    }

    /// What a forecast may see that is made after `observed` days.
    ///
    /// # Errors
    /// [`Error::PanelShape`] for no day, or more than there are.
    pub fn observed(&self, observed: usize) -> Result<View<'_>> {
        if observed == 0 || observed > self.days {
            return Err(Error::PanelShape { what: "observed days", given: observed, needed: self.days });
        }
        Ok(View::new(self, observed))
    }

    /// The demand of one series over all days: for scoring, not for forecasting.
    pub fn demand(&self, series: usize) -> &[f64] {
        &self.demand[series * self.days..(series + 1) * self.days]
    }
}
