//! Prints what minting and verifying one token costs: `cargo run --release -p lychgate-token --example verify_cost`.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use lychgate_token::{Algorithm, IssuerProfile, Minter, NewClaims, ProfileKind, SigningKey, Verifier};

const ROUNDS: u32 = 200;
const TOKENS_PER_ROUND: u32 = 100;
const NOW: u64 = 1_800_000_000;

#[allow(clippy::print_stdout, reason = "the output is what the example is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let hmac = SigningKey::hmac(Algorithm::Hs256, b"an example secret that no server should ever use", Some("k"))?;
    let (ed25519, _) = SigningKey::generate_ed25519(Some("k"))?;
    for key in [hmac, ed25519] {
        let algorithm = key.algorithm();
        let profile = IssuerProfile::own("own", "https://gate.example", "chat", vec![key.verifying_key()]);
        let minter = Minter::new(key, "https://gate.example".into(), "chat".into(), ProfileKind::Own)?;
        let verifier = Verifier::new(vec![profile])?;
        let claims = NewClaims { lifetime_s: Some(1800), ..NewClaims::session("alice", "session-1", "token-1") };
        let token = minter.mint(&claims, NOW)?;
        verifier.verify(&token, NOW)?;
        let mint_us = best_us(|| drop(black_box(minter.mint(&claims, NOW))));
        let verify_us = best_us(|| drop(black_box(verifier.verify(&token, NOW))));
        println!("{algorithm}: {} bytes, mint {mint_us:.1} us, verify {verify_us:.1} us", token.expose().len());
    }
    Ok(())
}

/// The mean of the fastest round, in microseconds: the other rounds were disturbed.
fn best_us(mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let begin = Instant::now();
        (0..TOKENS_PER_ROUND).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(TOKENS_PER_ROUND)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
