//! What is wrong with the uses in a crate.

use std::collections::BTreeSet;

use super::circles::{Graph, groups, shortest};
use super::resolve::{Edge, Uses};
use super::tree::{Crate, ROOT};

/// Says what is wrong with a crate. Without layers, only circles are.
pub(super) fn judge(it: &Crate, uses: &Uses, layers: &[&[&str]]) -> Vec<String> {
    let layers = Layers(layers);
    let mut faults = layers.unplaced(it);
    for (edge, place) in uses {
        let (from, to) = (it.path(edge.from), it.path(edge.to));
        if layers.is_upward(top(&from), top(&to)) {
            let (above, below, file) = (top(&from), top(&to), it.files[edge.from].display());
            let place = format!("{file}:{} {}", place.line, place.path);
            faults.push(format!("{above} uses {below}, which is not below it: {place}"));
        }
    }
    for circle in first_of_each(&files(it, uses)) {
        faults.push(format!("circle of files: {}", lines(it, uses, &circle)));
    }
    for circle in first_of_each(&modules(it, uses)) {
        let examples: Vec<_> = pairs(&circle)
            .filter_map(|(from, to)| {
                let is_it = |edge: &&Edge| top(&it.path(edge.from)) == from && top(&it.path(edge.to)) == to;
                uses.keys().find(is_it).map(|edge| line(it, uses, edge.from, edge.to))
            })
            .collect();
        faults.push(format!("circle of modules: {}: {}", circle.join(" -> "), examples.join(", ")));
    }
    faults
}

/// Rows of top-level modules, lowest first. Without rows, nothing is upwards.
struct Layers<'a>(&'a [&'a [&'a str]]);

impl Layers<'_> {
    /// The root is above all.
    fn row(&self, module: &str) -> Option<usize> {
        let row = self.0.iter().position(|row| row.contains(&module));
        row.or_else(|| (module == ROOT).then_some(self.0.len()))
    }

    fn is_upward(&self, from: &str, to: &str) -> bool {
        let rows = self.row(from).zip(self.row(to));
        from != to && !self.0.is_empty() && rows.is_some_and(|(from, to)| from <= to)
    }

    fn unplaced(&self, it: &Crate) -> Vec<String> {
        let modules: BTreeSet<String> =
            (0..it.files.len()).map(|file| top(&it.path(file)).to_owned()).collect();
        let unplaced = modules.iter().filter(|name| !self.0.is_empty() && self.row(name).is_none());
        unplaced.map(|name| format!("module {name} has no place in MODULES")).collect()
    }
}

/// All circles of files, those in a folder too: a shortest one of each group, with the size of the group.
pub(super) fn circles(it: &Crate, uses: &Uses) -> Vec<(String, usize)> {
    let mut graph = Graph::new();
    for edge in uses.keys() {
        graph.entry(edge.from).or_insert_with(BTreeSet::new).insert(edge.to);
    }
    let shown = groups(&graph).into_iter().filter_map(|group| {
        let circle = shortest(&graph, group.first()?)?;
        Some((lines(it, uses, &circle), group.len()))
    });
    shown.collect()
}

/// The top-level module of a path.
pub(super) fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

/// Which file uses which, but for a file and its own folder.
fn files(it: &Crate, uses: &Uses) -> Graph<usize> {
    let mut graph = Graph::new();
    for edge in uses.keys().filter(|edge| !are_one_room(&it.path(edge.from), &it.path(edge.to))) {
        graph.entry(edge.from).or_insert_with(BTreeSet::new).insert(edge.to);
    }
    graph
}

/// Which top-level module uses which.
fn modules(it: &Crate, uses: &Uses) -> Graph<String> {
    let mut graph = Graph::new();
    for edge in uses.keys() {
        let (from, to) = (it.path(edge.from), it.path(edge.to));
        if top(&from) != top(&to) {
            graph.entry(top(&from).to_owned()).or_insert_with(BTreeSet::new).insert(top(&to).to_owned());
        }
    }
    graph
}

