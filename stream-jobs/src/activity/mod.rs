//! Active users: exact distinct actors by minute, hour and day, by community and in all.

mod visits;

use linli_schemas::Topic;
use linli_schemas::metric::Metric;
use linli_schemas::zone::{HOUR_MS, MINUTE_MS};

use crate::admission::marks::Marks;
use crate::codec::{Damaged, Reader, Writer};
use crate::hashing::IdMap;
use crate::job::{Context, Delivery, Job};
use crate::journal::Visit;
use crate::names::Names;
use crate::window::{Windows, columns, start_of};
use visits::{Fresh, HourAt, Visits};

/// The single key of a total.
const ALL: i64 = 0;

#[derive(Debug, Default)]
pub(crate) struct Activity {
    minutes: Windows<i64, u32>,
    hours: Windows<i64, u32>,
    days: Windows<i64, u32>,
    minute_totals: Windows<i64, u32>,
    hour_totals: Windows<i64, u32>,
    day_totals: Windows<i64, u32>,
    /// Who was seen when, by the local day's start; with the day's end.
    visits: IdMap<i64, (i64, Visits)>,
}

impl Job for Activity {
    const NAME: &'static str = "activity";
    const TOPICS: &'static [Topic] = &[Topic::Clicks];
    type Input<'a> = &'a Visit;

    fn apply(&mut self, visit: &Visit, context: &mut Context<'_>) {
        let (day, day_end) = context.days.of(visit.at);
        let hour = start_of(visit.at, HOUR_MS);
        let minute = start_of(visit.at, MINUTE_MS);
        let at = HourAt { hour: hour_number(day, hour), minute: ((minute - hour) / MINUTE_MS) as u32 };
        let community = visit.community_id;
        let visits = &mut self.visits.entry(day).or_insert_with(|| (day_end, Visits::default())).1;
        let mut fresh = visits.visit(visit.actor, community, at);
        if !fresh.minute {
            return;
        }
        if hour < day {
            self.compare(&mut fresh, visit, hour, context.days.of(day - 1).0);
        } else if hour + HOUR_MS > day_end {
            self.compare(&mut fresh, visit, hour, day_end);
        }
        self.count(&fresh, community, [minute, hour, day], day_end);
    }

    fn deliver(&mut self, out: &mut Delivery<'_>) {
        for (metric, windows) in
            [(Metric::UvMin, &mut self.minutes), (Metric::UvHour, &mut self.hours), (Metric::UvDay, &mut self.days)]
        {
            windows.each_dirty(|start, window| {
                let rows = window.rows().into_iter().map(|(community, uv)| [community, i64::from(uv)]);
                out.metric((metric, start, 0), window.end, columns(rows));
            });
        }
        for (metric, windows) in [
            (Metric::UvMinTotal, &mut self.minute_totals),
            (Metric::UvHourTotal, &mut self.hour_totals),
            (Metric::UvDayTotal, &mut self.day_totals),
        ] {
            windows.each_dirty(|start, window| {
                let rows = window.rows().into_iter().map(|(_, uv)| [i64::from(uv)]);
                out.metric((metric, start, 0), window.end, columns(rows));
            });
        }
    }

    fn close(&mut self, marks: &Marks) {
        let before = marks.closed_before(Topic::Clicks);
        let watermark = marks.watermark(Topic::Clicks).unwrap_or(i64::MIN);
        for windows in self.all_windows() {
            windows.close(before);
            windows.quieten(watermark);
        }
        // The last hour that a day touches may close after the day, where the zone is off by half an hour.
        self.visits.retain(|_, (end, _)| start_of(*end + HOUR_MS - 1, HOUR_MS) > before);
    }

    fn redeliver(&mut self) {
        for windows in self.all_windows() {
            windows.redeliver();
        }
    }

    fn save(&self, out: &mut Writer) {
        let Activity { minutes, hours, days, minute_totals, hour_totals, day_totals, visits } = self;
        for windows in [minutes, hours, days, minute_totals, hour_totals, day_totals] {
            windows.save(out);
        }
        out.len(visits.len());
        for (start, (end, visits)) in visits {
            out.i64(*start);
            out.i64(*end);
            visits.save(out);
        }
    }

    fn load(reader: &mut Reader<'_>, _names: &Names) -> Result<Activity, Damaged> {
        let mut activity = Activity::default();
        for windows in activity.all_windows() {
            *windows = Windows::load(reader, |_| true)?;
        }
        for _ in 0..reader.len()? {
            let start = reader.i64()?;
            let end = reader.i64()?;
            activity.visits.insert(start, (end, Visits::load(reader)?));
        }
        Ok(activity)
    }
}

/// The number of an epoch hour within a local day, from 0 to 25.
fn hour_number(day: i64, hour: i64) -> u32 {
    ((hour - start_of(day, HOUR_MS)) / HOUR_MS) as u32
}

impl Activity {
    pub(crate) fn redeliver_days(&mut self) {
        self.days.redeliver();
        self.day_totals.redeliver();
    }

    fn all_windows(&mut self) -> [&mut Windows<i64, u32>; 6] {
        [
            &mut self.minutes,
            &mut self.hours,
            &mut self.days,
            &mut self.minute_totals,
            &mut self.hour_totals,
            &mut self.day_totals,
        ]
    }

    /// An hour that a local midnight divides is one hour: who was seen on the other side is not new in it.
    fn compare(&self, fresh: &mut Fresh, visit: &Visit, hour: i64, other_day: i64) {
        if let Some((_, other)) = self.visits.get(&other_day) {
            let number = hour_number(other_day, hour);
            fresh.hour &= !other.pair_seen_in(visit.actor, visit.community_id, number);
            fresh.hour_total &= !other.actor_seen_in(visit.actor, number);
        }
    }

    fn count(&mut self, fresh: &Fresh, community: i64, [minute, hour, day]: [i64; 3], day_end: i64) {
        add(fresh.minute, &mut self.minutes, (minute, minute + MINUTE_MS), community);
        add(fresh.hour, &mut self.hours, (hour, hour + HOUR_MS), community);
        add(fresh.day, &mut self.days, (day, day_end), community);
        add(fresh.minute_total, &mut self.minute_totals, (minute, minute + MINUTE_MS), ALL);
        add(fresh.hour_total, &mut self.hour_totals, (hour, hour + HOUR_MS), ALL);
        add(fresh.day_total, &mut self.day_totals, (day, day_end), ALL);
    }
}

fn add(fresh: bool, windows: &mut Windows<i64, u32>, (start, end): (i64, i64), key: i64) {
    if fresh && let Some(count) = windows.cell(start, end, key) {
        *count += 1;
    }
}
