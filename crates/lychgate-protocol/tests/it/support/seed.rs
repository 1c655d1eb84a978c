//! Randomness that can be repeated.

use std::hash::{BuildHasher, RandomState};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner of `cases` cases whose seed is printed, or taken from `LYCHGATE_SEED`.
///
/// `LYCHGATE_CASES_FACTOR` makes it run longer: 100 for a night.
#[expect(clippy::print_stdout, reason = "whoever sees a randomised test fail needs its seed")]
pub(crate) fn runner(cases: u32) -> TestRunner {
    let seed = match std::env::var("LYCHGATE_SEED") {
        Ok(seed) => seed.parse().expect("LYCHGATE_SEED is a number"),
        Err(_) => RandomState::new().hash_one(0),
    };
    println!("repeat with LYCHGATE_SEED={seed}");
    let factor =
        std::env::var("LYCHGATE_CASES_FACTOR").map_or(1, |n| n.parse().expect("LYCHGATE_CASES_FACTOR is a number"));
    let cases = cases.saturating_mul(factor);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
