//! One regression tree, grown on histograms.

use rayon::prelude::*;

/// Leaves of a tree, and rows that a leaf needs.
const LEAVES_MAX: usize = 24;
const LEAF_ROWS_MIN: u32 = 80;
/// Hessian that every leaf is credited with: small leaves say little.
const RIDGE: f64 = 20.0;

/// Bins of a feature.
pub(super) const BINS: usize = 48;

/// Rows as the tree sees them.
pub(super) struct Binned<'a> {
    /// Feature after feature: the bin of every row.
    pub bins: &'a [Vec<u8>],
    /// Gradient and hessian of every row in whole numbers, and what one is worth.
    pub slopes: &'a [(i32, i32)],
    pub gradient_unit: f64,
    pub hessian_unit: f64,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    feature: u16,
    /// Rows in this bin or below go left.
    bin: u8,
    threshold: f32,
    left: u16,
    right: u16,
}

/// Links of a node: a leaf is marked by this bit.
const LEAF: u16 = 1 << 15;

#[derive(Clone, Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    leaves: Vec<f32>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    gradient: i64,
    hessian: i64,
    rows: u32,
}

type Histogram = Vec<[Cell; BINS]>;

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    bin: usize,
}

/// A leaf that may be split.
struct Growing {
    rows: Vec<u32>,
    histogram: Histogram,
    best: Option<Split>,
    /// The node and side that lead here; `None` for the root.
    parent: Option<(usize, Side)>,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Tree {
    /// Grows a tree on some rows and features; `thresholds[feature][bin]` is the upper end of a bin.
    pub fn grow(data: &Binned<'_>, rows: Vec<u32>, features: &[usize], thresholds: &[Vec<f32>], rate: f64) -> Tree {
        let mut tree = Tree { nodes: Vec::new(), leaves: Vec::new() };
        let histogram = histogram(data, &rows, features);
        let best = best_split(data, &histogram, features);
        let mut growing = vec![Growing { rows, histogram, best, parent: None }];
        while growing.len() < LEAVES_MAX {
            let gain = |leaf: &Growing| leaf.best.map_or(0.0, |best| best.gain);
            let Some(at) = (0..growing.len()).max_by(|a, b| gain(&growing[*a]).total_cmp(&gain(&growing[*b]))) else {
                break;
            };
            let Some(best) = growing[at].best else { break };
            let leaf = growing.swap_remove(at);
            let node = tree.nodes.len();
            tree.nodes.push(Node {
                feature: best.feature as u16,
                bin: best.bin as u8,
                threshold: thresholds[best.feature][best.bin],
                left: 0,
                right: 0,
            });
            tree.link(leaf.parent, node as u16);
            growing.extend(leaf.split(data, features, best, node));
        }
        for leaf in growing {
            let total = leaf.histogram.first().map_or(Cell::default(), sum);
            let value =
                -total.gradient as f64 * data.gradient_unit / (total.hessian as f64 * data.hessian_unit + RIDGE);
            tree.link(leaf.parent, LEAF | tree.leaves.len() as u16);
            tree.leaves.push((rate * value.clamp(-3.0, 3.0)) as f32);
        }
        tree
    }

    fn link(&mut self, parent: Option<(usize, Side)>, to: u16) {
        match parent {
            None => {}
            Some((node, Side::Left)) => self.nodes[node].left = to,
            Some((node, Side::Right)) => self.nodes[node].right = to,
        }
    }

    /// The leaf's value for a row of features.
    pub fn predict(&self, row: &[f32]) -> f32 {
        self.walk(|node| row[usize::from(node.feature)] <= node.threshold)
    }

    /// The same for a row of the data that it was grown on.
    pub fn predict_binned(&self, bins: &[Vec<u8>], row: usize) -> f32 {
        self.walk(|node| bins[usize::from(node.feature)][row] <= node.bin)
    }

    fn walk(&self, left: impl Fn(&Node) -> bool) -> f32 {
        if self.nodes.is_empty() {
            return self.leaves[0];
        }
        let mut at = 0;
        loop {
            let node = &self.nodes[usize::from(at)];
            at = if left(node) { node.left } else { node.right };
            if at & LEAF != 0 {
                return self.leaves[usize::from(at & !LEAF)];
            }
        }
    }
}

impl Growing {
    fn split(self, data: &Binned<'_>, features: &[usize], best: Split, node: usize) -> [Growing; 2] {
        let bins = &data.bins[best.feature];
        let (left, right): (Vec<u32>, Vec<u32>) =
            self.rows.iter().partition(|row| usize::from(bins[**row as usize]) <= best.bin);
        // The smaller side is counted, the other is what is left.
        let small = if left.len() < right.len() { &left } else { &right };
        let counted = histogram(data, small, features);
        let rest: Histogram = self
            .histogram
            .iter()
            .zip(&counted)
            .map(|(all, some)| {
                std::array::from_fn(|bin| Cell {
                    gradient: all[bin].gradient - some[bin].gradient,
                    hessian: all[bin].hessian - some[bin].hessian,
                    rows: all[bin].rows - some[bin].rows,
                })
            })
            .collect();
        let (of_left, of_right) = if left.len() < right.len() { (counted, rest) } else { (rest, counted) };
        [(left, of_left, Side::Left), (right, of_right, Side::Right)].map(|(rows, histogram, side)| {
            let best = best_split(data, &histogram, features);
            Growing { rows, histogram, best, parent: Some((node, side)) }
        })
    }
}

fn histogram(data: &Binned<'_>, rows: &[u32], features: &[usize]) -> Histogram {
    features
        .par_iter()
        .map(|feature| {
            let mut cells = [Cell::default(); BINS];
            let bins = &data.bins[*feature];
            for row in rows {
                let (gradient, hessian) = data.slopes[*row as usize];
                let cell = &mut cells[usize::from(bins[*row as usize])];
                cell.gradient += i64::from(gradient);
                cell.hessian += i64::from(hessian);
                cell.rows += 1;
            }
            cells
        })
        .collect()
}

fn sum(cells: &[Cell; BINS]) -> Cell {
    cells.iter().fold(Cell::default(), |all, cell| Cell {
        gradient: all.gradient + cell.gradient,
        hessian: all.hessian + cell.hessian,
        rows: all.rows + cell.rows,
    })
}

/// The split that lowers the loss most; of equal ones the first feature and bin.
fn best_split(data: &Binned<'_>, histogram: &Histogram, features: &[usize]) -> Option<Split> {
    let worth = |gradient: i64, hessian: i64| {
        let gradient = gradient as f64 * data.gradient_unit;
        gradient * gradient / (hessian as f64 * data.hessian_unit + RIDGE)
    };
    let mut best: Option<Split> = None;
    for (cells, feature) in histogram.iter().zip(features) {
        let all = sum(cells);
        let whole = worth(all.gradient, all.hessian);
        let mut left = Cell::default();
        for (bin, cell) in cells.iter().enumerate().take(BINS - 1) {
            left.gradient += cell.gradient;
            left.hessian += cell.hessian;
            left.rows += cell.rows;
            if cell.rows == 0 || left.rows < LEAF_ROWS_MIN || all.rows - left.rows < LEAF_ROWS_MIN {
                continue;
            }
            let gain = worth(left.gradient, left.hessian)
                + worth(all.gradient - left.gradient, all.hessian - left.hessian)
                - whole;
            if gain > 1e-9 && best.is_none_or(|best| gain > best.gain) {
                best = Some(Split { gain, feature: *feature, bin });
            }
        }
    }
    best
}
