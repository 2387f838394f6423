//! The orders of the horizon: which are paid, and their lines, each held until it meets the other.
//!
//! A line counts with the quantity of its newest row, from when its order is paid until the order leaves the horizon:
//! a row that changes or goes away takes its old quantity back first. Orders are told apart by `order_id` and lines by
//! `item_id`, so this table is also what tells a repetition of either.

use linli_schemas::zone::MINUTE_MS;

use crate::admission::marks::Marks;
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::mix;
use crate::names::Names;
use crate::rotation::Rotation;
use crate::table::{Slot, Table};

/// The epoch minute of an order that is not known to be paid.
const UNPAID: u32 = u32::MAX;
/// The epoch minute of an empty slot.
const VACANT: u32 = u32::MAX - 1;
/// No lines.
const NONE: u32 = u32::MAX;
/// Marks the last line of an order's run.
const LAST: u32 = 1 << 31;

#[derive(Clone, Copy, Debug)]
struct Order {
    id: [u32; 2],
    minute: u32,
    community: u32,
    /// Where its run of lines begins.
    lines: u32,
}

impl Slot for Order {
    const EMPTY: Order = Order { id: [0; 2], minute: VACANT, community: 0, lines: NONE };
    fn is_empty(&self) -> bool {
        self.minute == VACANT
    }
    fn hash(&self) -> u64 {
        mix(u64::from(self.id[1]) << 32 | u64::from(self.id[0]))
    }
    fn same_key(&self, other: &Order) -> bool {
        self.id == other.id
    }
}

impl Order {
    fn unpaid(id: u64) -> Order {
        Order { id: halves(id), minute: UNPAID, community: 0, lines: NONE }
    }

    fn paid(&self) -> bool {
        self.minute != UNPAID
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

#[derive(Clone, Copy, Debug)]
struct Line {
    item: [u32; 2],
    /// The good's number, and [`LAST`].
    good: u32,
    quantity: i32,
}

/// Quantities of a paid order that enter (or, negative, leave) its windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sale {
    pub(crate) minute: u32,
    pub(crate) community: u32,
    pub(crate) good: u32,
    pub(crate) quantity: i64,
    /// How many lines come, or go: what is given back is a line too.
    pub(crate) lines: i32,
}

impl Sale {
    pub(crate) fn paid_at(&self) -> i64 {
        i64::from(self.minute) * MINUTE_MS
    }
}

/// The epoch minute of a time, if this table can hold it: from 1970 to the year 10135.
pub(crate) fn minute_of(at: i64) -> Option<u32> {
    u32::try_from(at.div_euclid(MINUTE_MS)).ok().filter(|minute| *minute < VACANT)
}

/// Orders with their lines in one arena: an order's lines are one run of it.
#[derive(Debug, Default)]
struct Generation {
    orders: Table<Order>,
    lines: Vec<Line>,
}

impl Generation {
    fn run(&self, start: u32) -> &[Line] {
        let Some(lines) = self.lines.get(start as usize..) else { return &[] };
        let len = lines.iter().position(|line| line.good & LAST != 0).map_or(lines.len(), |last| last + 1);
        &lines[..len]
    }

    /// Appends a line to an order's run, which moves to the end of the arena first if it is not there.
    fn append(&mut self, run: u32, mut line: Line) -> u32 {
        line.good |= LAST;
        let len = self.run(run).len();
        let mut start = run as usize;
        // A run that moves leaves its place unused until the generation is dropped: at most as many places as the
        // squares of the lines of those orders whose lines do not come together.
        self.reserve(len + 1);
        if len == 0 {
            start = self.lines.len();
        } else if start + len != self.lines.len() {
            self.lines.extend_from_within(start..start + len);
            start = self.lines.len() - len;
        }
        if len > 0 {
            self.lines[start + len - 1].good &= !LAST;
        }
        self.lines.push(line);
        start as u32
    }

    /// Grows by an eighth: doubling would leave half of the biggest arena unused.
    fn reserve(&mut self, additional: usize) {
        if self.lines.capacity() - self.lines.len() < additional {
            self.lines.reserve_exact((self.lines.len() / 8).max(additional).max(64));
        }
    }

    fn sales(&self, order: &Order, sales: &mut Vec<Sale>) {
        sales.extend(self.run(order.lines).iter().filter(|line| line.quantity != 0).map(|line| Sale {
            minute: order.minute,
            community: order.community,
            good: line.good & !LAST,
            quantity: i64::from(line.quantity),
            lines: 1,
        }));
    }

    fn save(&self, out: &mut Writer) {
        out.len(self.orders.len());
        for order in self.orders.iter() {
            out.words(&order.id);
            out.u32(order.minute);
            out.u32(order.community);
            let run = self.run(order.lines);
            out.len(run.len());
            for line in run {
                out.words(&line.item);
                out.u32(line.good & !LAST);
                out.i64(i64::from(line.quantity));
            }
        }
    }

