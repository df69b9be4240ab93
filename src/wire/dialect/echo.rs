//! `echo-protocol`: a text goes to every client of the room as it is, bytes go back to their sender.

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, Purpose, Step, content,
    refusal::close_reason,
};
use crate::{
    chat::{Reply, RequestContext, event::Event},
    domain::{CloseReason, Rejection, RoomName},
};

/// The translator of a connection.
struct Echo {
    room: RoomName,
}

/// Starts.
#[expect(clippy::unnecessary_wraps, reason = "other dialects refuse queries")]
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    Ok(Box::new(Echo { room: handshake.room.clone() }))
}

impl Dialect for Echo {
    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step> {
        let text = match frame {
            ClientFrame::Text(text) => text,
            ClientFrame::Binary(bytes) => {
                return vec![Step::Effect(Effect::Send(Frame::Binary(bytes.clone())))];
            }
        };
        match content::text_body(text, context.limits) {
            Ok(body) => vec![Step::Ask(Purpose::Post, content::send(body))],
            // No message is blank, so nobody else receives it.
            Err(Rejection::MessageEmpty) => vec![Step::send(text)],
            Err(Rejection::MessageTooLarge) => {
                let limit = context.limits.body_bytes_max.get();
                vec![Step::Effect(Effect::Close(CloseReason::FrameTooLarge { limit }))]
            }
            Err(rejection) => vec![Step::Effect(Effect::Close(close_reason(&rejection)))],
        }
    }

    fn reply(&mut self, _purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        reply.as_ref().err().map(|it| Effect::Close(close_reason(it))).into_iter().collect()
    }

    fn event(&mut self, event: &Event) -> Option<EventFrame> {
        content::is_message_in(event, &self.room).then_some(EventFrame::Shared(said))
    }

    fn closing(&mut self, _reason: CloseReason) -> Option<Frame> {
        None
    }
}

/// The text of a message, or its bytes.
fn said(event: &Event) -> Option<Frame> {
    let body = content::message(event)?.body;
    let text = || Frame::Text(content::text_of(body));
    Some(content::bytes_of(body).map_or_else(text, |bytes| Frame::Binary(bytes.clone())))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use bytes::Bytes;

    use super::*;
    use crate::{
        chat::{Request, test_support::message_delivery},
        domain::Limits,
        wire::test_support::context,
    };

    fn dialect() -> Box<dyn Dialect> {
        start(&Handshake { room: RoomName::lobby(), query: "" }).unwrap()
    }

    #[test]
    fn text_is_posted_and_bytes_return() {
        let limits = Limits { body_bytes_max: NonZeroUsize::new(10).unwrap(), ..Limits::default() };
        let (mut echo, context) = (dialect(), context(&limits));
        let mut text = |text| echo.frame(ClientFrame::Text(text), context);
        let posted = text("\"é\"");
        let [Step::Ask(Purpose::Post, Request::Send(post))] = &*posted else { panic!() };
        assert_eq!(content::text_of(&post.body), "\"é\"");
        for blank in ["", " \n"] {
            let returned = text(blank);
            let [Step::Effect(Effect::Send(frame))] = &*returned else { panic!("{returned:?}") };
            assert_eq!(*frame, Frame::text(blank));
        }
        let closed = text("more than ten");
        let too_large = CloseReason::FrameTooLarge { limit: 10 };
        assert!(matches!(&*closed, [Step::Effect(Effect::Close(reason))] if *reason == too_large));
        let bytes = Bytes::from_static(&[0, 255]);
        let returned = echo.frame(ClientFrame::Binary(&bytes), context);
        let [Step::Effect(Effect::Send(frame))] = &*returned else { panic!("{returned:?}") };
        assert_eq!(*frame, Frame::Binary(bytes));
    }

    #[test]
    fn messages_of_the_room_arrive_as_they_are() {
        let (mut echo, delivery) = (dialect(), message_delivery("lobby", 1));
        let Some(EventFrame::Shared(encode)) = echo.event(delivery.event()) else { panic!() };
        assert_eq!(encode(delivery.event()), Some(Frame::text("hi")));
        assert!(echo.event(message_delivery("news", 1).event()).is_none());
    }

    #[test]
    fn a_refused_message_closes() {
        let refused = dialect().reply(&Purpose::Post, &Err(Rejection::ReadOnly));
        assert_eq!(refused, [Effect::Close(CloseReason::Disconnected)]);
    }
}
