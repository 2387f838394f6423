//! The address of a server, and logging in to it.

use std::path::PathBuf;
use std::time::Duration;

use linli_connectors::{Error, ErrorKind};
use mysql_common::{crypto, scramble};
use tokio::net::TcpStream;

use super::packet::Wire;
use super::query::server_error;
use super::{WireError, WireResult, tls};

const PORT: u16 = 3306;
/// For the connection and the login together.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// utf8mb4_general_ci, which both kinds of server know.
const CHARSET: u8 = 45;
const PAYLOAD_MAX: u32 = 1 << 30;

const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 4;
const PROTOCOL_41: u32 = 0x200;
const TLS: u32 = 0x800;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;

/// As MySQL's own clients name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    Disabled,
    /// With TLS where the server offers it.
    Preferred,
    Required,
    VerifyCa,
    VerifyIdentity,
}

/// `mysql://USER:PASSWORD@HOST:PORT[,HOST:PORT…][?ssl-mode=…&ssl-ca=FILE][#NAME]`
///
/// Several hosts are servers that replicate one another, to be tried in this order.
#[derive(Clone)]
pub struct Address {
    pub host: String,
    pub port: u16,
    others: Vec<(String, u16)>,
    pub user: String,
    password: String,
    pub tls: TlsMode,
    pub ca: Option<PathBuf>,
    /// What the records call the server: `NAME`, or the first host and port.
    pub name: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mysql://{}:***@{}:{}", self.user, self.host, self.port)?;
        self.others.iter().try_for_each(|(host, port)| write!(f, ",{host}:{port}"))
    }
}

impl Address {
    pub fn parse(text: &str) -> Result<Address, Error> {
        let bad = |cause: String| {
            // the text may hold a password: it stays out
            Error::new(ErrorKind::Config, "the address of the shop", cause)
                .hint("write it as in mysql://USER:PASSWORD@HOST:3306?ssl-mode=REQUIRED#NAME")
        };
        let (first, others) = hosts(text);
        let url = url::Url::parse(&first).map_err(|error| bad(error.to_string()))?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(bad(format!("scheme {:?} is neither mysql nor mariadb", url.scheme())));
        }
        let host_of = |url: &url::Url| {
            let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("names no host".to_owned()))?;
            Ok((host.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(PORT)))
        };
        let (host, port) = host_of(&url)?;
        let other = |host: &&str| {
            let url = url::Url::parse(&format!("mysql://{host}")).map_err(|error| bad(format!("{host:?}: {error}")))?;
            host_of(&url)
        };
        let others = others.iter().map(other).collect::<Result<Vec<_>, Error>>()?;
        let (mut tls, mut ca) = (TlsMode::Preferred, None);
        for (key, value) in url.query_pairs() {
            match (&*key, value.to_ascii_uppercase().as_str()) {
                ("ssl-mode", "DISABLED") => tls = TlsMode::Disabled,
                ("ssl-mode", "PREFERRED") => tls = TlsMode::Preferred,
                ("ssl-mode", "REQUIRED") => tls = TlsMode::Required,
                ("ssl-mode", "VERIFY_CA") => tls = TlsMode::VerifyCa,
                ("ssl-mode", "VERIFY_IDENTITY") => tls = TlsMode::VerifyIdentity,
                ("ssl-mode", _) => return Err(bad(format!("ssl-mode={value} is unknown"))),
                ("ssl-ca", _) => ca = Some(PathBuf::from(&*value)),
                _ => return Err(bad(format!("setting {key:?} is unknown"))),
            }
        }
        let decoded = |text: &str| String::from_utf8_lossy(&percent_decoded(text)).into_owned();
        let user = decoded(url.username());
        Ok(Address {
            name: url.fragment().map_or_else(|| format!("{host}:{port}"), decoded),
            user: if user.is_empty() { "root".to_owned() } else { user },
            password: decoded(url.password().unwrap_or_default()),
            host,
            port,
            others,
            tls,
            ca,
        })
    }

    /// One address for each host, in their order; all have one name.
    pub fn hosts(&self) -> Vec<Address> {
        let first = std::iter::once((self.host.clone(), self.port));
        let all = first.chain(self.others.iter().cloned());
        all.map(|(host, port)| Address { host, port, others: Vec::new(), ..self.clone() }).collect()
    }

    /// What errors call it.
    pub fn object(&self) -> String {
        format!("server mysql://{}:{}", self.host, self.port)
    }

    pub async fn connect(&self) -> WireResult<Wire> {
        let connected = tokio::time::timeout(CONNECT_WITHIN, async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let mut wire = Wire::new(Box::new(stream));
            wire.log_in(self).await?;
            Ok(wire)
        });
        connected.await.unwrap_or(Err(WireError::Silent(CONNECT_WITHIN.as_secs())))
    }
}

