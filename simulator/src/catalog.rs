//! What the shop sells.

use std::sync::Arc;

use crate::ShopOptions;
use crate::city::{NAMES, WAREHOUSES};
use crate::rng::{Rng, cumulative, mix};

const CATEGORIES: &str = include_str!("words/categories.csv");
const PRODUCTS: &str = include_str!("words/products.csv");

const FIRST_SKU: i64 = 10_001;
const FIRST_PRODUCT: i64 = 1_001;
/// SKUs of a product.
pub const SPECS: usize = 2;
/// Pieces of goods in an order placed, on average: expected demand rests on it.
const PIECES_PER_ORDER: f64 = 3.5;
/// Popularity falls by this power of the rank.
const ZIPF: f64 = 0.85;
/// Categories whose goods carry no brand.
const UNBRANDED: i64 = 4;
/// Shelf life up to which goods are bought anew for each day.
pub const FRESH_DAYS: i64 = 3;

#[derive(Clone, Debug)]
pub struct Category {
    pub category_id: i64,
    pub code: &'static str,
    pub name: &'static str,
    pub name_en: &'static str,
    weight: f64,
    cost_percent: i64,
}

/// One specification of a product.
#[derive(Clone, Debug)]
pub struct Sku {
    pub sku_id: i64,
    pub product_id: i64,
    pub category_id: i64,
    pub supplier_id: i64,
    pub brand_id: Option<i64>,
    /// With brand and specification, as the order's line says it.
    pub title: Arc<str>,
    pub title_en: Arc<str>,
    pub spec: Arc<str>,
    /// Fen.
    pub price: i64,
    pub cost: i64,
    pub shelf_days: i64,
    /// Pieces, by warehouse: below it the buyer is warned.
    pub min_stock: [i64; WAREHOUSES],
    /// Pieces, by warehouse: what an ordinary day is expected to sell.
    pub(crate) expected: [f64; WAREHOUSES],
}

#[derive(Clone, Debug)]
pub struct Brand {
    pub brand_id: i64,
    pub name: &'static str,
    pub name_en: &'static str,
    /// The code of the category it makes goods of; empty where it makes all.
    category: &'static str,
}

#[derive(Clone, Debug)]
pub struct Catalog {
    pub categories: Vec<Category>,
    pub brands: Vec<Brand>,
    pub skus: Vec<Sku>,
    pub(crate) popularity: Vec<f64>,
}

