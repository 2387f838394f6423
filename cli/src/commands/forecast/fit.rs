//! `linli forecast fit`: an ARIMA model for each series of a table, and its forecast.

use std::collections::BTreeMap;
use std::path::Path;

use linli_forecasting::Series;
use linli_forecasting::arima::{Arima, Effort, FittedArima, Order, Seasonal};
use linli_forecasting::select::AutoArima;
use serde::Serialize;

use super::csv::{CsvFile, DAYS_MAX};
use super::folder::{self, Folder};
use super::oracle::{self, Estimates, Refusal, interval, refusal};
use crate::args::ForecastFitArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

/// Series that are fitted between two steps of the progress bar.
const BATCH: usize = 512;
/// Days of all series together.
const CELLS_MAX: usize = 100_000_000;

#[derive(Debug, Serialize)]
struct Results {
    fits: Vec<SeriesFit>,
    /// Series without a model, and why.
    refused: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
struct SeriesFit {
    series: String,
    observed: usize,
    order: [usize; 3],
    seasonal: [usize; 3],
    period: usize,
    #[serde(flatten)]
    estimates: Estimates,
    /// Of the days behind the last, and the interval of 95 % around each.
    mean: Vec<f64>,
    lo95: Vec<f64>,
    hi95: Vec<f64>,
    /// Of all of them together, with its standard error: days are not independent.
    total: f64,
    total_standard_error: f64,
}

/// Values of days by name; a day that is missing is NaN.
type Observed = Vec<(String, Vec<f64>)>;

pub async fn run(args: &ForecastFitArgs, parts: &Parts, output: &Output) -> Outcome {
    if let Some(path) = &args.oracle {
        return cases(path, output);
    }
    let observed = observed(args.data.as_deref(), parts).await?;
    let model = model_of(args)?;
    let progress = output.progress(observed.len() as u64, "series");
    let mut results = Results { fits: Vec::new(), refused: Vec::new() };
    for batch in observed.chunks(BATCH) {
        let (mut names, mut series) = (Vec::new(), Vec::new());
        for (name, values) in batch {
            match Series::new(values.clone()) {
                Ok(values) => {
                    names.push(name);
                    series.push(values);
                }
                Err(error) => results.refused.push(refusal(name, &error)),
            }
        }
        let fitted = match &model {
            Some(model) => model.fit_in_parallel(&series, Effort::Thorough),
            None => {
                let selected = AutoArima::new(args.period).fit_in_parallel(&series);
                selected.into_iter().map(|selected| selected.map(|selected| selected.fitted)).collect()
            }
        };
        for ((name, series), fitted) in names.into_iter().zip(&series).zip(fitted) {
            match fitted.and_then(|fitted| report(name, series, &fitted, args.horizon)) {
                Ok(fit) => results.fits.push(fit),
                Err(error) => results.refused.push(refusal(name, &error)),
            }
        }
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    tell(&results.refused, output);
    output.result(&results, text);
    Ok(())
}

/// Fits every case of an oracle file and prints what was found, in the order of the file.
fn cases(path: &Path, output: &Output) -> Outcome {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Kind::Input, format!("{} cannot be read: {error}", path.display())))?;
    let cases: oracle::Cases = serde_json::from_str(&text)
        .map_err(|error| Failure::new(Kind::Input, format!("{} is not a file of cases: {error}", path.display())))?;
    let results = oracle::run(&cases);
    tell(&results.refused, output);
    output.result(&results, oracle::text);
    Ok(())
}

fn tell(refused: &[Refusal], output: &Output) {
    for refusal in refused {
        output.note(format!("{}: {}", refusal.name, refusal.error));
    }
}

/// `None`: orders are chosen for each series.
fn model_of(args: &ForecastFitArgs) -> Outcome<Option<Arima>> {
    let Some(order) = &args.order else { return Ok(None) };
    let [p, d, q] = three(order, "--order")?;
    let mut model = Arima::new(Order::new(p, d, q));
    let mut differences = d;
    if let Some(seasonal) = &args.seasonal {
        let [p, d, q] = three(seasonal, "--seasonal")?;
        model = model.with_seasonal(Seasonal::new(p, d, q, args.period));
        differences += d;
    }
    // As R: a mean where nothing is differenced.
    let model = if differences == 0 { model.with_mean() } else { model };
    model.check()?;
    Ok(Some(model))
}

fn three(numbers: &[usize], flag: &str) -> Outcome<[usize; 3]> {
    numbers.try_into().map_err(|_| {
        Failure::new(Kind::Config, format!("{flag} has {} numbers", numbers.len())).hint("three, as in 1,1,1")
    })
}

