//! Asking for the binlog.

use linli_connectors::{Error, ErrorKind};

use super::login::Address;
use super::packet::Wire;
use super::query::{literal, server_error};
use super::{OTHER_ID, WireError, WireResult};

const REGISTER: u8 = 0x15;
const DUMP: u8 = 0x12;
const DUMP_GTID: u8 = 0x1e;
/// MariaDB: annotations are wanted too.
const SEND_ANNOTATIONS: u16 = 2;

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpFrom {
    File {
        file: String,
        pos: u32,
    },
    /// MySQL: everything that is not in this set, given as the protocol encodes it.
    MysqlGtids(Vec<u8>),
    /// MariaDB: what follows this position, as in `0-1-100,1-2-7`.
    MariadbGtids(String),
}

#[derive(Clone, Debug)]
pub struct DumpOptions {
    /// Of this reader: unlike that of any server or reader.
    pub server_id: u32,
    /// Like the uuid of a MySQL server, made from the identity of the reader.
    pub uuid: String,
    /// What the server lists it as among its replicas.
    pub host: String,
    /// An idle server says how far it is this often.
    pub heartbeat_s: u64,
    pub mariadb: bool,
}

impl DumpOptions {
    /// A server takes no two replicas of one id: the second ends the first, or both go on by halves.
    pub async fn refuse_taken(&self, wire: &mut Wire, server_id: u32, address: &Address) -> Result<(), Error> {
        if self.server_id == server_id {
            let cause = format!("cdc.server_id is {server_id}, which is the server's own id");
            return Err(Error::new(ErrorKind::Config, address.object(), cause).hint(OTHER_ID));
        }
        match wire.who_has(self).await.map_err(|error| error.at(address.object()))? {
            None => Ok(()),
            Some(host) => {
                let cause = format!("{host} of it has the server id {} already", self.server_id);
                Err(Error::new(ErrorKind::Config, address.object(), cause).hint(OTHER_ID))
            }
        }
    }

    /// An error of the dump, with the server id where it is about that.
    pub fn named(&self, error: Error) -> Error {
        let about = error.source.as_deref().and_then(|source| source.downcast_ref::<WireError>());
        if about.is_some_and(WireError::is_same_id) {
            let cause = format!("another reader came with the same server id {}: {}", self.server_id, error.cause);
            return Error { cause, ..error }.hint(OTHER_ID);
        }
        error
    }
}

impl Wire {
    /// Turns the connection into a stream of events: [`Wire::next`] and [`Wire::event`].
    pub async fn start_dump(&mut self, from: &DumpFrom, options: &DumpOptions) -> WireResult<()> {
        let nanoseconds = options.heartbeat_s.saturating_mul(1_000_000_000);
        self.execute(&format!("SET @master_heartbeat_period={nanoseconds}, @source_heartbeat_period={nanoseconds}"))
            .await?;
        self.execute(
            "SET @master_binlog_checksum=@@global.binlog_checksum, @source_binlog_checksum=@@global.binlog_checksum",
        )
        .await?;
        self.execute(&format!("SET @slave_uuid={0}, @replica_uuid={0}", literal(&options.uuid))).await?;
        if options.mariadb {
            self.execute("SET @mariadb_slave_capability=4").await?;
            if let DumpFrom::MariadbGtids(position) = from {
                self.execute(&format!("SET @slave_connect_state={}", literal(position))).await?;
                self.execute("SET @slave_gtid_strict_mode=0, @slave_gtid_ignore_duplicates=0").await?;
            }
        }
        self.register(options).await?;
        let command = match from {
            DumpFrom::File { file, pos } => dump(file, *pos, options),
            DumpFrom::MariadbGtids(_) => dump("", 4, options),
            DumpFrom::MysqlGtids(set) => dump_gtid(set, options),
        };
        self.command(&command).await
    }

    /// Who has a server id already, of the replicas that the server knows: another than the one with these options.
    /// `None` also where the server does not tell.
    pub async fn who_has(&mut self, options: &DumpOptions) -> WireResult<Option<String>> {
        let rows = match self.query("SHOW SLAVE HOSTS").await {
            Err(WireError::Server { code: 1064, .. }) => self.query("SHOW REPLICAS").await,
            rows => rows,
        };
        let rows = match rows {
            Err(WireError::Server { .. }) => return Ok(None), // a privilege is missing that nothing else needs
            rows => rows?,
        };
        let taken = rows.into_iter().find_map(|row| {
            let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
            let (id, host, uuid) = (cell(0), cell(1), cell(4));
            // MySQL tells the uuid; MariaDB has none
            let own = if uuid.is_empty() { host == options.host } else { uuid.eq_ignore_ascii_case(&options.uuid) };
            let host = if host.is_empty() { "a replica without a name".to_owned() } else { format!("replica {host}") };
            (id == options.server_id.to_string() && !own).then_some(host)
        });
        Ok(taken)
    }

    async fn register(&mut self, options: &DumpOptions) -> WireResult<()> {
        let mut command = vec![REGISTER];
        command.extend_from_slice(&options.server_id.to_le_bytes());
        let host = options.host.as_bytes();
        command.push(host.len() as u8);
        command.extend_from_slice(host);
        command.extend_from_slice(&[0; 2 + 2 + 4 + 4]); // no user, no password, no port, no rank, no source
        self.command(&command).await?;
        let answer = self.read().await?;
        match answer.first() {
            Some(0) => Ok(()),
            Some(0xff) => Err(server_error(answer)),
            _ => Err(WireError::Protocol("the answer to a registration")),
        }
    }

    /// The event in the payload that was taken; `None` where the server says that there is no more.
    pub fn event(&self) -> WireResult<Option<&[u8]>> {
        let payload = self.payload();
        match payload.split_first() {
            Some((0, event)) => Ok(Some(event)),
            Some((0xff, _)) => Err(server_error(payload)),
            Some((0xfe, _)) => Ok(None),
            _ => Err(WireError::Protocol("neither an event nor an error")),
        }
    }
}

fn dump(file: &str, pos: u32, options: &DumpOptions) -> Vec<u8> {
    let flags = if options.mariadb { SEND_ANNOTATIONS } else { 0 };
    let mut command = vec![DUMP];
    command.extend_from_slice(&pos.to_le_bytes());
    command.extend_from_slice(&flags.to_le_bytes());
    command.extend_from_slice(&options.server_id.to_le_bytes());
    command.extend_from_slice(file.as_bytes());
    command
}

fn dump_gtid(set: &[u8], options: &DumpOptions) -> Vec<u8> {
    let mut command = vec![DUMP_GTID, 0, 0];
    command.extend_from_slice(&options.server_id.to_le_bytes());
    command.extend_from_slice(&0u32.to_le_bytes()); // no file
    command.extend_from_slice(&4u64.to_le_bytes());
    command.extend_from_slice(&(set.len() as u32).to_le_bytes());
    command.extend_from_slice(set);
    command
}
