//! `linli forecast mail`: a run's lines to the suppliers, once each.

use std::io::Write as _;
use std::path::Path;

use linli_restock::answers::{KEY_BYTES_MIN, Key, Keys, Links};
use linli_restock::mail::job::{Job, JobOptions, Orders, Plan, Report, RunOrders, Stay};
use linli_restock::mail::mailer::{self, SharedMailer};
use linli_restock::mail::shop::ShopOrders;
use linli_restock::mail::{Language, Problem, Sender};
use linli_schemas::EventTime;
use linli_schemas::forecast::RunId;

use crate::args::ForecastMailArgs;
use crate::commands::shutdown_on_signal;
use crate::config::Mail;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

pub async fn run(args: &ForecastMailArgs, parts: &Parts, output: &Output) -> Outcome {
    let settings = &parts.config.mail;
    remembered(parts)?;
    let run = args.run.as_deref().map(RunId::parse).transpose().map_err(|error| {
        Failure::new(Kind::Config, error.to_string()).hint("`select run from restock_runs` lists them")
    })?;
    let job = job(args, parts).await?;
    let language = Language::parse(&settings.language).ok_or_else(|| {
        Failure::new(Kind::Config, format!("mail.language = \"{}\": it is zh or en", settings.language))
    })?;
    let (conn, object) = parts.shop_database().await?;
    let shop = ShopOrders::new(conn, &parts.config.forecast.database, object, parts.zone, language);
    let mut withdrawn = Vec::new();
    for id in shop.withdrawn().await? {
        if run.as_ref().is_none_or(|run| *run == id) && job.knows(&id).await? {
            withdrawn.push(id);
        }
    }
    // a run that is named and withdrawn has nothing else to say
    let orders = if run.is_some() && !withdrawn.is_empty() { None } else { shop.of_run(run.as_ref()).await? };
    if orders.is_none() && withdrawn.is_empty() {
        let cause = run.map_or_else(|| "no run is published yet".to_owned(), |run| format!("run {run} is not there"));
        return Err(Failure::new(Kind::Input, cause).hint("`linli forecast run` makes one"));
    }
    if args.dry_run {
        let mut plan = match orders {
            Some(orders) => job.plan(orders).await?,
            None => Plan::default(),
        };
        plan.withdrawn = withdrawn.iter().map(RunId::to_string).collect();
        output.result(&plan, |plan| planned(plan, parts));
        return Ok(());
    }
    let report = tokio::select! {
        report = bring_out(&job, orders, &withdrawn) => report?,
        () = async { shutdown_on_signal().cancelled().await } => {
            return Err(Failure::new(Kind::Unavailable, "stopped before every mail was sent")
                .hint("started again it goes on where it was; nothing is sent twice"));
        }
    };
    output.result(&report, |report| told(report, parts));
    unsent(&report)
}

/// Sends a run's mails, and meanwhile tells suppliers which orders do not hold any more.
async fn bring_out(job: &Job, orders: Option<RunOrders>, withdrawn: &[RunId]) -> linli_restock::mail::Result<Report> {
    let telling = async {
        let mut told = Vec::new();
        for run in withdrawn {
            told.push(job.withdraw(run).await?);
        }
        Ok(told)
    };
    let sending = async {
        match orders {
            Some(orders) => job.run(orders).await,
            None => Ok(Report::default()),
        }
    };
    let (report, withdrawn) = tokio::try_join!(sending, telling)?;
    Ok(Report { withdrawn, ..report })
}

/// A mail is sent once as long as it is remembered that it was.
fn remembered(parts: &Parts) -> Outcome {
    if parts.config.blobs.url.is_empty() && parts.config.data_dir.as_os_str().is_empty() {
        return Err(Failure::new(Kind::Config, "it would not be remembered which mails were sent")
            .hint("name a place that stays, by --data-dir or --blobs"));
    }
    Ok(())
}

