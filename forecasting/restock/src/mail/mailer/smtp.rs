//! A mail server: TLS unless told otherwise, one conversation for many letters.

use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use linli_connectors::{Error, ErrorKind, Result};
use tokio::sync::Mutex;
use url::Url;

use super::{Failed, Letter, Mailer, OpenOptions};

type SmtpError = lettre::transport::smtp::Error;

/// Characters kept of what a server answered.
const ANSWER_CHARS_MAX: usize = 500;

#[derive(Clone)]
enum Security {
    None,
    StartTls(TlsParameters),
    Implicit(TlsParameters),
}

pub(super) struct SmtpMailer {
    name: String,
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    hello: ClientId,
    timeout: Duration,
    /// The conversation with the server, kept between letters.
    connection: Mutex<Option<AsyncSmtpConnection>>,
}

impl SmtpMailer {
    pub(super) fn open(url: &Url, options: &OpenOptions) -> Result<SmtpMailer> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let implicit = url.scheme() == "smtps";
        let port = url.port().unwrap_or(if implicit { 465 } else { 587 });
        let name = format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or_default());
        let bad = |cause: &str| Error::new(ErrorKind::Config, format!("mail server {name}"), cause);
        if host.is_empty() {
            return Err(bad("has no host").hint(super::FORMS));
        }
        let settings = Settings::parse(url, &bad)?;
        let security = match (settings.plain, implicit) {
            (true, true) => return Err(bad("smtps is TLS, which tls=none forbids").hint("use smtp://…?tls=none")),
            (true, false) => Security::None,
            (false, true) => Security::Implicit(settings.tls(&host, &bad)?),
            (false, false) => Security::StartTls(settings.tls(&host, &bad)?),
        };
        let credentials = credentials(url, options, &bad)?;
        if credentials.is_some() && settings.plain {
            return Err(bad("a password is not sent without TLS").hint("leave tls=none away, or the user"));
        }
        let hello = settings.hello.map_or_else(ClientId::default, ClientId::Domain);
        let (timeout, connection) = (options.timeout, Mutex::new(None));
        Ok(SmtpMailer { name, host, port, security, credentials, hello, timeout, connection })
    }

    fn broken(&self, cause: &str, error: &SmtpError, hint: &str) -> Failed {
        let cause = format!("{cause}: {}", told(error));
        Failed::Broken(Error::new(ErrorKind::Config, format!("mail server {}", self.name), cause).hint(hint))
    }

    fn unreachable(&self, doing: &str, error: &SmtpError) -> Failed {
        Failed::Unreachable { reason: format!("mail server {}: {doing}: {}", self.name, told(error)) }
    }

    /// Connects, secures and signs in.
    async fn connect(&self) -> std::result::Result<AsyncSmtpConnection, Failed> {
        let implicit = match &self.security {
            Security::Implicit(tls) => Some(tls.clone()),
            Security::None | Security::StartTls(_) => None,
        };
        let to = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(to, Some(self.timeout), &self.hello, implicit, None);
        let mut connection = connecting.await.map_err(|error| self.unsecured("connecting", &error))?;
        if let Security::StartTls(tls) = &self.security {
            if !connection.can_starttls() {
                connection.abort().await;
                let cause = "does not offer STARTTLS";
                return Err(Failed::Broken(
                    Error::new(ErrorKind::Config, format!("mail server {}", self.name), cause)
                        .hint("use smtps:// where TLS begins at once, or ?tls=none for a relay on this machine"),
                ));
            }
            let secured = connection.starttls(tls.clone(), &self.hello).await;
            secured.map_err(|error| self.unsecured("STARTTLS", &error))?;
        }
        if let Some(credentials) = &self.credentials {
            match connection.auth(DEFAULT_MECHANISMS, credentials).await {
                Ok(_) => {}
                Err(error) if error.is_permanent() || error.is_client() => {
                    connection.abort().await;
                    let hint = "check the user and the password of --mail";
                    return Err(self.broken("the sign-in was refused", &error, hint));
                }
                Err(error) => return Err(self.unreachable("signing in", &error)),
            }
        }
        Ok(connection)
    }

    /// A certificate that is not trusted does not mend itself; everything else may.
    fn unsecured(&self, doing: &str, error: &SmtpError) -> Failed {
        if error.is_tls() || error.to_string().contains("certificate") {
            let hint = "name the authority that signed it by ?ca=FILE, and the server by the name in its certificate";
            return self.broken("its certificate is not trusted", error, hint);
        }
        self.unreachable(doing, error)
    }

    async fn hand_over(&self, letter: &Letter) -> std::result::Result<String, Failed> {
        // Taken out: a conversation that is cut short by an error or a time-out is not gone on with.
        let kept = self.connection.lock().await.take();
        if let Some(mut connection) = kept {
            match self.converse(&mut connection, letter).await {
                // The server ended an idle conversation: nothing was handed over.
                Err(Outcome::Stale) => {}
                Err(Outcome::Failed(failed)) => {
                    connection.abort().await;
                    return Err(failed);
                }
                Ok(answer) => {
                    *self.connection.lock().await = Some(connection);
                    return Ok(answer);
                }
            }
        }
        let mut connection = self.connect().await?;
        match self.converse(&mut connection, letter).await {
            Ok(answer) => {
                *self.connection.lock().await = Some(connection);
                Ok(answer)
            }
            Err(outcome) => {
                connection.abort().await;
                Err(match outcome {
                    Outcome::Failed(failed) => failed,
                    Outcome::Stale => {
                        Failed::Unreachable { reason: format!("mail server {} ended the conversation", self.name) }
                    }
                })
            }
        }
    }

    async fn converse(&self, connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<String, Outcome> {
        let address = |text: &str| {
            text.parse::<Address>()
                .map_err(|_| Outcome::Failed(Failed::Refused { answer: format!("\"{text}\" is no address") }))
        };
        let (from, to) = (address(&letter.from)?, address(&letter.to)?);
        let mut parameters = Vec::new();
        if !letter.bytes.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        match connection.command(Mail::new(Some(from), parameters)).await {
            Ok(_) => {}
            Err(error) if error.is_permanent() => {
                let hint = "see that mail.from is an address that this user may send from";
                return Err(Outcome::Failed(self.broken("the sender is refused", &error, hint)));
            }
            Err(error) if error.is_transient() && error.status().map(u16::from) != Some(421) => {
                return Err(Outcome::Failed(Failed::Later { reason: told(&error) }));
            }
            Err(_) => return Err(Outcome::Stale),
        }
        connection.command(Rcpt::new(to, Vec::new())).await.map_err(of_letter)?;
        connection.command(Data).await.map_err(of_letter)?;
        let answer = connection.message(&letter.bytes).await.map_err(of_letter)?;
        Ok(answer_text(&answer))
    }
}

