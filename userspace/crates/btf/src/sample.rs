//! Made-up BTF, for tests.

use super::kind;

/// Builds BTF: strings and types are appended, ids returned.
#[derive(Debug, Default)]
pub struct Builder {
    types: Vec<u32>,
    count: u32,
    strings: Vec<u8>,
}

impl Builder {
    pub(crate) fn name(&mut self, name: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if name.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(name.bytes().chain([0]));
        at
    }

    pub(crate) fn add(&mut self, name: &str, kind: u32, members: u32, target: u32, extra: &[u32]) -> u32 {
        let name = self.name(name);
        self.types.extend([name, kind << 24 | members, target]);
        self.types.extend(extra);
        self.count += 1;
        self.count
    }

    /// The bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let len = self.types.len() as u32 * 4;
        let header = [0x0001_eb9f, 24, 0, len, len, self.strings.len() as u32];
        let words = header.iter().chain(&self.types).flat_map(|word| word.to_ne_bytes());
        words.chain(self.strings.iter().copied()).collect()
    }
}

/// Structures in a structure, and a function.
#[must_use]
pub fn sample() -> Builder {
    let mut b = Builder::default();
    let int = b.add("int", kind::INT, 0, 4, &[0x0100_0020]);
    let (y, z, a) = (b.name("y"), b.name("z"), b.name("a"));
    let inner = b.add("", kind::STRUCT, 2, 8, &[y, int, 0, z, int, 32]);
    let named = b.name("named");
    let outer = b.add("outer", kind::STRUCT, 3, 20, &[a, int, 0, 0, inner, 32, named, inner, 96]);
    let pointer = b.add("", kind::POINTER, 0, outer, &[]);
    let (sk, n) = (b.name("sk"), b.name("n"));
    let proto = b.add("", kind::FUNC_PROTO, 2, int, &[sk, pointer, n, int]);
    b.add("f", kind::FUNC, 1, proto, &[]);
    // As large as 64-bit ARM has it up to Linux 6.12.
    b.add("pt_regs", kind::STRUCT, 0, 336, &[]);
    b
}
