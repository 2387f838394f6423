//! The serving store on Redis: one hash per key, a value's version in its first eight bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind as RedisKind, RedisError, RedisResult, Script, ServerErrorKind};
use tokio::sync::Mutex;

use super::{INCARNATION_KEY, Incarnation, OpenOptions, ServingStore, Stored, Upsert, check, expiry_ms};
use crate::random::SharedRandom;
use crate::{Error, ErrorKind, Result};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Bounds of one script call: Redis serves nobody else while it runs.
const VALUES_PER_CALL: usize = 1_000;
const BYTES_PER_CALL: usize = 2 << 20;
/// Keys asked for in one round trip.
const KEYS_PER_READ: usize = 64;
/// A prefix that more keys than this begin with is refused: the answer would not fit in memory wisely.
const KEYS_MAX: usize = 1_000_000;
/// How often a batch is written anew when the store loses its data between two of the batch's calls.
const LOSSES_MAX: usize = 3;

/// A value's version stands before its payload.
const VERSION_BYTES: usize = 8;

pub(super) struct RedisServing {
    client: Client,
    /// Without credentials, for messages.
    name: String,
    prefix: String,
    random: SharedRandom,
    script: Script,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What one script call writes: indexes into the batch, by key.
#[derive(Default)]
struct Call<'a> {
    hashes: BTreeMap<&'a str, Vec<&'a Upsert>>,
    values: usize,
    bytes: usize,
}

impl RedisServing {
    pub(super) async fn open(url: &str, options: OpenOptions) -> Result<RedisServing> {
        let client = Client::open(url).map_err(|error| {
            Error::new(ErrorKind::Config, "serving store", "the URL is not one of Redis")
                .hint("use redis://[[USER:]PASSWORD@]HOST[:PORT][/DB]")
                .caused_by(error)
        })?;
        let prefix = if options.namespace.is_empty() { String::new() } else { format!("{}:", options.namespace) };
        let store = RedisServing {
            name: format!("serving store redis://{}", client.get_connection_info().addr()),
            client,
            prefix,
            random: options.random,
            script: Script::new(include_str!("upsert.lua")),
            connection: Mutex::new(None),
        };
        store.incarnation().await?;
        Ok(store)
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref() {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        *held = Some(connection.clone());
        Ok(connection)
    }

    /// Asks over the shared connection; when that turns out to be broken, once more over a new one. Everything asked
    /// here may be asked twice.
    async fn ask<T, F>(&self, request: impl Fn(MultiplexedConnection) -> F) -> Result<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut broken = None;
        for _ in 0..2 {
            let answer = match self.connect().await {
                Ok(connection) => request(connection).await,
                Err(error) => return Err(self.failed(error)),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_unrecoverable_error() || error.is_io_error() => {
                    *self.connection.lock().await = None;
                    if error.is_timeout() {
                        return Err(self.failed(error));
                    }
                    broken = Some(error);
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        Err(broken
            .map_or_else(|| Error::new(ErrorKind::Retry, &self.name, "is not reachable"), |error| self.failed(error)))
    }

    fn failed(&self, error: RedisError) -> Error {
        let (kind, cause, hint) = match error.kind() {
            RedisKind::AuthenticationFailed | RedisKind::Server(ServerErrorKind::NoPerm) => (
                ErrorKind::Config,
                "refuses this user",
                "put the user and the password in the URL: redis://USER:PASSWORD@HOST",
            ),
            RedisKind::Io => {
                (ErrorKind::Retry, "is not reachable", "start Redis there, or name another with --serving")
            }
            RedisKind::Server(ServerErrorKind::ReadOnly) => {
                (ErrorKind::Retry, "is a read-only replica", "name the primary with --serving")
            }
            RedisKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown,
            ) => (ErrorKind::Retry, "is not ready", "wait until Redis has loaded its data"),
            _ => match error.code() {
                Some("NOAUTH" | "WRONGPASS") => {
                    (ErrorKind::Config, "asks for a password", "put it in the URL: redis://:PASSWORD@HOST")
                }
                Some("OOM") => (ErrorKind::Retry, "is out of memory", "raise Redis' maxmemory"),
                Some("BUSY" | "MISCONF") => (ErrorKind::Retry, "takes no writes now", "see Redis' own log"),
                Some("WRONGTYPE") => (
                    ErrorKind::Corrupt,
                    "holds a key of ours that is no hash",
                    "something else writes here: use a database or a --namespace of your own",
                ),
                _ => (ErrorKind::Config, "does not do what is asked", "use Redis 6.2 or newer with scripts allowed"),
            },
        };
        Error::new(kind, &self.name, cause).hint(hint).caused_by(error)
    }

    async fn call(&self, call: &Call<'_>) -> Result<Incarnation> {
        let mut invocation = self.script.prepare_invoke();
        invocation.key(self.key(INCARNATION_KEY)).arg(self.random.token());
        let mut packed = Vec::new();
        for (key, values) in &call.hashes {
            let expire_ms = values.iter().rev().find_map(|value| value.expire_after).map_or(0, expiry_ms);
            invocation.key(self.key(key)).arg(expire_ms).arg(values.len());
            for value in values {
                packed.clear();
                packed.extend_from_slice(&value.version.to_be_bytes());
                packed.extend_from_slice(&value.value);
                invocation.arg(value.field.as_str()).arg(packed.as_slice());
            }
        }
        let invocation = &invocation;
        self.ask(|mut connection| async move { invocation.invoke_async::<String>(&mut connection).await })
            .await
            .map(Incarnation)
    }

    fn stored(&self, key: &str, (field, packed): (String, Bytes)) -> Result<Stored> {
        match packed.first_chunk::<VERSION_BYTES>() {
            Some(version) => {
                Ok(Stored { field, version: u64::from_be_bytes(*version), value: packed.slice(VERSION_BYTES..) })
            }
            None => Err(Error::new(
                ErrorKind::Corrupt,
                format!("key {key:?} of {}", self.name),
                "holds a value without a version",
            )
            .hint("something else writes here: use a database or a --namespace of your own")),
        }
    }
}

/// Cuts a batch into calls, in order.
fn calls(values: &[Upsert]) -> Vec<Call<'_>> {
    let mut calls = vec![Call::default()];
    for value in values {
        let bytes = value.value.len() + value.field.len() + VERSION_BYTES;
        let full = |call: &Call<'_>| {
            call.values >= VALUES_PER_CALL || (call.values > 0 && call.bytes + bytes > BYTES_PER_CALL)
        };
        if calls.last().is_none_or(full) {
            calls.push(Call::default());
        }
        if let Some(call) = calls.last_mut() {
            call.hashes.entry(&value.key).or_default().push(value);
            call.values += 1;
            call.bytes += bytes;
        }
    }
    calls
}

