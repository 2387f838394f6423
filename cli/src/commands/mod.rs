//! One module a command.

mod backfill;
mod bench;
mod bench_cdc;
mod bench_forecast;
mod bench_restock;
mod cdc;
mod check;
mod collect;
mod dead_letter;
mod demo;
mod forecast;
mod jobs;
mod serve;
mod simulate;
mod warehouse;

use linli_connectors::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::args::{
    BenchCommand, Command, ConfigCommand, ForecastCommand, IngestCommand, JobsCommand, SimulateCommand,
    WarehouseCommand,
};
use crate::config::Config;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

pub async fn run(command: Command, mut config: Config, output: &Output) -> Outcome {
    match command {
        Command::Config(ConfigCommand::Show) => {
            let shown = config.to_toml()?;
            output.result(&serde_json::json!({ "config": shown }), |_| shown.clone());
            Ok(())
        }
        Command::Warehouse(WarehouseCommand::Engine { dir }) => warehouse::engine(&dir).await,
        Command::Demo(args) => {
            override_listen(&mut config.serve.listen, args.listen.as_deref());
            demo::run(&Parts::new(config)?, &args, output).await
        }
        Command::Ingest(IngestCommand::Collect(args)) => {
            override_listen(&mut config.collect.listen, args.listen.as_deref());
            collect::run(&Parts::new(config)?, output).await
        }
        Command::Ingest(IngestCommand::Cdc(args)) => {
            override_listen(&mut config.metrics.listen, args.metrics.as_deref());
            cdc::run(&Parts::new(config)?, &args, output).await
        }
        Command::Serve(args) => {
            override_listen(&mut config.serve.listen, args.listen.as_deref());
            serve::run(&Parts::new(config)?, output).await
        }
        Command::Jobs(JobsCommand::Run) => jobs::run(&Parts::new(config)?, output).await,
        Command::Jobs(JobsCommand::Status) => jobs::status(&Parts::new(config)?, output).await,
        Command::Warehouse(WarehouseCommand::Migrate) => warehouse::migrate(&Parts::new(config)?, output).await,
        Command::Warehouse(WarehouseCommand::Query(args)) => {
            warehouse::query(&Parts::new(config)?, &args, output).await
        }
        Command::Warehouse(WarehouseCommand::Load) => warehouse::load(&Parts::new(config)?, output).await,
        Command::Backfill(args) => backfill::run(&Parts::new(config)?, &args, output).await,
        Command::Forecast(ForecastCommand::Fit(args)) => forecast::fit::run(&args, &Parts::new(config)?, output).await,
        Command::Forecast(ForecastCommand::Backtest(args)) => {
            forecast::backtest::run(&args, &Parts::new(config)?, output).await
        }
        Command::Forecast(ForecastCommand::Run(args)) => forecast::run::run(&args, &Parts::new(config)?, output).await,
        Command::Forecast(ForecastCommand::Publish(args)) => {
            forecast::publish::run(&args, &Parts::new(config)?, output).await
        }
        Command::Forecast(ForecastCommand::Rollback { run }) => {
            forecast::publish::roll_back(run.as_deref(), &Parts::new(config)?, output).await
        }
        Command::Forecast(ForecastCommand::Withdraw { run }) => {
            forecast::publish::withdraw(&run, &Parts::new(config)?, output).await
        }
        Command::Simulate(SimulateCommand::Buyer(args)) => simulate::buyer(&args, &Parts::new(config)?, output).await,
        Command::Forecast(ForecastCommand::Mail(args)) => {
            forecast::mail::run(&args, &Parts::new(config)?, output).await
        }
        Command::Forecast(ForecastCommand::Answers(args)) => {
            override_listen(&mut config.mail.listen, args.listen.as_deref());
            forecast::answers::run(&Parts::new(config)?, output).await
        }
        Command::DeadLetter(command) => dead_letter::run(&Parts::new(config)?, &command, output).await,
        Command::Check => check::run(&Parts::new(config)?, output).await,
        Command::Bench(BenchCommand::Stream(args)) => bench::stream(&Parts::new(config)?, &args, output).await,
        Command::Bench(BenchCommand::Cdc(args)) => bench_cdc::run(&Parts::new(config)?, &args, output).await,
        Command::Bench(BenchCommand::Forecast(args)) => bench_forecast::run(&Parts::new(config)?, &args, output),
        Command::Bench(BenchCommand::Restock(args)) => bench_restock::run(&Parts::new(config)?, &args, output),
        // Handled before the configuration is read.
        Command::Completions { .. } => Ok(()),
    }
}

fn override_listen(setting: &mut String, flag: Option<&str>) {
    if let Some(flag) = flag {
        flag.clone_into(setting);
    }
}

/// An address to listen on, as `HOST:PORT`.
pub fn listen_address(setting: &str) -> Outcome<std::net::SocketAddr> {
    setting.parse().map_err(|error| {
        Failure::new(Kind::Config, format!("listen address \"{setting}\": {error}"))
            .hint("write it as in 127.0.0.1:8080")
    })
}

/// Cancelled by Ctrl-C or SIGTERM; a second one ends the process at once.
pub fn shutdown_on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        cancelled.cancel();
        wait_for_signal().await;
        std::process::exit(130);
    });
    token
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the default action ends the process, which every part survives.
        std::future::pending::<()>().await;
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Waits for a part that runs in the background, whose panic is our bug.
pub async fn join<T>(name: &str, handle: tokio::task::JoinHandle<Outcome<T>>) -> Outcome<T> {
    match handle.await {
        Ok(outcome) => outcome,
        Err(error) => Err(Failure::new(Kind::Internal, format!("{name} ended by a defect: {error}"))),
    }
}

/// Seconds since `started_ms`, for reports.
pub fn seconds_since(clock: &dyn Clock, started_ms: i64) -> f64 {
    (clock.now_ms() - started_ms) as f64 / 1000.0
}
