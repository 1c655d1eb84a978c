//! A connection of which the application is told, from its coming to its end.

use std::sync::Arc;

use lychgate_protocol::channel::ChannelName;
use lychgate_service::events::Attendance;
use lychgate_service::principal::Principal;

use crate::ws::socket::Socket;

/// That the application was told that a connection is there. Its end is told when this goes, with its reason.
pub struct Attending {
    _present: Box<Present>,
}

struct Present {
    attendance: Option<Attendance>,
    socket: Arc<Socket>,
}

impl Attending {
    /// Tells that `principal` has come on the connection `client`, where the endpoint tells anybody.
    ///
    /// The name of the connection is made only where it is needed.
    pub fn begin(
        socket: &Arc<Socket>,
        principal: &Principal,
        channel: Option<&ChannelName>,
        client: impl FnOnce() -> Box<str>,
    ) -> Option<Self> {
        let sessions = socket.endpoint().settings.events.as_ref()?;
        let attendance = Some(sessions.connected(principal, &client(), channel));
        Some(Self { _present: Box::new(Present { attendance, socket: Arc::clone(socket) }) })
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some(attendance) = self.attendance.take() {
            attendance.end(self.socket.ending.ended(&self.socket.endpoint().settings.profile));
        }
    }
}
