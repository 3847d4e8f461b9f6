//! What one source file says about modules and names. It is read from the syntax alone; code for tests is left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility};

use super::untyped;

/// A module: a file, or a block within one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The names of what it defines. `true` for a trait, which is used without being named.
    pub(crate) definitions: BTreeMap<String, bool>,
    /// Modules with a body in this file.
    pub(crate) blocks: BTreeMap<String, Module>,
    /// Modules in files of their own.
    pub(crate) files: BTreeSet<String>,
    /// What `use` brings in, at any depth.
    pub(crate) imports: Vec<Import>,
    /// Every path that is used, by its first line.
    pub(crate) mentions: BTreeMap<Vec<String>, usize>,
    /// Lines with an error that is a string.
    pub(crate) untyped: Vec<usize>,
}

/// One name that `use` brings in.
#[derive(Debug)]
pub(crate) struct Import {
    /// How it is called here. `None` for `*`.
    pub(crate) name: Option<String>,
    /// The path that it is imported from.
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
    /// Whether others may see it: then it may be no more than a re-export.
    pub(crate) shared: bool,
}

/// The syntax of a file.
pub(super) struct File(syn::File);

impl File {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is not Rust.
    pub(super) fn parse(text: &str) -> syn::Result<Self> {
        syn::parse_file(text).map(Self)
    }

    /// What it says, without code for tests.
    pub(super) fn without_tests(&self) -> Module {
        self.read(false)
    }

    /// What it says, with code for tests.
    pub(super) fn whole(&self) -> Module {
        self.read(true)
    }

    fn read(&self, with_tests: bool) -> Module {
        let mut reader = Reader { module: Module::default(), with_tests };
        if !reader.leaves_out(&self.0.attrs) {
            reader.visit_file(&self.0);
        }
        reader.module
    }
}

struct Reader {
    module: Module,
    with_tests: bool,
}

impl Reader {
    fn leaves_out(&self, attributes: &[Attribute]) -> bool {
        !self.with_tests && is_for_tests(attributes)
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        let first = self.module.mentions.entry(path).or_insert(line);
        *first = line.min(*first);
    }

    fn define(&mut self, name: &Ident, is_trait: bool) {
        self.module.definitions.insert(plain(name), is_trait);
    }

    fn import(&mut self, tree: &UseTree, before: &[String], shared: bool) {
        let with = |name: &Ident| [before, &[plain(name)]].concat();
        let (name, mut path, line) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), shared),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, shared));
            }
            UseTree::Name(name) => (Some(plain(&name.ident)), with(&name.ident), line(&name.ident)),
            UseTree::Rename(it) => (Some(plain(&it.rename)), with(&it.ident), line(&it.ident)),
            UseTree::Glob(star) => (None, before.to_vec(), star.star_token.spans[0].start().line),
        };
        let mut name = name;
        // `use a::{self}` brings in `a`.
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
            name = name.map(|name| if name == "self" { path[path.len() - 1].clone() } else { name });
        }
        self.module.imports.push(Import { name, path, line, shared });
    }

    /// Paths in the arguments of a macro, which have no syntax.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut start, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.finish(&mut path, start);
                        start = line(&ident);
                    }
                    path.push(plain(&ident));
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Group(group) => {
                    self.finish(&mut path, start);
                    self.tokens(group.stream());
                    colons = 0;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.finish(&mut path, start);
                    colons = 0;
                }
            }
        }
        self.finish(&mut path, start);
    }

    fn finish(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.mention(std::mem::take(path), line);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if self.leaves_out(attributes(item)) {
            return;
        }
        match item {
            Item::Const(it) => self.define(&it.ident, false),
            Item::Enum(it) => self.define(&it.ident, false),
            Item::Fn(it) => self.define(&it.sig.ident, false),
            Item::Static(it) => self.define(&it.ident, false),
            Item::Struct(it) => self.define(&it.ident, false),
            Item::Trait(it) => self.define(&it.ident, true),
            Item::Type(it) => self.define(&it.ident, false),
            Item::Union(it) => self.define(&it.ident, false),
            Item::Macro(it) => it.ident.iter().for_each(|name| self.define(name, false)),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(it) => &it.attrs,
            syn::ImplItem::Const(it) => &it.attrs,
            syn::ImplItem::Type(it) => {
                self.module.untyped.extend(untyped::is_associated(it).then(|| line(&it.ident)));
                &it.attrs
            }
            _ => return visit::visit_impl_item(self, item),
        };
        if !self.leaves_out(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = plain(&item.ident);
        let Some((_, items)) = &item.content else {
            self.module.files.insert(name);
            return;
        };
        let mut inner = Self { module: Module::default(), with_tests: self.with_tests };
        items.iter().for_each(|item| inner.visit_item(item));
        self.module.blocks.insert(name, inner.module);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        if let Some(first) = path.segments.first() {
            self.mention(names, line(&first.ident));
            self.module.untyped.extend(untyped::is_result(path).then(|| line(&first.ident)));
        }
        visit::visit_path(self, path);
    }

    /// `pub(in a::b)` uses nothing of `a::b`.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        self.visit_path(attribute.path());
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
            // `#[serde(with = "crate::a")]`
            for token in list.tokens.clone() {
                let TokenTree::Literal(literal) = token else { continue };
                let text = literal.to_string();
                let text = text.trim_matches('"');
                if ["crate::", "super::", "self::"].iter().any(|start| text.starts_with(start)) {
                    self.mention(text.split("::").map(str::to_owned).collect(), literal.span().start().line);
                }
            }
        }
    }
}

