//! A reader of BTF, the kernel's own type information (Documentation/bpf/btf.rst).
//!
//! aya parses BTF too but keeps structure members to itself; this reads what is needed here: where a member lies,
//! and what a function's prototype is. Pure: bytes in, answers out.

#[cfg(any(test, feature = "testing"))]
pub mod sample;

use thiserror::Error;

/// Why bytes are not usable as BTF.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// Wrong magic number or version.
    #[error("not BTF, or of the other byte order")]
    NotBtf,
    /// A table or an entry reaches past the end.
    #[error("BTF is cut short at byte {0}")]
    Truncated(usize),
    /// A kind of type that this reader does not know, so that it cannot find the next one.
    #[error("unknown BTF kind {0}")]
    UnknownKind(u32),
}

mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const POINTER: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FORWARD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const FLOAT: u32 = 16;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// Size of the fixed part of a type's entry.
const ENTRY: usize = 12;
/// Deepest nesting of qualifiers, typedefs and anonymous members that is followed: real ones stay below ten.
const MAX_DEPTH: usize = 32;

/// Parsed type information.
#[derive(Debug)]
pub struct Btf {
    data: Vec<u8>,
    strings: usize,
    /// Where each type's entry begins; type 0 is `void`.
    types: Vec<usize>,
    /// Structures, unions and functions by the [`hash`] of their names. Sorted, it takes a fraction of the time that a map of the
    /// names would take to fill, and every command waits for it.
    by_name: Vec<(u32, u32)>,
}

/// Bytes from the start of a structure to one of its members.
pub type Offset = u32;

impl Btf {
    /// Parses the contents of `/sys/kernel/btf/vmlinux` or of an ELF file's `.BTF` section.
    ///
    /// # Errors
    /// If the bytes are no BTF, or cut short, or hold a kind of type that is not known.
    pub fn parse(data: impl Into<Vec<u8>>) -> Result<Self, BtfError> {
        const MAGIC: u32 = 0xeb9f;
        let data = data.into();
        let mut btf = Self { data, strings: 0, types: vec![0], by_name: Vec::new() };
        if btf.word(0)? & 0x00ff_ffff != MAGIC | 1 << 16 {
            return Err(BtfError::NotBtf);
        }
        let header = btf.word(4)? as usize;
        let start = header + btf.word(8)? as usize;
        let end = start + btf.word(12)? as usize;
        btf.strings = header + btf.word(16)? as usize;
        let mut at = start;
        while at < end {
            let entry = btf.entry(at)?;
            let id = btf.types.len() as u32;
            btf.types.push(at);
            if matches!(entry.kind, kind::STRUCT | kind::UNION | kind::FUNC) && entry.name != 0 {
                btf.by_name.push((hash(btf.bytes(entry.name)), id));
            }
            at += ENTRY + entry.extra()?;
        }
        btf.by_name.sort_unstable();
        Ok(btf)
    }

    fn word(&self, at: usize) -> Result<u32, BtfError> {
        let bytes = self.data.get(at..at + 4).ok_or(BtfError::Truncated(at))?;
        Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn entry(&self, at: usize) -> Result<Entry, BtfError> {
        let info = self.word(at + 4)?;
        Ok(Entry {
            at,
            name: self.word(at)?,
            kind: info >> 24 & 0x1f,
            members: (info & 0xffff) as usize,
            bitfields: info >> 31 == 1,
            target: self.word(at + 8)?,
        })
    }

    fn by_id(&self, id: u32) -> Option<Entry> {
        self.types.get(id as usize).filter(|_| id != 0).and_then(|&at| self.entry(at).ok())
    }

    /// The string that begins at an offset, which ends before a NUL.
    fn bytes(&self, offset: u32) -> &[u8] {
        let bytes = self.data.get(self.strings + offset as usize..).unwrap_or_default();
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(0);
        &bytes[..end]
    }

    fn string(&self, offset: u32) -> &str {
        std::str::from_utf8(self.bytes(offset)).unwrap_or("")
    }

    /// The structures, unions and functions of a name that are of one of the wanted kinds, with their ids, in the order of those.
    fn named(&self, name: &str, wanted: &[u32]) -> impl Iterator<Item = (u32, Entry)> {
        let hash = hash(name.as_bytes());
        let first = self.by_name.partition_point(|&(its, _)| its < hash);
        let alike = self.by_name[first..].iter().take_while(move |&&(its, _)| its == hash);
        alike.filter_map(|&(_, id)| Some((id, self.by_id(id)?))).filter(move |(_, entry)| {
            wanted.contains(&entry.kind) && self.bytes(entry.name) == name.as_bytes()
        })
    }

    /// Id of a function's type, by which the kernel is told which function a program is for.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<u32> {
        self.named(name, &[kind::FUNC]).map(|(id, _)| id).next()
    }

