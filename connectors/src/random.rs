//! The randomness port: the system's entropy, and a seeded stream for simulation.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::SysRng;
use rand::{Rng, SeedableRng, TryRng};
use rand_chacha::ChaCha8Rng;

/// A source of random numbers that many may draw from.
pub trait Random: Send + Sync {
    fn next_u64(&self) -> u64;
}

pub type SharedRandom = Arc<dyn Random>;

/// Numbers made of [`Random::next_u64`].
impl dyn Random {
    /// A number below `bound`, near enough to uniform for scheduling and faults; 0 for a bound of 0.
    pub fn below(&self, bound: u64) -> u64 {
        scaled(self.next_u64(), bound)
    }

    /// Whether an event of this probability (0 to 1) happens.
    pub fn happens(&self, probability: f64) -> bool {
        ((self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < probability
    }

    /// 128 random bits in 32 hexadecimal digits: a nonce of a writer, an incarnation of a store.
    pub fn token(&self) -> String {
        format!("{:016x}{:016x}", self.next_u64(), self.next_u64())
    }
}

fn scaled(random: u64, bound: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

/// The machine's entropy, drawn once to seed a generator.
pub struct SystemRandom {
    generator: Mutex<ChaCha8Rng>,
}

impl SystemRandom {
    /// # Panics
    /// If the operating system has no entropy to give: nothing safe can be done without.
    pub fn new() -> SystemRandom {
        let mut seed = [0_u8; 32];
        SysRng.try_fill_bytes(&mut seed).expect("the operating system gives entropy");
        SystemRandom { generator: Mutex::new(ChaCha8Rng::from_seed(seed)) }
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}

impl Random for SystemRandom {
    fn next_u64(&self) -> u64 {
        self.generator.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

/// The same numbers for the same seed.
pub struct SeededRandom {
    seed: u64,
    generator: Mutex<ChaCha8Rng>,
}

impl SeededRandom {
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom { seed, generator: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) }
    }

    /// A stream of its own for one actor: the same for the same seed and label, however much others draw.
    pub fn fork(&self, label: &str) -> SeededRandom {
        // FNV-1a: spreads labels, and stays the same over versions of the standard library.
        let hash = label
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        SeededRandom::new(self.seed.rotate_left(17) ^ hash)
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        self.generator.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_forks_do_not_disturb_each_other() {
        let one = SeededRandom::new(7);
        let other = SeededRandom::new(7);
        assert_eq!(one.next_u64(), other.next_u64());
        one.next_u64(); // drawn more often than the other
        assert_eq!(one.fork("shop").next_u64(), other.fork("shop").next_u64());
        assert_ne!(one.fork("shop").next_u64(), other.fork("log").next_u64());
    }

    #[test]
    fn probabilities_and_bounds_hold() {
        let random: SharedRandom = Arc::new(SeededRandom::new(1));
        assert!((0..1000).all(|_| !random.happens(0.0)));
        assert!((0..1000).all(|_| random.happens(1.0)));
        assert!((0..1000).all(|_| random.below(3) < 3));
        assert_eq!(random.below(0), 0);
        let hits = (0..10_000).filter(|_| random.happens(0.25)).count();
        assert!((2000..3000).contains(&hits), "{hits}");
    }

    #[test]
    fn system_tokens_differ() {
        let random: SharedRandom = Arc::new(SystemRandom::new());
        assert_ne!(random.token(), random.token());
    }
}
