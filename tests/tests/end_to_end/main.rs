//! The built program against an independent fold, on the embedded endpoints and on real servers.

mod answers_come_from_the_stores;
mod bad_input;
mod crashes;
mod demo;
mod external_jobs;
mod history;
mod through_mysql;

use std::path::{Path, PathBuf};
use std::time::Duration;

use linli_tests::lines::Lines;
use linli_tests::oracle::{self, Definitions};
use linli_tests::program::{self, Finished};

/// No single step of these tests takes longer on a slow machine.
pub const DEADLINE: Duration = Duration::from_secs(240);

pub const SHANGHAI_MS: i64 = 8 * 3_600_000;

/// A working folder with a file of lines in it.
pub struct Case {
    pub folder: tempfile::TempDir,
    pub lines: Vec<String>,
    pub file: PathBuf,
}

impl Case {
    pub fn new(lines: &Lines) -> Case {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let lines = lines.generate();
        let file = folder.path().join("history.ndjson");
        std::fs::write(&file, lines.join("\n") + "\n").expect("the folder can be written");
        Case { folder, lines, file }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of an embedded backfill into `data`, answers into `out`.
    pub fn backfill(&self, extra: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = vec!["backfill".into(), text(&self.file), "--json".into()];
        args.extend(["--data-dir".into(), text(&self.path("data")), "--out".into(), text(&self.path("out"))]);
        args.extend(extra.iter().map(|arg| (*arg).to_owned()));
        args
    }

    pub fn run(&self, extra: &[&str]) -> Finished {
        program::run(&mut program::linli(self.backfill(extra))).succeeded()
    }

    pub fn differences(&self, definitions: Definitions) -> Vec<String> {
        let expected = oracle::answers(self.lines.iter().map(String::as_str), definitions);
        oracle::differences(&expected, &self.path("out"))
    }

    /// `received = applied + duplicate + late + history + dead_lettered` for every job and topic.
    pub fn assert_conserved(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.path("out/conservation.json")).expect("conservation.json");
        let jobs: serde_json::Value = serde_json::from_str(&text).expect("conservation.json is JSON");
        let mut checked = 0;
        for (job, topics) in jobs.as_object().expect("jobs") {
            for (topic, counts) in topics.as_object().expect("topics") {
                let count = |name: &str| counts[name].as_u64().unwrap_or_else(|| panic!("{job} {topic} {name}"));
                let parts = ["applied", "duplicate", "late", "history", "dead_lettered"].map(count);
                assert_eq!(count("received"), parts.iter().sum::<u64>(), "{job} {topic}: {counts}");
                checked += 1;
            }
        }
        assert!(checked >= 5, "{text}");
        jobs
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}
