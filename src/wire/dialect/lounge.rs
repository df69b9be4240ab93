//! `lounge`: text in, `{"id", "type", "user", "data"}` out. A cookie or a token names the user.

use serde::Serialize;

use super::{
    ClientFrame, Dialect, Effect, EventFrame, Frame, Handshake, InitialUser, Purpose, Step,
    content, refusal, steps,
};
use crate::{
    chat::{Answer, Reply, Request, RequestContext, event::Event},
    domain::{CloseReason, Rejection, RoomName, UserName},
    wire::{code, payload},
};

/// The translator of a connection.
struct Lounge {
    room: RoomName,
    /// The user of the connection, once it is welcome.
    user: Option<UserName>,
    /// The id of the last frame.
    last_id: u64,
}

/// A frame of the server.
#[derive(Serialize)]
struct LoungeData<'a, T> {
    id: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    user: Option<&'a str>,
    data: T,
}

/// Starts.
#[expect(clippy::unnecessary_wraps, reason = "other dialects refuse queries")]
pub(super) fn start(handshake: &Handshake<'_>) -> Result<Box<dyn Dialect>, Rejection> {
    Ok(Box::new(Lounge { room: handshake.room.clone(), user: None, last_id: 0 }))
}

impl Dialect for Lounge {
    fn open(&mut self, user: InitialUser) -> Vec<Step> {
        vec![match user {
            InitialUser::Identified => Step::Ask(Purpose::List, Request::GroupList { room: None }),
            InitialUser::Anonymous(_) => Step::Effect(Effect::Close(CloseReason::InvalidUser)),
        }]
    }

    fn frame(&mut self, frame: ClientFrame<'_>, context: RequestContext<'_>) -> Vec<Step> {
        let ClientFrame::Text(text) = frame else {
            return steps(self.refused(&Rejection::BadRequest("a frame is text")));
        };
        match content::text_body(text.trim(), context.limits) {
            Ok(body) => vec![Step::Ask(Purpose::Post, content::send(body))],
            Err(Rejection::MessageEmpty) => Vec::new(),
            Err(rejection) => steps(self.refused(&rejection)),
        }
    }

    fn reply(&mut self, _purpose: &Purpose, reply: &Reply) -> Vec<Effect> {
        match reply {
            Ok(Answer::Users { users, .. }) => {
                let names: Vec<_> = users.iter().map(UserName::as_raw).collect();
                let user = self.user.clone();
                vec![Effect::Send(self.numbered("list", user.as_ref(), names))]
            }
            Ok(_) => Vec::new(),
            Err(rejection) => self.refused(rejection),
        }
    }

    fn event(&mut self, event: &Event) -> Option<EventFrame> {
        if content::is_message_in(event, &self.room) {
            let said = content::message(event)?;
            let text = content::text_of(said.body);
            return Some(EventFrame::Own(self.numbered("chat", Some(said.user), text)));
        }
        if let Event::Welcome(welcome) = event {
            self.user = Some(welcome.user.clone());
        }
        let (kind, user) = self.presence(event)?;
        Some(EventFrame::Own(self.numbered(kind, Some(user), "")))
    }

    fn closing(&mut self, reason: CloseReason) -> Option<Frame> {
        let is_told = reason != CloseReason::InvalidUser;
        is_told.then(|| self.numbered("closing", None, code::close(reason).code))
    }

    fn refusal(&self, rejection: &Rejection) -> Option<CloseReason> {
        refusal::is_about_identity(rejection).then_some(CloseReason::InvalidUser)
    }
}

