//! Packets over a stream: length, number, payload; a payload of 16 MiB and more in several.

use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{WireError, WireResult};

/// The longest payload: the server's own limit is 1 GiB, and an event has a header beside it.
pub const PACKET_BYTES_MAX: usize = (1 << 30) + (1 << 20);
const FULL: usize = 0xff_ffff;
const READ_BYTES: usize = 256 << 10;
/// How long an answer is waited for: a server that scans a long binlog for a position takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
/// A buffer that grew over this for one payload is given back after it.
const KEEP_BYTES: usize = 4 << 20;

pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection. Knows packets; what they mean is in the modules beside.
pub struct Wire {
    stream: Option<Box<dyn Duplex>>,
    buffer: Vec<u8>,
    /// What of the buffer has been received and not yet taken.
    filled: Range<usize>,
    payload: Payload,
    /// A payload of several packets, put together.
    long: Vec<u8>,
    /// The number of the next packet, in either direction.
    sequence: u8,
    pub(super) version: String,
    pub(super) connection_id: u32,
    pub(super) secure: bool,
    bytes_read: u64,
}

/// Where the payload lies that was found last.
enum Payload {
    None,
    InBuffer(Range<usize>),
    LongUnfinished,
    Long,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Wire {
        Wire {
            stream: Some(stream),
            buffer: vec![0; READ_BYTES],
            filled: 0..0,
            payload: Payload::None,
            long: Vec::new(),
            sequence: 0,
            version: String::new(),
            connection_id: 0,
            secure: false,
            bytes_read: 0,
        }
    }

    /// As the server calls itself, as in `8.0.15` or `10.11.6-MariaDB-log`.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }

    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    pub(super) fn take_stream(&mut self) -> WireResult<Box<dyn Duplex>> {
        self.stream.take().ok_or(WireError::Closed)
    }

    pub(super) fn set_stream(&mut self, stream: Box<dyn Duplex>) {
        self.stream = Some(stream);
    }

    /// Takes the next payload if it has been received whole, without waiting: then [`Wire::payload`] is it.
    pub fn next(&mut self) -> WireResult<bool> {
        if matches!(self.payload, Payload::Long) {
            self.payload = Payload::None;
            self.long.clear();
            self.long.shrink_to(KEEP_BYTES);
        }
        loop {
            let received = self.buffer.get(self.filled.clone()).unwrap_or_default();
            let Some(&[a, b, c, number]) = received.first_chunk::<4>() else {
                return Ok(false);
            };
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let bytes = self.long.len() + length;
            if bytes > PACKET_BYTES_MAX {
                return Err(WireError::TooLarge { bytes, max: PACKET_BYTES_MAX });
            }
            let Some(part) = received.get(4..4 + length) else {
                return Ok(false);
            };
            if number != self.sequence {
                // also what a damaged length looks like
                return Err(WireError::Protocol("a packet out of order"));
            }
            self.sequence = number.wrapping_add(1);
            let unfinished = matches!(self.payload, Payload::LongUnfinished);
            if length == FULL || unfinished {
                self.long.extend_from_slice(part);
                self.payload = if length == FULL { Payload::LongUnfinished } else { Payload::Long };
            } else {
                let start = self.filled.start + 4;
                self.payload = Payload::InBuffer(start..start + length);
            }
            self.filled.start += 4 + length;
            if length < FULL {
                return Ok(true);
            }
        }
    }

