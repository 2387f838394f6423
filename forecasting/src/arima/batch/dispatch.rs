//! The same code compiled for the instructions that the processor has.
#![allow(unsafe_code)] // each use states why it is sound

use super::arma::Block;
use super::solve::{Free, Solution, solve};

/// [`solve`] with the widest vectors at hand; the result is the same bit for bit, since nothing is fused.
pub fn solve_best(block: &Block<'_>, free: Free) -> Solution {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq") {
            // SAFETY: the features that the function was compiled for were just found.
            return unsafe { solve_avx512(block, free) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { solve_avx2(block, free) };
        }
    }
    solve(block, free)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn solve_avx512(block: &Block<'_>, free: Free) -> Solution {
    solve(block, free)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn solve_avx2(block: &Block<'_>, free: Free) -> Solution {
    solve(block, free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arima::batch::lanes::{LANES, Lanes};

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let steps: Vec<Lanes> = (0..40)
            .map(|t| Lanes(std::array::from_fn(|lane| (f64::from(t) * (0.3 + lane as f64 * 0.37)).sin())))
            .collect();
        let block = Block { steps: &steps };
        let free = Free { phi: true, theta: true };
        let (plain, best) = (solve(&block, free), solve_best(&block, free));
        for lane in 0..LANES {
            assert_eq!(plain.phi.0[lane].to_bits(), best.phi.0[lane].to_bits());
            assert_eq!(plain.theta.0[lane].to_bits(), best.theta.0[lane].to_bits());
            assert_eq!(plain.value.deviance.0[lane].to_bits(), best.value.deviance.0[lane].to_bits());
        }
    }
}
