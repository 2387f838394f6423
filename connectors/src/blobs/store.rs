//! Blobs on the crate `object_store`: a directory, memory, S3.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::{Blobs, OpenOptions, PutOutcome};
use crate::{Error, ErrorKind, Result, namespace};

pub(super) struct StoreBlobs {
    store: Arc<dyn ObjectStore>,
    /// Without credentials, for messages.
    name: String,
    prefix: String,
}

impl StoreBlobs {
    pub(super) fn open(url: &str, options: &OpenOptions) -> Result<StoreBlobs> {
        namespace::check(&options.namespace)?;
        let bad = |cause: &str| {
            Error::new(ErrorKind::Config, format!("blob store {url:?}"), cause)
                .hint("use file:///ABSOLUTE/DIR, memory:// or s3://BUCKET/PREFIX")
        };
        let parsed = Url::parse(url).map_err(|error| bad("is no URL").caused_by(error))?;
        let namespace = &options.namespace;
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        match parsed.scheme() {
            "memory" => Ok(StoreBlobs { store: Arc::new(InMemory::new()), name: "memory://".to_owned(), prefix }),
            "file" => StoreBlobs::open_directory(
                &directory(&parsed, options).ok_or_else(|| bad("names no directory"))?,
                prefix,
            ),
            "s3" => open_s3(&parsed, prefix),
            _ => Err(bad("has a scheme that is not known")),
        }
    }

    fn open_directory(directory: &PathBuf, prefix: String) -> Result<StoreBlobs> {
        let name = format!("file://{}", directory.display());
        let failed = |cause: &str| {
            Error::new(ErrorKind::Config, format!("blob store {name}"), cause)
                .hint("name a directory that this user may write to")
        };
        std::fs::create_dir_all(directory).map_err(|error| failed("cannot make the directory").caused_by(error))?;
        let store = LocalFileSystem::new_with_prefix(directory)
            .map_err(|error| failed("cannot open the directory").caused_by(error))?
            .with_fsync(true);
        Ok(StoreBlobs { store: Arc::new(store), name, prefix })
    }

    fn path(&self, key: &str) -> Result<Path> {
        let path = Path::parse(format!("{}{key}", self.prefix));
        path.map_err(|error| {
            self.error(ErrorKind::Reject, key, "is no key: use segments separated by single slashes").caused_by(error)
        })
    }

    fn error(&self, kind: ErrorKind, key: &str, cause: &str) -> Error {
        Error::new(kind, format!("blob {key:?} on {}", self.name), cause)
    }

    fn failed(&self, key: &str, doing: &str, error: StoreError) -> Error {
        let (kind, hint) = match &error {
            StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
                (ErrorKind::Config, "check the credentials and what they may do")
            }
            StoreError::NotImplemented { .. } | StoreError::NotSupported { .. } => {
                (ErrorKind::Config, "use a store with conditional puts")
            }
            _ => (ErrorKind::Retry, "check that the store is reachable and has free space"),
        };
        self.error(kind, key, doing).hint(hint).caused_by(error)
    }

    async fn put_mode(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let path = self.path(key)?;
        match self.store.put_opts(&path, bytes.into(), PutOptions::from(mode)).await {
            Ok(_) => Ok(PutOutcome::Created),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(PutOutcome::Exists),
            Err(error) => Err(self.failed(key, "cannot be put", error)),
        }
    }
}

#[async_trait]
impl Blobs for StoreBlobs {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        self.put_mode(key, bytes, PutMode::Create).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.put_mode(key, bytes, PutMode::Overwrite).await.map(|_| ())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let path = self.path(key)?;
        let found = match self.store.get(&path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(key, "cannot be read", error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let whole = format!("{}{}", self.prefix, prefix.trim_end_matches('/'));
        let path = Path::parse(whole.trim_end_matches('/'))
            .map_err(|error| self.error(ErrorKind::Reject, prefix, "is no prefix of keys").caused_by(error))?;
        let path = (!path.as_ref().is_empty()).then_some(path);
        let mut keys: Vec<String> = self
            .store
            .list(path.as_ref())
            .map_ok(|object| object.location.as_ref()[self.prefix.len()..].to_owned())
            .try_collect()
            .await
            .map_err(|error| self.failed(prefix, "cannot be listed", error))?;
        keys.sort_unstable();
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        match self.store.delete(&path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(key, "cannot be deleted", error)),
        }
    }
}

fn directory(url: &Url, options: &OpenOptions) -> Option<PathBuf> {
    if url.path().trim_matches('/').is_empty() {
        return options.data_dir.as_ref().map(|dir| dir.join("blobs"));
    }
    url.to_file_path().ok()
}

#[cfg(feature = "s3")]
fn open_s3(url: &Url, prefix: String) -> Result<StoreBlobs> {
    use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

    let bucket = url.host_str().unwrap_or_default();
    let name = format!("s3://{bucket}{}", url.path());
    let bad = |cause: String| {
        Error::new(ErrorKind::Config, format!("blob store {name}"), cause)
            .hint("set the bucket, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ?endpoint=… for another server")
    };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    for (key, value) in url.query_pairs() {
        let known: AmazonS3ConfigKey = key.parse().map_err(|_| bad(format!("has no setting {key:?}")))?;
        builder = builder.with_config(known, value);
    }
    let store = builder.build().map_err(|error| bad("cannot be opened".to_owned()).caused_by(error))?;
    let folder = url.path().trim_matches('/');
    let prefix = if folder.is_empty() { prefix } else { format!("{folder}/{prefix}") };
    Ok(StoreBlobs { store: Arc::new(store), name, prefix })
}

#[cfg(not(feature = "s3"))]
fn open_s3(url: &Url, _prefix: String) -> Result<StoreBlobs> {
    Err(Error::new(ErrorKind::Config, format!("blob store {url}"), "this build has no S3")
        .hint("build with --features s3, or use file:///ABSOLUTE/DIR"))
}