async fn job(args: &ForecastMailArgs, parts: &Parts) -> Outcome<Job> {
    let settings = &parts.config.mail;
    let from = args.from.as_deref().unwrap_or(&settings.from);
    if from.trim().is_empty() {
        return Err(Failure::new(Kind::Config, "mail.from is empty: a mail has somebody who sends it")
            .hint("set it in [mail], or by --from orders@example.com"));
    }
    let sender = Sender::parse(from, &settings.reply_to)?;
    let mailer = mailer(args.mail.as_deref().unwrap_or(&settings.url), parts)?;
    let stay = match (args.once, args.until_cut_off) {
        (true, _) => Stay::Once,
        (_, true) => Stay::UntilCutOff,
        _ => Stay::UntilSent,
    };
    let options = JobOptions {
        namespace: parts.config.namespace.clone(),
        sender,
        zone: parts.zone,
        links: links(parts)?,
        // Another process takes an attempt to be over a while after the mailer has given it up.
        attempt_ms: settings.timeout.ms() / 4 * 5 + 1_000,
        remind_before_ms: (settings.remind_before.ms() > 0).then(|| settings.remind_before.ms()),
        stay,
    };
    Ok(Job::new(parts.blobs().await?, mailer, parts.clock.clone(), parts.random.clone(), options))
}

/// That of a URL, or, for an empty one, of the data directory.
pub fn mailer(url: &str, parts: &Parts) -> Outcome<SharedMailer> {
    let settings = &parts.config.mail;
    let options = mailer::OpenOptions {
        data_dir: Some(parts.data_dir().to_owned()),
        password: (!settings.password.is_empty()).then(|| settings.password.clone()),
        timeout: settings.timeout.0,
    };
    Ok(mailer::open(if url.is_empty() { "file://" } else { url }, &options)?)
}

/// How links are made; `None`: mails carry none.
fn links(parts: &Parts) -> Outcome<Option<Links>> {
    let Mail { link, link_readable, .. } = &parts.config.mail;
    if link.is_empty() {
        return Ok(None);
    }
    let scheme = url::Url::parse(link).ok().filter(|url| url.has_host() && url.query().is_none());
    if !scheme.is_some_and(|url| matches!(url.scheme(), "https" | "http")) {
        return Err(Failure::new(Kind::Config, format!("mail.link = \"{link}\" is no address of a page"))
            .hint("write it as in https://orders.example.com"));
    }
    Ok(Some(Links { base: link.clone(), keys: keys(parts)?, readable_ms: link_readable.ms() }))
}

/// What links are signed with: the setting, the file, or a key that is made once under the data directory.
pub fn keys(parts: &Parts) -> Outcome<Keys> {
    let Mail { key, key_file, .. } = &parts.config.mail;
    let namespace = &parts.config.namespace;
    if !key.is_empty() {
        return keys_of(key, "mail.key", namespace);
    }
    if !key_file.as_os_str().is_empty() {
        return keys_of(&read_keys(key_file)?, &format!("mail.key_file {}", key_file.display()), namespace);
    }
    if parts.config.data_dir.as_os_str().is_empty() {
        return Err(Failure::new(Kind::Config, "there is no key that links are signed with")
            .hint("set mail.key_file or LINLI__MAIL__KEY, or name a --data-dir in which one is made"));
    }
    let made = parts.data_dir().join("mail.key");
    make_key(&made, &format!("{}{}", parts.random.token(), parts.random.token()))?;
    keys_of(&read_keys(&made)?, &format!("key {}", made.display()), namespace)
}

fn read_keys(file: &Path) -> Outcome<String> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(Kind::Config, format!("keys of links, {}: {error}", file.display()))
            .hint("name a file that this user can read, one key a line")
    })
}

/// The content is not repeated: it is secret.
fn keys_of(text: &str, name: &str, namespace: &str) -> Outcome<Keys> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<Key>> = lines.map(|line| Key::new(line.as_bytes())).collect();
    let mut keys = keys.unwrap_or_default().into_iter();
    match keys.next() {
        Some(signing) => Ok(Keys::new(signing, keys.collect(), namespace)),
        None => Err(Failure::new(
            Kind::Config,
            format!("{name}: every line must be a key of {KEY_BYTES_MIN} characters or more"),
        )
        .hint("`openssl rand -hex 32` makes one")),
    }
}

/// Readable by this user alone, and whole or not there; one that is there stays.
fn make_key(path: &Path, key: &str) -> Outcome {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Config, format!("key {}: {error}", path.display()))
            .hint("the data directory must be writable, or set mail.key_file")
    };
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    // A temporary file is made with mode 0600.
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    draft.write_all(format!("{key}\n").as_bytes()).and_then(|()| draft.as_file().sync_all()).map_err(failed)?;
    match draft.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Another process was quicker: its key holds.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error.error)),
    }
}

