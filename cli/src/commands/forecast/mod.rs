//! `linli forecast`: models of demand, fitted to series from files.

pub mod backtest;
mod csv;
mod oracle;
mod panel_files;

use std::fs;

use crate::args::ForecastFitArgs;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;

/// Fits every case of an oracle file and prints what was found, in the order of the file.
pub fn fit(args: &ForecastFitArgs, output: &Output) -> Outcome {
    let path = args.oracle.display();
    let text = fs::read_to_string(&args.oracle)
        .map_err(|error| Failure::new(Kind::Input, format!("{path} cannot be read: {error}")))?;
    let cases: oracle::Cases = serde_json::from_str(&text)
        .map_err(|error| Failure::new(Kind::Input, format!("{path} is not a file of cases: {error}")))?;
    let results = oracle::run(&cases);
    for refusal in &results.refused {
        output.note(format!("{}: {}", refusal.name, refusal.error));
    }
    output.result(&results, oracle::text);
    Ok(())
}
