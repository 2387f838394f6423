//! The made-up city: communities in clusters, their leaders, the suppliers and the warehouses.

use std::sync::Arc;

use crate::ShopOptions;
use crate::rng::{Rng, cumulative, mix};

pub(crate) const NAMES: &str = include_str!("words/names.csv");

/// The city's centre; GCJ-02, as the maps of the region draw it.
const CENTRE: (f64, f64) = (30.5520, 114.3160);
/// Communities that lie together.
const CLUSTER: u32 = 5;

pub const WAREHOUSES: usize = 2;
/// Ids of leaders and suppliers begin here, so that no id of one kind is taken for another's.
const FIRST_LEADER: i64 = 9001;
const FIRST_SUPPLIER: i64 = 501;

#[derive(Clone, Debug)]
pub struct Community {
    pub community_id: i64,
    pub name: Arc<str>,
    pub name_en: Arc<str>,
    pub district: Arc<str>,
    pub district_en: Arc<str>,
    /// Degrees, GCJ-02.
    pub latitude: f64,
    pub longitude: f64,
    pub households: i64,
    pub leader_id: i64,
    /// Index of the warehouse that serves it.
    pub warehouse: usize,
    /// The user ids of its residents, the liveliest first.
    pub residents: Vec<u32>,
}

#[derive(Clone, Debug)]
pub struct Leader {
    pub leader_id: i64,
    pub name: Arc<str>,
    pub name_en: Arc<str>,
    pub phone: Arc<str>,
    /// How long the leader takes, 1 being usual: 0.5 is twice as fast.
    pub pace: f64,
}

#[derive(Clone, Debug)]
pub struct Supplier {
    pub supplier_id: i64,
    pub name: Arc<str>,
    pub name_en: Arc<str>,
    pub email: Arc<str>,
    pub lead_days: i64,
}

#[derive(Clone, Debug)]
pub struct Warehouse {
    pub warehouse_id: i64,
    pub name: &'static str,
    pub name_en: &'static str,
    pub latitude: f64,
    pub longitude: f64,
}

#[derive(Clone, Debug)]
pub struct City {
    pub communities: Vec<Community>,
    /// One a community, in the same order.
    pub leaders: Vec<Leader>,
    pub suppliers: Vec<Supplier>,
    pub warehouses: [Warehouse; WAREHOUSES],
    /// Cumulative demand of the communities.
    pub(crate) demand: Vec<f64>,
}

/// The (Chinese, English) words of a kind.
pub(crate) fn words(kind: &str) -> Vec<(&'static str, &'static str)> {
    NAMES
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split(',');
            (fields.next() == Some(kind)).then(|| (fields.next().unwrap_or(""), fields.next().unwrap_or("")))
        })
        .collect()
}

impl City {
    pub(crate) fn new(options: &ShopOptions) -> City {
        let warehouses = [
            Warehouse {
                warehouse_id: 1,
                name: "邻江北仓",
                name_en: "Linjiang North",
                latitude: CENTRE.0 + 0.075,
                longitude: CENTRE.1 + 0.02,
            },
            Warehouse {
                warehouse_id: 2,
                name: "邻江南仓",
                name_en: "Linjiang South",
                latitude: CENTRE.0 - 0.07,
                longitude: CENTRE.1 - 0.03,
            },
        ];
        let mut rng = Rng::of(&[options.seed, 1]);
        let mut communities: Vec<Community> =
            (0..options.communities).map(|i| community(options.seed, i, &mut rng)).collect();
        let demand = cumulative(communities.iter().map(|c| c.households as f64));
        for user in 1..=options.users {
            let home = home_of(options.seed, user, &demand);
            communities[home].residents.push(user);
        }
        // a community without residents would have nobody to order
        for (i, community) in communities.iter_mut().enumerate() {
            if community.residents.is_empty() {
                community.residents.push(i as u32 + 1);
            }
        }
        City { leaders: leaders(options), suppliers: suppliers(options.seed), communities, warehouses, demand }
    }
}