/// A glob pattern of all names that begin with `prefix`, whatever characters it has.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '^' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}

#[async_trait]
impl ServingStore for RedisServing {
    async fn upsert(&self, values: &[Upsert]) -> Result<Incarnation> {
        values.iter().try_for_each(check)?;
        let calls = calls(values);
        for _ in 0..LOSSES_MAX {
            let mut seen: BTreeSet<String> = BTreeSet::new();
            let mut last = None;
            for call in &calls {
                let incarnation = self.call(call).await?;
                seen.insert(incarnation.0.clone());
                last = Some(incarnation);
            }
            // Two incarnations within one batch: what its first calls wrote may be gone.
            if let (1, Some(incarnation)) = (seen.len(), last) {
                return Ok(incarnation);
            }
        }
        Err(Error::new(ErrorKind::Retry, &self.name, "loses its data again and again").hint("see who flushes Redis"))
    }

    async fn read(&self, keys: &[String]) -> Result<Vec<Vec<Stored>>> {
        let mut read = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_PER_READ) {
            let mut pipeline = redis::pipe();
            for key in keys {
                pipeline.hgetall(self.key(key));
            }
            let pipeline = &pipeline;
            let hashes: Vec<Vec<(String, Bytes)>> =
                self.ask(|mut connection| async move { pipeline.query_async(&mut connection).await }).await?;
            for (key, hash) in keys.iter().zip(hashes) {
                let mut fields = hash.into_iter().map(|field| self.stored(key, field)).collect::<Result<Vec<_>>>()?;
                fields.sort_unstable_by(|a, b| a.field.cmp(&b.field));
                read.push(fields);
            }
        }
        Ok(read)
    }

    async fn read_fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<Stored>>> {
        let mut read = Vec::with_capacity(fields.len());
        for fields in fields.chunks(VALUES_PER_CALL) {
            let mut command = redis::cmd("HMGET");
            command.arg(self.key(key)).arg(fields);
            let command = &command;
            let values: Vec<Option<Bytes>> =
                self.ask(|mut connection| async move { command.query_async(&mut connection).await }).await?;
            for (field, packed) in fields.iter().zip(values) {
                read.push(packed.map(|packed| self.stored(key, (field.clone(), packed))).transpose()?);
            }
        }
        Ok(read)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let pattern = pattern(&self.key(prefix));
        let mut found = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1_000).arg("TYPE").arg("hash");
            let scan = &scan;
            let (next, keys): (u64, Vec<Vec<u8>>) =
                self.ask(|mut connection| async move { scan.query_async(&mut connection).await }).await?;
            // A name that is no text is none of ours.
            let named = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
            found.extend(named.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)));
            if found.len() > KEYS_MAX {
                return Err(Error::new(
                    ErrorKind::Reject,
                    format!("keys {prefix:?} of {}", self.name),
                    "are too many to list",
                )
                .hint("ask for a longer prefix"));
            }
            cursor = next;
            if cursor == 0 {
                return Ok(found.into_iter().collect());
            }
        }
    }

    async fn incarnation(&self) -> Result<Incarnation> {
        self.call(&Call::default()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_there_is_an_error_to_retry_with_a_hint() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let error =
            RedisServing::open(&format!("redis://{address}"), OpenOptions::default()).await.err().expect("no server");
        assert_eq!(error.kind, ErrorKind::Retry);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert!(error.hint.is_some());
    }

    #[test]
    fn batches_are_cut_by_count_and_bytes_in_order() {
        let value = |i: usize, bytes: usize| Upsert {
            key: format!("k{}", i % 3),
            field: i.to_string(),
            version: 1,
            value: vec![0; bytes].into(),
            expire_after: None,
        };
        assert_eq!(calls(&[]).len(), 1, "an empty batch still asks for the incarnation");
        assert_eq!(calls(&(0..VALUES_PER_CALL).map(|i| value(i, 1)).collect::<Vec<_>>()).len(), 1);
        assert_eq!(calls(&(0..=VALUES_PER_CALL).map(|i| value(i, 1)).collect::<Vec<_>>()).len(), 2);
        assert_eq!(calls(&(0..3).map(|i| value(i, BYTES_PER_CALL)).collect::<Vec<_>>()).len(), 3);
    }

    #[test]
    fn patterns_escape_what_globs_mean() {
        assert_eq!(pattern("a*[b]?\\^"), "a\\*\\[b\\]\\?\\\\\\^*");
    }
}
