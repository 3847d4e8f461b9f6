//! Every module is in the file in which Rust looks for it: no `#[path]`, which compiles one file into several crates.

use std::fs;

use anyhow::{Context, Result, bail};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Meta};

use crate::repository;

/// Checks every Rust file of the repository.
pub(crate) fn check() -> Result<()> {
    let mut found = Vec::new();
    for name in repository::files()?.iter().filter(|name| name.ends_with(".rs")) {
        // A file may be deleted and not yet committed.
        let Ok(text) = fs::read_to_string(repository::root().join(name)) else { continue };
        let lines = attributes(&text).with_context(|| format!("cannot parse {name}"))?;
        found.extend(lines.into_iter().map(|line| format!("{name}:{line}")));
    }
    if !found.is_empty() {
        bail!("#[path] at {}; share the module through a crate", found.join(", "));
    }
    Ok(())
}

/// The lines of a file at which `#[path]` stands.
fn attributes(text: &str) -> syn::Result<Vec<usize>> {
    let mut finder = Finder { lines: Vec::new() };
    finder.visit_file(&syn::parse_file(text)?);
    Ok(finder.lines)
}

struct Finder {
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let is_path = match &attribute.meta {
            Meta::NameValue(pair) => pair.path.is_ident("path"),
            Meta::List(list) => list.path.is_ident("cfg_attr") && sets_path(list.tokens.clone()),
            Meta::Path(_) => false,
        };
        if is_path {
            self.lines.push(attribute.pound_token.spans[0].start().line);
        }
        visit::visit_attribute(self, attribute);
    }
}

/// Whether `path = …` is among what an attribute sets.
fn sets_path(tokens: TokenStream) -> bool {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    pairs.into_iter().any(|pair| {
        matches!(pair, (TokenTree::Ident(name), TokenTree::Punct(sign)) if name == "path" && sign.as_char() == '=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_wherever_they_stand() {
        let text = "#[path = \"other/x.rs\"]\nmod a;\nfn f() {\n    #[cfg_attr(test, path = \"b.rs\")]\n    mod b;\n}\n\
                    #[cfg(test)]\nmod tests {\n    #[path = \"c.rs\"]\n    mod c;\n}\n";
        assert_eq!(attributes(text).expect("it is Rust"), [1, 4, 9]);
    }

    #[test]
    fn texts_and_other_attributes_are_none() {
        let text = "//! `#[path]`\n#[error(\"{path}\")]\nstruct A;\n#[serde(path = \"x\")]\nstruct B { path: u8 }\n\
                    const TEXT: &str = \"#[path = \\\"x.rs\\\"]\";\nmod path;\n";
        assert_eq!(attributes(text).expect("it is Rust"), [0; 0]);
    }
}
