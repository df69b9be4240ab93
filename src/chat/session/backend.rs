//! Events that a back end answers, and what it asks for.

use tracing::debug;

use super::{Session, acting_user::ActingUser};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        actions::Actor,
        ports::{Action, BackendAnswer, Caller, EventCall},
        request::CustomPost,
    },
    domain::{BackendName, Rejection},
};

impl Session {
    /// Has a back end answer an event. The next request waits for it, so that a back end receives the
    /// events of a connection in their order.
    pub(super) async fn ask_backend(
        &mut self,
        post: CustomPost,
        name: Option<&BackendName>,
        answer: ReplyCallback,
    ) {
        // In a box, which other requests do not pay for.
        let reply = Box::pin(self.backend_reply(post, name)).await;
        answer(reply);
    }

    async fn backend_reply(&mut self, post: CustomPost, name: Option<&BackendName>) -> Reply {
        self.check_event_rate(post.number, &post.rule)?;
        // `config` checks that rules name back ends that exist.
        let registered = self.chat.backends.get(name).cloned().ok_or(Rejection::Unavailable)?;
        let call = EventCall { caller: self.caller(self.acting_user()), event: post.event };
        match registered.settle(registered.backend.event(call).await)? {
            None => Ok(Answer::Acknowledged),
            Some(BackendAnswer::Accepted { ack, actions }) => {
                self.perform(actions).await;
                Ok(ack.map_or(Answer::Acknowledged, |ack| Answer::Custom { ack }))
            }
            Some(BackendAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
        }
    }

    /// This connection with this user, as back ends see it.
    pub(super) fn caller(&self, user: Option<ActingUser<'_>>) -> Caller {
        Caller {
            space: self.origin.space.clone(),
            connection: self.address(),
            room: self.origin.default_room(),
            user: user.map(|it| it.calling_user()),
            data: self.origin.data.clone(),
        }
    }

    /// Does what a back end asks for, in the name of this session's user.
    pub(in crate::chat) async fn perform(&self, actions: Vec<Action>) {
        self.perform_for(self.acting_user(), actions).await;
    }

    /// Does what a back end asks for. What is not possible is left out: the back end decides with what
    /// it knows, and a user may have left meanwhile.
    pub(super) async fn perform_for(&self, user: Option<ActingUser<'_>>, actions: Vec<Action>) {
        let actor = Actor {
            space: &self.origin.space,
            user: user.map(|it| it.name),
            guest_session: user.and_then(|it| it.guest_session),
            connection: self.registration.id(),
        };
        for outcome in self.chat.perform(&actor, actions).await {
            if let Err(rejection) = outcome {
                debug!(?rejection, "an action of a back end is not possible");
            }
        }
    }
}
