//! `linli forecast backtest`: forecasts at rolling origins, their scores, and what restocking by them would have cost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use linli_forecasting::backtest::{Policy, Priced, RestockResult, Run, Scores, restock, score};
use linli_forecasting::demand::{DemandModel, FittedDemand, SeriesForecast};
use linli_forecasting::distribution::{LEVELS, Summary};
use serde::Serialize;

use super::folder::{self, Folder};
use super::panel_files::{self, Files};
use crate::accounting::fine_cpu_seconds;
use crate::args::{BacktestModel, ForecastBacktestArgs, Origins};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Days that are forecast.
const HORIZON: usize = 3;
/// Origins that are scored where none are named: so many, so many days apart.
const ORIGINS: usize = 8;
const APART: usize = 10;
/// Days behind the last origin.
const BEHIND: usize = 10;

#[derive(Serialize)]
struct Report {
    series: usize,
    series_scored: usize,
    origins: Vec<usize>,
    /// Of fitting and forecasting.
    cpu_seconds: f64,
    /// By level; "all" is all of them.
    scores: BTreeMap<String, Metrics>,
    /// By profile, then policy; absent where origins are not consecutive days.
    inventory: BTreeMap<String, BTreeMap<String, Restocking>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
struct Metrics {
    series: usize,
    units: f64,
    crps3: f64,
    wape3: f64,
    wrmsse: f64,
    mase: f64,
    bias: f64,
    wql50: f64,
    wql90: f64,
    wql95: f64,
    cov90: f64,
    cov95: f64,
    swql95: f64,
}

#[derive(Serialize)]
struct Restocking {
    parameter: String,
    cost: f64,
    fill: f64,
    waste: f64,
    stock_days: f64,
    cost_by_level: BTreeMap<String, f64>,
}

/// Origins that are scored, and those that restocking is simulated on.
struct Plan {
    scored: Vec<usize>,
    /// Consecutive days, or none.
    daily: Vec<usize>,
    /// Those at which every series is forecast.
    for_all: Vec<usize>,
}

pub async fn run(args: &ForecastBacktestArgs, parts: &Parts, output: &Output) -> Outcome {
    let files = panel_files::read(&Folder::open(args.data.as_deref(), parts).await?)?;
    let plan = Plan::of(args, files.panel.days())?;
    let is_scored = |at: &usize| args.all_series || files.series[*at].scored;
    let scored: Vec<usize> = (0..files.series.len()).filter(is_scored).collect();
    if scored.is_empty() {
        return Err(Failure::new(Kind::Input, "no series of series.csv is to be scored")
            .hint("leave the column eval out, set it to 1 for some, or ask for --all-series"));
    }
    let target = args.out.as_deref().map(Target::of).transpose()?;
    let mut rows = target.as_ref().map(|target| Rows::create(&target.written)).transpose()?;
    let mut all: Vec<usize> = plan.scored.iter().chain(&plan.daily).copied().collect();
    all.sort_unstable();
    all.dedup();
    let before = fine_cpu_seconds();
    let progress = output.progress(all.len() as u64, "origins");
    let model = match args.model {
        BacktestModel::Default => DemandModel::new(HORIZON)?,
        BacktestModel::Pooled => DemandModel::new(HORIZON)?.without_trees(),
    };
    let mut run = Run { origins: Vec::new(), forecasts: Vec::new() };
    let mut last_fit: Option<(FittedDemand, usize)> = None;
    let everything: Vec<usize> = (0..files.series.len()).collect();
    for origin in &all {
        let view = files.panel.observed(origin + 1)?;
        let (fitted, _) = match last_fit.take() {
            Some((fitted, at)) if *origin < at + args.refit_days => last_fit.insert((fitted, at)),
            _ => last_fit.insert((model.fit(view)?, *origin)),
        };
        let wanted = if plan.is_for_all(*origin) { &everything } else { &scored };
        let forecasts = fitted.forecast_in_parallel(view, wanted);
        if let Some(rows) = &mut rows {
            for (series, forecast) in wanted.iter().zip(&forecasts) {
                rows.write(&files.series[*series].id, *origin, forecast)?;
            }
        }
        run.origins.push(*origin);
        run.forecasts.push(if plan.is_for_all(*origin) {
            scored.iter().map(|series| forecasts[*series].clone()).collect()
        } else {
            forecasts
        });
        progress.inc(1);
    }
    progress.finish_and_clear();
    let cpu_seconds = fine_cpu_seconds() - before;
    if let (Some(rows), Some(target)) = (rows, &target) {
        rows.finish()?;
        target.finish(parts).await?;
    }
    let report = report(&files, &scored, &plan, &run, cpu_seconds);
    output.result(&report, text);
    Ok(())
}

impl Plan {
    fn of(args: &ForecastBacktestArgs, days: usize) -> Outcome<Plan> {
        let given = match &args.origins {
            Some(Origins::Days(given)) => given,
            daily_or_none => {
                let last = days.checked_sub(BEHIND + 1).filter(|last| *last >= (ORIGINS - 1) * APART + 28);
                let Some(last) = last else {
                    return Err(Failure::new(Kind::Input, format!("{days} days are too few for eight origins"))
                        .hint("name origins by --origins"));
                };
                let first = last - (ORIGINS - 1) * APART;
                let daily: Vec<usize> = (first - 1..=last).collect();
                return Ok(match daily_or_none {
                    Some(_) => Plan { scored: daily.clone(), daily, for_all: Vec::new() },
                    None => {
                        let scored: Vec<usize> = (0..ORIGINS).map(|number| first + number * APART).collect();
                        Plan { daily, for_all: scored.clone(), scored }
                    }
                });
            }
        };
        let mut scored = given.clone();
        scored.sort_unstable();
        scored.dedup();
        if let Some(late) = scored.iter().find(|origin| **origin + HORIZON >= days) {
            return Err(Failure::new(
                Kind::Config,
                format!("after origin {late} there are no {HORIZON} days to score"),
            )
            .hint(format!("the panel has days 0 to {}", days - 1)));
        }
        let consecutive = scored.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let daily = if consecutive { scored.clone() } else { Vec::new() };
        Ok(Plan { daily, for_all: scored.clone(), scored })
    }

