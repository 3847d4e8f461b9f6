//! Which file uses which: every path is followed to the file in which its item is defined.
//!
//! What is defined counts, not how it was reached. So a folder's `mod.rs` that declares its files and hands out their names uses none of
//! them, and who takes a name from there uses the file behind it. A child that uses what its `mod.rs` defines uses that file.

use std::collections::BTreeMap;

use super::tree::Crate;

/// Use of one file by another, both by their index in the crate.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The first place where one file uses another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    /// As it is written there.
    pub(crate) path: String,
}

/// All uses of one file by another.
pub(crate) type Uses = BTreeMap<Edge, Place>;

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
enum Target {
    Module,
    /// An item, defined in this module; and whether it is a trait.
    Item(usize, bool),
}

/// Follows all paths of a crate.
pub(super) fn uses(it: &Crate) -> Uses {
    let resolver = Resolver { it };
    let mut uses = Uses::default();
    for module in 0..it.modules.len() {
        resolver.follow(module, &mut uses);
    }
    uses
}

/// Imports that lead in a circle, or further than any does, are given up.
const FARTHEST: usize = 8;

struct Resolver<'a> {
    it: &'a Crate,
}

impl Resolver<'_> {
    fn follow(&self, module: usize, uses: &mut Uses) {
        let source = &self.it.modules[module].source;
        for import in &source.imports {
            let Some(name) = &import.name else { continue };
            let is_named = source.mentions.keys().any(|path| path[0] == *name);
            match self.path(module, &import.path, 0) {
                // A re-export alone is no use. A trait need not be named to be used.
                Some(Target::Item(_, is_trait)) if !is_named && (import.shared || !is_trait) => {}
                Some(target) => self.note(module, target, import.line, &import.path, uses),
                None => {}
            }
        }
        for (path, &line) in &source.mentions {
            if let Some(target) = self.path(module, path, 0) {
                self.note(module, target, line, path, uses);
            }
        }
    }

    fn note(&self, module: usize, target: Target, line: usize, path: &[String], uses: &mut Uses) {
        // What is used of a module is an item in it, which another path names.
        let Target::Item(definer, _) = target else { return };
        let (from, to) = (self.it.modules[module].file, self.it.modules[definer].file);
        if from == to {
            return;
        }
        let place = Place { line, path: path.join("::") };
        let first = uses.entry(Edge { from, to }).or_insert_with(|| place.clone());
        if place.line < first.line {
            *first = place;
        }
    }

    /// Follows a path that is written in a module.
    fn path(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first().filter(|_| depth < FARTHEST)?;
        match first.as_str() {
            "crate" => self.inside(0, rest, depth),
            "self" => self.inside(module, rest, depth),
            "super" => {
                let mut parent = self.it.modules[module].parent?;
                let mut rest = rest;
                while let Some(further) = rest.strip_prefix(&["super".to_owned()]) {
                    (parent, rest) = (self.it.modules[parent].parent?, further);
                }
                self.inside(parent, rest, depth)
            }
            _ => self.inside(module, path, depth),
        }
    }

    /// Follows what is left of a path from a module on.
    fn inside(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        let Some((name, rest)) = path.split_first() else { return Some(Target::Module) };
        let node = &self.it.modules[module];
        let child = node.children.get(name).copied();
        // A module and a function may have one name; what follows it tells them apart.
        if let Some(child) = child.filter(|_| !rest.is_empty()) {
            return self.inside(child, rest, depth);
        }
        if let Some(&is_trait) = node.source.definitions.get(name) {
            return Some(Target::Item(module, is_trait));
        }
        let named = node.source.imports.iter().filter(|import| import.name.as_ref() == Some(name));
        let mut named = named.map(|import| [&import.path, rest].concat()).filter(|whole| whole != path);
        let imported = named.find_map(|whole| self.path(module, &whole, depth + 1));
        let stars = || {
            let stars = node.source.imports.iter().filter(|import| import.name.is_none());
            let mut wholes = stars.map(|star| [&star.path, path].concat());
            wholes.find_map(|whole| self.path(module, &whole, depth + 1))
        };
        imported.or_else(|| child.map(|_| Target::Module)).or_else(stars)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Uses of one file by another, as `from -> to (line path)`.
    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let read =
            |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|it| it.1.to_owned());
        let it = Crate::load("made_up", Path::new("lib.rs"), &read).expect("it is Rust");
        let name = |file: usize| it.files[file].display().to_string();
        let uses = uses(&it);
        let shown = uses.iter().map(|(edge, place)| {
            format!("{} -> {} ({} {})", name(edge.from), name(edge.to), place.line, place.path)
        });
        shown.collect()
    }

    #[test]
    fn a_re_export_is_followed_to_the_definition() {
        let found = edges(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod inner; pub use inner::Thing;"),
            ("a/inner.rs", "pub struct Thing;"),
            ("b.rs", "use crate::a;\nfn f(_: a::Thing) {}"),
        ]);
        assert_eq!(found, ["b.rs -> a/inner.rs (2 a::Thing)"]);
    }

    #[test]
    fn a_parent_that_uses_what_it_hands_out_is_a_user() {
        let lib = ("lib.rs", "mod a;");
        let parent = "mod inner; pub use inner::Thing; pub const MOST: u32 = 1; fn f() -> Thing { Thing }";
        let child = "use super::MOST; pub struct Thing; fn f() -> u32 { MOST }";
        let found = edges(&[lib, ("a/mod.rs", parent), ("a/inner.rs", child)]);
        assert_eq!(
            found,
            ["a/mod.rs -> a/inner.rs (1 inner::Thing)", "a/inner.rs -> a/mod.rs (1 super::MOST)"]
        );
    }

    #[test]
    fn traits_and_stars_are_followed() {
        let found = edges(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub trait Draw {}\npub struct Pen;"),
            ("b.rs", "use crate::a::*;\nfn f(_: Pen) {}"),
            ("c.rs", "use super::a::Draw as _;"),
        ]);
        assert_eq!(found, ["b.rs -> a.rs (2 Pen)", "c.rs -> a.rs (1 super::a::Draw)"]);
    }

    #[test]
    fn a_module_and_a_function_of_one_name_are_told_apart() {
        let found = edges(&[
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "pub mod draw; pub use draw::draw;"),
            ("a/draw.rs", "pub fn draw() {}\npub fn erase() {}"),
            ("b.rs", "fn f() {\ncrate::a::draw();\ncrate::a::draw::erase(); }"),
        ]);
        assert_eq!(found, ["b.rs -> a/draw.rs (2 crate::a::draw)"]);
    }
}