/// The text with its first host alone, and the other hosts: a URL has no list of them.
fn hosts(text: &str) -> (String, Vec<&str>) {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text.get(start..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(text.len(), |at| start + at);
    let authority = text.get(start..end).unwrap_or_default();
    let list = authority.rfind('@').map_or(start, |at| start + at + 1);
    let mut names = text.get(list..end).unwrap_or_default().split(',');
    let first = names.next().unwrap_or_default();
    let before = text.get(..list).unwrap_or_default();
    (format!("{before}{first}{}", text.get(end..).unwrap_or_default()), names.collect())
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

struct Greeting {
    version: String,
    connection_id: u32,
    capabilities: u32,
    nonce: Vec<u8>,
    plugin: String,
}

fn greeting(payload: &[u8]) -> WireResult<Greeting> {
    let bad = || WireError::Protocol("the greeting of the server");
    if payload.first() == Some(&0xff) {
        return Err(server_error(payload));
    }
    let rest = payload.strip_prefix(&[10]).ok_or_else(bad)?;
    let end = rest.iter().position(|byte| *byte == 0).ok_or_else(bad)?;
    let (version, rest) = rest.split_at(end);
    let fixed: &[u8; 31] = rest.get(1..).and_then(|rest| rest.first_chunk()).ok_or_else(bad)?;
    let capabilities = u32::from_le_bytes([fixed[13], fixed[14], fixed[18], fixed[19]]);
    let mut nonce = fixed[4..12].to_vec();
    let rest = rest.get(32..).unwrap_or_default();
    let second = usize::from(fixed[20]).saturating_sub(8).max(13).min(rest.len());
    let (second, plugin) = rest.split_at(second);
    nonce.extend_from_slice(second);
    nonce.truncate(20);
    let version = String::from_utf8_lossy(version).into_owned();
    Ok(Greeting {
        // MariaDB hides behind a version that old replicas accept.
        version: version.strip_prefix("5.5.5-").map_or(version.clone(), str::to_owned),
        connection_id: u32::from_le_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]),
        capabilities,
        nonce,
        plugin: until_nul(plugin),
    })
}

