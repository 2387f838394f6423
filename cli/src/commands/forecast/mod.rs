//! `linli forecast`: models of demand, fitted to series from files.

pub mod backtest;
mod csv;
pub mod fit;
mod folder;
mod holidays;
mod night;
mod oracle;
mod panel_files;
mod record;
pub mod run;
