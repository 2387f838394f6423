//! What was seen, as a distribution: totals of past days, or a model's mean with its past errors.

/// A sample in increasing order.
#[derive(Clone, Debug, PartialEq)]
pub struct Empirical {
    sorted: Vec<f64>,
}

impl Empirical {
    /// Values that are not numbers are left out, negative ones are taken as 0.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Empirical {
        let mut sorted: Vec<f64> =
            values.into_iter().filter(|value| value.is_finite()).map(|value| value.max(0.0)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Empirical { sorted }
    }

    /// Totals of every `days` consecutive days of a history, all of which were seen.
    pub fn of_totals(history: &[f64], days: usize) -> Empirical {
        Empirical::new(history.windows(days.max(1)).map(|window| window.iter().sum()))
    }

    /// 0 for an empty sample.
    pub fn mean(&self) -> f64 {
        if self.sorted.is_empty() { 0.0 } else { self.sorted.iter().sum::<f64>() / self.sorted.len() as f64 }
    }

    /// The value of rank `⌈level (n + 1)⌉`, which a further value of the same kind does not exceed with at least this
    /// probability; the largest where the sample is too small for the level, 0 for an empty sample.
    pub fn quantile(&self, level: f64) -> f64 {
        let rank = (level * (self.sorted.len() + 1) as f64).ceil().max(1.0) as usize;
        self.sorted.get(rank - 1).or(self.sorted.last()).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_the_value_to_come() {
        let sample = Empirical::new((1..=9).map(f64::from));
        assert_eq!((sample.quantile(0.5), sample.quantile(0.9), sample.quantile(0.99)), (5.0, 9.0, 9.0));
        assert_eq!(Empirical::new([]).quantile(0.5), 0.0);
        assert_eq!(Empirical::of_totals(&[1.0, 2.0, f64::NAN, 4.0, 5.0], 2).mean(), 6.0);
    }
}
