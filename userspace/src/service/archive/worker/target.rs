//! Where files are put: an object store, or a directory.

use std::{
    collections::BTreeMap,
    error::Error,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::TryStreamExt as _;
use object_store::{
    BackoffConfig, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
};

use super::http::Connector;
use crate::service::{
    config::{Place, PlaceKind},
    post::reasons,
};

/// Where files are put.
#[derive(Debug)]
pub(super) enum Target {
    /// A bucket, below a prefix.
    Bucket(Arc<dyn ObjectStore>, String),
    /// A directory.
    Directory(PathBuf),
}

/// Why something could not be put or asked, as a sentence.
pub(super) type Refusal = String;

impl Target {
    /// Gets ready. Nothing is asked yet.
    ///
    /// # Errors
    /// If the credentials cannot be used.
    pub(super) fn new(
        place: &Place,
        variables: &BTreeMap<String, String>,
        connector: Connector,
    ) -> Result<Self, Refusal> {
        let url = place.url();
        // What is lower case and known is a setting; what is not is another program's.
        let known = variables.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let store: object_store::Result<Arc<dyn ObjectStore>> = match place.kind() {
            PlaceKind::Directory(path) => return Ok(Self::Directory(path.clone())),
            PlaceKind::S3 => {
                let builder = known.fold(AmazonS3Builder::new(), |builder, (name, value)| {
                    let key = name.parse::<AmazonS3ConfigKey>();
                    key.map_or(builder.clone(), |key| builder.with_config(key, value))
                });
                let builder = builder.with_url(url).with_retry(retry()).with_http_connector(connector);
                builder.build().map(shared)
            }
            PlaceKind::Google => {
                let builder = known.fold(GoogleCloudStorageBuilder::new(), |builder, (name, value)| {
                    let key = name.parse::<GoogleConfigKey>();
                    key.map_or(builder.clone(), |key| builder.with_config(key, value))
                });
                let builder = builder.with_url(url).with_retry(retry()).with_http_connector(connector);
                builder.build().map(shared)
            }
            PlaceKind::Azure => {
                let builder = known.fold(MicrosoftAzureBuilder::new(), |builder, (name, value)| {
                    let key = name.parse::<AzureConfigKey>();
                    key.map_or(builder.clone(), |key| builder.with_config(key, value))
                });
                let builder = builder.with_url(url).with_retry(retry()).with_http_connector(connector);
                builder.build().map(shared)
            }
        };
        let store = store.map_err(|error| reasons(&error))?;
        Ok(Self::Bucket(store, place.prefix().to_owned()))
    }

    /// How many bytes a file has; None if there is none.
    pub(super) async fn size(&self, name: &str) -> Result<Option<u64>, Refusal> {
        match self {
            Self::Bucket(store, prefix) => match store.head(&path(prefix, name)).await {
                Ok(found) => Ok(Some(found.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(refusal(&error)),
            },
            Self::Directory(root) => {
                usable(root)?;
                match fs::metadata(root.join(name)) {
                    Ok(found) => Ok(Some(found.len())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(unwritable(&root.join(name), &error)),
                }
            }
        }
    }

    /// Puts a file there, whole or not at all, whether it is there or not.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Refusal> {
        match self {
            Self::Bucket(store, prefix) => {
                let put = store.put(&path(prefix, name), PutPayload::from(bytes)).await;
                put.map(drop).map_err(|error| refusal(&error))
            }
            Self::Directory(root) => {
                usable(root)?;
                let file = root.join(name);
                write(&file, &bytes).map_err(|error| unwritable(&file, &error))
            }
        }
    }

    /// The names of the files in a folder.
    pub(super) async fn names(&self, folder: &str) -> Result<Vec<String>, Refusal> {
        match self {
            Self::Bucket(store, prefix) => {
                let found = store.list(Some(&path(prefix, folder))).try_collect::<Vec<_>>().await;
                let found = found.map_err(|error| refusal(&error))?;
                Ok(found.iter().filter_map(|it| it.location.filename().map(str::to_owned)).collect())
            }
            Self::Directory(root) => {
                let folder = root.join(folder);
                let entries = match fs::read_dir(&folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                    entries => entries.map_err(|error| unwritable(&folder, &error))?,
                };
                Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
            }
        }
    }

    /// Deletes a file.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Refusal> {
        match self {
            Self::Bucket(store, prefix) => {
                store.delete(&path(prefix, name)).await.map_err(|error| refusal(&error))
            }
            Self::Directory(root) => {
                let file = root.join(name);
                fs::remove_file(&file).map_err(|error| unwritable(&file, &error))
            }
        }
    }
}

fn shared(store: impl ObjectStore) -> Arc<dyn ObjectStore> {
    Arc::new(store)
}

/// Here only what is over in seconds: the service tries again later.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 3,
        retry_timeout: Duration::from_mins(1),
    }
}

fn path(prefix: &str, name: &str) -> object_store::path::Path {
    let whole = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    // Names are encoded already; what is not is part of the prefix.
    object_store::path::Path::parse(&whole).unwrap_or_else(|_| whole.into())
}

fn refusal(error: &dyn Error) -> Refusal {
    /// Characters of a server's words that are repeated.
    const MOST: usize = 400;
    reasons(error).chars().take(MOST).collect()
}

/// A directory that is not there may be one that is not mounted: it is not made.
fn usable(root: &Path) -> Result<(), Refusal> {
    match fs::metadata(root) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("{} is no directory", root.display())),
        Err(error) => Err(format!(
            "{} cannot be used ({error}); create it, writable for the user sockleak",
            root.display()
        )),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Refusal {
    format!("{} cannot be used ({error}); make it writable for the user sockleak", path.display())
}

/// Writes a file under a name that readers pass over, and gives it its own when it is whole.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let partial = folder.join(format!(".{name}.partial"));
    let mut out = File::create(&partial)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&partial, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, variables: &[(&str, &str)]) -> Result<Target, Refusal> {
        let place = Place::parse(url).unwrap_or_else(|error| panic!("{error}"));
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Target::new(&place, &variables, Connector::new(&Default::default(), 1 << 20))
    }

    #[tokio::test]
    async fn a_directory_takes_files() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let target = target(&format!("file://{}", directory.path().display()), &[]).expect("it is one");
        assert_eq!(target.size("a/b.parquet").await, Ok(None));
        assert_eq!(target.names("a").await, Ok(Vec::new()));
        for bytes in [b"one".to_vec(), b"three".to_vec()] {
            target.put("a/b.parquet", bytes).await.expect("it is writable");
        }
        assert_eq!(target.size("a/b.parquet").await, Ok(Some(5)));
        assert_eq!(target.names("a").await, Ok(vec!["b.parquet".to_owned()]));
        target.delete("a/b.parquet").await.expect("it is there");
        assert_eq!(target.names("a").await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_directory_is_not_made() {
        let target = target("file:///nonexistent/archive", &[]).expect("it is one");
        let said = target.size("a").await.expect_err("it is not there");
        assert!(said.contains("create it, writable for the user sockleak"), "{said}");
    }

    /// What is not known is of other programs, and no error.
    #[tokio::test]
    async fn a_store_takes_its_variables() {
        let variables =
            [("AWS_REGION", "eu-west-1"), ("AWS_PROFILE", "x"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
        let bucket = target("s3://bucket/prefix", &variables).expect("it is usable");
        // The endpoint is http, which has to be allowed.
        let said = bucket.size("a").await.expect_err("nobody is there");
        assert!(!said.is_empty());
        target("az://container/x", &[]).expect_err("an account is missing");
    }
}
