//! The shop's own generator of random numbers.
//!
//! Positions and identities that outlive a release rest on its stream, so it is not left to a dependency that may change its own.

/// xoroshiro128+ seeded by splitmix64.
#[derive(Clone, Debug)]
pub struct Rng(u64, u64);

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One well-mixed number from several: the seed of a thing that is drawn apart from all else.
pub fn mix(parts: &[u64]) -> u64 {
    let mut state: u64 = 0x6C69_6E6C_6900_0000;
    for part in parts {
        state ^= splitmix(&mut state.wrapping_add(*part));
        state = splitmix(&mut state);
    }
    state
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        let mut state = seed;
        Rng(splitmix(&mut state), splitmix(&mut state))
    }

    /// A generator for one named thing: draws from another never move it.
    pub fn of(parts: &[u64]) -> Rng {
        Rng::new(mix(parts))
    }

    pub fn next(&mut self) -> u64 {
        let (a, mut b) = (self.0, self.1);
        let out = a.wrapping_add(b);
        b ^= a;
        self.0 = a.rotate_left(24) ^ b ^ (b << 16);
        self.1 = b.rotate_left(37);
        out
    }

    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In `[0, n)`; 0 for `n` = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// In `[low, high]`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with the given mean.
    pub fn waiting(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// An index by cumulative weights that end at their total.
    pub fn by_weight(&mut self, cumulative: &[f64]) -> usize {
        let total = cumulative.last().copied().unwrap_or(0.0);
        let x = self.unit() * total;
        cumulative.partition_point(|c| *c <= x).min(cumulative.len().saturating_sub(1))
    }
}

/// Weights as [`Rng::by_weight`] takes them.
pub fn cumulative(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut total = 0.0;
    weights
        .into_iter()
        .map(|w| {
            total += w;
            total
        })
        .collect()
}
