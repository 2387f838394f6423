//! The input: equally spaced observations, and known regressors.

use crate::{Error, Result};

/// The largest magnitude of a value; squares and sums of a long series stay finite below it.
pub const MAGNITUDE_MAX: f64 = 1e100;

/// Equally spaced observations, oldest first; `NaN` is a missing value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    values: Vec<f64>,
    observed: usize,
}

impl Series {
    /// # Errors
    /// [`Error::NotFinite`] for an infinite value or one of 1e100 and more.
    pub fn new(values: impl Into<Vec<f64>>) -> Result<Series> {
        let values = values.into();
        check(&values, Missing::Allowed)?;
        let observed = values.iter().filter(|value| !value.is_nan()).count();
        Ok(Series { values, observed })
    }

    /// All values, `NaN` where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Periods, missing ones included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values that are not missing.
    pub fn observed(&self) -> usize {
        self.observed
    }

    /// The only value of a series whose observations are all equal.
    pub fn constant(&self) -> Option<f64> {
        let mut observed = self.values.iter().copied().filter(|value| !value.is_nan());
        let first = observed.next()?;
        observed.all(|value| value == first).then_some(first)
    }
}

/// Columns of known values, each with one value per period; none missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regressors {
    columns: Vec<Vec<f64>>,
}

impl Regressors {
    /// # Errors
    /// [`Error::RegressorShape`] where the columns differ in length, [`Error::NotFinite`] where a value is missing,
    /// infinite or too large.
    pub fn new(columns: Vec<Vec<f64>>) -> Result<Regressors> {
        let needed = columns.first().map_or(0, Vec::len);
        for column in &columns {
            if column.len() != needed {
                return Err(Error::RegressorShape { what: "periods", given: column.len(), needed });
            }
            check(column, Missing::Refused)?;
        }
        Ok(Regressors { columns })
    }

    pub fn none() -> Regressors {
        Regressors::default()
    }

    /// One column per regressor.
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Periods that the columns cover; 0 without columns.
    pub fn periods(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Allowed,
    Refused,
}

fn check(values: &[f64], missing: Missing) -> Result<()> {
    let bad = |value: &f64| {
        if value.is_nan() { missing == Missing::Refused } else { value.abs() >= MAGNITUDE_MAX }
    };
    match values.iter().position(bad) {
        Some(position) => Err(Error::NotFinite { position, value: values[position] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_allowed_and_infinite_ones_are_not() {
        let series = Series::new(vec![1.0, f64::NAN, 1.0]).expect("finite");
        assert_eq!((series.len(), series.observed(), series.constant()), (3, 2, Some(1.0)));
        let error = Series::new(vec![1.0, f64::INFINITY]).expect_err("infinite");
        assert_eq!(error, Error::NotFinite { position: 1, value: f64::INFINITY });
        assert!(Series::new(vec![1e200]).is_err());
    }

    #[test]
    fn regressors_are_complete_and_of_one_length() {
        assert!(Regressors::new(vec![vec![1.0], vec![1.0, 2.0]]).is_err());
        assert!(Regressors::new(vec![vec![f64::NAN]]).is_err());
    }
}
