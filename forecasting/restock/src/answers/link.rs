//! Signed links: which supplier, which run, until when; nothing is read for one that does not hold.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use linli_schemas::forecast::RunId;
use sha2::Sha256;

use crate::mail::SupplierOrder;

/// Bytes of a key: fewer could be guessed.
pub const KEY_BYTES_MIN: usize = 32;
/// A token is never longer; a longer one is not looked at.
const TOKEN_BYTES_MAX: usize = 256;
const VERSION: &str = "1";

/// A secret that links are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// `None` for fewer than [`KEY_BYTES_MIN`] bytes.
    pub fn new(bytes: &[u8]) -> Option<Key> {
        (bytes.len() >= KEY_BYTES_MIN).then(|| Key(bytes.to_vec()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

/// The first signs, all are accepted: a key is changed by putting a new one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    signing: Key,
    older: Vec<Key>,
    namespace: String,
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub run: RunId,
    pub supplier_id: i64,
    /// Epoch ms.
    pub expires_at: i64,
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not signed by us, or altered.
    Forged,
    Expired,
}

impl Keys {
    /// Links of one namespace do not hold in another.
    pub fn new(signing: Key, older: Vec<Key>, namespace: &str) -> Keys {
        Keys { signing, older, namespace: namespace.to_owned() }
    }

    fn mac(&self, key: &Key, payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
        // Signed for this use alone, whatever else the key signs.
        mac.update(b"linli restock answers\0");
        mac.update(self.namespace.as_bytes());
        mac.update(b"\0");
        mac.update(payload);
        Some(mac)
    }

    /// A token of letters, digits, `-`, `_` and one `.`.
    pub fn sign(&self, ticket: &Ticket) -> String {
        let payload = format!("{VERSION}~{}~{}~{}", ticket.supplier_id, ticket.expires_at, ticket.run);
        let tag = self.mac(&self.signing, payload.as_bytes()).map(|mac| mac.finalize().into_bytes());
        // HMAC takes keys of any length: there is always a tag.
        let tag = tag.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default();
        format!("{}.{tag}", URL_SAFE_NO_PAD.encode(payload))
    }

    /// What a token stands for. The signature is compared in a time that does not depend on where it differs, and before
    /// anything in the token is believed.
    pub fn open(&self, token: &str, now: i64) -> Result<Ticket, Refusal> {
        let (payload, tag) = token.split_once('.').filter(|_| token.len() <= TOKEN_BYTES_MAX).ok_or(Refusal::Forged)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Refusal::Forged)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| Refusal::Forged)?;
        let signed = std::iter::once(&self.signing)
            .chain(&self.older)
            .filter_map(|key| self.mac(key, &payload))
            .any(|mac| mac.verify_slice(&tag).is_ok());
        let ticket = signed.then(|| parse(&payload)).flatten().ok_or(Refusal::Forged)?;
        if now >= ticket.expires_at { Err(Refusal::Expired) } else { Ok(ticket) }
    }
}

fn parse(payload: &[u8]) -> Option<Ticket> {
    let mut parts = std::str::from_utf8(payload).ok()?.splitn(4, '~');
    if parts.next()? != VERSION {
        return None;
    }
    let supplier_id = parts.next()?.parse().ok()?;
    let expires_at = parts.next()?.parse().ok()?;
    Some(Ticket { supplier_id, expires_at, run: RunId::parse(parts.next()?).ok()? })
}

/// How the links in mails are made.
#[derive(Clone, Debug)]
pub struct Links {
    /// Where the page is, as suppliers reach it: `https://orders.example.com`.
    pub base: String,
    pub keys: Keys,
    /// How long after the cut-off the page can still be read.
    pub readable_ms: i64,
}

impl Links {
    pub fn url(&self, order: &SupplierOrder) -> String {
        let expires_at = order.must_order_by.saturating_add(self.readable_ms);
        let token = self.keys.sign(&Ticket { run: order.run.clone(), supplier_id: order.supplier_id, expires_at });
        format!("{}/answers/{token}", self.base.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8, namespace: &str) -> Keys {
        Keys::new(Key::new(&[byte; 32]).expect("a key"), Vec::new(), namespace)
    }

    fn ticket() -> Ticket {
        Ticket { run: RunId::parse("2026-03-02-1a2b3c4d5e6f").expect("a run"), supplier_id: 7, expires_at: 100 }
    }

    #[test]
    fn a_token_stands_for_what_was_signed_until_it_expires() {
        let token = keys(1, "").sign(&ticket());
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        assert_eq!(keys(1, "").open(&token, 99), Ok(ticket()));
        assert_eq!(keys(1, "").open(&token, 100), Err(Refusal::Expired));
        assert_eq!(keys(2, "").open(&token, 99), Err(Refusal::Forged));
        assert_eq!(keys(1, "b").open(&token, 99), Err(Refusal::Forged));
        // an expired token that is forged is forged
        assert_eq!(keys(2, "").open(&token, 100), Err(Refusal::Forged));
    }

    #[test]
    fn no_byte_of_a_token_can_be_altered() {
        let (keys, token) = (keys(1, ""), keys(1, "").sign(&ticket()));
        for at in 0..token.len() {
            for other in ['A', 'B', '.', '~', '\u{e9}'] {
                let altered: String = token.chars().enumerate().map(|(i, c)| if i == at { other } else { c }).collect();
                if altered != token {
                    assert_eq!(keys.open(&altered, 0), Err(Refusal::Forged), "{altered}");
                }
            }
            assert_eq!(keys.open(&token[..at], 0), Err(Refusal::Forged));
        }
        let own = URL_SAFE_NO_PAD.encode("1~8~100~2026-03-02-1a2b3c4d5e6f");
        let tag = token.split_once('.').expect("a tag").1;
        assert_eq!(keys.open(&format!("{own}.{tag}"), 0), Err(Refusal::Forged));
        assert_eq!(keys.open(&"a".repeat(10_000), 0), Err(Refusal::Forged));
    }

    #[test]
    fn an_older_key_is_accepted_and_does_not_sign() {
        let old = keys(1, "").sign(&ticket());
        let both = Keys::new(Key::new(&[2; 32]).expect("a key"), vec![Key::new(&[1; 32]).expect("a key")], "");
        assert_eq!(both.open(&old, 0), Ok(ticket()));
        assert_eq!(keys(1, "").open(&both.sign(&ticket()), 0), Err(Refusal::Forged));
    }
}
