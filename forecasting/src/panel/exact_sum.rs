//! Sums that do not depend on the order of their terms, so that the order of series and the number of threads change nothing.

/// A sum in fixed point: every term is rounded to 2⁻⁴⁰ once, then added exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExactSum(i128);

const SCALE: f64 = (1_u64 << 40) as f64;

impl ExactSum {
    /// Adds a finite term of magnitude below 2⁶⁰; a term that is not a number adds nothing.
    pub fn add(&mut self, term: f64) {
        self.0 += (term * SCALE) as i128;
    }

    pub fn merge(&mut self, other: ExactSum) {
        self.0 += other.0;
    }

    pub fn value(self) -> f64 {
        self.0 as f64 / SCALE
    }
}
