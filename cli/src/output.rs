//! What people and programs see: results on stdout, everything else on stderr.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::args::Command;
use crate::failure::Failure;

pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Output {
        Output { json }
    }

    /// A result: one JSON object, or text made of it for people.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        let line = if self.json {
            serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
        } else {
            text(value)
        };
        // A closed pipe (`| head`) is no failure of ours.
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// A remark for people.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    pub fn failure(&self, failure: &Failure) {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "error: {failure}");
        if let Some(hint) = &failure.hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
        if self.json {
            let object = serde_json::json!({
                "error": failure.to_string(), "kind": failure.kind.name(), "hint": failure.hint,
            });
            let _ = writeln!(std::io::stdout(), "{object}");
        }
    }

    /// A bar on a terminal, nothing elsewhere.
    pub fn progress(&self, total: u64, label: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template("{prefix:10} {wide_bar} {percent:>3}% {eta:>5} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(label);
        bar
    }
}

/// Logs on stderr: of long-running commands from `info`, of the others from `warn`.
pub fn init_logging(filter: Option<&str>, command: &Command) {
    let default = match command {
        Command::Ingest(_)
        | Command::Jobs(_)
        | Command::Warehouse(_)
        | Command::Simulate(_)
        | Command::Serve(_)
        | Command::Backfill(_) => "info",
        _ => "warn",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}