/// Whether one of two modules is in the other.
fn are_one_room(one: &str, other: &str) -> bool {
    is_in(one, other) || is_in(other, one)
}

/// Whether a module is another one, or in it.
fn is_in(module: &str, other: &str) -> bool {
    module.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn first_of_each<T: Clone + Ord>(graph: &Graph<T>) -> Vec<Vec<T>> {
    groups(graph).iter().filter_map(|group| shortest(graph, group.first()?)).collect()
}

/// The uses that make a circle.
fn lines(it: &Crate, uses: &Uses, circle: &[usize]) -> String {
    let lines: Vec<_> = pairs(circle).map(|(&from, &to)| line(it, uses, from, to)).collect();
    lines.join(", ")
}

fn line(it: &Crate, uses: &Uses, from: usize, to: usize) -> String {
    let place = uses.get(&Edge { from, to });
    let place = place.map_or_else(String::new, |place| format!(":{} {}", place.line, place.path));
    format!("{}{place}", it.files[from].display())
}

/// Each with the next, the last with the first.
fn pairs<T>(circle: &[T]) -> impl Iterator<Item = (&T, &T)> {
    circle.iter().zip(circle.iter().cycle().skip(1))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::resolve;
    use super::*;

    fn judged(files: &[(&str, &str)], layers: &[&[&str]]) -> Vec<String> {
        let read =
            |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|it| it.1.to_owned());
        let it = Crate::load("made-up", Path::new("lib.rs"), &read).expect("it is Rust");
        judge(&it, &resolve::uses(&it), layers)
    }

    const NOTHING: [&str; 0] = [];

    const CIRCLE: [(&str, &str); 4] = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B;\npub struct A(B);"),
        ("b.rs", "pub struct B(Box<crate::c::C>);"),
        ("c.rs", "\npub struct C(Option<super::a::A>);"),
    ];

    #[test]
    fn a_circle_is_named_with_its_lines() {
        let faults = judged(&CIRCLE, &[]);
        let lines = "a.rs:1 crate::b::B, b.rs:1 crate::c::C, c.rs:2 super::a::A";
        assert_eq!(
            faults,
            [format!("circle of files: {lines}"), format!("circle of modules: a -> b -> c: {lines}")]
        );
    }

    #[test]
    fn without_a_circle_nothing_is_wrong() {
        let straight = [CIRCLE[0], CIRCLE[1], CIRCLE[2], ("c.rs", "pub struct C;")];
        assert_eq!(judged(&straight, &[&["c"], &["b"], &["a"]]), NOTHING);
    }

    #[test]
    fn modules_are_a_circle_though_no_files_are() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod one; mod two;"),
            ("a/one.rs", "pub struct One(crate::b::B);"),
            ("a/two.rs", "pub struct Two;"),
            ("b.rs", "pub struct B(crate::a::two::Two);"),
        ];
        let faults = judged(&files, &[]);
        assert_eq!(
            faults,
            ["circle of modules: a -> b: a/one.rs:1 crate::b::B, b.rs:1 crate::a::two::Two".to_owned()]
        );
    }

    #[test]
    fn a_folder_and_its_files_are_one_room() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod inner; pub const MOST: u32 = 1; fn f(_: inner::Inner) {}"),
            ("a/inner.rs", "pub struct Inner; const TWICE: u32 = super::MOST * 2;"),
        ];
        assert_eq!(judged(&files, &[]), NOTHING);
    }

    #[test]
    fn layers_are_used_downwards_alone() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;\npub struct A(B);"),
            ("b.rs", "pub struct B;"),
        ];
        let upward = "a uses b, which is not below it: a.rs:1 crate::b::B";
        for (layers, expected) in [
            (&[&["b"] as &[&str], &["a"]] as &[&[&str]], None),
            (&[&["a"], &["b"]], Some(upward)),
            (&[&["a", "b"]], Some(upward)),
            (&[&["a"]], Some("module b has no place in MODULES")),
        ] {
            assert_eq!(judged(&files, layers), Vec::from_iter(expected), "{layers:?}");
        }
    }
}
