//! A directory of `.eml` files, for trying out and for what takes them from there.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use linli_connectors::{Error, ErrorKind, Result};
use tokio::io::AsyncWriteExt;
use url::Url;

use super::{Failed, Letter, Mailer, OpenOptions};

pub(super) struct FileMailer {
    directory: PathBuf,
    name: String,
}

impl FileMailer {
    pub(super) fn open(url: &Url, options: &OpenOptions) -> Result<FileMailer> {
        let bare = url.path().trim_matches('/').is_empty();
        let directory =
            if bare { options.data_dir.as_ref().map(|dir| dir.join("outbox")) } else { url.to_file_path().ok() };
        let directory = directory.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("outbox {url}"), "names no directory")
                .hint("use file:///ABSOLUTE/DIR")
        })?;
        let name = format!("file://{}", directory.display());
        std::fs::create_dir_all(&directory).map_err(|error| {
            Error::new(ErrorKind::Config, format!("outbox {name}"), "cannot make the directory")
                .hint("name a directory that this user may write to")
                .caused_by(error)
        })?;
        Ok(FileMailer { directory, name })
    }

    /// A letter that is sent again replaces itself; a reader never sees half of one.
    async fn write(&self, letter: &Letter) -> io::Result<PathBuf> {
        let name = file_name(&letter.message_id);
        let (path, draft) = (self.directory.join(format!("{name}.eml")), self.directory.join(format!(".{name}.draft")));
        let mut file = tokio::fs::File::create(&draft).await?;
        file.write_all(&letter.bytes).await?;
        file.sync_all().await?;
        tokio::fs::rename(&draft, &path).await?;
        sync_directory(&self.directory).await?;
        Ok(path)
    }
}

async fn sync_directory(directory: &Path) -> io::Result<()> {
    tokio::fs::File::open(directory).await?.sync_all().await
}

/// The id without its brackets, and nothing in it that means something in a path.
fn file_name(message_id: &str) -> String {
    let plain = message_id.trim_matches(['<', '>']).trim_start_matches('.');
    plain.chars().map(|c| if c.is_ascii_alphanumeric() || "@.-_".contains(c) { c } else { '_' }).collect()
}

#[async_trait]
impl Mailer for FileMailer {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, letter: &Letter) -> std::result::Result<String, Failed> {
        match self.write(letter).await {
            Ok(path) => Ok(format!("written to {}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failed::Broken(
                Error::new(ErrorKind::Config, format!("outbox {}", self.name), "may not be written to")
                    .hint("give this user the right to write there")
                    .caused_by(error),
            )),
            Err(error) => Err(Failed::Unreachable { reason: format!("outbox {}: {error}", self.name) }),
        }
    }

    async fn check(&self) -> Result<()> {
        let probe = self.directory.join(".check");
        let written = async {
            tokio::fs::write(&probe, []).await?;
            tokio::fs::remove_file(&probe).await
        };
        written.await.map_err(|error| {
            Error::new(ErrorKind::Config, format!("outbox {}", self.name), "cannot be written to")
                .hint("give this user the right to write there, and see that the disk is not full")
                .caused_by(error)
        })
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn an_id_cannot_leave_the_directory() {
        assert_eq!(file_name("<ab12@linli.example>"), "ab12@linli.example");
        assert_eq!(file_name("<../../etc/x@y>"), "_.._etc_x@y");
    }
}