    /// Offset of a member given as `structure.member`, or deeper (`sock.__sk_common.skc_state`). Members of anonymous
    /// structures and unions are found by their own name.
    #[must_use]
    pub fn offset(&self, path: &str) -> Option<Offset> {
        let (structure, rest) = path.split_once('.')?;
        self.named(structure, &[kind::STRUCT, kind::UNION])
            .find_map(|(_, entry)| self.descend(entry, rest, 0))
    }

    /// Bytes that a structure or union takes.
    #[must_use]
    pub fn size(&self, structure: &str) -> Option<u32> {
        self.named(structure, &[kind::STRUCT, kind::UNION]).map(|(_, entry)| entry.target).next()
    }

    fn descend(&self, structure: Entry, path: &str, depth: usize) -> Option<Offset> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let (offset, member) = self.member(structure, first, depth)?;
        match rest {
            None => Some(offset),
            Some(rest) => Some(offset + self.descend(self.resolve(member)?, rest, depth + 1)?),
        }
    }

    /// Offset and type of a member.
    fn member(&self, structure: Entry, name: &str, depth: usize) -> Option<(Offset, u32)> {
        if depth > MAX_DEPTH || !matches!(structure.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        for i in 0..structure.members {
            let at = structure.at + ENTRY + i * 12;
            let (name_at, target, position) =
                (self.word(at).ok()?, self.word(at + 4).ok()?, self.word(at + 8).ok()?);
            let bits = if structure.bitfields { position & 0x00ff_ffff } else { position };
            let offset = bits / 8;
            if name_at == 0 {
                let inner = self.resolve(target).and_then(|inner| self.member(inner, name, depth + 1));
                if let Some((inner, found)) = inner {
                    return Some((offset + inner, found));
                }
            } else if self.string(name_at) == name {
                return Some((offset, target));
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<Entry> {
        for _ in 0..MAX_DEPTH {
            let entry = self.by_id(id)?;
            match entry.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = entry.target;
                }
                _ => return Some(entry),
            }
        }
        None
    }

    /// How many arguments a function takes; None if there is no such function.
    #[must_use]
    pub fn argument_count(&self, function: &str) -> Option<usize> {
        self.prototype_of(function).map(|prototype| prototype.members)
    }

    fn prototype_of(&self, function: &str) -> Option<Entry> {
        let (_, function) = self.named(function, &[kind::FUNC]).next()?;
        self.by_id(function.target).filter(|entry| entry.kind == kind::FUNC_PROTO)
    }

    /// A function's prototype in C, as `int f(struct sock *sk, int n)`.
    #[must_use]
    pub fn prototype(&self, function: &str) -> Option<String> {
        let prototype = self.prototype_of(function)?;
        let mut arguments = Vec::new();
        for i in 0..prototype.members {
            let at = prototype.at + ENTRY + i * 8;
            let name = self.string(self.word(at).ok()?);
            arguments.push(join(&self.type_name(self.word(at + 4).ok()?, 0), name));
        }
        let arguments = arguments.join(", ");
        Some(format!("{}({arguments})", join(&self.type_name(prototype.target, 0), function)))
    }

    /// A type's name in C. Arrays and functions, which the prototypes of interest do not have, are named by kind.
    fn type_name(&self, id: u32, depth: usize) -> String {
        if id == 0 || depth > MAX_DEPTH {
            return "void".to_owned();
        }
        let Some(entry) = self.by_id(id) else { return "?".to_owned() };
        let name = self.string(entry.name);
        match entry.kind {
            kind::POINTER => join(&self.type_name(entry.target, depth + 1), "*"),
            kind::CONST => format!("const {}", self.type_name(entry.target, depth + 1)),
            kind::VOLATILE | kind::RESTRICT | kind::TYPE_TAG => self.type_name(entry.target, depth + 1),
            kind::STRUCT => format!("struct {name}"),
            kind::UNION => format!("union {name}"),
            kind::ENUM | kind::ENUM64 => format!("enum {name}"),
            kind::FORWARD => format!("{} {name}", if entry.bitfields { "union" } else { "struct" }),
            kind::ARRAY => "array".to_owned(),
            kind::FUNC_PROTO => "function".to_owned(),
            _ => name.to_owned(),
        }
    }
}

/// FNV-1a, which is quick on words as short as names.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A type and a declarator: stars stick to what follows them.
fn join(type_name: &str, declarator: &str) -> String {
    if type_name.ends_with('*') {
        format!("{type_name}{declarator}")
    } else {
        format!("{type_name} {declarator}")
    }
}

/// The fixed part of a type's entry.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: usize,
    name: u32,
    kind: u32,
    members: usize,
    bitfields: bool,
    /// Size or type, depending on the kind.
    target: u32,
}

