//! `linli bench forecast`: fits a CPU second by model and length, and how near to the best likelihood they come.

mod demand;
mod scaling;
mod series;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};

use linli_connectors::random::{Random, SeededRandom};
use linli_forecasting::arima::batch::{Batch, BatchFit};
use linli_forecasting::arima::{Arima, Effort, Order, Seasonal};
use linli_forecasting::select::AutoArima;
use linli_forecasting::smoothing::AutoEts;
use linli_forecasting::{Error, Series};
use serde::Serialize;

use super::seconds_since;
use crate::accounting::{Process, fine_cpu_seconds, reset_peak};
use crate::args::BenchForecastArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Lengths that the batch is measured at: a week, eight weeks, half a year of days.
const LENGTHS: [usize; 3] = [7, 56, 180];
/// Length that the other models are measured at.
const LENGTH: usize = 56;
/// Series that are drawn and fitted at a time: memory does not grow with the number of series.
const CHUNK: usize = 8192;
const SEASONAL_CHUNK: usize = 256;
/// A likelihood this far below the best is a miss.
const NEAR: f64 = 0.01;

#[derive(Debug, Serialize)]
struct Figures {
    bench: &'static str,
    /// Series fitted.
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    rows_per_cpu_second: f64,
    peak_rss_mb: f64,
    threads: usize,
    /// By model, then length.
    fits_per_cpu_second: BTreeMap<&'static str, BTreeMap<usize, f64>>,
    /// Of the series of ARIMA(1,1,1) at all lengths, those whose log-likelihood is at most 0.01 below the highest that
    /// a search from many starts or the batch found.
    share_within_0_01_loglik: f64,
    /// The same by model, then length.
    share_within_0_01_loglik_by_model: BTreeMap<&'static str, BTreeMap<usize, f64>>,
    /// ARIMA(1,1,1) at the middle length over ever more series: in proportion, on all cores, in the same memory.
    scaling: Vec<scaling::Scaled>,
    /// Series that were compared, and those without variation, which have no likelihood.
    compared: u64,
    without_variation: u64,
}

/// What is gathered on the way.
#[derive(Default)]
struct Gathered {
    rows: u64,
    cpu_seconds: f64,
    speed: BTreeMap<&'static str, BTreeMap<usize, f64>>,
    share: BTreeMap<&'static str, BTreeMap<usize, f64>>,
    near: u64,
    compared: u64,
    without_variation: u64,
}

/// One compared series, as written by `--dump`.
#[derive(Serialize)]
struct Dumped<'a> {
    model: &'static str,
    n: usize,
    y: &'a [f64],
    ar1: f64,
    ma1: f64,
    sigma2: f64,
    loglik: f64,
    /// The highest that the search from many starts found.
    loglik_search: f64,
}