struct Product {
    category: usize,
    zh: &'static str,
    en: &'static str,
    shelf_days: i64,
    specs: [(&'static str, i64); SPECS],
}

impl Catalog {
    /// `shares`: each warehouse's part of the demand.
    pub(crate) fn new(options: &ShopOptions, shares: [f64; WAREHOUSES]) -> Catalog {
        let categories = categories();
        let products = products(&categories);
        let brands = brands();
        let mut skus: Vec<Sku> =
            (0..options.skus as usize).map(|i| sku(options.seed, i, &products, &categories, &brands)).collect();
        let weights = weights(options.seed, &skus, &categories);
        let total: f64 = weights.iter().sum();
        for (sku, weight) in skus.iter_mut().zip(&weights) {
            let daily = f64::from(options.orders_per_day) * PIECES_PER_ORDER * weight / total;
            // days of demand that stay on the shelf as the least
            let least = if sku.shelf_days <= FRESH_DAYS { 0.12 } else { 0.8 };
            for (w, share) in shares.iter().enumerate() {
                sku.expected[w] = daily * share;
                sku.min_stock[w] = (sku.expected[w] * least).ceil().max(2.0) as i64;
            }
        }
        Catalog { categories, brands, skus, popularity: cumulative(weights) }
    }

    /// Pieces that a warehouse has for sale when a day begins.
    pub(crate) fn opening(
        &self,
        options: &ShopOptions,
        day: i32,
        week_factor: f64,
        warehouse: usize,
        sku: usize,
    ) -> i64 {
        let goods = &self.skus[sku];
        let expected = goods.expected[warehouse];
        if goods.shelf_days > FRESH_DAYS {
            // most is plentiful, a few are bought too sparingly and run out
            let days = match mix(&[options.seed, 20, sku as u64]) % 100 {
                0..=3 => 0.9,
                4..=9 => 14.0,
                n => 2.0 + n as f64 / 40.0,
            };
            return (expected * days).ceil() as i64 + 3;
        }
        // the buyer orders fresh goods for the day and is sometimes wrong
        let mut rng = Rng::of(&[options.seed, 21, day as u64, warehouse as u64, sku as u64]);
        let cover = if rng.chance(0.06) { 0.55 + 0.3 * rng.unit() } else { 1.08 + 0.4 * rng.unit() };
        (expected * week_factor * cover).ceil() as i64 + 2
    }
}

fn brands() -> Vec<Brand> {
    NAMES
        .lines()
        .filter_map(|line| line.strip_prefix("brand,"))
        .enumerate()
        .map(|(i, line)| {
            let f: Vec<&'static str> = line.split(',').collect();
            Brand { brand_id: i as i64 + 1, name: f[0], name_en: f[1], category: f[2] }
        })
        .collect()
}

fn categories() -> Vec<Category> {
    CATEGORIES
        .lines()
        .skip(1)
        .enumerate()
        .map(|(i, line)| {
            let f: Vec<&'static str> = line.split(',').collect();
            Category {
                category_id: i as i64 + 1,
                code: f[0],
                name: f[1],
                name_en: f[2],
                weight: f[3].parse().unwrap_or(1.0),
                cost_percent: f[4].parse().unwrap_or(70),
            }
        })
        .collect()
}

/// Taken by turns from the categories, so that a small shop has something of each.
fn products(categories: &[Category]) -> Vec<Product> {
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    let mut listed: Vec<(usize, Product)> = Vec::new();
    let mut seen = vec![0usize; categories.len()];
    for line in PRODUCTS.lines().skip(1) {
        let f: Vec<&'static str> = line.split(',').collect();
        let Some(category) = categories.iter().position(|c| c.code == f[0]) else { continue };
        let specs = [(f[4], number(f[5])), (f[6], number(f[7]))];
        listed.push((seen[category], Product { category, zh: f[1], en: f[2], shelf_days: number(f[3]), specs }));
        seen[category] += 1;
    }
    listed.sort_by_key(|(turn, product)| (*turn, product.category));
    listed.into_iter().map(|(_, product)| product).collect()
}

fn sku(seed: u64, index: usize, products: &[Product], categories: &[Category], brands: &[Brand]) -> Sku {
    let product = &products[index / SPECS % products.len()];
    let (spec, list_price) = product.specs[index % SPECS];
    // beyond the list, the same goods come from further brands
    let edition = index / (SPECS * products.len());
    let category = &categories[product.category];
    let mut rng = Rng::of(&[seed, 10, (index / SPECS) as u64]);
    let branded = category.category_id > UNBRANDED || edition > 0;
    let fitting: Vec<&Brand> = brands.iter().filter(|b| b.category.is_empty() || b.category == category.code).collect();
    let brand = branded.then(|| fitting[(rng.below(fitting.len() as u64) as usize + edition) % fitting.len()]);
    let series = if edition >= fitting.len() { format!(" {}", edition / fitting.len() + 1) } else { String::new() };
    let price = list_price * (97 + rng.below(7) as i64) / 100 + edition as i64 * 10;
    let suppliers = match product.category {
        11 => 22,
        12 => 23,
        category => category * 2 + index / SPECS % 2,
    };
    Sku {
        sku_id: FIRST_SKU + index as i64,
        product_id: FIRST_PRODUCT + (index / SPECS) as i64,
        category_id: category.category_id,
        supplier_id: 501 + suppliers as i64,
        brand_id: brand.map(|b| b.brand_id),
        title: format!("{}{}{series} {spec}", brand.map_or("", |b| b.name), product.zh).into(),
        title_en: format!(
            "{}{}{series} {spec}",
            brand.map_or(String::new(), |b| format!("{} ", b.name_en)),
            product.en
        )
        .into(),
        spec: spec.into(),
        price,
        cost: price * (category.cost_percent + rng.between(-4, 4)) / 100,
        shelf_days: product.shelf_days,
        min_stock: [0; WAREHOUSES],
        expected: [0.0; WAREHOUSES],
    }
}

/// Zipf over ranks that the seed deals out; dear things sell less, a second specification half as much.
fn weights(seed: u64, skus: &[Sku], categories: &[Category]) -> Vec<f64> {
    let mut ranks: Vec<usize> = (0..skus.len()).collect();
    let mut rng = Rng::of(&[seed, 11]);
    for i in (1..ranks.len()).rev() {
        ranks.swap(i, rng.below(i as u64 + 1) as usize);
    }
    skus.iter()
        .zip(ranks)
        .enumerate()
        .map(|(i, (sku, rank))| {
            let category = categories[(sku.category_id - 1) as usize].weight;
            let dear = (1500.0 / sku.price as f64).powf(0.4);
            let second = if i % SPECS > 0 { 0.55 } else { 1.0 };
            category * dear * second / ((rank + 1) as f64).powf(ZIPF)
        })
        .collect()
}
