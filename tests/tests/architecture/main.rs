//! The rules of the tree: who may import whom, and what source files may hold.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each crate with those of our crates that it may import (ARCHITECTURE.md, code map).
const IMPORTS: [(&str, &[&str]); 13] = [
    ("schemas", &[]),
    ("connectors", &[]),
    ("stream-jobs", &["linli-schemas"]),
    ("stream-jobs/runtime", &["linli-schemas", "linli-connectors", "linli-stream-jobs"]),
    ("ingest", &["linli-schemas", "linli-connectors", "linli-binlog"]),
    ("ingest/binlog", &[]),
    ("warehouse", &["linli-schemas", "linli-connectors"]),
    ("forecasting", &[]),
    ("forecasting/restock", &["linli-schemas", "linli-connectors", "linli-forecasting"]),
    ("simulator", &["linli-schemas", "linli-connectors"]),
    ("dashboards/server", &["linli-schemas", "linli-connectors", "linli-warehouse"]),
    (
        "cli",
        &[
            "linli-schemas",
            "linli-connectors",
            "linli-ingest",
            "linli-stream-jobs",
            "linli-stream-runtime",
            "linli-warehouse",
            "linli-dashboards",
            "linli-forecasting",
            "linli-restock",
            "linli-simulator",
        ],
    ),
    (
        "tests",
        &[
            "linli-schemas",
            "linli-connectors",
            "linli-ingest",
            "linli-stream-jobs",
            "linli-stream-runtime",
            "linli-warehouse",
            "linli-dashboards",
            "linli-simulator",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn manifest(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of our own crates under a dependency table of a manifest.
fn ours(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    let Some(toml::Value::Table(dependencies)) = manifest.get(table) else { return BTreeSet::new() };
    dependencies.keys().filter(|name| *name == "linli" || name.starts_with("linli-")).cloned().collect()
}

#[test]
fn crates_import_only_what_the_table_allows() {
    let workspace = manifest(&root().join("Cargo.toml"));
    let members: BTreeSet<&str> = workspace["workspace"]["members"]
        .as_array()
        .expect("workspace.members is a list")
        .iter()
        .filter_map(|member| member.as_str())
        .collect();
    let known: BTreeSet<&str> = IMPORTS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(members, known, "every crate stands in the import table, and nothing else does");

    for (folder, allowed) in IMPORTS {
        let manifest = manifest(&root().join(folder).join("Cargo.toml"));
        // A test may use more than the code it tests, but never the composition root.
        for name in ours(&manifest, "dependencies") {
            assert!(allowed.contains(&name.as_str()), "{folder} must not import {name}");
        }
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            assert!(!ours(&manifest, table).contains("linli"), "{folder} must not import the command line");
        }
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{folder} takes the workspace's lints");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    const SKIPPED: [&str; 5] = ["target", "node_modules", "dist", ".git", ".linli"];
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if [".rs", ".ts", ".vue", ".sql", ".sh", ".mjs"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

#[test]
fn files_stay_under_600_lines() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    assert!(found.len() > 50, "the walk found the sources");
    for path in found {
        if path.ends_with("types.gen.ts") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let lines = text.lines().count();
        assert!(lines <= 600, "{} has {lines} lines: split it by concept", path.display());
    }
}

#[test]
fn pure_crates_do_no_io_and_have_no_async() {
    let mut found = Vec::new();
    sources(&root().join("stream-jobs/src"), &mut found);
    sources(&root().join("schemas/src"), &mut found);
    sources(&root().join("ingest/binlog/src"), &mut found);
    sources(&root().join("forecasting/src"), &mut found);
    assert!(found.len() > 10, "the walk found the sources");
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for word in ["async fn", "std::fs", "std::net", "tokio::", "std::env"] {
            assert!(!text.contains(word), "{} is pure and must not use {word}", path.display());
        }
    }
}

#[test]
fn no_test_is_ignored_and_no_stub_is_left() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let stubs = [concat!("#[", "ignore"), concat!("todo", "!("), concat!("unimplemented", "!("), concat!(".on", "ly(")];
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for stub in stubs {
            assert!(!text.contains(stub), "{} holds {stub}", path.display());
        }
    }
}

#[test]
fn every_invariant_names_a_test_that_is_there() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let code: String = found.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let mut invariants = 0;
    for line in text.lines().filter(|line| line.starts_with("- **I")) {
        invariants += 1;
        let tests: Vec<&str> = line
            .rsplit_once("Test")
            .map(|(_, names)| names.split('`').skip(1).step_by(2).collect())
            .unwrap_or_default();
        assert!(!tests.is_empty(), "names no test: {line}");
        for test in tests {
            let name = test.rsplit("::").next().unwrap_or(test);
            assert!(code.contains(&format!("fn {name}")) || root().join(test).exists(), "no test `{test}`: {line}");
        }
    }
    assert!(invariants >= 8, "ARCHITECTURE.md lists its invariants");
}