pub fn run(parts: &Parts, args: &BenchForecastArgs, output: &Output) -> Outcome {
    let started_ms = parts.clock.now_ms();
    reset_peak();
    let random = SeededRandom::new(args.seed);
    let mut dump =
        args.dump.as_ref().map(|path| File::create(path).map(BufWriter::new)).transpose().map_err(unwritable)?;
    let mut gathered = Gathered::default();
    let batch = Batch::new(Order::new(1, 1, 1))?;
    let scaling = scaling::measure(&batch, &random, &*parts.clock);
    for length in LENGTHS {
        let fit = |chunk: &[Vec<f64>]| {
            let views: Vec<&[f64]> = chunk.iter().map(Vec::as_slice).collect();
            drop(batch.fit_in_parallel(&views));
        };
        let draw = |number| series::draw(&random, number, length);
        gathered.measure(("arima111", length), CHUNK, args.budget, draw, fit);
        gathered.compare(&batch, &random, length, args.compare, dump.as_mut())?;
    }
    let weekly = Arima::new(Order::new(1, 0, 1)).with_seasonal(Seasonal::new(0, 1, 1, 7));
    let draw = |number| series::draw_series(&random, number, LENGTH);
    gathered.measure(("sarima101_011_7", LENGTH), SEASONAL_CHUNK, args.budget, draw, |chunk| {
        drop(weekly.fit_in_parallel(&present(chunk), Effort::Quick));
    });
    gathered.measure(("sarima101_011_7_thorough", LENGTH), SEASONAL_CHUNK, args.budget, draw, |chunk| {
        drop(weekly.fit_in_parallel(&present(chunk), Effort::Thorough));
    });
    gathered.compare_weekly(&weekly, &random, args.compare / 4);
    gathered.measure(("auto_arima_7", LENGTH), SEASONAL_CHUNK, args.budget, draw, |chunk| {
        drop(AutoArima::new(7).fit_in_parallel(&present(chunk)));
    });
    gathered.measure(("auto_ets_7", LENGTH), SEASONAL_CHUNK, args.budget, draw, |chunk| {
        drop(AutoEts::new(7).fit_in_parallel(&present(chunk)));
    });
    gathered.measure_demand(&random, args.demand_series)?;
    if let Some(dump) = &mut dump {
        dump.flush().map_err(unwritable)?;
    }
    let figures = Figures {
        bench: "forecast",
        rows: gathered.rows,
        seconds: seconds_since(&*parts.clock, started_ms),
        cpu_seconds: gathered.cpu_seconds,
        rows_per_cpu_second: gathered.rows as f64 / gathered.cpu_seconds.max(1e-9),
        peak_rss_mb: Process::Own.peak_rss_mb(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        fits_per_cpu_second: gathered.speed,
        share_within_0_01_loglik: gathered.near as f64 / gathered.compared.max(1) as f64,
        share_within_0_01_loglik_by_model: gathered.share,
        scaling,
        compared: gathered.compared,
        without_variation: gathered.without_variation,
    };
    output.result(&figures, text);
    Ok(())
}

fn present(chunk: &[Option<Series>]) -> Vec<Series> {
    chunk.iter().flatten().cloned().collect()
}

fn unwritable(error: std::io::Error) -> Failure {
    Failure::new(Kind::Input, format!("the dump cannot be written: {error}"))
        .hint("name a file in a directory that exists")
}

impl Gathered {
    /// Draws and fits chunks until the budget of CPU seconds is spent; only the fits are counted.
    fn measure<T>(
        &mut self,
        (model, length): (&'static str, usize),
        chunk: usize,
        budget: f64,
        draw: impl Fn(usize) -> T,
        fit: impl Fn(&[T]),
    ) {
        let (mut rows, mut spent) = (0_usize, 0.0);
        while spent < budget {
            let drawn: Vec<T> = (rows..rows + chunk).map(&draw).collect();
            let before = fine_cpu_seconds();
            fit(&drawn);
            spent += fine_cpu_seconds() - before;
            rows += chunk;
        }
        self.rows += rows as u64;
        self.cpu_seconds += spent;
        self.speed.entry(model).or_default().insert(length, rows as f64 / spent);
    }

    /// Holds the batch's likelihoods against a search from many starts.
    fn compare(
        &mut self,
        batch: &Batch,
        random: &dyn Random,
        length: usize,
        count: usize,
        mut dump: Option<&mut BufWriter<File>>,
    ) -> Outcome {
        let drawn: Vec<Vec<f64>> = (0..count).map(|number| series::draw(random, number, length)).collect();
        let views: Vec<&[f64]> = drawn.iter().map(Vec::as_slice).collect();
        let fits = batch.fit_in_parallel(&views);
        let all = drawn.iter().map(|y| Series::new(y.clone())).collect::<Result<Vec<_>, _>>()?;
        let searched = Arima::new(Order::new(1, 1, 1)).fit_in_parallel(&all, Effort::Thorough);
        let (mut near, mut compared) = (0_u64, 0_u64);
        for ((y, fit), search) in drawn.iter().zip(&fits).zip(&searched) {
            let fit: &BatchFit = match fit {
                Ok(fit) => fit,
                Err(Error::NoVariation { .. }) => {
                    self.without_variation += 1;
                    continue;
                }
                Err(error) => return Err(error.clone().into()),
            };
            let best = search.as_ref().map_or(f64::NEG_INFINITY, linli_forecasting::arima::FittedArima::log_likelihood);
            compared += 1;
            near += u64::from(fit.log_likelihood() >= best - NEAR);
            if let Some(dump) = dump.as_mut() {
                let line = Dumped {
                    model: "arima111",
                    n: length,
                    y,
                    ar1: fit.ar(),
                    ma1: fit.ma(),
                    sigma2: fit.sigma2(),
                    loglik: fit.log_likelihood(),
                    loglik_search: best,
                };
                serde_json::to_writer(&mut **dump, &line).map_err(|error| unwritable(error.into()))?;
                dump.write_all(b"\n").map_err(unwritable)?;
            }
        }
        self.near += near;
        self.compared += compared;
        self.share.entry("arima111").or_default().insert(length, near as f64 / compared.max(1) as f64);
        Ok(())
    }

    /// How often one search is as good as many, for the weekly model.
    fn compare_weekly(&mut self, weekly: &Arima, random: &dyn Random, count: usize) {
        let all: Vec<Series> = (0..count).filter_map(|number| series::draw_series(random, number, LENGTH)).collect();
        let quick = weekly.fit_in_parallel(&all, Effort::Quick);
        let thorough = weekly.fit_in_parallel(&all, Effort::Thorough);
        let pairs: Vec<(f64, f64)> = quick
            .iter()
            .zip(&thorough)
            .filter_map(|(quick, thorough)| {
                Some((quick.as_ref().ok()?.log_likelihood(), thorough.as_ref().ok()?.log_likelihood()))
            })
            .collect();
        let near = pairs.iter().filter(|(quick, thorough)| *quick >= thorough - NEAR).count();
        let share = near as f64 / pairs.len().max(1) as f64;
        self.share.entry("sarima101_011_7").or_default().insert(LENGTH, share);
    }
}

fn text(figures: &Figures) -> String {
    let mut lines = vec![format!(
        "{} series fitted in {:.1} CPU seconds on {} threads, {:.0} MB at the peak",
        figures.rows, figures.cpu_seconds, figures.threads, figures.peak_rss_mb
    )];
    for (model, by_length) in &figures.fits_per_cpu_second {
        for (length, speed) in by_length {
            lines.push(format!("{model:26} {length:>4} values: {speed:>9.0} fits a CPU second"));
        }
    }
    lines.push(format!(
        "{:.3} % of {} within 0.01 log-likelihood of a search from many starts",
        100.0 * figures.share_within_0_01_loglik,
        figures.compared
    ));
    lines.extend(figures.scaling.iter().map(|scaled| {
        format!(
            "{:>7} series: {:.2} CPU µs each, {:.1} cores, {:.0} MB at the peak",
            scaled.series, scaled.cpu_us_a_series, scaled.cores_used, scaled.peak_rss_mb
        )
    }));
    lines.join("\n")
}
