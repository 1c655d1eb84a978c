//! Prints what hearing and rendering one frame costs: `cargo run --release -p lychgate-service --example render_cost`.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use lychgate_service::codec::{Codec, CodecSettings, Heard, RuleSettings};
use lychgate_service::ports::clock::UnixMicros;
use lychgate_service::ports::rights::Parameter;
use lychgate_service::principal::Principal;
use lychgate_service::template::{Names, Scope, Source, Stored};

const ROUNDS: u32 = 200;
const FRAMES_PER_ROUND: u32 = 500;
const NOW: UnixMicros = UnixMicros(1_800_000_000_000_000);

/// By names alone; with a filter that needs no engine; with one expression that does.
const SENDS: [(&str, &str); 3] = [
    (
        "names",
        r#"{"type":"message","id":"{stored.id}","content":"{in.content}","user_id":"{user.id}","username":"{user.name}","channel_id":"{channel}","timestamp":"{stored.at.iso}","reactions":[]}"#,
    ),
    (
        "names and int",
        r#"{"type":"message","id":"{stored.id}","content":"{in.content}","user_id":"{user.id|int}","username":"{user.name}","channel_id":"{channel}","timestamp":"{stored.at.iso}","reactions":[]}"#,
    ),
    (
        "one expression",
        r#"{"type":"message","id":"{stored.id}","content":"{in.content}","user_id":"{user.id|int}","username":"{user.name|default('?')}","channel_id":"{channel}","timestamp":"{stored.at.iso}","reactions":[]}"#,
    ),
];

#[allow(clippy::print_stdout, reason = "the output is what the example is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let ada = Principal::from_verified_subject("7", Some("ada"));
    let parameters = [("channel".into(), Parameter::Integer(5))];
    let text = r#"{"type":"message","content":"The quick brown fox jumps over the lazy dog, twice."}"#;
    for (name, send) in SENDS {
        let rule = RuleSettings {
            act: lychgate_service::codec::ActSettings::Store,
            send: Some(Source::from_json(send)?),
            ..RuleSettings::default()
        };
        let rules = BTreeMap::from([("message".to_owned(), rule)]);
        let settings = CodecSettings { rules, ..CodecSettings::default() };
        let codec =
            Codec::compile(&settings, &Names::none().with("channel")).map_err(|faults| format!("{faults:?}"))?;
        let hear_us = best_us(|| drop(black_box(codec.hear(black_box(text), &ada))));
        let Heard::Say { rule, inbound } = codec.hear(text, &ada) else { return Err("no rule is followed".into()) };
        let send = rule.send().ok_or("nothing is said")?;
        let mut out = Vec::with_capacity(1024);
        let render_us = best_us(|| {
            out.clear();
            let stored = Stored { id: 41, at: NOW, reactions: &[] };
            let scope = Scope::new(&ada, NOW).parameters(&parameters).inbound(&inbound).stored(stored);
            let _ = black_box(send.render(&scope, 65_536, &mut out));
        });
        println!("{name}: {} bytes, hear {hear_us:.2} us, render {render_us:.2} us", out.len());
    }
    Ok(())
}

/// The mean of the fastest round, in microseconds: the other rounds were disturbed.
fn best_us(mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let begin = Instant::now();
        (0..FRAMES_PER_ROUND).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(FRAMES_PER_ROUND)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}
