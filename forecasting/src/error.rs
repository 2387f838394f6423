//! Why a model could not be fitted or used.

/// A refusal; the series or the model is named, and [`Error::hint`] says what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An infinite value, or one so large that its square overflows.
    #[error("value {value} at position {position} is not a finite number below 1e100")]
    NotFinite { position: usize, value: f64 },
    /// Fewer observations than the model needs.
    #[error("{observed} usable observations are too few for {needed} of model {model}")]
    TooShort { model: String, observed: usize, needed: usize },
    /// What is left after differencing and regression is zero: the likelihood has no maximum.
    #[error("the series is constant or an exact function of the regressors under model {model}")]
    NoVariation { model: String },
    /// A model that cannot be: an order past the limits, a mean of a differenced series, a period of one.
    #[error("model {model} cannot be fitted: {reason}")]
    InvalidModel { model: String, reason: &'static str },
    /// A column is a combination of the others, the mean and the drift, or vanishes by differencing.
    #[error("regressor {column} is a combination of those before it under model {model}")]
    Collinear { model: String, column: String },
    /// Regressors of another number or length than the series or the model.
    #[error("regressors of {given} {what}, where {needed} are needed")]
    RegressorShape { what: &'static str, given: usize, needed: usize },
    /// A season of a seasonally differenced series was never observed.
    #[error("the missing values of the series leave a season of model {model} without any observation")]
    UnobservedSeason { model: String },
    /// A horizon of zero steps or past the limit.
    #[error("a horizon of {steps} steps is not between 1 and {limit}")]
    Horizon { steps: usize, limit: usize },
    /// More numbers than a fit may hold: periods times the longest lag and the missing values.
    #[error("model {model} over {periods} periods needs {cells} numbers at a time, more than {limit}")]
    TooLarge { model: String, periods: usize, cells: usize, limit: usize },
    /// Numbers of a panel or a forecast that do not fit each other.
    #[error("{given} {what} do not fit, {needed} are needed")]
    PanelShape { what: &'static str, given: usize, needed: usize },
    /// A demand that cannot be.
    #[error("demand {value} of series {series} on day {day} is not between 0 and 1e9")]
    Demand { series: usize, day: usize, value: f64 },
    /// A regressor's value that is not a number or too large.
    #[error("value {value} at position {position} of a regressor is not a number below 1e6")]
    Regressor { position: usize, value: f64 },
    /// A year whose holidays nobody knows.
    #[error("the holidays of {year} are not known, those of {first} to {last} are")]
    Year { year: i32, first: i32, last: i32 },
    /// No start of the search gave a finite likelihood.
    #[error("no parameters with a finite likelihood were found for model {model}")]
    NoOptimum { model: String },
}

impl Error {
    /// What the caller can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Error::NotFinite { .. } => "mark what was not observed as missing (NaN)",
            Error::TooShort { .. } => "take a longer history or a lower order",
            Error::NoVariation { .. } => "forecast the value itself: nothing is left to be estimated",
            Error::InvalidModel { .. } => "change the model's specification",
            Error::Collinear { .. } => "leave the regressor out",
            Error::RegressorShape { .. } => "give one value per regressor and period, in the order of the fit",
            Error::UnobservedSeason { .. } => "leave out the seasonal difference, or take a longer history",
            Error::Horizon { .. } => "ask for fewer steps",
            Error::TooLarge { .. } => "take a shorter history, a shorter season, or a lower order",
            Error::PanelShape { .. } => "give one value per series and day, and as many labels as series",
            Error::Demand { .. } => "mark a day whose demand was not seen as missing (NaN), and leave returns out",
            Error::Regressor { .. } => "scale the regressor, and fill days on which it is not known",
            Error::Year { .. } => "name that year's days off one by one",
            Error::NoOptimum { .. } => "take a lower order",
        }
    }
}
