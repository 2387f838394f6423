//! `linli check`: the configuration and every endpoint, each with a hint.

use serde::Serialize;

use crate::config::redacted;
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
    let checked = vec![
        checked("log", parts.log_url(), parts.log().await.map(drop)),
        checked("serving", parts.serving_url(), serving(parts).await),
        checked("warehouse", parts.warehouse_url(), warehouse(parts).await),
        checked("blobs", parts.blobs_url(), blobs(parts).await),
    ];
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

fn checked(endpoint: &'static str, url: String, outcome: Outcome) -> Checked {
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

async fn blobs(parts: &Parts) -> Outcome {
    parts.blobs().await?.list("tasks").await?;
    Ok(())
}