    fn load(reader: &mut Reader<'_>, names: &Names) -> Result<Generation, Damaged> {
        let mut generation = Generation::default();
        for _ in 0..reader.len()? {
            let mut order = Order { id: reader.words()?, minute: reader.u32()?, community: reader.u32()?, lines: NONE };
            let known = (order.community as usize) < names.communities.len();
            if order.is_empty() || (order.paid() && !known) {
                return Err(Damaged::Invalid("order"));
            }
            for _ in 0..reader.len()? {
                let item = reader.words()?;
                let good = names.load_good(reader)?;
                let quantity = i32::try_from(reader.i64()?).map_err(|_| Damaged::Invalid("quantity"))?;
                order.lines = generation.append(order.lines, Line { item, good, quantity });
            }
            generation.orders.insert(order);
        }
        Ok(generation)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Orders {
    current: Generation,
    previous: Generation,
    rotation: Rotation,
}

impl Orders {
    pub(crate) fn is_paid(&self, order_id: u64) -> bool {
        let probe = Order::unpaid(order_id);
        [&self.current, &self.previous].into_iter().filter_map(|g| g.orders.get(&probe)).any(Order::paid)
    }

    /// Whether the line is held with just this content.
    pub(crate) fn holds(&self, order_id: u64, item_id: u64, good: u32, quantity: i64) -> bool {
        let probe = Order::unpaid(order_id);
        [&self.current, &self.previous].into_iter().any(|generation| {
            generation.orders.get(&probe).is_some_and(|order| {
                let mut run = generation.run(order.lines).iter();
                run.any(|line| {
                    line.item == halves(item_id) && line.good & !LAST == good && i64::from(line.quantity) == quantity
                })
            })
        })
    }

    /// An order is paid: the lines that waited for it are sold.
    pub(crate) fn pay(&mut self, order_id: u64, minute: u32, community: u32, sales: &mut Vec<Sale>) {
        let generation = self.generation_of(order_id);
        let (order, _) = generation.orders.insert(Order::unpaid(order_id));
        if order.paid() {
            return;
        }
        (order.minute, order.community) = (minute, community);
        let order = *order;
        generation.sales(&order, sales);
    }

    /// A line's newest row. `good` and `quantity` replace what was held; a quantity of 0 takes it away.
    pub(crate) fn write_line(&mut self, order_id: u64, item_id: u64, good: u32, quantity: i32, sales: &mut Vec<Sale>) {
        let generation = self.generation_of(order_id);
        let order = *generation.orders.insert(Order::unpaid(order_id)).0;
        let place = generation.run(order.lines).iter().position(|line| line.item == halves(item_id));
        let sale = |good: u32, quantity: i64, lines: i32| Sale {
            minute: order.minute,
            community: order.community,
            good,
            quantity,
            lines,
        };
        if let Some(place) = place {
            let line = &mut generation.lines[order.lines as usize + place];
            let (old_good, old_quantity) = (line.good & !LAST, i64::from(line.quantity));
            line.good = good | line.good & LAST;
            line.quantity = quantity;
            if order.paid() && (old_good, old_quantity) != (good, i64::from(quantity)) {
                sales.push(sale(old_good, -old_quantity, -i32::from(old_quantity != 0)));
                sales.push(sale(good, i64::from(quantity), i32::from(quantity != 0)));
            }
            return;
        }
        if quantity == 0 {
            return;
        }
        let run = generation.append(order.lines, Line { item: halves(item_id), good, quantity });
        if run != order.lines {
            generation.orders.insert(order).0.lines = run;
        }
        if order.paid() {
            sales.push(sale(good, i64::from(quantity), 1));
        }
    }

    /// A line's row went away: what it counted is taken back.
    pub(crate) fn delete_line(&mut self, order_id: u64, item_id: u64, sales: &mut Vec<Sale>) {
        let generation = self.generation_of(order_id);
        let Some(order) = generation.orders.get(&Order::unpaid(order_id)) else { return };
        let held = generation.run(order.lines).iter().find(|line| line.item == halves(item_id));
        if let Some(good) = held.map(|line| line.good & !LAST) {
            self.write_line(order_id, item_id, good, 0, sales);
        }
    }

    /// An order that began in the previous generation stays there.
    fn generation_of(&mut self, order_id: u64) -> &mut Generation {
        if self.previous.orders.get(&Order::unpaid(order_id)).is_some() {
            &mut self.previous
        } else {
            &mut self.current
        }
    }

    pub(crate) fn forget(&mut self, marks: &Marks, horizon: i64) {
        let (mark, newest) = marks.join();
        if self.rotation.turns(mark, newest, horizon) {
            self.previous = std::mem::take(&mut self.current);
        }
    }

    pub(crate) fn save(&self, out: &mut Writer) {
        self.rotation.save(out);
        self.previous.save(out);
        self.current.save(out);
    }

    pub(crate) fn load(reader: &mut Reader<'_>, names: &Names) -> Result<Orders, Damaged> {
        Ok(Orders {
            rotation: Rotation::load(reader)?,
            previous: Generation::load(reader, names)?,
            current: Generation::load(reader, names)?,
        })
    }
}
