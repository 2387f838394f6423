//! A line to a MySQL or MariaDB server that can be cut, swallow what passes, or damage a packet.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where a packet is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One bit of the text that is looked for.
    Text,
    /// The upper byte of the packet's length, so that it seems to be longer by megabytes.
    Length,
}

/// Packets of the server that hold a text are damaged, so many times.
#[derive(Clone, Debug)]
struct Damage {
    text: Vec<u8>,
    part: Part,
    times: u32,
}

#[derive(Debug, Default)]
struct State {
    damage: Option<Damage>,
    damaged: u32,
    /// Connections to be cut.
    open: Vec<CancellationToken>,
    /// Connections that pass nothing on from now.
    passing: Vec<CancellationToken>,
    connections: u32,
}

/// Listens on the loopback until dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// A line to a port of the loopback.
    pub async fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A server that does not listen ends the client's connection.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(carry(client, server, Arc::clone(&shared)));
                }
            }
        });
        Proxy { address, state, listening }
    }

    /// `mysql://root@127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("mysql://root@{}", self.address)
    }

    /// Damages the next packets that hold `text`.
    pub fn damage(&self, text: &str, part: Part, times: u32) {
        self.state().damage = Some(Damage { text: text.as_bytes().to_vec(), part, times });
    }

    /// How many packets have been damaged.
    pub fn damaged(&self) -> u32 {
        self.state().damaged
    }

    /// Ends all connections; new ones are carried.
    pub fn cut(&self) {
        for open in self.state().open.drain(..) {
            open.cancel();
        }
    }

    /// From now on the connections that are there stay open and pass nothing; new ones are carried.
    pub fn swallow(&self) {
        for passing in self.state().passing.drain(..) {
            passing.cancel();
        }
    }

    /// Connections that were carried so far.
    pub fn connections(&self) -> u32 {
        self.state().connections
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: Arc<Mutex<State>>) {
    let (open, passing) = (CancellationToken::new(), CancellationToken::new());
    {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.open.push(open.clone());
        state.passing.push(passing.clone());
        state.connections += 1;
    }
    let _ = client.set_nodelay(true); // speed alone
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = up(from_client, to_server, passing.clone());
    let down = down(from_server, to_client, passing, state);
    tokio::select! {
        () = open.cancelled() => {}
        () = up => {}
        () = down => {}
    }
}

/// Requests, as they come.
async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passing: CancellationToken) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if passing.is_cancelled() {
            continue;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Answers, packet by packet.
async fn down(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passing: CancellationToken, state: Arc<Mutex<State>>) {
    loop {
        let mut head = [0; 4];
        if from.read_exact(&mut head).await.is_err() {
            return; // the server is gone: so is the client's connection, unless it is swallowed
        }
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        let mut packet = head.to_vec();
        packet.resize(4 + length, 0);
        if from.read_exact(&mut packet[4..]).await.is_err() {
            return;
        }
        damage(&mut packet, &mut state.lock().unwrap_or_else(PoisonError::into_inner));
        if !passing.is_cancelled() && to.write_all(&packet).await.is_err() {
            return;
        }
    }
}

fn damage(packet: &mut [u8], state: &mut State) {
    let Some(damage) = state.damage.as_mut().filter(|damage| damage.times > 0) else {
        return;
    };
    let Some(at) = packet.windows(damage.text.len()).position(|window| window == damage.text) else {
        return;
    };
    damage.times -= 1;
    state.damaged += 1;
    match damage.part {
        Part::Text => packet[at] ^= 1,
        Part::Length => packet[2] ^= 0x40,
    }
}