/// Whether something is compiled for tests alone, or for tests and fuzzing.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => asks_for_test(list.tokens.clone()),
        Meta::Path(path) => path.is_ident("test"),
        _ => false,
    })
}

fn asks_for_test(condition: TokenStream) -> bool {
    let mut negated = false;
    for token in condition {
        match token {
            TokenTree::Ident(word) if word == "test" => return true,
            TokenTree::Ident(word) => negated = word == "not",
            TokenTree::Group(group) if !negated && asks_for_test(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// A name, whether or not it had to be written as `r#name`.
fn plain(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or(name.clone(), str::to_owned)
}

fn line(name: &Ident) -> usize {
    name.span().start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Module {
        File::parse(text).expect("it is Rust").without_tests()
    }

    fn mentions(text: &str) -> Vec<String> {
        parse(text).mentions.keys().map(|path| path.join("::")).collect()
    }

    #[test]
    fn imports_are_read_one_by_one() {
        let module = parse("use a::{self, b::C as D, e::*};\npub(crate) use f::g;\n");
        let imports: Vec<_> = module
            .imports
            .iter()
            .map(|it| (it.name.as_deref(), it.path.join("::"), it.line, it.shared))
            .collect();
        let expected = [
            (Some("a"), "a", 1, false),
            (Some("D"), "a::b::C", 1, false),
            (None, "a::e", 1, false),
            (Some("g"), "f::g", 2, true),
        ];
        assert_eq!(imports, expected.map(|(name, path, line, shared)| (name, path.to_owned(), line, shared)));
    }

    #[test]
    fn paths_are_found_in_code_macros_and_attributes() {
        let text = "#[serde(with = \"crate::times\")]\nstruct A(super::B<crate::C>);\n\
                    fn f() { println!(\"{}\", self::d::e(x)); let _ = <A as crate::T>::g(); }";
        let found = mentions(text);
        for path in ["crate::times", "super::B", "crate::C", "self::d::e", "crate::T::g"] {
            assert!(found.iter().any(|it| it == path), "{path} is not in {found:?}");
        }
    }

    #[test]
    fn errors_that_are_strings_are_found() {
        let text = "fn f() -> Result<u8, String> {\n    g::<io::Result<()>>();\n    Ok(2)\n}\n\
                    struct A {\n    last: Mutex<std::result::Result<String, std::string::String>>,\n}\n\
                    impl FromStr for A {\n    type Err = String;\n    type Other = String;\n}\n\
                    trait T {\n    fn g() -> Option<Result<u8, String>>;\n}\n\
                    fn h(texts: Result<String, Failure>, known: BTreeMap<u8, String>) -> Result<String> {}\n\
                    #[cfg(test)]\nmod tests {\n    fn f() -> Result<u8, String> {}\n}\n";
        assert_eq!(parse(text).untyped, [1, 6, 9, 13]);
    }

    #[test]
    fn code_for_tests_is_left_out() {
        let text = "#[cfg(test)] mod tests;\n#[cfg(any(test, feature = \"fuzzing\"))] pub mod fuzz;\n\
                    #[cfg(test)] use crate::a;\n#[cfg(not(test))] mod real;\n\
                    impl A { #[cfg(test)] fn f() { crate::b(); } }";
        let module = parse(text);
        assert!(module.files.iter().eq(["real"]));
        assert!(module.imports.is_empty());
        assert!(!mentions(text).contains(&"crate::b".to_owned()));
    }
}
