//! `hello`: commands in text. `helloworld` is answered, `close` closes, and anything else is unknown.

use bytes::Bytes;

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, Purpose, Step,
    refusal::close_reason,
};
use crate::{
    chat::{Reply, RequestContext, event::Event},
    domain::{CloseReason, Rejection},
    wire::parameter,
};

/// The number of floats of the binary answer.
const FLOATS: u16 = 10_000;

/// The translator of a connection.
struct Hello {
    answer: Frame,
}

/// Starts with text, or with `?binary=1` with floats.
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    let answer = match parameter(handshake.query, "binary")?.as_deref() {
        None | Some("0") => Frame::text("Hello World"),
        Some("1") => Frame::Binary(floats()),
        Some(_) => return Err(Rejection::BadRequest("binary is 0 or 1")),
    };
    Ok(Box::new(Hello { answer }))
}

impl Dialect for Hello {
    fn frame(&mut self, frame: ClientFrame<'_>, _context: RequestContext<'_>) -> Vec<Step> {
        match frame {
            ClientFrame::Text("helloworld") => {
                vec![Step::Effect(Effect::Send(self.answer.clone()))]
            }
            ClientFrame::Text("close") => vec![Step::Finish],
            ClientFrame::Text(_) | ClientFrame::Binary(_) => vec![Step::send("unkonwn command")],
        }
    }

    fn reply(&mut self, _purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        reply.as_ref().err().map(|it| Effect::Close(close_reason(it))).into_iter().collect()
    }

    fn event(&mut self, _event: &Event) -> Option<EventFrame> {
        None
    }

    fn closing(&mut self, _reason: CloseReason) -> Option<Frame> {
        None
    }
}

/// Little-endian 32-bit floats; element i is i/2.
fn floats() -> Bytes {
    (0..FLOATS).flat_map(|i| (f32::from(i) / 2.0).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Limits, RoomName},
        wire::test_support::context,
    };

    fn dialect(query: &str) -> Result<Box<dyn Dialect>, Rejection> {
        start(&Handshake { room: RoomName::lobby(), query })
    }

    fn answer(dialect: &mut dyn Dialect, frame: ClientFrame<'_>) -> Option<Frame> {
        let limits = Limits::default();
        let steps = dialect.frame(frame, context(&limits));
        match <[Step; 1]>::try_from(steps) {
            Ok([Step::Effect(Effect::Send(frame))]) => Some(frame),
            Ok([Step::Finish]) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_are_answered_with_the_words_of_the_original() {
        let mut hello = dialect("").unwrap();
        let mut send = |text| answer(&mut *hello, ClientFrame::Text(text));
        assert_eq!(send("helloworld"), Some(Frame::text("Hello World")));
        assert_eq!(send("Helloworld"), Some(Frame::text("unkonwn command")));
        assert_eq!(send(""), Some(Frame::text("unkonwn command")));
        assert_eq!(send("close"), None);
        let bytes = Bytes::from_static(b"helloworld");
        let binary = answer(&mut *hello, ClientFrame::Binary(&bytes));
        assert_eq!(binary, Some(Frame::text("unkonwn command")));
    }

    #[test]
    fn the_binary_answer_has_ten_thousand_floats() {
        let mut hello = dialect("binary=1").unwrap();
        let frame = answer(&mut *hello, ClientFrame::Text("helloworld"));
        let Some(Frame::Binary(bytes)) = frame else { panic!("{frame:?}") };
        assert_eq!(bytes.len(), 40_000);
        assert_eq!(bytes[4..8], 0.5_f32.to_le_bytes());
        assert_eq!(bytes[39_996..], 4999.5_f32.to_le_bytes());
        assert!(matches!(dialect("binary=yes"), Err(Rejection::BadRequest(_))));
    }

    #[test]
    fn a_refused_user_is_disconnected() {
        let mut hello = dialect("").unwrap();
        let refused = hello.reply(&Purpose::Identify, &Err(Rejection::Unavailable));
        assert_eq!(refused, [Effect::Close(CloseReason::Fault)]);
    }
}