impl Lounge {
    /// Who came to the room or left it.
    fn presence<'e>(&self, event: &'e Event) -> Option<(&'static str, &'e UserName)> {
        if let Event::Welcome(welcome) = event {
            // The others receive it as a join.
            return Some(("join", &welcome.user));
        }
        if let Event::Joined { room, who } = event {
            return (*room == self.room).then_some(("join", &who.user));
        }
        let Event::Left { room, who } = event else { return None };
        (*room == self.room).then_some(("left", &who.user))
    }

    fn refused(&mut self, rejection: &Rejection) -> Vec<Effect> {
        let user = self.user.clone();
        let code = code::rejection(rejection).code;
        vec![Effect::Send(self.numbered("error", user.as_ref(), code))]
    }

    /// A frame with the next id.
    fn numbered(&mut self, kind: &str, user: Option<&UserName>, data: impl Serialize) -> Frame {
        self.last_id += 1;
        let user = user.map(UserName::as_raw);
        Frame::Text(payload::json(&LoungeData { id: self.last_id, kind, user, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::test_support::message_delivery,
        domain::{DisplayNames, Limits},
        wire::test_support::context,
    };

    fn dialect() -> Box<dyn Dialect> {
        start(&Handshake { room: RoomName::lobby(), query: "" }).unwrap()
    }

    fn text(frame: Option<EventFrame>) -> String {
        let Some(EventFrame::Own(Frame::Text(text))) = frame else { panic!("{frame:?}") };
        text
    }

    #[test]
    fn ids_grow_over_all_frames() {
        let mut lounge = dialect();
        let [ann, bob] = ["ann", "bob"].map(UserName::from_raw);
        let joined = Event::Joined { room: RoomName::lobby(), who: bob.clone().into() };
        let expected = r#"{"id":1,"type":"join","user":"bob","data":""}"#;
        assert_eq!(text(lounge.event(&joined)), expected);
        let users = vec![ann, bob.clone()];
        let answer =
            Answer::Users { room: RoomName::lobby(), users, names: DisplayNames::new(), count: 2 };
        let expected = r#"{"id":2,"type":"list","user":null,"data":["ann","bob"]}"#;
        let effects = lounge.reply(&Purpose::List, &Ok(answer));
        assert_eq!(effects, [Effect::Send(Frame::text(expected))]);
        let expected = r#"{"id":3,"type":"chat","user":"ann","data":"hi"}"#;
        assert_eq!(text(lounge.event(message_delivery("lobby", 1).event())), expected);
        let left = Event::Left { room: RoomName::lobby(), who: bob.clone().into() };
        let expected = r#"{"id":4,"type":"left","user":"bob","data":""}"#;
        assert_eq!(text(lounge.event(&left)), expected);
        let news = RoomName::parse("news").unwrap();
        assert!(lounge.event(&Event::Left { room: news, who: bob.into() }).is_none());
        assert!(lounge.event(message_delivery("news", 1).event()).is_none());
        let closing = lounge.closing(CloseReason::DRAINING);
        let expected = r#"{"id":5,"type":"closing","user":null,"data":"draining"}"#;
        assert_eq!(closing, Some(Frame::text(expected)));
        assert_eq!(lounge.closing(CloseReason::InvalidUser), None);
    }

    #[test]
    fn text_is_trimmed_and_blank_text_is_ignored() {
        let (limits, mut lounge) = (Limits::default(), dialect());
        let mut send = |text| lounge.frame(ClientFrame::Text(text), context(&limits));
        let steps = send("  hi \n");
        let [Step::Ask(Purpose::Post, Request::Send(post))] = &*steps else { panic!("{steps:?}") };
        assert_eq!(post.body.json(), r#""hi""#);
        assert!(send(" \t").is_empty() && send("").is_empty());
        let long = "x".repeat(limits.body_bytes_max.get());
        let expected = r#"{"id":1,"type":"error","user":null,"data":"message_too_large"}"#;
        let steps = send(&long);
        let [Step::Effect(effect)] = &*steps else { panic!("{steps:?}") };
        assert_eq!(*effect, Effect::Send(Frame::text(expected)));
        let bytes = bytes::Bytes::from_static(b"hi");
        let steps = lounge.frame(ClientFrame::Binary(&bytes), context(&limits));
        assert!(matches!(&*steps, [Step::Effect(Effect::Send(_))]));
    }

    #[test]
    fn a_client_without_a_valid_cookie_is_closed() {
        let anonymous = InitialUser::Anonymous(UserName::from_raw("guest-1"));
        let reason = CloseReason::InvalidUser;
        let steps = dialect().open(anonymous);
        assert!(matches!(&*steps, [Step::Effect(Effect::Close(it))] if *it == reason));
        assert_eq!(dialect().refusal(&Rejection::Unauthorized), Some(reason));
        assert_eq!(dialect().refusal(&Rejection::Draining), None);
    }
}
