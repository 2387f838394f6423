//! Forecasts of demand: pure numerics, without I/O, clock or hidden randomness.
//!
//! A specification (`Arima`) is fitted to a [`Series`]; only what is fitted can forecast.
//!
//! ```
//! use linli_forecasting::arima::{Arima, Order};
//! use linli_forecasting::Series;
//!
//! let demand = Series::new(vec![12.0, 9.0, 14.0, 11.0, 15.0, 13.0, 16.0, 12.0, 17.0, 15.0])?;
//! let fitted = Arima::new(Order::new(0, 1, 1)).fit(&demand)?;
//! let forecast = fitted.forecast(3)?;
//! let three_days = forecast.total(1..=3);
//! assert!(three_days.variance > 0.0);
//! # Ok::<(), linli_forecasting::Error>(())
//! ```
//!
//! Units: values have the unit of the series, variances its square; steps are counted from 1, the first after the last
//! observation. A missing value is `NaN`, on input and in residuals.

pub mod arima;
pub mod backtest;
pub mod demand;
pub mod diagnostics;
pub mod distribution;
mod error;
pub mod global;
pub mod holidays;
pub mod intermittent;
pub mod panel;
pub mod pooled;
pub mod select;
mod series;
pub mod smoothing;
pub mod special;

pub use error::Error;
pub use panel::{Labels, Panel};
pub use series::{Regressors, Series};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
