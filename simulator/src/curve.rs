//! When people buy: the shape of a day and of a week.

/// Hours of the day in which most is bought.
#[derive(Clone, Copy)]
struct Peak {
    hour: f64,
    width: f64,
    height: f64,
}

const fn peak(hour: f64, width: f64, height: f64) -> Peak {
    Peak { hour, width, height }
}

/// 10:00 at work, 12:30 at lunch, 20:15 at home.
const WEEKDAY: [Peak; 3] = [peak(10.0, 1.3, 0.85), peak(12.5, 0.7, 0.75), peak(20.25, 1.6, 1.7)];
/// Later out of bed, shopping through the afternoon, an evening less sharp.
const WEEKEND: [Peak; 3] = [peak(10.8, 1.8, 1.15), peak(15.0, 2.2, 0.65), peak(20.0, 2.0, 1.35)];
/// What is bought at dead of night, against a peak.
const NIGHT: f64 = 0.12;
/// Few are awake between two and six.
const SMALL_HOURS: (f64, f64, f64) = (4.0, 1.8, 0.4);

/// Monday first; the mean is 1.
const WEEK: [f64; 7] = [0.91, 0.92, 0.93, 0.95, 1.05, 1.17, 1.07];

pub const MINUTES: usize = 1440;

/// The demand of each minute of a local day, whose mean is 1.
pub fn minutes(weekday: usize) -> Vec<f64> {
    let peaks = if is_weekend(weekday) { &WEEKEND } else { &WEEKDAY };
    let raw: Vec<f64> = (0..MINUTES)
        .map(|minute| {
            let hour = minute as f64 / 60.0;
            let bell = |center: f64, width: f64| (-(hour - center).powi(2) / (2.0 * width * width)).exp();
            let day: f64 = peaks.iter().map(|p| p.height * bell(p.hour, p.width)).sum();
            let asleep = 1.0 - SMALL_HOURS.2 * bell(SMALL_HOURS.0, SMALL_HOURS.1);
            let waking = 0.14 / (1.0 + (-(hour - 7.0) * 2.0).exp());
            (NIGHT + waking) * asleep + day
        })
        .collect();
    let mean = raw.iter().sum::<f64>() / MINUTES as f64;
    raw.into_iter().map(|w| w / mean).collect()
}

/// `weekday`: 0 is Monday.
pub fn is_weekend(weekday: usize) -> bool {
    weekday >= 5
}

pub fn week_factor(weekday: usize) -> f64 {
    WEEK[weekday % 7]
}
