//! `linli ingest cdc`: rows of the shop's databases to the log.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use linli_connectors::clock::SharedClock;
use linli_connectors::log::SharedLog;
use linli_ingest::cdc::control::{self, Target};
use linli_ingest::cdc::requests::{self, Definition, Request};
use linli_ingest::cdc::{
    Address, CdcOptions, ColumnSetting, Exposition, Meters, Parts as ReaderParts, Place, Position, Reader, Until,
};
use tokio_util::sync::CancellationToken;

use super::shutdown_on_signal;
use crate::args::{CdcArgs, CdcCommand, PositionCommand, PositionTarget, QuarantineApplyArgs, QuarantineCommand};
use crate::config::Cdc;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

pub async fn run(parts: &Parts, args: &CdcArgs, output: &Output) -> Outcome {
    match &args.command {
        None => {
            let until = if args.until_caught_up { Until::CaughtUp } else { Until::Stopped };
            follow(parts, reader_parts(parts).await?, until, shutdown_on_signal(), output)?.await
        }
        Some(CdcCommand::Snapshot { tables }) => snapshot(parts, tables, output).await,
        Some(CdcCommand::Position(PositionCommand::Show)) => show(parts, output).await,
        Some(CdcCommand::Position(PositionCommand::Set(args))) => {
            set(parts, &target(&args.target)?, args.dry_run, output).await
        }
        Some(CdcCommand::Position(PositionCommand::Reset { dry_run })) => {
            set(parts, &Target::Reset, *dry_run, output).await
        }
        Some(CdcCommand::Quarantine(QuarantineCommand::List)) => quarantined(parts, output).await,
        Some(CdcCommand::Quarantine(QuarantineCommand::Apply(args))) => apply(parts, args, output).await,
    }
}

pub async fn reader_parts(parts: &Parts) -> Outcome<ReaderParts> {
    reader_parts_on(parts, parts.log_for_batches(transactional_id(parts).as_deref()).await?).await
}

pub async fn reader_parts_on(parts: &Parts, log: SharedLog) -> Outcome<ReaderParts> {
    Ok(ReaderParts {
        log,
        blobs: parts.blobs().await?,
        clock: Arc::clone(&parts.clock),
        random: Arc::clone(&parts.random),
    })
}

/// Stable, so that a reader that takes over fences the one before.
fn transactional_id(parts: &Parts) -> Option<String> {
    let first = addresses(parts).ok()?.into_iter().next()?;
    parts.config.cdc.transactions.then(|| format!("linli-cdc-{}-{}", parts.config.namespace, first.name))
}

async fn snapshot(parts: &Parts, tables: &[String], output: &Output) -> Outcome {
    let reader = reader_parts(parts).await?;
    for address in addresses(parts)? {
        for table in tables {
            requests::request(&address, &reader, &Request::Snapshot { table: table.clone() }).await?;
        }
    }
    output.result(&serde_json::json!({ "asked": tables }), |_| {
        format!("asked for {}; `linli ingest cdc position show` tells what is open", tables.join(", "))
    });
    Ok(())
}

async fn quarantined(parts: &Parts, output: &Output) -> Outcome {
    let reader = reader_parts(parts).await?;
    let mut found = Vec::new();
    for address in addresses(parts)? {
        found.extend(requests::quarantined(&address, &reader).await?);
    }
    output.result(&found, |found| {
        let line = |one: &requests::Quarantined| {
            let cure = match &one.gap {
                Some(gap) => format!("takes a new snapshot: {gap}"),
                None if one.applying => "is being applied".to_owned(),
                None => "can be applied".to_owned(),
            };
            let since = Duration::from_millis(u64::try_from(one.since_ms).unwrap_or(0));
            let since = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since);
            format!(
                "{} {}\n  since  {since}, {}\n  reason {}\n  held   {} events, {} bytes; {cure}",
                one.server, one.table, one.place, one.reason, one.events, one.bytes,
            )
        };
        if found.is_empty() { "none".to_owned() } else { found.iter().map(line).collect::<Vec<_>>().join("\n") }
    });
    Ok(())
}