    /// Whether series that are not scored are forecast too.
    fn is_for_all(&self, origin: usize) -> bool {
        self.for_all.contains(&origin)
    }
}

/// The part of a run at some of its origins.
fn at(run: &Run, origins: &[usize]) -> Run {
    let chosen: Vec<usize> = (0..run.origins.len()).filter(|at| origins.contains(&run.origins[*at])).collect();
    Run {
        origins: chosen.iter().map(|at| run.origins[*at]).collect(),
        forecasts: chosen.iter().map(|at| run.forecasts[*at].clone()).collect(),
    }
}

fn report(files: &Files, scored: &[usize], plan: &Plan, run: &Run, cpu_seconds: f64) -> Report {
    let mut names: Vec<&str> = scored.iter().map(|series| files.series[*series].level.as_str()).collect();
    let of_series = names.clone();
    names.sort_unstable();
    names.dedup();
    let group: Vec<usize> = of_series.iter().map(|name| names.binary_search(name).unwrap_or(0)).collect();
    let demand: Vec<&[f64]> = scored.iter().map(|series| files.panel.demand(*series)).collect();
    let at_origins = at(run, &plan.scored);
    let mut scores = BTreeMap::from([("all".to_owned(), Metrics::of(&score(&at_origins, &demand)))]);
    for (number, name) in names.iter().enumerate().filter(|_| names.len() > 1) {
        let members: Vec<usize> = (0..scored.len()).filter(|series| group[*series] == number).collect();
        let part = Run {
            origins: at_origins.origins.clone(),
            forecasts: at_origins
                .forecasts
                .iter()
                .map(|forecasts| members.iter().map(|series| forecasts[*series].clone()).collect())
                .collect(),
        };
        let demand: Vec<&[f64]> = members.iter().map(|series| demand[*series]).collect();
        scores.insert((*name).to_owned(), Metrics::of(&score(&part, &demand)));
    }
    let mut inventory: BTreeMap<String, BTreeMap<String, Restocking>> = BTreeMap::new();
    if !plan.daily.is_empty() {
        for result in restock(&at(run, &plan.daily), &demand, &group, names.len()) {
            let by_policy = inventory.entry(result.profile.to_owned()).or_default();
            by_policy.insert(result.policy.to_owned(), Restocking::of(&result, &names));
        }
    }
    Report {
        series: files.series.len(),
        series_scored: scored.len(),
        origins: plan.scored.clone(),
        cpu_seconds,
        scores,
        inventory,
    }
}

impl Metrics {
    fn of(scores: &Scores) -> Metrics {
        Metrics {
            series: scores.series,
            units: scores.units,
            crps3: scores.crps3,
            wape3: scores.wape3,
            wrmsse: scores.wrmsse,
            mase: scores.mase,
            bias: scores.bias,
            wql50: scores.quantile_loss_50,
            wql90: scores.quantile_loss_90,
            wql95: scores.quantile_loss_95,
            cov90: scores.covered_90,
            cov95: scores.covered_95,
            swql95: scores.scaled_loss_95,
        }
    }
}

impl Restocking {
    fn of(result: &RestockResult, names: &[&str]) -> Restocking {
        let parameter = match result.parameter {
            Policy::Multiple(multiple) => format!("{multiple} × mean"),
            Policy::Quantile(place) => format!("q{:.0}", 100.0 * LEVELS[place]),
        };
        let Priced { cost, fill, waste, stock_days } = result.all;
        let cost_by_level =
            names.iter().zip(&result.groups).map(|(name, priced)| ((*name).to_owned(), priced.cost)).collect();
        Restocking { parameter, cost, fill, waste, stock_days, cost_by_level }
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![
        format!(
            "{} of {} series scored at {} origins, {:.1} CPU seconds",
            report.series_scored,
            report.series,
            report.origins.len(),
            report.cpu_seconds
        ),
        format!(
            "{:16} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6}",
            "level", "series", "CRPS3", "WAPE3", "WRMSSE", "MASE", "bias", "≤ q90", "≤ q95"
        ),
    ];
    for (level, m) in &report.scores {
        lines.push(format!(
            "{level:16} {:>6} {:>7.4} {:>7.4} {:>7.4} {:>7.4} {:>7.4} {:>6.3} {:>6.3}",
            m.series, m.crps3, m.wape3, m.wrmsse, m.mase, m.bias, m.cov90, m.cov95
        ));
    }
    for (profile, policies) in &report.inventory {
        for (policy, r) in policies {
            lines.push(format!(
                "{profile:8} {policy:9} {:10} cost {:.4}  fill {:.3}  waste {:.3}  stock days {:.2}",
                r.parameter, r.cost, r.fill, r.waste, r.stock_days
            ));
        }
    }
    lines.join("\n")
}

/// Where forecasts go: Parquet is made of the CSV in the end.
struct Target {
    path: PathBuf,
    written: PathBuf,
    /// Of the CSV that Parquet is made of.
    folder: Option<tempfile::TempDir>,
}

impl Target {
    fn of(path: &Path) -> Outcome<Target> {
        let (path, mut written) = (path.to_owned(), path.to_owned());
        let mut folder = None;
        if path.extension().is_some_and(|extension| extension == "parquet") {
            let dir = tempfile::tempdir().map_err(|error| unwritable("a temporary directory", &error))?;
            written = dir.path().join("forecasts.csv");
            folder = Some(dir);
        }
        Ok(Target { path, written, folder })
    }