impl Entry {
    /// Bytes that follow the fixed part.
    fn extra(self) -> Result<usize, BtfError> {
        Ok(match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => self.members * 12,
            kind::ENUM | kind::FUNC_PROTO => self.members * 8,
            kind::POINTER | kind::FORWARD | kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT => {
                0
            }
            kind::FUNC | kind::FLOAT | kind::TYPE_TAG => 0,
            unknown => return Err(BtfError::UnknownKind(unknown)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        sample::{Builder, sample},
        *,
    };

    #[test]
    fn finds_members_through_anonymous_structures() -> Result<(), BtfError> {
        let btf = Btf::parse(sample().build())?;
        assert_eq!(btf.offset("outer.a"), Some(0));
        assert_eq!(btf.offset("outer.z"), Some(8));
        assert_eq!(btf.offset("outer.named.z"), Some(16));
        assert_eq!(btf.offset("outer.missing"), None);
        assert_eq!(btf.offset("missing.a"), None);
        assert_eq!(btf.offset("outer.a.b"), None);
        assert_eq!((btf.size("outer"), btf.size("missing"), btf.size("f")), (Some(20), None, None));
        Ok(())
    }

    #[test]
    fn reads_prototypes() -> Result<(), BtfError> {
        let btf = Btf::parse(sample().build())?;
        assert_eq!(btf.prototype("f").as_deref(), Some("int f(struct outer *sk, int n)"));
        assert_eq!(btf.argument_count("f"), Some(2));
        assert_eq!(btf.argument_count("outer"), None);
        assert_eq!((btf.function("f"), btf.function("outer")), (Some(6), None));
        Ok(())
    }

    #[test]
    fn refuses_what_is_not_btf() {
        assert_eq!(Btf::parse([0; 64]).err(), Some(BtfError::NotBtf));
        assert_eq!(Btf::parse([]).err(), Some(BtfError::Truncated(0)));
        let mut unknown = Builder::default();
        unknown.add("x", 30, 0, 0, &[]);
        assert_eq!(Btf::parse(unknown.build()).err(), Some(BtfError::UnknownKind(30)));
    }

    #[test]
    fn every_truncation_is_an_error_or_harmless() {
        let whole = sample().build();
        for len in 0..whole.len() {
            if let Ok(btf) = Btf::parse(&whole[..len]) {
                let _ = (btf.offset("outer.named.z"), btf.prototype("f"));
            }
        }
    }
}