/// What one conversation came to, where no letter was taken.
enum Outcome {
    /// It was over before it began.
    Stale,
    Failed(Failed),
}

fn of_letter(error: SmtpError) -> Outcome {
    Outcome::Failed(if error.is_permanent() {
        Failed::Refused { answer: told(&error) }
    } else {
        Failed::Later { reason: told(&error) }
    })
}

fn answer_text(answer: &Response) -> String {
    let text = format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" "));
    shortened(&text)
}

/// An error as one line that is not long: it comes from outside.
fn told(error: &SmtpError) -> String {
    shortened(&error.to_string())
}

fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ANSWER_CHARS_MAX).collect()
}

#[async_trait]
impl Mailer for SmtpMailer {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, letter: &Letter) -> std::result::Result<String, Failed> {
        match tokio::time::timeout(self.timeout, self.hand_over(letter)).await {
            Ok(sent) => sent,
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                Err(Failed::Later { reason: format!("mail server {}: no answer within {seconds} s", self.name) })
            }
        }
    }

    async fn check(&self) -> Result<()> {
        let name = format!("mail server {}", self.name);
        let silent = || Failed::Unreachable { reason: format!("{name}: no answer") };
        match tokio::time::timeout(self.timeout, self.connect()).await.unwrap_or_else(|_| Err(silent())) {
            Ok(connection) => {
                *self.connection.lock().await = Some(connection);
                self.close().await;
                Ok(())
            }
            Err(Failed::Broken(error)) => Err(error),
            Err(Failed::Refused { answer: reason } | Failed::Later { reason } | Failed::Unreachable { reason }) => {
                let reason = reason.strip_prefix(&format!("{name}: ")).unwrap_or(&reason).to_owned();
                Err(Error::new(ErrorKind::Retry, name, reason).hint("is it up, and are host and port right?"))
            }
        }
    }

    async fn close(&self) {
        if let Some(mut connection) = self.connection.lock().await.take() {
            // A server that does not answer the farewell has all letters already.
            let _ = tokio::time::timeout(self.timeout, connection.quit()).await;
        }
    }
}

/// What stands behind the `?` of the URL.
#[derive(Default)]
struct Settings {
    ca: Option<String>,
    plain: bool,
    hello: Option<String>,
}

impl Settings {
    fn parse(url: &Url, bad: &impl Fn(&str) -> Error) -> Result<Settings> {
        let mut settings = Settings::default();
        for (key, value) in url.query_pairs() {
            match (&*key, &*value) {
                ("ca", file) => settings.ca = Some(file.to_owned()),
                ("tls", "none") => settings.plain = true,
                ("tls", "required") => settings.plain = false,
                ("hello", name) if is_host_name(name) => settings.hello = Some(name.to_owned()),
                _ => {
                    return Err(bad(&format!("setting {key} is not known or has a wrong value"))
                        .hint("ca=FILE, tls=required|none and hello=NAME can be set"));
                }
            }
        }
        Ok(settings)
    }

    fn tls(&self, host: &str, bad: &impl Fn(&str) -> Error) -> Result<TlsParameters> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(file) = &self.ca {
            let unreadable = |cause: String| bad(&cause).hint("ca=FILE names a certificate in PEM form");
            let pem = std::fs::read(file).map_err(|error| unreadable(format!("{file}: {error}")))?;
            let authority = Certificate::from_pem(&pem).map_err(|error| unreadable(format!("{file}: {error}")))?;
            // This one alone: whoever names an authority does not trust all others too.
            builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
        }
        builder.build().map_err(|error| bad(&format!("TLS cannot be set up: {error}")))
    }
}

fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

fn credentials(url: &Url, options: &OpenOptions, bad: &impl Fn(&str) -> Error) -> Result<Option<Credentials>> {
    if url.username().is_empty() {
        return Ok(None);
    }
    let password = match (url.password(), &options.password) {
        (Some(password), _) => decoded(password),
        (None, Some(password)) => Some(password.clone()),
        (None, None) => {
            return Err(bad("has a user and no password").hint("set LINLI__MAIL__PASSWORD, or write it into the URL"));
        }
    };
    match (decoded(url.username()), password) {
        (Some(user), Some(password)) => Ok(Some(Credentials::new(user, password))),
        _ => Err(bad("user and password cannot be read").hint("write them as UTF-8, with %XX for special characters")),
    }
}

/// Text of a URL with its `%XX` as the bytes they mean.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
