//! Events that a back end answers, and what it asks for.

use tracing::debug;

use super::{Session, SessionIdentity};
use crate::{
    chat::{
        Answer, Reply, ReplyCallback,
        actions::Actor,
        ports::{Action, BackendAnswer, Caller, CallingUser, CallingUserKind, EventCall},
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
        let reply = self.backend_reply(post, name).await;
        answer(reply);
    }

    async fn backend_reply(&mut self, post: CustomPost, name: Option<&BackendName>) -> Reply {
        self.check_event_rate(post.number, &post.rule)?;
        // `config` checks that rules name back ends that exist.
        let registered = self.chat.backends.get(name).cloned().ok_or(Rejection::Unavailable)?;
        let call = EventCall { caller: self.caller(), event: post.event };
        match registered.settle(registered.backend.event(call).await)? {
            None => Ok(Answer::Acknowledged),
            Some(BackendAnswer::Accepted { ack, actions }) => {
                self.perform(actions).await;
                Ok(ack.map_or(Answer::Acknowledged, |ack| Answer::Custom { ack }))
            }
            Some(BackendAnswer::Refused(refusal)) => Err(Rejection::Refused(Box::new(refusal))),
        }
    }

    /// This connection, as back ends see it.
    pub(super) fn caller(&self) -> Caller {
        let user = self.identity.as_ref().map(|identity| CallingUser {
            name: identity.user().clone(),
            kind: match identity.rights.guest {
                Some(_) => CallingUserKind::Guest,
                None => CallingUserKind::Registered,
            },
            global_role: identity.rights.global_role,
        });
        Caller {
            space: self.origin.space.clone(),
            connection: self.address(),
            room: self.origin.default_room(),
            user,
            data: self.origin.data.clone(),
        }
    }

    /// Does what a back end asks for, in the name of this session's user. What is not possible is left
    /// out: the back end decides with what it knows, and a user may have left meanwhile.
    pub(in crate::chat) async fn perform(&self, actions: Vec<Action>) {
        let identity = self.identity.as_ref();
        let actor = Actor {
            space: &self.origin.space,
            user: identity.map(SessionIdentity::user),
            guest_session: identity.and_then(|it| it.rights.guest.as_deref()),
            connection: self.registration.id(),
        };
        for outcome in self.chat.perform(&actor, actions).await {
            if let Err(rejection) = outcome {
                debug!(?rejection, "an action of a back end is not possible");
            }
        }
    }
}
