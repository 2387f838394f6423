//! Days of 23, 24 and 25 hours, and hours that a local midnight divides.

use linli_schemas::metric::Metric;
use linli_schemas::zone::{HOUR_MS, Zone};
use linli_schemas::{EventTime, Topic};

use crate::shop::{Shop, Table};

fn click(shop: &mut Shop, id: usize, user: i64, at: i64) {
    let value = format!(
        r#"{{"event_id":"{id}","type":"view","user_id":{user},"anonymous_id":"a","session_id":"s","community_id":7,"ts":{at},"platform":"web"}}"#
    );
    shop.publish(Topic::Clicks, &user.to_string(), Some(&value));
}

/// The counts of a metric of clicks by its window's start.
fn uv(table: &Table, metric: Metric) -> Vec<(i64, i64)> {
    let of_metric = table.iter().filter(|((m, ..), _)| *m == metric);
    of_metric.map(|((_, start, ..), values)| (*start, values[0])).collect()
}

fn instant(zone: Zone, date: (i32, u32, u32), hour: u32) -> i64 {
    let date = chrono::NaiveDate::from_ymd_opt(date.0, date.1, date.2).expect("a date");
    zone.instant(date.and_hms_opt(hour, 0, 0).expect("a time")).0
}

/// A click of a new user in every half hour around the day that the clocks change: each day counts its own hours.
fn half_hours_by_day(zone: Zone, from: i64, to: i64) -> Vec<i64> {
    let mut shop = Shop::new(zone, 1);
    for (i, at) in (from..to).step_by(HOUR_MS as usize / 2).enumerate() {
        click(&mut shop, i, i as i64, at);
    }
    shop.drain();
    uv(&shop.table(), Metric::UvDay).into_iter().map(|(_, uv)| uv).collect()
}

#[test]
fn berlin_has_days_of_23_and_25_hours() {
    let zone = Zone::parse("Europe/Berlin").expect("a zone");
    let spring = (instant(zone, (2026, 3, 28), 0), instant(zone, (2026, 3, 31), 0));
    assert_eq!(half_hours_by_day(zone, spring.0, spring.1), [48, 46, 48]);
    let autumn = (instant(zone, (2026, 10, 24), 0), instant(zone, (2026, 10, 27), 0));
    assert_eq!(half_hours_by_day(zone, autumn.0, autumn.1), [48, 50, 48]);
}

#[test]
fn days_of_a_zone_meet_without_gap_or_overlap() {
    for name in ["Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata", "America/Sao_Paulo", "Australia/Lord_Howe"] {
        let zone = Zone::parse(name).expect("a zone");
        let mut at = instant(zone, (2017, 1, 1), 12);
        for _ in 0..1_500 {
            let (start, end) = zone.day_of(EventTime(at));
            assert!(start.0 <= at && at < end.0, "{name} {at}");
            assert_eq!(zone.day_of(end).0, end, "{name} {at}");
            assert_eq!(zone.day_of(EventTime(end.0 - 1)), (start, end), "{name} {at}");
            at = end.0 + HOUR_MS;
        }
    }
}

/// 00:00 in Kolkata is 18:30 UTC: the hour from 18:00 belongs to two days, and counts a user once.
#[test]
fn an_hour_that_midnight_divides_is_one_hour() {
    let zone = Zone::parse("Asia/Kolkata").expect("a zone");
    let midnight = instant(zone, (2026, 11, 2), 0);
    let hour = midnight - HOUR_MS / 2;
    assert_eq!(hour % HOUR_MS, 0);
    let clicks = [(5, hour + 60_000), (5, midnight + 60_000), (6, midnight + 120_000), (7, hour), (6, hour + 180_000)];
    // In any order of arrival.
    for turn in 0..clicks.len() {
        let mut shop = Shop::new(zone, 1);
        for (i, (user, at)) in clicks.iter().cycle().skip(turn).take(clicks.len()).enumerate() {
            click(&mut shop, i, *user, *at);
            shop.epoch();
            shop.crash();
        }
        shop.drain();
        let table = shop.table();
        assert_eq!(uv(&table, Metric::UvHour), [(hour, 3)]);
        assert_eq!(uv(&table, Metric::UvHourTotal), [(hour, 3)]);
        assert_eq!(uv(&table, Metric::UvDay), [(midnight - 24 * HOUR_MS, 3), (midnight, 2)]);
        assert_eq!(uv(&table, Metric::UvMin).len(), 5);
    }
}