async fn observed(data: Option<&Path>, parts: &Parts) -> Outcome<Observed> {
    let table = match data {
        Some(path) if path.is_file() => folder::table(path, parts).await?,
        _ => {
            let folder = Folder::open(data, parts).await?;
            folder.find("sales.csv")?.ok_or_else(|| {
                Failure::new(
                    Kind::Input,
                    format!("{} holds no sales.csv, sales.csv.gz or sales.parquet", folder.name()),
                )
            })?
        }
    };
    series_of(table)
}

/// From a table with a line for each series and day (`series_id`, `day`, `units`), or with a line for each series (`d0`,
/// `d1`, …). An empty field is a day that is not known; a day without a line sold nothing.
fn series_of(mut table: CsvFile) -> Outcome<Observed> {
    let id = table.column("series_id")?;
    let Some(day) = table.optional_column("day") else {
        return wide(table, id);
    };
    let units = table.column("units")?;
    let mut sales: BTreeMap<String, Vec<(usize, f64)>> = BTreeMap::new();
    let mut days = 0;
    while let Some(row) = table.next_row()? {
        let at = table.day(&row, day)?;
        days = days.max(at + 1);
        let value = table.units(&row, units)?;
        sales.entry(row[id].clone()).or_default().push((at, value));
        bounded(&table, sales.len() * days)?;
    }
    let dense = |(name, sold): (String, Vec<(usize, f64)>)| {
        let mut values = vec![0.0; days];
        sold.into_iter().for_each(|(day, units)| values[day] += units);
        (name, values)
    };
    Ok(sales.into_iter().map(dense).collect())
}

fn wide(mut table: CsvFile, id: usize) -> Outcome<Observed> {
    let columns: Vec<usize> = (0..).map_while(|day| table.optional_column(&format!("d{day}"))).collect();
    if columns.is_empty() || columns.len() > DAYS_MAX {
        return Err(table.wrong("it has neither a column day, nor columns d0, d1, … of at most ten years"));
    }
    let mut series = Vec::new();
    while let Some(row) = table.next_row()? {
        let values = columns.iter().map(|column| table.units(&row, *column)).collect::<Outcome<_>>()?;
        series.push((row[id].clone(), values));
        bounded(&table, series.len() * columns.len())?;
    }
    Ok(series)
}

fn bounded(table: &CsvFile, cells: usize) -> Outcome {
    match cells > CELLS_MAX {
        true => Err(table.wrong(&format!("series times days are more than {CELLS_MAX}")).hint("split the file")),
        false => Ok(()),
    }
}

fn report(
    name: &str,
    series: &Series,
    fitted: &FittedArima,
    horizon: usize,
) -> Result<SeriesFit, linli_forecasting::Error> {
    let forecast = fitted.forecast(horizon)?;
    let (lo95, hi95) = interval(&forecast, 0.95);
    let total = forecast.total(1..=horizon);
    let model = fitted.model();
    let (order, seasonal) = (model.order(), model.seasonal());
    Ok(SeriesFit {
        series: name.to_owned(),
        observed: series.observed(),
        order: [order.p, order.d, order.q],
        seasonal: [seasonal.p, seasonal.d, seasonal.q],
        period: seasonal.period,
        estimates: Estimates::of(fitted),
        mean: forecast.steps().map(|step| step.mean).collect(),
        lo95,
        hi95,
        total: total.mean,
        total_standard_error: total.variance.sqrt(),
    })
}

/// For people: one line a series.
fn text(results: &Results) -> String {
    let line = |fit: &SeriesFit| {
        let days: Vec<String> = fit.mean.iter().map(|mean| format!("{mean:.2}")).collect();
        format!(
            "{:24} {:?}{:?} loglik {:.3}  {}",
            fit.series,
            fit.order,
            fit.seasonal,
            fit.estimates.loglik,
            days.join(" ")
        )
    };
    results.fits.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn read(text: &'static str) -> Outcome<Observed> {
        series_of(CsvFile::from("t.csv".into(), Box::new(Cursor::new(text)))?)
    }

    #[test]
    fn both_forms_of_a_table_are_read() {
        let long = read("series_id,day,units\nb,2,4\na,0,1\nb,1,\n").expect("a table");
        assert_eq!((long[0].0.as_str(), long[0].1.as_slice()), ("a", &[1.0, 0.0, 0.0][..]));
        assert!(long[1].1[0] == 0.0 && long[1].1[1].is_nan() && long[1].1[2] == 4.0);
        let wide = read("series_id,d0,d1\na,1,\nb,2,3\n").expect("a table");
        assert!(wide[0].1[0] == 1.0 && wide[0].1[1].is_nan() && wide[1].1 == [2.0, 3.0]);
        let message = |text| read(text).expect_err("refused").message;
        assert!(message("series_id,x\na,1\n").contains("neither a column day"));
        assert!(message("series_id,day,units\na,4000,1\n").contains("t.csv, line 2: day 4000 is past"));
        assert!(message("series_id,d0\na,x\n").contains("is no number"));
    }
}