fn community(seed: u64, index: u32, rng: &mut Rng) -> Community {
    let (districts, estates, endings) = (words("district"), words("estate"), words("ending"));
    let cluster = index / CLUSTER;
    let district = cluster as usize % districts.len();
    // the cluster lies around its district's middle, the community around its cluster's
    let mut around = Rng::of(&[seed, 3, u64::from(cluster)]);
    let angle = (district as f64 + around.unit()) / districts.len() as f64 * std::f64::consts::TAU;
    let away = 0.02 + 0.085 * around.unit().sqrt();
    let latitude = CENTRE.0 + away * angle.sin() + (rng.unit() - 0.5) * 0.012;
    let longitude = CENTRE.1 + away * angle.cos() * 1.16 + (rng.unit() - 0.5) * 0.014;
    // every pair of words once before any comes again
    let pairs = estates.len() * endings.len();
    let pair = (index as usize * 97 + (mix(&[seed, 4]) % pairs as u64) as usize) % pairs;
    let (estate, ending) = (estates[pair % estates.len()], endings[pair / estates.len()]);
    let round = index as usize / pairs;
    let phase = if round > 0 { format!("{}期", round + 1) } else { String::new() };
    let phase_en = if round > 0 { format!(" {}", round + 1) } else { String::new() };
    Community {
        community_id: i64::from(index) + 1,
        name: format!("{}{}{phase}", estate.0, ending.0).into(),
        name_en: format!("{} {}{phase_en}", estate.1, ending.1).into(),
        district: districts[district].0.into(),
        district_en: districts[district].1.into(),
        latitude: degrees(latitude),
        longitude: degrees(longitude),
        households: 260 + (2400.0 * rng.unit().powf(1.7)) as i64,
        leader_id: FIRST_LEADER + i64::from(index),
        warehouse: usize::from(latitude < CENTRE.0),
        residents: Vec::new(),
    }
}

/// Six decimals are a tenth of a metre.
fn degrees(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn leaders(options: &ShopOptions) -> Vec<Leader> {
    (0..options.communities)
        .map(|i| {
            let mut rng = Rng::of(&[options.seed, 5, u64::from(i)]);
            let (name, name_en) = person(u64::from(i) * 131 + mix(&[options.seed, 6]) % 1_000);
            Leader {
                leader_id: FIRST_LEADER + i64::from(i),
                name: name.into(),
                name_en: name_en.into(),
                phone: phone(&mut rng),
                pace: 0.5 + 1.4 * rng.unit().powf(1.6),
            }
        })
        .collect()
}

/// A number that no one has: the prefix 100 is not given out.
pub(crate) fn phone(rng: &mut Rng) -> Arc<str> {
    format!("100{:08}", rng.below(100_000_000)).into()
}

/// The telephone of a user.
pub(crate) fn phone_of(seed: u64, user: u32) -> Arc<str> {
    phone(&mut Rng::of(&[seed, 71, u64::from(user)]))
}

/// The index of the community in which a user lives.
pub(crate) fn home_of(seed: u64, user: u32, demand: &[f64]) -> usize {
    Rng::of(&[seed, 2, u64::from(user)]).by_weight(demand)
}

/// The (Chinese, English) name of number `n`: every pair of words once before any comes again.
pub(crate) fn person(n: u64) -> (String, String) {
    let (surnames, given) = (words("surname"), words("given"));
    let pair = n as usize % (surnames.len() * given.len());
    let (surname, name) = (surnames[pair % surnames.len()], given[pair / surnames.len()]);
    (format!("{}{}", surname.0, name.0), format!("{} {}", name.1, surname.1))
}

fn suppliers(seed: u64) -> Vec<Supplier> {
    words("supplier")
        .into_iter()
        .enumerate()
        .map(|(i, (name, name_en))| Supplier {
            supplier_id: FIRST_SUPPLIER + i as i64,
            name: name.into(),
            name_en: name_en.into(),
            email: format!("orders@supplier-{}.example", i + 1).into(),
            // fresh goods come overnight
            lead_days: if i < 8 { 1 } else { Rng::of(&[seed, 7, i as u64]).between(1, 3) },
        })
        .collect()
}
