//! The body of an answer, while it is drawn.

use std::io::{self, Write};

/// Bytes in memory, up to a bound. What would be longer is not drawn to its end: the tracer does nothing else meanwhile.
#[derive(Debug)]
pub(super) struct Body {
    bytes: Vec<u8>,
    most: usize,
}

impl Body {
    /// An empty one of at most so many bytes.
    pub(super) const fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.most - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_kept() {
        let mut body = Body::new(5);
        body.write_all(b"abc").expect("it has room");
        body.write_all(b"de").expect("it has room");
        let refused = body.write_all(b"f").expect_err("it is full");
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        body.write_all(b"").expect("nothing needs no room");
        assert_eq!(body.into_bytes(), b"abcde");
    }
}
