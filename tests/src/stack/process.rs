//! A server process that cannot outlive the tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{READY_WITHIN, Result, StackError, io};

/// Runs a program and kills it when its own standard input ends: which it does when the tests' process goes, however
/// it goes. (A signal on the parent's death would come when the *thread* that started it ends.)
const LEASH: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(cat <&3 >/dev/null; kill -9 "$server" 2>/dev/null) &
exec 3<&-
wait "$server"
"#;

pub(super) struct Server {
    name: &'static str,
    log: PathBuf,
    leash: Child,
}

impl Server {
    /// Starts `command`, its output going to the file `log`, and waits until `ready` says so.
    pub(super) fn start(
        name: &'static str,
        command: &Command,
        log: &Path,
        mut ready: impl FnMut(&str) -> bool,
    ) -> Result<Server> {
        let output = File::create(log).map_err(io(format!("create {}", log.display())))?;
        let errors = output.try_clone().map_err(io(format!("open {}", log.display())))?;
        let mut leashed = Command::new("/bin/sh");
        leashed.args(["-c", LEASH, name]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => leashed.env(key, value),
                None => leashed.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            leashed.current_dir(dir);
        }
        let leash =
            leashed.stdin(Stdio::piped()).stdout(output).stderr(errors).spawn().map_err(io(format!("start {name}")))?;
        let mut server = Server { name, log: log.to_path_buf(), leash };
        let deadline = now() + READY_WITHIN;
        loop {
            if ready(&server.log_text()) {
                return Ok(server);
            }
            let ended = server.leash.try_wait().map_err(io(format!("watch {name}")))?;
            if ended.is_some() {
                return Err(StackError::Start { server: name, log: server.log_tail() });
            }
            if now() > deadline {
                return Err(StackError::NotReady { server: name, within: READY_WITHIN, log: server.log_tail() });
            }
            pause();
        }
    }

    /// Asks the process whose id stands in `pid_file` to end (SIGTERM), and waits until it has.
    pub(super) fn shut_down(mut self, pid_file: &Path) -> Result<()> {
        let pid = std::fs::read_to_string(pid_file).map_err(io(format!("read {}", pid_file.display())))?;
        prepare(self.name, Command::new("kill").args(["-TERM", pid.trim()]))?;
        let deadline = now() + READY_WITHIN;
        while self.leash.try_wait().map_err(io(format!("watch {}", self.name)))?.is_none() {
            if now() > deadline {
                return Err(StackError::NotReady { server: self.name, within: READY_WITHIN, log: self.log_tail() });
            }
            pause();
        }
        Ok(())
    }

    pub(super) fn log_text(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        format!("the end of its log:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        if let Err(error) = self.leash.wait() {
            eprintln!("{} may still run: {error}", self.name);
        }
    }
}

/// Runs a program that prepares a server, to its end.
pub(super) fn prepare(name: &'static str, command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().map_err(io(format!("prepare {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    let log = [output.stdout, output.stderr].concat();
    Err(StackError::Start { server: name, log: String::from_utf8_lossy(&log).into_owned() })
}

#[allow(clippy::disallowed_methods)] // waits for a process of the operating system
fn now() -> Instant {
    Instant::now()
}

#[allow(clippy::disallowed_methods)] // waits for a process of the operating system
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
