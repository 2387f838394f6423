//! The built `linli`, started as people start it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// The binary under test: `LINLI_BIN`, or what `make build` made.
pub fn binary() -> PathBuf {
    let path = match std::env::var_os("LINLI_BIN") {
        Some(path) => PathBuf::from(path),
        None => root().join("target/debug/linli"),
    };
    assert!(path.is_file(), "{} is not there: run `make build` first", path.display());
    path
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

pub fn linli<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).stdin(Stdio::null()).env_remove("LINLI_LOG");
    command
}

#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The JSON object on the last line of stdout.
    pub fn json(&self) -> serde_json::Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn succeeded(self) -> Finished {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

pub fn run(command: &mut Command) -> Finished {
    let output = command.output().expect("the binary starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A running program whose output is read line by line; killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (sender, lines) = mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
            child.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Running { child, lines, seen: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that `wanted` accepts and returns it.
    ///
    /// # Panics
    /// When the program ends or the deadline passes before.
    pub fn wait_for(&mut self, deadline: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let until = now() + deadline;
        loop {
            let left = until.saturating_duration_since(now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(error) => panic!("{error} before the awaited line; last lines: {:#?}", self.tail()),
            }
        }
    }

    /// Waits for a line that `wanted` accepts, unless there was one.
    pub fn has_said(&mut self, deadline: Duration, wanted: impl Fn(&str) -> bool) {
        if !self.seen.iter().any(|line| wanted(line)) {
            self.wait_for(deadline, wanted);
        }
    }

    /// Reads on for `duration`, or until the program ends; `true` when it ended.
    pub fn run_for(&mut self, duration: Duration) -> bool {
        let until = now() + duration;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(now())) {
                Ok(line) => self.seen.push(line),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
                Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            }
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) -> Vec<String> {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.drain();
        std::mem::take(&mut self.seen)
    }

    /// SIGINT, as Ctrl-C sends it, and waits for the end.
    pub fn interrupt(mut self, deadline: Duration) -> (ExitStatus, Vec<String>) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|s| s.success()), "kill(1) works");
        self.finish(deadline)
    }

    pub fn wait(mut self, deadline: Duration) -> (ExitStatus, Vec<String>) {
        self.finish(deadline)
    }

    fn finish(&mut self, deadline: Duration) -> (ExitStatus, Vec<String>) {
        assert!(self.run_for(deadline), "did not end in time; last lines: {:#?}", self.tail());
        let status = self.child.wait().expect("a child can be awaited");
        (status, std::mem::take(&mut self.seen))
    }

    fn drain(&mut self) {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(200)) {
            self.seen.push(line);
        }
    }

    fn tail(&self) -> &[String] {
        &self.seen[self.seen.len().saturating_sub(30)..]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::disallowed_methods)] // deadlines of tests against real processes
fn now() -> Instant {
    Instant::now()
}
