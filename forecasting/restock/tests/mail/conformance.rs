//! What every mailer must do: one suite over the server and the directory.

use std::collections::BTreeMap;

use linli_restock::mail::Letter;
use linli_restock::mail::mailer::{self, Mailer, OpenOptions};

use linli_tests::smtp::{Mode, Server};

fn letter(id: &str, body: &str) -> Letter {
    let text = format!("Message-ID: <{id}@linli.example>\r\nSubject: order\r\n\r\n{body}");
    Letter {
        message_id: format!("<{id}@linli.example>"),
        from: "orders@linli.example".to_owned(),
        to: "s1@example.com".to_owned(),
        bytes: text.into_bytes(),
    }
}

fn id(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split(['<', '>']).nth(1).expect("an id").to_owned()
}

/// `received` gives all letters that arrived, each as often as it stands there.
async fn suite(mailer: &dyn Mailer, received: impl Fn() -> Vec<Vec<u8>>) {
    let long = "0123456789abcdef\r\n".repeat(40_000);
    let letters = [
        letter("plain", "hello\r\n"),
        letter("dots", ".\r\n..\r\n.a\r\nend"),
        letter("long", &long),
        letter("wide", "苹果 24 箱\r\n"),
    ];
    for letter in &letters {
        let answer = mailer.send(letter).await.unwrap_or_else(|failed| panic!("{failed:?}"));
        assert!(!answer.is_empty());
        // Taken means there.
        assert!(received().iter().any(|bytes| id(bytes) == letter.message_id.trim_matches(['<', '>'])));
    }
    let got: BTreeMap<String, Vec<u8>> = received().into_iter().map(|bytes| (id(&bytes), bytes)).collect();
    for letter in &letters {
        let bytes = &got[letter.message_id.trim_matches(['<', '>'])];
        // A conversation ends every letter with a line break.
        let ended = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert_eq!(ended(bytes), ended(&letter.bytes));
    }
    // Handed over again it is the same letter.
    mailer.close().await;
    mailer.send(&letters[0]).await.unwrap_or_else(|failed| panic!("{failed:?}"));
    let again: Vec<Vec<u8>> = received().into_iter().filter(|bytes| id(bytes) == "plain@linli.example").collect();
    assert!(again.iter().all(|bytes| *bytes == again[0]), "the same id is the same letter");
    mailer.close().await;
}

#[tokio::test]
async fn a_server_with_starttls_passes() {
    let server = Server::start(Mode::StartTls).await;
    let mailer = mailer::open(&server.url(), &OpenOptions::default()).expect("opens");
    suite(&*mailer, || server.received().into_iter().map(|got| got.bytes).collect()).await;
    assert!(server.received().iter().all(|got| got.secured && got.signed_in));
    assert_eq!(server.connections(), 2, "one conversation serves many letters");
}

#[tokio::test]
async fn a_server_with_tls_from_the_first_byte_passes() {
    let server = Server::start(Mode::Implicit).await;
    let mailer = mailer::open(&server.url(), &OpenOptions::default()).expect("opens");
    suite(&*mailer, || server.received().into_iter().map(|got| got.bytes).collect()).await;
    assert!(server.received().iter().all(|got| got.secured && got.signed_in));
}

#[tokio::test]
async fn a_relay_on_this_machine_passes() {
    let server = Server::start(Mode::Plain).await;
    let mailer = mailer::open(&server.url(), &OpenOptions::default()).expect("opens");
    suite(&*mailer, || server.received().into_iter().map(|got| got.bytes).collect()).await;
}

#[tokio::test]
async fn a_directory_passes() {
    let dir = tempfile::tempdir().expect("a folder");
    let mailer = mailer::open(&format!("file://{}", dir.path().display()), &OpenOptions::default()).expect("opens");
    let read = || {
        let entries = std::fs::read_dir(dir.path()).expect("a folder").flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "eml"));
        paths.map(|path| std::fs::read(path).expect("a file")).collect::<Vec<_>>()
    };
    suite(&*mailer, read).await;
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 4, "no drafts, no copies");
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_without_secrets() {
    let open = |url: &str| mailer::open(url, &OpenOptions::default()).map(|_| ()).expect_err(url);
    for (url, told) in [
        ("smtp://u:s3cret@", "mail server"),
        ("smtp://u:s3cret@host:99999", "mail server"),
        ("imap://u:s3cret@host", "imap:// is not known"),
        ("smtp://u:s3cret@host?tls=maybe", "setting tls"),
        ("smtp://u:s3cret@host?ca=/nowhere/s.pem", "/nowhere/s.pem"),
        ("smtp://u:s3cret@host?tls=none", "without TLS"),
        ("smtps://host?tls=none", "TLS"),
        ("smtp://u@host", "no password"),
        ("smtp://u:s3cret%zz@host", "cannot be read"),
        ("file://", "no directory"),
    ] {
        let error = open(url);
        let text = format!("{error} {error:?}");
        assert!(error.to_string().contains(told), "{url}: {error}");
        assert!(error.hint.is_some() && !text.contains("s3cret"), "{url}: {text}");
    }
    let options = OpenOptions { password: Some("p".to_owned()), ..OpenOptions::default() };
    assert_eq!(mailer::open("smtp://u@host", &options).expect("opens").name(), "smtp://host:587");
    assert_eq!(mailer::open("smtps://u@host", &options).expect("opens").name(), "smtps://host:465");
}