    async fn finish(&self, parts: &Parts) -> Outcome {
        match self.folder {
            Some(_) => folder::write_parquet(&self.written, &self.path, parts).await,
            None => Ok(()),
        }
    }
}

/// The file of forecasts, CSV: one line per series, origin and step; totals of two and three days are steps −2 and −3.
struct Rows {
    sink: Sink,
    path: String,
}

enum Sink {
    Plain(BufWriter<File>),
    Zipped(Box<GzEncoder<BufWriter<File>>>),
}

impl Rows {
    fn create(path: &Path) -> Outcome<Rows> {
        let shown = path.display().to_string();
        let file = BufWriter::new(File::create(path).map_err(|error| unwritable(&shown, &error))?);
        let zipped = path.extension().is_some_and(|extension| extension == "gz");
        let sink =
            if zipped { Sink::Zipped(Box::new(GzEncoder::new(file, Compression::fast()))) } else { Sink::Plain(file) };
        let mut rows = Rows { sink, path: shown };
        rows.line("series_id,origin,step,mean,q10,q25,q50,q75,q90,q95,q99,model\n")?;
        Ok(rows)
    }

    fn write(&mut self, id: &str, origin: usize, forecast: &SeriesForecast) -> Outcome {
        let quoted;
        let id = if id.contains([',', '"']) {
            quoted = format!("\"{}\"", id.replace('"', "\"\""));
            &quoted
        } else {
            id
        };
        let steps = forecast.steps.iter().enumerate().map(|(at, summary)| (at as i64 + 1, summary));
        let totals = forecast.totals.iter().enumerate().map(|(at, summary)| (-(at as i64 + 2), summary));
        for (step, Summary { mean, quantiles }) in steps.chain(totals) {
            let [q10, q25, q50, q75, q90, q95, q99] = quantiles;
            self.line(&format!("{id},{origin},{step},{mean},{q10},{q25},{q50},{q75},{q90},{q95},{q99},linli\n"))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Outcome {
        let written = match &mut self.sink {
            Sink::Plain(sink) => sink.write_all(line.as_bytes()),
            Sink::Zipped(sink) => sink.write_all(line.as_bytes()),
        };
        written.map_err(|error| unwritable(&self.path, &error))
    }

    fn finish(self) -> Outcome {
        let flushed = match self.sink {
            Sink::Plain(mut sink) => sink.flush(),
            Sink::Zipped(sink) => sink.finish().and_then(|mut sink| sink.flush()),
        };
        flushed.map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Input, format!("{path} cannot be written: {error}"))
        .hint("name a file in a directory that exists")
}
