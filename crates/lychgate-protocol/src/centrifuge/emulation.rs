//! What a client says beside a one-way stream: each of its messages is a request of its own, which names the session.

use std::borrow::Cow;
use std::fmt;

use super::{Encoding, Malformed, json, protobuf};

/// One message of a client that hears the server over a one-way stream.
///
/// It prints without its session and its data: who knows the session can speak for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EmulationRequest<'a> {
    /// The session, as its connect result said.
    pub session: Cow<'a, str>,
    /// The node that holds it, as its connect result said.
    pub node: Cow<'a, str>,
    /// The message: what a WebSocket message would hold.
    pub data: Cow<'a, [u8]>,
}

impl<'a> EmulationRequest<'a> {
    /// Reads the body of a request: in JSON an object whose `data` is a string, in Protobuf one message without a length
    /// in front.
    ///
    /// # Errors
    ///
    /// The bytes are no such request, or a field occurs twice.
    ///
    /// ```
    /// use lychgate_protocol::centrifuge::{EmulationRequest, Encoding};
    ///
    /// let body = br#"{"session":"s","node":"n","data":"{\"id\":2,\"send\":{}}"}"#;
    /// let request = EmulationRequest::read(Encoding::Json, body)?;
    /// assert_eq!(&*request.data, br#"{"id":2,"send":{}}"#);
    /// # Ok::<(), lychgate_protocol::centrifuge::Malformed>(())
    /// ```
    pub fn read(encoding: Encoding, body: &'a [u8]) -> Result<Self, Malformed> {
        match encoding {
            Encoding::Json => {
                let text = simdutf8::compat::from_utf8(body)
                    .map_err(|error| Malformed::NotUtf8 { at: error.valid_up_to() })?;
                json::emulation(text)
            }
            Encoding::Protobuf => protobuf::emulation(body).ok_or(Malformed::NotAMessage { at: 0 }),
        }
    }
}

impl fmt::Debug for EmulationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmulationRequest({} bytes)", self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(encoding: Encoding, body: &[u8]) -> Option<(String, String, Vec<u8>)> {
        let request = EmulationRequest::read(encoding, body).ok()?;
        Some((request.session.into_owned(), request.node.into_owned(), request.data.into_owned()))
    }

    #[test]
    fn a_request_is_read_in_both_encodings_and_nothing_else_is_one() {
        let whole = Some(("s".to_owned(), "n".to_owned(), b"{}\n{}".to_vec()));
        assert_eq!(read(Encoding::Json, br#"{"session":"s","node":"n","data":"{}\n{}"}"#), whole);
        assert_eq!(read(Encoding::Json, br#"{"more":[1],"data":"{}\u000a{}","node":"n","session":"s"}"#), whole);
        assert_eq!(read(Encoding::Protobuf, b"\x0a\x01n\x12\x01s\x1a\x05{}\n{}"), whole);
        let absent = Some((String::new(), String::new(), Vec::new()));
        assert_eq!(read(Encoding::Json, b"{}"), absent);
        assert_eq!(read(Encoding::Protobuf, b""), absent);
        for bad in [
            &b""[..],
            b"[]",
            b"{",
            b"{}{}",
            br#"{"data":{}}"#,
            br#"{"data":7}"#,
            br#"{"session":"s","session":"t"}"#,
            b"{\"session\":\"\xff\"}",
        ] {
            assert_eq!(read(Encoding::Json, bad), None, "{}", String::from_utf8_lossy(bad));
        }
        for bad in [&b"\x0a"[..], b"\x0a\x02n", b"\x08\x01", b"\x0a\x01n\x0a\x01n", b"\x12\x01\xff", b"\x00"] {
            assert_eq!(read(Encoding::Protobuf, bad), None, "{bad:?}");
        }
    }

    #[test]
    fn it_prints_nothing_that_anybody_could_use() {
        let body = br#"{"session":"secret","node":"n","data":"word"}"#;
        let shown = format!("{:?}", EmulationRequest::read(Encoding::Json, body));
        assert_eq!(shown, "Ok(EmulationRequest(4 bytes))");
    }
}