/// Suppliers who are not told of their orders are a failure of the command, after everybody else was.
fn unsent(report: &Report) -> Outcome {
    let unsent = |problem: &&Problem| {
        matches!(
            problem,
            Problem::NoAddress { .. }
                | Problem::BadAddress { .. }
                | Problem::TooManyLines { .. }
                | Problem::RepeatedSupplier { .. }
                | Problem::Refused { .. }
                | Problem::Missed { .. }
                | Problem::Withdrawn { .. }
        )
    };
    let reports = || report.withdrawn.iter().chain([report]);
    let missing: usize = reports().map(|report| report.problems.iter().filter(unsent).count()).sum();
    if missing > 0 {
        return Err(Failure::new(Kind::Input, format!("{missing} suppliers did not get what was to be said to them"))
            .hint("the problems are listed with the result: call these suppliers, or correct their addresses"));
    }
    let waiting: usize = reports().map(|report| report.waiting.len()).sum();
    if waiting > 0 {
        return Err(Failure::new(Kind::Unavailable, format!("{waiting} mails wait to be tried again"))
            .hint("start the command again, or without --once: it stays until the cut-off"));
    }
    Ok(())
}

fn told(report: &Report, parts: &Parts) -> String {
    let withdrawn = report.withdrawn.iter().map(|report| told(report, parts));
    let mut texts: Vec<String> = withdrawn.collect();
    if !report.run.is_empty() {
        texts.push(told_of_run(report, parts));
    }
    texts.join("\n")
}

fn told_of_run(report: &Report, parts: &Parts) -> String {
    let mut text = format!("run {}: {} mails sent", report.run, report.sent.len());
    for sent in &report.sent {
        let at = parts.zone.wall_text(EventTime(sent.at));
        text.push_str(&format!("\n  supplier {} {} at {at} {}", sent.supplier_id, sent.kind.name(), sent.message_id));
    }
    for waiting in &report.waiting {
        let at = parts.zone.wall_text(EventTime(waiting.next_at));
        text.push_str(&format!("\n  supplier {} waits until {at}: {}", waiting.supplier_id, waiting.reason));
    }
    rest(&mut text, &report.empty, &report.problems);
    text
}

fn planned(plan: &Plan, parts: &Parts) -> String {
    let mut text = format!("run {}: {} mails; nothing is sent", plan.run, plan.mails.len());
    for mail in &plan.mails {
        let by = parts.zone.wall_text(EventTime(mail.must_order_by));
        let yuan = format!("{}.{:02}", mail.amount_fen / 100, mail.amount_fen % 100);
        text.push_str(&format!(
            "\n  supplier {} <{}>: {} lines, {} pieces, {yuan} yuan, until {by}",
            mail.supplier_id, mail.to, mail.lines, mail.pieces
        ));
    }
    for run in &plan.withdrawn {
        text.push_str(&format!("\nsuppliers are told that run {run} does not hold any more"));
    }
    rest(&mut text, &plan.empty, &plan.problems);
    text
}

fn rest(text: &mut String, empty: &[i64], problems: &[Problem]) {
    if !empty.is_empty() {
        let ids: Vec<String> = empty.iter().map(i64::to_string).collect();
        text.push_str(&format!("\nnothing is wanted of supplier {}", ids.join(", ")));
    }
    for problem in problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_this_user_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("mail.key");
        make_key(&path, &"a".repeat(64)).expect("made");
        make_key(&path, &"b".repeat(64)).expect("kept");
        assert_eq!(read_keys(&path).expect("read"), format!("{}\n", "a".repeat(64)));
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn short_keys_are_refused_and_not_repeated() {
        for text in ["", "\n", "t00sh0rt", &format!("{}\nt00sh0rt\n", "a".repeat(32))] {
            let failure = keys_of(text, "mail.key", "").expect_err(text);
            assert!(!format!("{failure:?}").contains("t00sh0rt"), "{failure:?}");
        }
        assert!(keys_of(&format!("{}\n\n{}\n", "a".repeat(32), "b".repeat(32)), "mail.key", "").is_ok());
    }
}
