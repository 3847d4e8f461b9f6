//! The modules of a crate, and the files that they are in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::source::{self, Module};

/// What the root module is called.
pub(super) const ROOT: &str = "crate";

/// All modules of a library or a program; the first is its root.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The package that it belongs to.
    pub(crate) name: String,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) modules: Vec<Node>,
}

/// A module and its place in the crate.
#[derive(Debug)]
pub(crate) struct Node {
    pub(super) name: String,
    /// Its index in `Crate::files`.
    pub(crate) file: usize,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(crate) source: Module,
}

/// Gives the text of a file, if there is one.
pub(crate) type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Crate {
    /// Reads a crate from its root file on.
    ///
    /// # Errors
    /// If a file is missing or is not Rust.
    pub(crate) fn load(name: &str, root: &Path, read: Read<'_>) -> Result<Self> {
        let mut it = Self { name: name.to_owned(), files: Vec::new(), modules: Vec::new() };
        let text = read(root).with_context(|| format!("cannot read {}", root.display()))?;
        let folder = root.parent().unwrap_or(Path::new("")).to_owned();
        it.file("", root.to_owned(), &text, &folder, None, read)?;
        Ok(it)
    }

    /// The path of the module that a file is: `report::html`; `crate` for the root.
    pub(super) fn path(&self, file: usize) -> String {
        let mut module = self.modules.iter().position(|module| module.file == file).unwrap_or_default();
        let mut names = Vec::new();
        while let Some(parent) = self.modules[module].parent {
            names.push(self.modules[module].name.as_str());
            module = parent;
        }
        names.reverse();
        if names.is_empty() { ROOT.to_owned() } else { names.join("::") }
    }

    fn file(
        &mut self,
        name: &str,
        path: PathBuf,
        text: &str,
        folder: &Path,
        parent: Option<usize>,
        read: Read<'_>,
    ) -> Result<usize> {
        let source = source::File::parse(text)
            .map_err(|error| anyhow::anyhow!("{}:{}: {error}", path.display(), error.span().start().line))?;
        self.files.push(path);
        self.module(name, source.without_tests(), self.files.len() - 1, folder, parent, read)
    }

    fn module(
        &mut self,
        name: &str,
        mut source: Module,
        file: usize,
        folder: &Path,
        parent: Option<usize>,
        read: Read<'_>,
    ) -> Result<usize> {
        let (blocks, files) = (std::mem::take(&mut source.blocks), source.files.clone());
        let children = BTreeMap::new();
        self.modules.push(Node { name: name.to_owned(), file, parent, children, source });
        let own = self.modules.len() - 1;
        for (child, block) in blocks {
            let at = self.module(&child, block, file, &folder.join(&child), Some(own), read)?;
            self.modules[own].children.insert(child, at);
        }
        for child in files {
            let places = [folder.join(format!("{child}.rs")), folder.join(&child).join("mod.rs")];
            let (path, text) = places
                .iter()
                .find_map(|path| Some((path.clone(), read(path)?)))
                .with_context(|| format!("{}: module {child} has no file", self.files[file].display()))?;
            let is_root = path.file_name().is_some_and(|name| name == "mod.rs");
            let inner = if is_root { path.parent().map(Path::to_owned) } else { None };
            let inner = inner.unwrap_or_else(|| path.with_extension(""));
            let at = self.file(&child, path, &text, &inner, Some(own), read)?;
            self.modules[own].children.insert(child, at);
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_where_rust_looks_for_them() {
        let read = |path: &Path| {
            let text = match path.to_str()? {
                "src/lib.rs" => "mod a; mod b { mod inner; }",
                "src/a/mod.rs" => "mod deep;",
                "src/a/deep.rs" | "src/b/inner.rs" => "",
                _ => return None,
            };
            Some(text.to_owned())
        };
        let it = Crate::load("made_up", Path::new("src/lib.rs"), &read).expect("all files are there");
        let files: Vec<_> = it.files.iter().map(|file| file.display().to_string()).collect();
        assert_eq!(files, ["src/lib.rs", "src/b/inner.rs", "src/a/mod.rs", "src/a/deep.rs"]);
        let modules: Vec<_> = (0..it.files.len()).map(|file| it.path(file)).collect();
        assert_eq!(modules, [ROOT, "b::inner", "a", "a::deep"]);
        assert!(Crate::load("made_up", Path::new("none.rs"), &read).is_err());
    }
}