fn until_nul(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

impl Wire {
    async fn log_in(&mut self, address: &Address) -> WireResult<()> {
        let greeting = greeting(self.read().await?)?;
        self.version = greeting.version;
        self.connection_id = greeting.connection_id;
        let mut flags = LONG_PASSWORD | LONG_FLAG | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH;
        let offered = greeting.capabilities & TLS != 0;
        let wanted = match address.tls {
            TlsMode::Disabled => false,
            TlsMode::Preferred => offered && tls::is_worth_preferring(address),
            _ if !offered => return Err(WireError::Tls("the server offers none".to_owned())),
            _ => true,
        };
        if wanted {
            flags |= TLS;
            self.reply(&head(flags)).await?;
            let plain = self.take_stream()?;
            let secured = tls::secure(plain, address).await?;
            self.set_stream(secured);
            self.secure = true;
        }
        let plugin = if greeting.plugin.is_empty() { "mysql_native_password" } else { &greeting.plugin };
        let answer = answer(plugin, &address.password, &greeting.nonce, self.secure)
            .or_else(|_| answer("mysql_native_password", &address.password, &greeting.nonce, self.secure))?;
        let mut response = head(flags);
        response.extend_from_slice(address.user.as_bytes());
        response.push(0);
        response.push(answer.len().min(255) as u8);
        response.extend_from_slice(&answer);
        response.extend_from_slice(plugin.as_bytes());
        response.push(0);
        self.reply(&response).await?;
        self.authenticate(plugin.to_owned(), greeting.nonce, &address.password).await
    }

    async fn authenticate(&mut self, mut plugin: String, mut nonce: Vec<u8>, password: &str) -> WireResult<()> {
        loop {
            let secure = self.secure;
            let payload = self.read().await?;
            let reply = match payload.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xff, _)) => return Err(server_error(payload)),
                Some((0xfe, rest)) => {
                    plugin = until_nul(rest);
                    nonce = rest.get(plugin.len() + 1..).unwrap_or_default().to_vec();
                    nonce.truncate(20);
                    answer(&plugin, password, &nonce, secure)?
                }
                Some((0x01, [0x03])) => continue, // known to the server's cache: an OK follows
                Some((0x01, [0x04])) if plugin == "caching_sha2_password" => match secure {
                    true => with_nul(password),
                    false => vec![0x02], // asks for the server's public key
                },
                Some((0x01, key)) if plugin == "caching_sha2_password" && key.starts_with(b"-----BEGIN") => {
                    let mut hidden = with_nul(password);
                    for (byte, salt) in hidden.iter_mut().zip(nonce.iter().cycle()) {
                        *byte ^= salt;
                    }
                    crypto::encrypt(&hidden, key)
                }
                _ => return Err(WireError::Protocol("a step of the login")),
            };
            self.reply(&reply).await?;
        }
    }
}

fn head(flags: u32) -> Vec<u8> {
    let mut head = flags.to_le_bytes().to_vec();
    head.extend_from_slice(&PAYLOAD_MAX.to_le_bytes());
    head.push(CHARSET);
    head.extend_from_slice(&[0; 23]);
    head
}

fn with_nul(password: &str) -> Vec<u8> {
    [password.as_bytes(), &[0]].concat()
}

fn answer(plugin: &str, password: &str, nonce: &[u8], secure: bool) -> WireResult<Vec<u8>> {
    let password = password.as_bytes();
    match plugin {
        _ if password.is_empty() && plugin != "mysql_clear_password" => Ok(Vec::new()),
        "mysql_native_password" => Ok(scramble::scramble_native(nonce, password).map_or(Vec::new(), |s| s.to_vec())),
        "caching_sha2_password" => Ok(scramble::scramble_sha256(nonce, password).map_or(Vec::new(), |s| s.to_vec())),
        "mysql_clear_password" if secure => Ok([password, &[0]].concat()),
        other => Err(WireError::Plugin(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_are_one_server_with_one_name() {
        let address = Address::parse("mysql://u:p%2C@a:1,b,[::1]:3?ssl-mode=disabled").unwrap();
        assert_eq!(format!("{address:?}"), "mysql://u:***@a:1,b:3306,::1:3");
        let hosts: Vec<_> =
            address.hosts().into_iter().map(|one| (one.host, one.port, one.name, one.password)).collect();
        let one = |host: &str, port| (host.to_owned(), port, "a:1".to_owned(), "p,".to_owned());
        assert_eq!(hosts, [one("a", 1), one("b", 3306), one("::1", 3)]);
        assert_eq!(Address::parse("mysql://a,b#shop").unwrap().name, "shop");
    }

    #[test]
    fn addresses_are_read_and_never_shown_whole() {
        let address = Address::parse("mysql://lin%40li:s%2Fcret@db.shop:3307?ssl-mode=required#shop-a").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.user.as_str()), ("db.shop", 3307, "lin@li"));
        assert_eq!((address.password.as_str(), address.tls), ("s/cret", TlsMode::Required));
        assert_eq!(address.name, "shop-a");
        assert!(!format!("{address:?}").contains("s/cret"));
        assert_eq!(Address::parse("mysql://root@127.0.0.1").unwrap().name, "127.0.0.1:3306");
        for bad in [
            "http://x",
            "mysql://",
            "mysql://a,",
            "mysql://a:1,b:x",
            "mysql://,b",
            "mysql://h?ssl-mode=maybe",
            "mysql://h?sslmode=off",
            "shop://",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config, "{bad}");
        }
    }
}
