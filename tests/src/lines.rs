//! Lines for `linli backfill`: a seeded stream of orders and clicks with everything that makes counting hard.

use std::fmt::Write as _;

/// What to generate.
#[derive(Clone, Debug)]
pub struct Lines {
    pub seed: u64,
    pub count: usize,
    /// Epoch ms of the first line.
    pub start_ms: i64,
    pub duration_ms: i64,
    pub communities: u64,
    pub users: u64,
    pub skus: u64,
    /// Out of a thousand lines, how many arrive 10 s to `late_max_ms` after their time.
    pub late_per_mille: u64,
    pub late_max_ms: u64,
    /// Out of a thousand items, how many are given back.
    pub returns_per_mille: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines {
            seed: 1,
            count: 20_000,
            start_ms: 1_743_000_000_000,
            duration_ms: 30 * 3_600_000,
            communities: 60,
            users: 3_000,
            skus: 500,
            late_per_mille: 0,
            late_max_ms: 600_000,
            returns_per_mille: 0,
        }
    }
}

/// splitmix64: enough for test data, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Lines {
    /// The lines in order of arrival: repeated ones, out of order by up to 5 s, late ones, order ids beyond 32 bits,
    /// sparse SKU ids, a night without a sale.
    pub fn generate(&self) -> Vec<String> {
        let mut random = Random(self.seed);
        let mut arrivals: Vec<(i64, usize, String)> = Vec::with_capacity(self.count + self.count / 100);
        for i in 0..self.count {
            let at = self.time(&mut random);
            let line = self.line(&mut random, i, at);
            let mut arrival = at;
            if random.below(100) == 0 {
                arrival += 1 + random.below(4_900) as i64;
            }
            if random.below(1000) < self.late_per_mille {
                arrival += 10_000 + random.below(self.late_max_ms) as i64;
            }
            if random.below(200) == 0 {
                arrivals.push((arrival + random.below(90_000) as i64, self.count + i, line.clone()));
            }
            arrivals.push((arrival, i, line));
        }
        arrivals.sort();
        arrivals.into_iter().map(|(_, _, line)| line).collect()
    }

    /// No line between 2 and 5 hours after the start.
    fn time(&self, random: &mut Random) -> i64 {
        let night = 2 * 3_600_000..5 * 3_600_000;
        loop {
            let offset = random.below(self.duration_ms as u64) as i64;
            if !night.contains(&offset) {
                return self.start_ms + offset;
            }
        }
    }

    fn line(&self, random: &mut Random, i: usize, at: i64) -> String {
        let user = 1 + random.below(self.users);
        let community =
            if random.below(100) < 90 { 1 + user % self.communities } else { 1 + random.below(self.communities) };
        let sku = |random: &mut Random| {
            let rank = random.below(self.skus).min(random.below(self.skus));
            (1 + rank) * 7_919_003
        };
        let mut line = String::new();
        if random.below(2) == 0 {
            let status = if random.below(50) == 0 { "CANCELED" } else { "PAID" };
            let order_id = 9_100_000_000_000_000_000_u64 + self.seed * 1_000_000_000 + i as u64;
            let mut items = String::new();
            for n in 0..1 + random.below(4) {
                let comma = if n > 0 { "," } else { "" };
                let (sku, mut qty, price) = (sku(random), 1 + random.below(3) as i64, 1 + random.below(20_000));
                if random.below(1000) < self.returns_per_mille {
                    qty = -qty;
                }
                let _ = write!(items, "{comma}{{\"sku_id\":{sku},\"qty\":{qty},\"price_cents\":{price}}}");
            }
            let _ = write!(
                line,
                "{{\"event_id\":\"o-{}-{i}\",\"kind\":\"order\",\"order_id\":{order_id},\"user_id\":{user},\"community_id\":{community},\"leader_id\":{},\"items\":[{items}],\"paid_at\":{at},\"status\":\"{status}\"}}",
                self.seed,
                900_000 + community,
            );
        } else {
            let click_type = ["view", "view", "view", "cart", "order"][random.below(5) as usize];
            let _ = write!(
                line,
                "{{\"event_id\":\"c-{}-{i}\",\"kind\":\"click\",\"user_id\":{user},\"community_id\":{community},\"type\":\"{click_type}\",\"sku_id\":{},\"ts\":{at}}}",
                self.seed,
                sku(random),
            );
        }
        line
    }
}