    /// The payload that [`Wire::next`] took; empty before the first.
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::InBuffer(range) => self.buffer.get(range.clone()).unwrap_or_default(),
            Payload::Long => &self.long,
            Payload::None | Payload::LongUnfinished => &[],
        }
    }

    /// Waits for more bytes. Cancelling it loses nothing.
    pub async fn fill(&mut self) -> WireResult<()> {
        self.make_room();
        let stream = self.stream.as_mut().ok_or(WireError::Closed)?;
        let room = self.buffer.get_mut(self.filled.end..).unwrap_or_default();
        let count = stream.read(room).await?;
        if count == 0 {
            return Err(WireError::Closed);
        }
        self.filled.end += count;
        self.bytes_read += count as u64;
        Ok(())
    }

    /// Waits for the next payload, as long as a server may take for an answer.
    pub async fn read(&mut self) -> WireResult<&[u8]> {
        while !self.next()? {
            let filled = tokio::time::timeout(PATIENCE, self.fill()).await;
            filled.unwrap_or(Err(WireError::Silent(PATIENCE.as_secs())))?;
        }
        Ok(self.payload())
    }

    /// Room for the rest of the packet that has begun, at the least.
    fn make_room(&mut self) {
        let received = self.buffer.get(self.filled.clone()).unwrap_or_default();
        let needed = match received.first_chunk::<4>() {
            Some(&[a, b, c, _]) => 4 + (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16),
            None => 4,
        };
        let needed = needed.max(READ_BYTES);
        if matches!(self.payload, Payload::InBuffer(_)) {
            self.payload = Payload::None;
        }
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.filled.start > 0 && self.filled.start + needed > self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        } else if needed <= READ_BYTES && self.buffer.len() > KEEP_BYTES && self.filled.end <= READ_BYTES {
            self.buffer.truncate(READ_BYTES * 2);
            self.buffer.shrink_to_fit();
        }
    }

    /// Sends an answer within an exchange.
    pub(super) async fn reply(&mut self, payload: &[u8]) -> WireResult<()> {
        let mut framed = Vec::with_capacity(payload.len() + 4);
        for part in parts(payload) {
            let length = part.len().to_le_bytes();
            framed.extend_from_slice(&[length[0], length[1], length[2], self.sequence]);
            framed.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
        }
        let stream = self.stream.as_mut().ok_or(WireError::Closed)?;
        stream.write_all(&framed).await?;
        stream.flush().await?;
        Ok(())
    }

    /// Begins an exchange.
    pub(super) async fn command(&mut self, payload: &[u8]) -> WireResult<()> {
        self.sequence = 0;
        self.reply(payload).await
    }
}

/// Cut at the longest packet; one that fills it is followed by another, if need be an empty one.
fn parts(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..=payload.len() / FULL).map(|i| payload.get(i * FULL..payload.len().min((i + 1) * FULL)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(payload: &[u8], number: &mut u8) -> Vec<u8> {
        let mut out = Vec::new();
        for part in parts(payload) {
            let length = part.len().to_le_bytes();
            out.extend_from_slice(&[length[0], length[1], length[2], *number]);
            out.extend_from_slice(part);
            *number = number.wrapping_add(1);
        }
        out
    }

    #[tokio::test]
    async fn payloads_come_whole_whatever_their_length_and_however_the_bytes_arrive() {
        let lengths = [0, 1, 5, READ_BYTES - 4, READ_BYTES, 3 << 20, FULL - 1, FULL, FULL + 1, 2 * FULL, 40 << 20, 7];
        let (mut server, client) = tokio::io::duplex(100_000);
        let sender = tokio::spawn(async move {
            let mut number = 0;
            for length in lengths {
                let payload: Vec<u8> = (0..length).map(|i| (i * 31 + length) as u8).collect();
                server.write_all(&packets(&payload, &mut number)).await.unwrap();
            }
        });
        let mut wire = Wire::new(Box::new(client));
        for length in lengths {
            let payload = wire.read().await.unwrap();
            assert_eq!(payload.len(), length);
            assert!(payload.iter().enumerate().all(|(i, byte)| *byte == (i * 31 + length) as u8), "{length}");
        }
        sender.await.unwrap();
        assert!(matches!(wire.read().await, Err(WireError::Closed)));
        assert!(wire.buffer.len() <= KEEP_BYTES, "the room for a long payload is given back");
    }

    #[tokio::test]
    async fn a_packet_out_of_order_is_an_error() {
        let (mut server, client) = tokio::io::duplex(100);
        server.write_all(&[1, 0, 0, 0, 7, 1, 0, 0, 2, 7]).await.unwrap();
        let mut wire = Wire::new(Box::new(client));
        assert_eq!(wire.read().await.unwrap(), [7]);
        assert!(matches!(wire.read().await, Err(WireError::Protocol(_))));
    }
}
