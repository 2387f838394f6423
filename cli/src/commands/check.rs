//! `linli check`: the configuration and every endpoint, each with a hint.

use serde::Serialize;

use crate::commands::forecast::mail::mailer;
use crate::config::{Config, redacted};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::Output;
use crate::parts::Parts;

#[derive(Debug, Serialize)]
struct Checked {
    endpoint: &'static str,
    url: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip)]
    kind: Option<Kind>,
}

pub async fn run(parts: &Parts, output: &Output) -> Outcome {
    let mut checked = vec![
        of("log", parts.log_url(), parts.log().await.map(drop)),
        of("serving", parts.serving_url(), serving(parts).await),
        of("warehouse", parts.warehouse_url(), warehouse(parts).await),
        of("blobs", parts.blobs_url(), blobs(parts).await),
    ];
    // Only some commands need these two.
    let Config { shop, mail, .. } = &parts.config;
    // the first server of the shop holds what is not split
    if let Some(first) = shop.url.split_whitespace().next().filter(|url| !url.starts_with("shop:")) {
        checked.push(of("shop", first.to_owned(), parts.shop_database().await.map(drop)));
    }
    if !mail.url.is_empty() {
        checked.push(of("mail", mail.url.clone(), mail_server(&mail.url, parts).await));
    }
    output.result(&checked, |checked| checked.iter().map(line).collect::<Vec<_>>().join("\n"));
    // What must be fixed by hand first, then what may pass.
    let worst = checked.iter().filter_map(|c| c.kind).min_by_key(|kind| kind.exit_code());
    match worst {
        None => Ok(()),
        Some(kind) => {
            let failed = checked.iter().filter(|c| !c.ok).count();
            Err(Failure::new(kind, format!("{failed} of {} endpoints cannot be used", checked.len())))
        }
    }
}

fn of(endpoint: &'static str, url: String, outcome: Outcome) -> Checked {
    let url = redacted(&url);
    match outcome {
        Ok(()) => Checked { endpoint, url, ok: true, error: None, hint: None, kind: None },
        Err(failure) => Checked {
            endpoint,
            url,
            ok: false,
            error: Some(failure.to_string()),
            kind: Some(failure.kind),
            hint: failure.hint,
        },
    }
}

fn line(checked: &Checked) -> String {
    let mut line = format!("{:<10} {} {}", checked.endpoint, if checked.ok { "ok    " } else { "FAILED" }, checked.url);
    if let Some(error) = &checked.error {
        line.push_str(&format!("\n           {error}"));
    }
    if let Some(hint) = &checked.hint {
        line.push_str(&format!("\n           hint: {hint}"));
    }
    line
}

async fn serving(parts: &Parts) -> Outcome {
    parts.serving().await?.incarnation().await?;
    Ok(())
}

async fn warehouse(parts: &Parts) -> Outcome {
    let open = parts.warehouse().await?;
    open.tables.close().await?;
    Ok(())
}

async fn mail_server(url: &str, parts: &Parts) -> Outcome {
    Ok(mailer(url, parts)?.check().await?)
}

async fn blobs(parts: &Parts) -> Outcome {
    parts.blobs().await?.list("tasks").await?;
    Ok(())
}
