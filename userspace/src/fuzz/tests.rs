use std::{fs, path::Path};

use super::*;

/// Changes of each file that are tried besides.
const CHANGES: usize = 32;

/// Bytes from nowhere, the same each time.
fn noise(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

fn changed(random: &mut fastrand::Rng, seed: &[u8]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..random.usize(1..8) {
        let place = random.usize(..=data.len());
        match random.u8(..4) {
            0 => data.truncate(place),
            1 => data.insert(place, random.u8(..)),
            2 => {
                if let Some(byte) = data.get_mut(place) {
                    *byte = [0, 1, 0x7f, 0x80, 0xff][random.usize(..5)];
                }
            }
            _ => {
                if let Some(byte) = data.get_mut(place) {
                    *byte = random.u8(..);
                }
            }
        }
    }
    data
}

fn replay(name: &str) {
    assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} is a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(name);
    let mut random = fastrand::Rng::with_seed(7);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has a corpus");
    for file in files {
        let seed = fs::read(&file).unwrap();
        run(name, &seed);
        for _ in 0..CHANGES {
            run(name, &changed(&mut random, &seed));
        }
    }
    for length in 0..CHANGES {
        run(name, &noise(&mut random, length * 8));
    }
}

#[test]
fn configurations() {
    replay("config");
}

#[test]
fn records_of_the_ring() {
    replay("decode");
}

#[test]
fn answers_of_sock_diag() {
    replay("diag");
}

#[test]
fn recordings() {
    replay("recording");
}

#[test]
fn requests() {
    replay("request");
}

#[test]
fn sessions() {
    replay("session");
    let mut random = fastrand::Rng::with_seed(8);
    for _ in 0..32 {
        session(&noise(&mut random, 1024));
    }
}
