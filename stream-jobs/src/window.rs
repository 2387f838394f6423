//! Tumbling windows: half-open, minutes and hours aligned to the epoch, days to the local midnight.

use linli_schemas::EventTime;
use linli_schemas::zone::{MINUTE_MS, Zone};

use crate::cells::{CellKey, CellValue, Cells};
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;

/// How far behind the watermark a window is taken to be quiet: it is packed until somebody comes late.
const QUIET_AFTER_MS: i64 = MINUTE_MS;

/// The start of the window of `length` around `at`.
pub(crate) fn start_of(at: i64, length: i64) -> i64 {
    at - at.rem_euclid(length)
}

/// The local days, with the last ones looked up at hand: the calendar costs a hundred times a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Days {
    zone: Zone,
    recent: [(i64, i64); 2],
}

impl Days {
    pub(crate) fn new(zone: Zone) -> Days {
        Days { zone, recent: [(0, 0); 2] }
    }

    /// `[start, end)` of the local day around `at`.
    pub(crate) fn of(&mut self, at: i64) -> (i64, i64) {
        let around = |(start, end): &&(i64, i64)| (*start..*end).contains(&at);
        if let Some(day) = self.recent.iter().find(around) {
            return *day;
        }
        let (start, end) = self.zone.day_of(EventTime(at));
        self.recent = [(start.0, end.0), self.recent[0]];
        (start.0, end.0)
    }
}

/// The cells of a window: at hand while it is busy, at some bytes a cell once it is quiet.
#[derive(Debug)]
enum Body<K, V> {
    Busy(Cells<K, V>),
    Quiet(Box<[u8]>),
}

#[derive(Debug)]
pub(crate) struct Window<K, V> {
    pub(crate) end: i64,
    body: Body<K, V>,
    dirty: bool,
}

impl<K: CellKey, V: CellValue> Window<K, V> {
    fn new(end: i64) -> Self {
        Window { end, body: Body::Busy(Cells::default()), dirty: false }
    }

    pub(crate) fn rows(&self) -> Vec<(K, V)> {
        match &self.body {
            Body::Busy(cells) => cells.iter().collect(),
            Body::Quiet(bytes) => loaded::<K, V>(bytes).iter().collect(),
        }
    }

    fn to_bytes(&self) -> Box<[u8]> {
        match &self.body {
            Body::Busy(cells) => {
                let mut out = Writer::default();
                cells.save(&mut out);
                out.into_bytes().into_boxed_slice()
            }
            Body::Quiet(bytes) => bytes.clone(),
        }
    }
}

/// Cells that this process saved, or checked when it read them.
fn loaded<K: CellKey, V: CellValue>(bytes: &[u8]) -> Cells<K, V> {
    let cells = Cells::load(&mut Reader::new(bytes));
    debug_assert!(cells.is_ok(), "a quiet window holds what it was");
    cells.unwrap_or_default()
}

/// The open windows of one metric.
#[derive(Debug)]
pub(crate) struct Windows<K, V> {
    open: IdMap<i64, Window<K, V>>,
    /// Starts of those that changed in this epoch.
    dirty: Vec<i64>,
    /// Starts of those whose cells are at hand.
    busy: Vec<i64>,
    /// A window that ends here or before is closed: it was dropped and never opens again.
    closed_before: i64,
}

impl<K, V> Default for Windows<K, V> {
    fn default() -> Self {
        Windows { open: IdMap::default(), dirty: Vec::new(), busy: Vec::new(), closed_before: i64::MIN }
    }
}

impl<K: CellKey, V: CellValue> Windows<K, V> {
    /// The cell to change, or nothing where the window is closed: what was dropped cannot be corrected,
    /// and a window begun anew would replace its whole result by a part.
    pub(crate) fn cell(&mut self, start: i64, end: i64, key: K) -> Option<&mut V> {
        if end <= self.closed_before {
            return None;
        }
        let busy = &mut self.busy;
        let window = self.open.entry(start).or_insert_with(|| {
            busy.push(start);
            Window::new(end)
        });
        if !window.dirty {
            window.dirty = true;
            self.dirty.push(start);
        }
        if let Body::Quiet(bytes) = &window.body {
            window.body = Body::Busy(loaded(bytes));
            busy.push(start);
        }
        match &mut window.body {
            Body::Busy(cells) => Some(cells.cell(key)),
            Body::Quiet(_) => None,
        }
    }

    /// Hands over every window that changed, in order of time, and takes it as delivered.
    pub(crate) fn each_dirty(&mut self, mut deliver: impl FnMut(i64, &Window<K, V>)) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable();
        for start in &dirty {
            if let Some(window) = self.open.get_mut(start) {
                window.dirty = false;
                deliver(*start, window);
            }
        }
        dirty.clear();
        self.dirty = dirty;
    }

    pub(crate) fn redeliver(&mut self) {
        for (start, window) in &mut self.open {
            if !window.dirty {
                window.dirty = true;
                self.dirty.push(*start);
            }
        }
    }

    /// Drops the windows that end at `before` or earlier. Call it when nothing is dirty.
    pub(crate) fn close(&mut self, before: i64) {
        debug_assert!(self.dirty.is_empty(), "a window is delivered before it is dropped");
        if before > self.closed_before {
            self.closed_before = before;
            self.open.retain(|_, window| window.end > before);
        }
    }

    /// Packs the windows that lie well behind `watermark`.
    pub(crate) fn quieten(&mut self, watermark: i64) {
        let open = &mut self.open;
        self.busy.retain(|start| match open.get_mut(start) {
            Some(window) if window.end.saturating_add(QUIET_AFTER_MS) <= watermark => {
                window.body = Body::Quiet(window.to_bytes());
                false
            }
            found => found.is_some(),
        });
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        out.i64(self.closed_before);
        out.len(self.open.len());
        for (start, window) in &self.open {
            out.i64(*start);
            out.u64((window.end - start) as u64);
            let bytes = window.to_bytes();
            out.len(bytes.len());
            out.append(&bytes);
        }
    }

    /// Reads windows whose keys `known` knows.
    pub(crate) fn load(reader: &mut Reader<'_>, known: impl Fn(K) -> bool) -> Result<Self, Damaged> {
        let mut windows = Windows { closed_before: reader.i64()?, ..Windows::default() };
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let end = start.checked_add_unsigned(reader.u64()?).ok_or(Damaged::Invalid("window"))?;
            let len = reader.len()?;
            let bytes = reader.take(len)?;
            let mut check = bytes;
            let cells: Cells<K, V> = Cells::load(&mut check)?;
            check.finish()?;
            if !cells.iter().all(|(key, _)| known(key)) {
                return Err(Damaged::Invalid("key"));
            }
            windows.open.insert(start, Window { end, body: Body::Quiet(bytes.bytes().into()), dirty: false });
        }
        Ok(windows)
    }
}

/// The rows in order of their first columns, column by column, as a record packs them.
pub(crate) fn columns<const N: usize>(rows: impl Iterator<Item = [i64; N]>) -> Vec<Vec<i64>> {
    let mut rows: Vec<[i64; N]> = rows.collect();
    rows.sort_unstable();
    transpose(&rows)
}

pub(crate) fn transpose<const N: usize>(rows: &[[i64; N]]) -> Vec<Vec<i64>> {
    (0..N).map(|column| rows.iter().map(|row| row[column]).collect()).collect()
}
