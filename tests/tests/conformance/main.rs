//! Each port's suite on every implementation: the twins of this program and the real servers.
//!
//! Prints what each suite ran on (`kafka 4.1.0: 18 cases`) with `--nocapture`. A server that cannot be started fails.

mod blobs;
mod log;
mod serving;
mod stack;
mod tables;

/// What every suite ends with.
fn report(implementation: &str, cases: usize) {
    assert!(cases > 0, "{implementation}: no case was run");
    println!("{implementation}: {cases} cases");
}
