//! `linli forecast`: models of demand, fitted to series from files, and runs that are shown to the shop.

pub mod answers;
pub mod backtest;
mod csv;
pub mod fit;
mod folder;
mod holidays;
pub mod mail;
mod night;
mod oracle;
mod panel_files;
pub mod publish;
mod record;
mod release;
pub mod run;
