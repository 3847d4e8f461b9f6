//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What each node leads to.
pub(super) type Graph<T> = BTreeMap<T, BTreeSet<T>>;

/// The groups of nodes that lead to one another, each with two nodes at least.
pub(super) fn groups<T: Clone + Ord>(graph: &Graph<T>) -> Vec<BTreeSet<T>> {
    let reached: BTreeMap<&T, BTreeSet<&T>> = graph.keys().map(|node| (node, reach(graph, node))).collect();
    let mut groups: Vec<BTreeSet<T>> = Vec::new();
    for (node, to) in &reached {
        if groups.iter().any(|group| group.contains(node)) {
            continue;
        }
        let back = to.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(node)));
        let group: BTreeSet<T> = back.map(|&node| node.clone()).collect();
        if group.len() > 1 {
            groups.push(group);
        }
    }
    groups
}

/// Every node that a node leads to.
fn reach<'a, T: Ord>(graph: &'a Graph<T>, from: &'a T) -> BTreeSet<&'a T> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(node) = next.pop() {
        next.extend(graph.get(node).into_iter().flatten().filter(|&to| reached.insert(to)));
    }
    reached
}

/// A shortest circle through a node: it begins with the node, and its last leads back to it.
pub(super) fn shortest<T: Clone + Ord>(graph: &Graph<T>, through: &T) -> Option<Vec<T>> {
    let mut came_from: BTreeMap<&T, &T> = BTreeMap::new();
    let mut next = VecDeque::from([through]);
    while let Some(node) = next.pop_front() {
        for to in graph.get(node).into_iter().flatten() {
            if to == through {
                let mut circle = vec![node.clone()];
                while let Some(&before) = came_from.get(&circle[circle.len() - 1]) {
                    circle.push(before.clone());
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(to) {
                came_from.insert(to, node);
                next.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u8, u8)]) -> Graph<u8> {
        let mut graph = Graph::new();
        for &(from, to) in edges {
            graph.entry(from).or_default().insert(to);
        }
        graph
    }

    #[test]
    fn what_leads_back_is_a_group() {
        let it = graph(&[(1, 2), (2, 3), (3, 1), (3, 4), (5, 6), (6, 5), (4, 7)]);
        assert_eq!(groups(&it), [BTreeSet::from([1, 2, 3]), BTreeSet::from([5, 6])]);
        assert!(groups(&graph(&[(1, 2), (1, 3), (2, 3)])).is_empty());
    }

    #[test]
    fn the_shortest_circle_is_named() {
        let it = graph(&[(1, 2), (2, 3), (3, 1), (2, 1), (3, 4)]);
        assert_eq!(shortest(&it, &1), Some(vec![1, 2]));
        assert_eq!(shortest(&it, &3), Some(vec![3, 1, 2]));
        assert_eq!(shortest(&it, &4), None);
    }
}
