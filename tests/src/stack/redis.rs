//! A real Redis server, without persistence.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Server;
use super::{Result, debian, fetch, free_port, io};

pub struct Redis {
    server: Option<Server>,
    port: u16,
    program: PathBuf,
    dir: TempDir,
}

impl Redis {
    /// An empty server, ready for requests.
    ///
    /// # Panics
    /// With the reason, when the server cannot be had: a test that needs it must fail.
    pub fn start() -> Redis {
        Redis::try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_start() -> Result<Redis> {
        let program = fetch("redis")?;
        let dir = tempfile::tempdir().map_err(io("make a folder for Redis"))?;
        let mut redis = Redis { server: None, port: free_port()?, program, dir };
        redis.run()?;
        Ok(redis)
    }

    /// Kills the server, as a crash would. Nothing of its data stays.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts the server again after [`Redis::kill`]: same port, empty.
    pub fn run(&mut self) -> Result<()> {
        self.kill();
        let mut command = debian(&self.program);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.dir.path());
        let port = self.port;
        let log = self.dir.path().join("redis.log");
        self.server = Some(Server::start("redis", &command, &log, |_| {
            ask(port, "PING").is_some_and(|answer| answer.starts_with("+PONG"))
        })?);
        Ok(())
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Drops all data, as an operator's slip would.
    pub fn flush(&self) -> bool {
        ask(self.port, "FLUSHALL").is_some_and(|answer| answer.starts_with("+OK"))
    }

    /// Puts a digit before the first number in the columns of one stored record, in the first key that begins with
    /// `prefix`; says whether there was one. Its version stays, so a reader takes it for what was written.
    pub fn alter_first_hash(&self, prefix: &str) -> bool {
        command(self.port, &["EVAL", ALTER, "0", prefix]).is_some_and(|answer| answer.starts_with(":1"))
    }

    /// As the server reports it, such as `7.0.15`.
    pub fn version(&self) -> Option<String> {
        let info = ask(self.port, "INFO server")?;
        let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
        Some(line.trim().to_owned())
    }
}

const ALTER: &str = r#"
local keys = redis.call('KEYS', ARGV[1] .. '*')
table.sort(keys)
for _, key in ipairs(keys) do
    for _, field in ipairs(redis.call('HKEYS', key)) do
        local value = redis.call('HGET', key, field)
        local altered, count = string.gsub(value, '("columns":%[%[)(%d)', '%11%2', 1)
        if count == 1 then
            redis.call('HSET', key, field, altered)
            return 1
        end
    end
end
return 0
"#;

/// A command whose arguments may hold anything.
fn command(port: u16, words: &[&str]) -> Option<String> {
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    ask(port, request.trim_end())
}

fn ask(port: u16, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    // QUIT ends the connection after the answer, so that the answer can be read to its end.
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
