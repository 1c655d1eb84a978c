//! Any bytes in either encoding: commands and at most one fault, and what was read is written back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lychgate_protocol::centrifuge::{
    Command, Commands, Data, EmulationRequest, Encoding, Malformed, Method, Publication, Push, Writer,
};
use lychgate_protocol::ws::CloseCode;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|data: &[u8]| {
    for encoding in Encoding::ALL {
        let mut items = Commands::new(encoding, data);
        let (mut commands, mut fault) = (Vec::new(), None);
        for item in &mut items {
            assert!(fault.is_none(), "the first fault is the last item");
            match item {
                Ok(command) => commands.push(command),
                Err(found) => fault = Some(found),
            }
        }
        assert!(items.next().is_none());
        assert!(fault.is_some() || !commands.is_empty());
        fault.inspect(|fault| check_fault(*fault, data));
        if encoding == Encoding::Json {
            check_lines(data, commands.len(), fault);
        }
        commands.iter().for_each(|command| check(encoding, command));
        if let Ok(request) = EmulationRequest::read(encoding, data) {
            assert!(request.session.len() + request.node.len() + request.data.len() <= data.len());
        }
    }
});

fn check_fault(fault: Malformed, data: &[u8]) {
    assert_eq!(fault.close_code(), CloseCode::BAD_REQUEST);
    match fault {
        Malformed::Empty => assert!(data.is_empty()),
        Malformed::BlankLine { at }
        | Malformed::NotUtf8 { at }
        | Malformed::NotACommand { at }
        | Malformed::TooDeep { at }
        | Malformed::NotAMessage { at } => assert!(at <= data.len()),
    }
}

/// As many lines are objects for serde_json as there were commands.
fn check_lines(data: &[u8], commands: usize, fault: Option<Malformed>) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    assert!(lines.len() >= commands);
    for line in &lines[..commands] {
        let raw = serde_json::from_str::<&RawValue>(line).expect("a command is JSON");
        assert!(raw.get().starts_with('{'));
    }
    if fault.is_none() {
        assert_eq!(lines.len(), commands);
    }
}

fn check(encoding: Encoding, command: &Command<'_>) {
    let data = match &command.method {
        Method::Publish(publish) => publish.data,
        Method::Rpc(rpc) => rpc.data,
        Method::Send { data } => *data,
        Method::Connect(connect) => connect.data,
        Method::Subscribe(subscribe) => subscribe.data,
        _ => return,
    };
    let checked = data.checked();
    if encoding == Encoding::Json {
        assert!(data.is_absent() || data.as_json().is_some());
        assert_eq!(checked, Ok(data));
    }
    let mut out = Vec::new();
    let said = Publication { data, offset: 1, ..Publication::default() };
    Writer::new(Encoding::Json, &mut out).push("c", &Push::Publication(said)).ping();
    let text = std::str::from_utf8(&out).expect("UTF-8");
    let line = text.strip_suffix("\n{}").expect("two objects");
    assert!(!line.contains('\n'), "a payload ends no object");
    serde_json::from_str::<&RawValue>(line).expect("one JSON value");
    if let (Ok(data), false) = (checked, data.is_absent()) {
        same_value(data, line);
    }
    let mut out = Vec::new();
    Writer::new(Encoding::Protobuf, &mut out).push("c", &Push::Publication(said));
    assert!(out.windows(data.bytes().len().max(1)).any(|bytes| bytes == data.bytes()) || data.is_absent());
}

/// A tree cannot hold a lone surrogate or a number such as 1e999; where it can, the payload is the same value.
fn same_value(data: Data<'_>, line: &str) {
    let (Ok(before), Ok(after)) = (serde_json::from_slice::<Value>(data.bytes()), serde_json::from_str::<Value>(line))
    else {
        return;
    };
    assert_eq!(after["push"]["pub"]["data"], before);
}