/// On each server that has the table in quarantine; there is one unless two have tables of one name.
async fn apply(parts: &Parts, args: &QuarantineApplyArgs, output: &Output) -> Outcome {
    let reader = reader_parts(parts).await?;
    let options = Arc::new(options(&parts.config.cdc, parts)?);
    let definition = match &args.definition {
        Some(file) => Definition::Given(
            std::fs::read_to_string(file)
                .map_err(|error| Failure::new(Kind::Config, format!("definition {}: {error}", file.display())))?,
        ),
        None if args.current_definition => Definition::Current,
        None => Definition::Known,
    };
    let mut found = Vec::new();
    for address in addresses(parts)? {
        found.extend(requests::apply(&address, &reader, &options, &args.table, &definition, args.dry_run).await?);
    }
    if found.is_empty() {
        return Err(Failure::new(Kind::Config, format!("table {} is not in quarantine", args.table))
            .hint("`linli ingest cdc quarantine list` tells which are"));
    }
    output.result(&found, |found| {
        let line = |one: &requests::Application| {
            let how = if one.asked { "asked to apply" } else { "would apply" };
            let then = match (one.reread, one.asked) {
                (true, _) => "; the table is read anew after it",
                (false, true) => "; `linli ingest cdc quarantine list` tells how it goes",
                (false, false) => "",
            };
            format!(
                "{} {}: {how} {} events, {} bytes: {} changes of rows, {} records{then}",
                one.server, one.table, one.events, one.bytes, one.rows, one.records,
            )
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn show(parts: &Parts, output: &Output) -> Outcome {
    let reader = reader_parts(parts).await?;
    let mut shown = Vec::new();
    for address in addresses(parts)? {
        shown.push(control::show(&address, &reader).await?);
    }
    output.result(&shown, |shown| {
        shown.iter().map(|reader| {
            let position = reader.position.as_ref().map_or("not started".to_owned(), ToString::to_string);
            let known = |figure: Option<u64>| figure.map_or("?".to_owned(), |figure| figure.to_string());
            format!(
                "{}\n  at     {position}\n  end    {}\n  behind {} transactions, {} bytes\n  open snapshots: {}\n  in quarantine: {}\n  prepared XA: {}",
                reader.server,
                reader.end,
                known(reader.behind_transactions),
                known(reader.behind_bytes),
                listed(&reader.open_snapshots),
                listed(&reader.quarantined),
                listed(&reader.prepared.iter().map(|xa| xa.xid.clone()).collect::<Vec<_>>()),
            )
        }).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn target(target: &PositionTarget) -> Outcome<Target> {
    let bad = |what: &str, hint: &str| Err(Failure::new(Kind::Config, what.to_owned()).hint(hint));
    if let Some(gtids) = &target.gtid {
        return Ok(Target::Gtids(gtids.clone()));
    }
    if let Some(time) = &target.time {
        return match linli_schemas::change::parse_utc(time) {
            Some(at) => Ok(Target::Time(at.0)),
            None => bad(&format!("time \"{time}\" is not understood"), "write it as in 2026-11-01T08:00:00Z"),
        };
    }
    match target.place.as_deref().and_then(Place::parse) {
        Some(place) => Ok(Target::Place(place)),
        None => bad("the place is not understood", "write it as in binlog.000003:154"),
    }
}

async fn set(parts: &Parts, target: &Target, dry_run: bool, output: &Output) -> Outcome {
    let reader = reader_parts(parts).await?;
    let options = options(&parts.config.cdc, parts)?;
    let mut moved = Vec::new();
    for address in addresses(parts)? {
        moved.push(control::set(&address, &reader, &options, target, dry_run).await?);
    }
    output.result(&moved, |moved| {
        moved
            .iter()
            .map(|moved| {
                let place = |position: &Option<Position>| {
                    position.as_ref().map_or("a new snapshot".to_owned(), ToString::to_string)
                };
                let known = |figure: Option<u64>| figure.map_or("?".to_owned(), |figure| figure.to_string());
                format!(
                    "{}: {} from {} to {}\n  repeats {} transactions, {} bytes; skips {} transactions, {} bytes",
                    moved.server,
                    if moved.done { "moved" } else { "would move" },
                    place(&moved.from),
                    place(&moved.to),
                    known(moved.repeats_transactions),
                    known(moved.repeats_bytes),
                    known(moved.skips_transactions),
                    known(moved.skips_bytes),
                )
            })
            .collect::<Vec<_>>()
            .join("\n")
    });
    Ok(())
}

/// Follows all servers until `shutdown`, or until one of them needs a person.
pub fn follow(
    parts: &Parts,
    reader_parts: ReaderParts,
    until: Until,
    shutdown: CancellationToken,
    output: &Output,
) -> Outcome<impl Future<Output = Outcome> + Send + use<>> {
    let options = Arc::new(options(&parts.config.cdc, parts)?);
    let stop = CancellationToken::new();
    let (mut starting, mut shown) = (Vec::new(), Vec::new());
    for address in addresses(parts)? {
        output.note(format!("following {address:?}"));
        let meters = Meters::default();
        shown.push((address.name.clone(), meters.clone()));
        let reader = Reader::new(address, Arc::clone(&options), reader_parts.clone(), meters.clone())?.until(until);
        starting.push((reader, show_snapshot(Arc::clone(&parts.clock), meters, output.progress(0, "snapshot"))));
    }
    let listen = parts.config.metrics.listen.clone();
    let exposition = (!listen.is_empty()).then(|| Exposition::new(shown, Arc::clone(&parts.clock)));
    Ok(async move {
        if let Some(exposition) = exposition {
            let (address, serving) = exposition.serve(&listen, stop.clone()).await?;
            tracing::info!("metrics on http://{address}/metrics");
            tokio::spawn(serving);
        }
        let mut readers = tokio::task::JoinSet::new();
        for (reader, show) in starting {
            tokio::spawn(show);
            readers.spawn(reader.run(stop.clone()));
        }
        let mut outcome: Outcome = Ok(());
        loop {
            tokio::select! {
                () = shutdown.cancelled(), if !stop.is_cancelled() => stop.cancel(),
                ended = readers.join_next() => {
                    let failed = match ended {
                        None => return outcome,
                        Some(Ok(Ok(()))) => continue,
                        Some(Ok(Err(error))) => Failure::from(error),
                        Some(Err(error)) => Failure::new(Kind::Internal, format!("a reader ended by a defect: {error}")),
                    };
                    // The others stop in order; the first failure is the one that is told.
                    stop.cancel();
                    outcome = outcome.and(Err(failed));
                }
            }
        }
    })
}

/// Moves the bar while a first snapshot lasts.
async fn show_snapshot(clock: SharedClock, meters: Meters, bar: ProgressBar) {
    while let Some(expected) = meters.expected() {
        bar.set_length(expected.max(meters.snapshot()));
        bar.set_position(meters.snapshot());
        clock.sleep(Duration::from_millis(200)).await;
    }
    bar.finish_and_clear();
}

pub fn addresses(parts: &Parts) -> Outcome<Vec<Address>> {
    let urls: Vec<&str> = parts.config.shop.url.split_whitespace().collect();
    if urls.iter().any(|url| url.starts_with("shop:")) || urls.is_empty() {
        return Err(Failure::new(Kind::Config, "the simulated shop has no binlog")
            .hint("name the servers with --shop mysql://USER:PASSWORD@HOST:PORT, once for each"));
    }
    Ok(urls.into_iter().map(Address::parse).collect::<Result<_, _>>()?)
}

pub fn options(cdc: &Cdc, parts: &Parts) -> Outcome<CdcOptions> {
    let mut hash_key = cdc.hash_key.clone().into_bytes();
    if !cdc.hash_key_file.as_os_str().is_empty() {
        hash_key = std::fs::read(&cdc.hash_key_file).map_err(|error| {
            Failure::new(Kind::Config, format!("cdc.hash_key_file {}: {error}", cdc.hash_key_file.display()))
        })?;
        hash_key.truncate(hash_key.trim_ascii_end().len());
    }
    let column = |setting: &crate::config::CdcColumn| ColumnSetting {
        column: setting.column.clone(),
        action: setting.action.into(),
    };
    Ok(CdcOptions {
        databases: cdc.databases.clone(),
        tables: cdc.tables.clone(),
        exclude: cdc.exclude.clone(),
        route: cdc.route.clone(),
        topic_prefix: cdc.topic_prefix.clone(),
        keys: cdc.keys.clone(),
        columns: cdc.columns.iter().map(column).collect(),
        hash_key,
        canal: cdc.canal.clone(),
        soft_deletes: cdc.soft_deletes.clone(),
        zone: parts.zone,
        tombstones: cdc.tombstones,
        partitions: parts.config.partitions,
        reader: parts.config.namespace.clone(),
        server_id: cdc.server_id,
        heartbeat: cdc.heartbeat.0,
        save_interval: cdc.save_interval.0,
        snapshot_workers: cdc.snapshot_workers,
        snapshot_chunk_rows: cdc.snapshot_chunk_rows,
        reread_altered: cdc.reread_altered,
        record_bytes_max: cdc.record_mib_max << 20,
        ..CdcOptions::default()
    })
}
