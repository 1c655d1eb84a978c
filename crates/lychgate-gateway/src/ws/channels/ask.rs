//! Asking the application what is to become of a command.

use lychgate_protocol::centrifuge::code::ErrorCode;
use lychgate_protocol::centrifuge::{self as wire, Data, ErrorReply, Reply};
use lychgate_protocol::ws::CloseCode;
use lychgate_service::channels::{Answered, Callback, Way, Wish, said};
use serde_json::{Map, Value};

use super::client::{Client, Connected, Stage};
use super::turn::{End, bad_request};

/// The longest name of a call, in bytes.
const METHOD_BYTES_MAX: usize = 255;

/// An error that a command is answered with.
pub(super) struct Refused {
    code: u32,
    message: String,
    is_temporary: bool,
}

impl Refused {
    pub(super) fn reply(&self) -> ErrorReply<'_> {
        ErrorReply { code: ErrorCode(self.code), message: &self.message, temporary: self.is_temporary }
    }

    pub(super) fn of(code: ErrorCode) -> Self {
        Self { code: code.0, message: code.message().to_owned(), is_temporary: code.is_temporary() }
    }
}

impl Client {
    /// Has the application answer a call.
    pub(super) async fn rpc(&mut self, id: u32, rpc: wire::Rpc<'_>) -> Result<(), End> {
        let Some(callback) = self.settings().on_rpc.clone() else {
            return self.refuse(id, ErrorCode::NOT_AVAILABLE);
        };
        let Ok(data) = rpc.data.checked() else { return self.refuse(id, ErrorCode::BAD_REQUEST) };
        if rpc.method.len() > METHOD_BYTES_MAX {
            return self.refuse(id, ErrorCode::BAD_REQUEST);
        }
        let wish = Wish::Rpc { method: &rpc.method, data: data.as_json().unwrap_or("null") };
        match self.asked(&callback, wish).await? {
            Ok(result) => {
                let data = said(&result, "data");
                let data = data.as_ref().map_or(Data::ABSENT, |data| Data::json_trusted(data.get()));
                self.reply(id, &Reply::Rpc { data });
            }
            Err(error) => self.reply(id, &Reply::Error(error.reply())),
        }
        Ok(())
    }

    /// How the client speaks.
    pub(super) fn way(&self) -> Way<'_> {
        Way { transport: self.entry.socket.transport(), encoding: self.encoding.name() }
    }

    /// What the application says of a wish: its result, or the error that the command is answered with.
    pub(super) async fn asked(
        &mut self,
        callback: &Callback,
        wish: Wish<'_>,
    ) -> Result<Result<Map<String, Value>, Refused>, End> {
        // What was answered before does not wait for the application.
        self.settle();
        let Stage::Connected(Connected { member, .. }) = &self.stage else { return Err(bad_request()) };
        match callback.ask(member, self.way(), wish).await {
            Answered::Result(result) => Ok(Ok(result)),
            Answered::Nothing => Ok(Ok(Map::new())),
            Answered::Error { code, message, is_temporary } => Ok(Err(Refused { code, message, is_temporary })),
            Answered::Disconnect { code, reason } => Err(End::Said(CloseCode(code), reason.into())),
            // It may be asked again, and may answer then.
            Answered::Failed => Ok(Err(Refused::of(ErrorCode::INTERNAL))),
        }
    }
}
