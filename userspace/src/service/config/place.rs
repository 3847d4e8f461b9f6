//! Where an archive is: an address, taken apart.

use std::{fmt, path::PathBuf};

use thiserror::Error;

/// Where segments are archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    url: String,
    kind: PlaceKind,
    prefix: String,
}

/// What kind of store it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// Amazon S3, or what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A directory of this host.
    Directory(PathBuf),
}

/// What is wrong with an address of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// No address at all.
    #[error("that is no address of a store; {EXAMPLES}")]
    NoAddress,
    /// Letters that would have to be escaped, or a question.
    #[error("an address has plain letters only, and neither a question nor a secret; {EXAMPLES}")]
    NotPlain,
    /// A kind of store that is not known.
    #[error("{0}:// is no store that sockleak knows; {EXAMPLES}")]
    Scheme(String),
    /// A user name.
    #[error("it has a user name in it; put secrets into credentials_file")]
    UserName,
    /// No bucket.
    #[error("it names no bucket; {EXAMPLES}")]
    NoBucket,
    /// A relative directory.
    #[error("a service has no directory of its own; write file:/// and the path from / on")]
    Relative,
    /// The root directory.
    #[error("that is the root of the file system; name a directory of its own")]
    Root,
    /// Steps within the path.
    #[error("its path has a . or .. in it; write it without")]
    Dots,
}

/// What to write instead.
const EXAMPLES: &str =
    "write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///DIRECTORY";

impl Place {
    /// Reads an address.
    ///
    /// # Errors
    /// If it is none: a sentence's end and the remedy.
    pub fn parse(url: &str) -> Result<Self, PlaceError> {
        let (scheme, rest) = url.split_once("://").ok_or(PlaceError::NoAddress)?;
        let is_plain =
            url.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains(['?', '#', '%', '\\']);
        if !is_plain {
            return Err(PlaceError::NotPlain);
        }
        let kind = match scheme {
            "s3" | "s3a" => PlaceKind::S3,
            "gs" => PlaceKind::Google,
            "az" | "azure" | "adl" | "abfs" | "abfss" => PlaceKind::Azure,
            "file" => return Self::directory(url, rest),
            _ => return Err(PlaceError::Scheme(scheme.to_owned())),
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // abfss://CONTAINER@ACCOUNT.dfs.core.windows.net
        let may_have_account = scheme.starts_with("abfs");
        if bucket.contains('@') && !may_have_account {
            return Err(PlaceError::UserName);
        }
        if bucket.is_empty() || bucket.contains(':') {
            return Err(PlaceError::NoBucket);
        }
        Ok(Self { url: url.to_owned(), kind, prefix: segments(prefix)? })
    }

    fn directory(url: &str, rest: &str) -> Result<Self, PlaceError> {
        if !rest.starts_with('/') {
            return Err(PlaceError::Relative);
        }
        let path = segments(rest)?;
        if path.is_empty() {
            return Err(PlaceError::Root);
        }
        let directory = PathBuf::from(format!("/{path}"));
        Ok(Self { url: url.to_owned(), kind: PlaceKind::Directory(directory), prefix: String::new() })
    }

    /// What kind of store it is.
    #[must_use]
    pub const fn kind(&self) -> &PlaceKind {
        &self.kind
    }

    /// As it was written.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is before each name in the store: empty, or with a slash at its end.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The variables that hold its credentials begin with one of these.
    #[must_use]
    pub const fn variables(&self) -> &'static str {
        match self.kind {
            PlaceKind::S3 => "AWS_",
            PlaceKind::Google => "GOOGLE_",
            PlaceKind::Azure => "AZURE_",
            // It needs none, and no variable has a name like this.
            PlaceKind::Directory(_) => "=",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// A path without slashes around it and without steps back.
fn segments(path: &str) -> Result<String, PlaceError> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|&part| part == "." || part == "..") {
        return Err(PlaceError::Dots);
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, kind, prefix) in [
            ("s3://bucket", PlaceKind::S3, ""),
            ("s3a://bucket/a//b/", PlaceKind::S3, "a/b"),
            ("gs://bucket/sockleak", PlaceKind::Google, "sockleak"),
            ("az://container/x", PlaceKind::Azure, "x"),
            ("abfss://files@account.dfs.core.windows.net/x", PlaceKind::Azure, "x"),
            ("file:///srv//archive/", PlaceKind::Directory("/srv/archive".into()), ""),
        ] {
            let place = Place::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((place.kind(), place.prefix(), place.url()), (&kind, prefix, url));
        }
    }

    #[test]
    fn what_is_none_is_refused_with_a_remedy() {
        for (url, said) in [
            ("/srv/archive", "that is no address of a store"),
            ("https://minio.example/bucket", "https:// is no store that sockleak knows"),
            ("s3:///prefix", "it names no bucket"),
            ("s3://key:secret@bucket/prefix", "it has a user name in it; put secrets into credentials_file"),
            ("s3://bucket:9000/x", "it names no bucket"),
            ("az://container/x?sig=secret", "neither a question nor a secret"),
            ("s3://bucket/a b", "plain letters only"),
            ("s3://bucket/../x", "has a . or .. in it"),
            ("file://srv/archive", "write file:/// and the path from / on"),
            ("file:///", "the root of the file system"),
        ] {
            let error = Place::parse(url).map(drop).expect_err(url).to_string();
            assert!(error.contains(said), "{url}: {error}");
        }
    }
}
