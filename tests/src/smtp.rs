//! A mail server on loopback with TLS, which does as it is told and remembers what it got.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub const USER: &str = "orders@linli.example";
pub const PASSWORD: &str = "s3cr3t/of:mail";

/// A key and a certificate for `localhost`, made once.
pub static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(Certificate::make);

pub struct Certificate {
    _dir: tempfile::TempDir,
    key: PathBuf,
    pub file: PathBuf,
}

impl Certificate {
    pub fn make() -> Certificate {
        let dir = tempfile::tempdir().expect("a folder");
        let (key, file) = (dir.path().join("key.pem"), dir.path().join("certificate.pem"));
        let subject = ["-subj", "/CN=mail", "-addext", "subjectAltName=DNS:localhost"];
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(subject)
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&file)
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{made:?}");
        Certificate { _dir: dir, key, file }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let chain = vec![CertificateDer::from_pem_file(&self.file).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    StartTls,
    Implicit,
    Plain,
}

/// What the server does with a letter.
#[derive(Clone, Debug)]
pub enum Act {
    Take,
    /// Answers so to the sender, the recipient, or the end of the letter.
    Sender(&'static str),
    Recipient(&'static str),
    End(&'static str),
    /// Takes the letter and cuts the connection instead of an answer.
    CutBeforeAnswer,
    CutAfterAnswer,
    /// Takes the letter, says so to the test and never answers.
    Hang,
    /// Answers and says so to the test.
    Tell,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub from: String,
    pub to: String,
    pub bytes: Vec<u8>,
    pub secured: bool,
    pub signed_in: bool,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    script: Mutex<VecDeque<Act>>,
    connections: Mutex<u32>,
}

pub struct Server {
    port: u16,
    mode: Mode,
    shared: Arc<Shared>,
    /// What [`Act::Hang`] and [`Act::Tell`] tell.
    pub told: mpsc::UnboundedReceiver<()>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub async fn start(mode: Mode) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (shared, acceptor) = (Arc::new(Shared::default()), CERTIFICATE.acceptor());
        let (tell, told) = mpsc::unbounded_channel();
        let state = shared.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *state.connections.lock().expect("not poisoned") += 1;
                let session = Session { shared: state.clone(), tell: tell.clone(), secured: false, signed_in: false };
                let acceptor = acceptor.clone();
                tokio::spawn(async move { session.serve(stream, mode, acceptor).await });
            }
        });
        Server { port, mode, shared, told, serving }
    }

    /// With user, password and authority where the server has them.
    pub fn url(&self) -> String {
        let (port, ca) = (self.port, CERTIFICATE.file.display());
        let user = format!("{}:{}", USER.replace('@', "%40"), PASSWORD.replace('/', "%2F").replace(':', "%3A"));
        match self.mode {
            Mode::StartTls => format!("smtp://{user}@localhost:{port}?ca={ca}"),
            Mode::Implicit => format!("smtps://{user}@localhost:{port}?ca={ca}"),
            Mode::Plain => format!("smtp://127.0.0.1:{port}?tls=none"),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// For the letters to come, in order; those after are taken.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.shared.script.lock().expect("not poisoned").extend(acts);
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    pub fn connections(&self) -> u32 {
        *self.shared.connections.lock().expect("not poisoned")
    }
}

struct Session {
    shared: Arc<Shared>,
    tell: mpsc::UnboundedSender<()>,
    secured: bool,
    signed_in: bool,
}

/// How a conversation goes on.
enum Next {
    Over,
    Secure,
}

impl Session {
    async fn serve(mut self, stream: TcpStream, mode: Mode, acceptor: TlsAcceptor) {
        if mode == Mode::Implicit {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            self.secured = true;
            self.converse(stream, mode, true).await;
            return;
        }
        let mut stream = stream;
        if let Next::Secure = self.converse(&mut stream, mode, true).await
            && let Ok(stream) = acceptor.accept(stream).await
        {
            self.secured = true;
            self.converse(stream, mode, false).await;
        }
    }

    async fn converse(&mut self, stream: impl AsyncRead + AsyncWrite + Unpin, mode: Mode, greet: bool) -> Next {
        let mut stream = BufReader::new(stream);
        if greet {
            say(&mut stream, "220 localhost ready").await;
        }
        let (mut from, mut to, mut act) = (String::new(), String::new(), Act::Take);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return Next::Over;
            }
            let line = line.trim_end();
            let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" if mode == Mode::StartTls && !self.secured => "250-localhost\r\n250 STARTTLS".to_owned(),
                "EHLO" => "250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN".to_owned(),
                "STAR" => {
                    say(&mut stream, "220 go on").await;
                    return Next::Secure;
                }
                "AUTH" => self.sign_in(line),
                "MAIL" if mode != Mode::Plain && !(self.secured && self.signed_in) => "530 5.7.0 sign in".to_owned(),
                "MAIL" => {
                    act = self.shared.script.lock().expect("not poisoned").pop_front().unwrap_or(Act::Take);
                    from = address(line);
                    if let Act::Sender(answer) = act { answer.to_owned() } else { "250 ok".to_owned() }
                }
                "RCPT" => {
                    to = address(line);
                    if let Act::Recipient(answer) = act { answer.to_owned() } else { "250 ok".to_owned() }
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await;
                    let Some(bytes) = letter(&mut stream).await else { return Next::Over };
                    if !matches!(act, Act::End(_)) {
                        let (secured, signed_in) = (self.secured, self.signed_in);
                        let got = Received { from: from.clone(), to: to.clone(), bytes, secured, signed_in };
                        self.shared.received.lock().expect("not poisoned").push(got);
                    }
                    match act {
                        Act::CutBeforeAnswer => return Next::Over,
                        Act::CutAfterAnswer => {
                            say(&mut stream, "250 taken").await;
                            return Next::Over;
                        }
                        Act::Hang => {
                            let _ = self.tell.send(());
                            std::future::pending::<()>().await;
                            return Next::Over;
                        }
                        Act::Tell => {
                            say(&mut stream, "250 taken").await;
                            let _ = self.tell.send(());
                            continue;
                        }
                        Act::End(answer) => answer.to_owned(),
                        _ => "250 2.0.0 taken".to_owned(),
                    }
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await;
                    return Next::Over;
                }
                _ => "250 ok".to_owned(),
            };
            say(&mut stream, &answer).await;
        }
    }

    fn sign_in(&mut self, line: &str) -> String {
        use base64::Engine as _;
        let told = line.split(' ').nth(2).unwrap_or_default();
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
        self.signed_in = told == expected;
        if self.signed_in { "235 welcome".to_owned() } else { "535 5.7.8 wrong user or password".to_owned() }
    }
}

async fn say(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>, line: &str) {
    let _ = stream.write_all(format!("{line}\r\n").as_bytes()).await;
    let _ = stream.flush().await;
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// The letter up to the lone dot, with doubled dots undone.
async fn letter(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(bytes);
        }
        bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
