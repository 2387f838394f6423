//! A whole transaction in one event, as `binlog_transaction_compression` writes it.

use std::io::{BufReader, Read};

use crate::bytes::Bytes;
use crate::compressed::EVENT_LEN_MAX;
use crate::error::{DecodeError, Result};
use crate::header::{HEADER_LEN, Header};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Zstd,
}

#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    pub compression: Compression,
    pub uncompressed_len: u64,
    data: &'a [u8],
}

impl<'a> Payload<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Result<Payload<'a>> {
        const WHAT: &str = "transaction payload";
        let mut bytes = Bytes::new(body, WHAT);
        let (mut size, mut uncompressed, mut compression) = (None, None, Compression::None);
        loop {
            let field = bytes.lenenc()?;
            if field == 0 {
                break;
            }
            let mut value = Bytes::new(bytes.lenenc_bytes()?, WHAT);
            match field {
                1 => size = Some(value.lenenc()?),
                2 => {
                    compression = match value.lenenc()? {
                        0 => Compression::Zstd,
                        255 => Compression::None,
                        other => return Err(DecodeError::invalid(WHAT, format!("compression type {other}"))),
                    };
                }
                3 => uncompressed = Some(value.lenenc()?),
                _ => {}
            }
        }
        let size = size.map_or(bytes.rest().len(), |size| usize::try_from(size).unwrap_or(usize::MAX));
        let data = bytes.take(size)?;
        Ok(Payload { compression, uncompressed_len: uncompressed.unwrap_or(data.len() as u64), data })
    }

    /// The events inside, one at a time: memory holds one of them, whatever the transaction's size.
    pub fn events(&self) -> Result<PayloadEvents<'a>> {
        let source = match self.compression {
            Compression::None => Source::Plain(self.data),
            Compression::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(self.data).map_err(|e| invalid(&e))?;
                Source::Zstd(Box::new(BufReader::new(decoder)))
            }
        };
        Ok(PayloadEvents { source, event: Vec::new(), failed: false })
    }
}

fn invalid(error: &std::io::Error) -> DecodeError {
    DecodeError::invalid("transaction payload", error.to_string())
}

enum Source<'a> {
    Plain(&'a [u8]),
    Zstd(Box<BufReader<zstd::stream::read::Decoder<'static, &'a [u8]>>>),
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Source::Plain(data) => data.read(into),
            Source::Zstd(decoder) => decoder.read(into),
        }
    }
}

/// Gives whole events without checksum: to be framed with [`crate::Checksum::None`].
pub struct PayloadEvents<'a> {
    source: Source<'a>,
    event: Vec<u8>,
    failed: bool,
}

impl PayloadEvents<'_> {
    /// The next event's bytes, valid until the next call.
    pub fn next_event(&mut self) -> Option<Result<&[u8]>> {
        if self.failed {
            return None;
        }
        match self.read_event() {
            Ok(true) => Some(Ok(&self.event)),
            Ok(false) => None,
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }

    fn read_event(&mut self) -> Result<bool> {
        self.event.clear();
        if self.read_up_to(HEADER_LEN as u64)? == 0 {
            return Ok(false);
        }
        let size = u64::from(Header::parse(&self.event)?.size);
        if size > EVENT_LEN_MAX {
            return Err(DecodeError::TooLarge { what: "event of a payload", declared: size, max: EVENT_LEN_MAX });
        }
        self.read_up_to(size.saturating_sub(HEADER_LEN as u64))?;
        if self.event.len() as u64 != size {
            let left = self.event.len();
            return Err(DecodeError::Truncated { what: "event of a payload", needed: size as usize, left });
        }
        Ok(true)
    }

    fn read_up_to(&mut self, len: u64) -> Result<usize> {
        (&mut self.source).take(len).read_to_end(&mut self.event).map_err(|e| invalid(&e))
    }
}
