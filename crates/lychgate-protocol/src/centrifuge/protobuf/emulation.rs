//! The request that carries a message of a client, as a Protobuf message.

use std::borrow::Cow;

use super::command::each_field;
use crate::centrifuge::EmulationRequest;

/// Reads one; `None` if it is none.
pub(in crate::centrifuge) fn emulation(bytes: &[u8]) -> Option<EmulationRequest<'_>> {
    let mut request = EmulationRequest::default();
    let read = each_field(bytes, &[], |number, value| {
        match number {
            1 => request.node = value.text()?,
            2 => request.session = value.text()?,
            3 => request.data = Cow::Borrowed(value.bytes()?),
            _ => {}
        }
        Ok(())
    });
    read.ok().map(|()| request)
}
