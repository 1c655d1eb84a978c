//! What a peer can make the decoder hold: nothing by a claim, and nothing once a message has ended.

use lychgate_protocol::ws::Role::{Client, Server};
use lychgate_protocol::ws::{Decoder, DecoderLimits, Event, Violation};

use crate::support::{Frame, stream};

const UNLIMITED: DecoderLimits = DecoderLimits { message_bytes_max: usize::MAX, fragments_max: u32::MAX };

/// Feeds `bytes` to the end and returns how many events came.
fn feed(decoder: &mut Decoder, bytes: &[u8]) -> Result<usize, Violation> {
    let mut bytes = bytes.to_vec();
    let (mut at, mut events) = (0, 0);
    loop {
        let decoded = decoder.decode(&mut bytes[at..])?;
        at += decoded.consumed;
        if decoded.event.is_none() {
            return Ok(events);
        }
        events += 1;
    }
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 96, "{} bytes", size_of::<Decoder>());
    for role in [Server, Client] {
        assert_eq!(Decoder::new(role, UNLIMITED).heap_bytes(), 0);
    }
}

#[test]
fn a_claim_allocates_nothing() {
    for claim in [1 << 20, 1 << 40, u64::MAX >> 1] {
        for frame in [Frame::text("").claims(claim), Frame::binary("").claims(claim).more()] {
            let mut decoder = Decoder::new(Server, UNLIMITED);
            assert_eq!(feed(&mut decoder, &frame.bytes(Server)), Ok(0), "the claim itself is legal");
            assert!(decoder.is_mid_message());
            assert_eq!(decoder.heap_bytes(), 0, "a claim of {claim} bytes");
        }
    }
    let mut decoder = Decoder::new(Server, UNLIMITED);
    assert_eq!(feed(&mut decoder, &Frame::ping("").claims(125).bytes(Server)), Ok(0));
    assert_eq!(decoder.heap_bytes(), 0, "a ping that claims 125 bytes");
}

#[test]
fn memory_follows_the_bytes_that_arrived() {
    let payload = "x".repeat(20_000);
    for frame in [Frame::text(&payload), Frame::binary(&payload), Frame::text(&payload).more()] {
        let bytes = frame.claims(1 << 40).bytes(Server);
        let mut decoder = Decoder::new(Server, UNLIMITED);
        let mut arrived = 0;
        for chunk in bytes.chunks(1_000) {
            feed(&mut decoder, chunk).expect("a legal stream");
            arrived += chunk.len();
            assert!(decoder.heap_bytes() >= arrived - 14, "{} bytes for {arrived}", decoder.heap_bytes());
            assert!(decoder.heap_bytes() <= 2 * arrived + 8, "{} bytes for {arrived}", decoder.heap_bytes());
        }
    }
}

#[test]
fn many_empty_fragments_take_no_memory() {
    let frames = [vec![Frame::text("").more()], vec![Frame::continuation("").more(); 1_000]].concat();
    let mut decoder = Decoder::new(Server, UNLIMITED);
    feed(&mut decoder, &stream(Server, &frames)).expect("a legal stream");
    assert!(decoder.is_mid_message());
    assert_eq!(decoder.heap_bytes(), 0);
}

#[test]
fn a_message_in_pieces_is_freed_when_it_has_ended() {
    let payload = "x".repeat(10_000);
    let in_pieces: [&[Frame]; 3] = [
        &[Frame::text(&payload).more(), Frame::continuation("end")],
        &[Frame::binary(&payload).more(), Frame::continuation("end")],
        &[Frame::text(&payload)],
    ];
    for frames in in_pieces {
        let bytes = stream(Server, frames);
        let (head, tail) = bytes.split_at(9_000);
        let mut decoder = Decoder::new(Server, UNLIMITED);
        assert_eq!(feed(&mut decoder, head), Ok(0));
        assert!(decoder.heap_bytes() >= 8_000, "a part is kept");
        assert_eq!(feed(&mut decoder, tail), Ok(1));
        assert!(!decoder.is_mid_message());
        assert_eq!(decoder.heap_bytes(), 0);
    }
}

#[test]
fn a_ping_in_pieces_is_freed_and_leaves_the_message_around_it() {
    let ping = Frame::ping("x".repeat(100)).bytes(Server);
    let (head, tail) = ping.split_at(50);
    let mut decoder = Decoder::new(Server, UNLIMITED);
    assert_eq!(feed(&mut decoder, &Frame::text("abc").more().bytes(Server)), Ok(0));
    let around = decoder.heap_bytes();
    assert_eq!(feed(&mut decoder, head), Ok(0));
    assert!(decoder.heap_bytes() > around);
    assert_eq!(feed(&mut decoder, tail), Ok(1));
    assert_eq!(decoder.heap_bytes(), around);
    let mut rest = Frame::continuation("d").bytes(Server);
    assert_eq!(decoder.decode(&mut rest).expect("a legal stream").event, Some(Event::Text("abcd")));
}

#[test]
fn a_refused_stream_holds_nothing() {
    for bad in [Frame::text("b"), Frame::continuation([0xff]), Frame::close(1005, "")] {
        let mut decoder = Decoder::new(Server, UNLIMITED);
        feed(&mut decoder, &Frame::text("x".repeat(5_000)).more().bytes(Server)).expect("a legal stream");
        assert!(decoder.heap_bytes() >= 5_000);
        feed(&mut decoder, &bad.bytes(Server)).expect_err("a violation");
        assert_eq!(decoder.heap_bytes(), 0);
    }
}

#[test]
fn a_whole_frame_is_lent_from_the_input() {
    for role in [Server, Client] {
        let mut bytes = Frame::text("Hello").bytes(role);
        let input = bytes.as_ptr_range();
        let mut decoder = Decoder::new(role, UNLIMITED);
        let decoded = decoder.decode(&mut bytes).expect("a legal stream");
        let Some(Event::Text(text)) = decoded.event else { panic!("{decoded:?}") };
        assert!(input.contains(&text.as_ptr()), "not copied");
        assert_eq!(decoder.heap_bytes(), 0);
    }
}

#[test]
fn a_whole_payload_is_lent_even_if_its_header_was_cut() {
    let bytes = Frame::text("Hello").bytes(Server);
    for cut in 1..=6 {
        let (head, tail) = bytes.split_at(cut);
        let mut tail = tail.to_vec();
        let input = tail.as_ptr_range();
        let mut decoder = Decoder::new(Server, UNLIMITED);
        assert_eq!(feed(&mut decoder, head), Ok(0));
        let decoded = decoder.decode(&mut tail).expect("a legal stream");
        let Some(Event::Text(text)) = decoded.event else { panic!("{decoded:?}") };
        assert!(input.contains(&text.as_ptr()), "not copied after a cut at {cut}");
    }
}

#[test]
fn nothing_prints_a_payload() {
    let mut decoder = Decoder::new(Server, UNLIMITED);
    feed(&mut decoder, &Frame::text("s3cret").more().bytes(Server)).expect("a legal stream");
    assert!(!format!("{decoder:?}").contains("s3cret"));
    for frame in [Frame::continuation("s3cret"), Frame::ping("s3cret"), Frame::close(1000, "s3cret")] {
        let mut bytes = frame.bytes(Server);
        let decoded = decoder.decode(&mut bytes).expect("a legal stream");
        assert!(decoded.event.is_some());
        assert!(!format!("{decoded:?}").contains("s3cret"), "{decoded:?}");
    }
    assert_eq!(format!("{:?}", Event::Text("s3cret")), "Text(6 bytes)");
}
