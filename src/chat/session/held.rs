//! Posts that the client of a returning guest sends before `new user`.
//!
//! Official clients send what they buffered while they were disconnected before their `connect`
//! handlers run. If the handshake names a device of a guest on this node, such posts wait for the
//! next request: they are sent if it is the `new user` that continues the guest session, and
//! rejected otherwise.

use parking_lot::Mutex;

use super::Session;
use crate::{
    chat::{ReplyCallback, Request},
    domain::{GuestDevices, Rejection},
};

/// Posts that wait in one session. Further ones are rejected.
const HELD_POSTS_MAX: usize = 32;

/// Whether the posts of an anonymous session wait. Dropping it rejects those that do.
#[derive(Default)]
pub(super) enum HeldPosts {
    /// There was no post yet.
    #[default]
    Undecided,
    /// The device is not one of a guest: posts are rejected.
    Rejected,
    /// They wait. The mutex makes the session `Sync` and is never locked.
    Held(Mutex<Vec<(Request, ReplyCallback)>>),
}

impl HeldPosts {
    /// The posts in the order of their arrival.
    pub(super) fn take(&mut self) -> Vec<(Request, ReplyCallback)> {
        match self {
            Self::Held(posts) => std::mem::take(posts.get_mut()),
            Self::Undecided | Self::Rejected => Vec::new(),
        }
    }

    /// Keeps a post, or returns it if posts are rejected.
    fn push(&mut self, post: (Request, ReplyCallback)) -> Option<(Request, ReplyCallback)> {
        let Self::Held(posts) = self else { return Some(post) };
        let posts = posts.get_mut();
        if posts.len() >= HELD_POSTS_MAX {
            return Some(post);
        }
        posts.push(post);
        None
    }

    fn reject(&mut self) {
        for (_, answer) in self.take() {
            answer(Err(Rejection::NotIdentified));
        }
    }
}

impl Drop for HeldPosts {
    fn drop(&mut self) {
        self.reject();
    }
}

impl Session {
    /// Holds a post of an anonymous session back if it may belong to a returning guest. Returns any
    /// other request; all but `new user` end the wait.
    pub(super) fn hold(
        &mut self,
        request: Request,
        answer: ReplyCallback,
    ) -> Option<(Request, ReplyCallback)> {
        if self.identity.is_some() {
            return Some((request, answer));
        }
        match request {
            Request::Custom(post) if !post.needs_identity() => {
                Some((Request::Custom(post), answer))
            }
            Request::Send(_)
            | Request::GroupChat(_)
            | Request::SingleChat { .. }
            | Request::Custom(_) => {
                if matches!(self.held, HeldPosts::Undecided) {
                    self.held = self.decide_on_posts();
                }
                self.held.push((request, answer))
            }
            Request::Identify { .. } | Request::AnswerAsk { .. } => Some((request, answer)),
            _ => {
                self.held.reject();
                Some((request, answer))
            }
        }
    }

    fn decide_on_posts(&self) -> HeldPosts {
        let (users, space) = (&self.chat.hub.users, &self.origin.space);
        let is_guests = |device| users.is_guest_device(space, device);
        let accepted = self.chat.rules.guest_devices == GuestDevices::Accepted;
        if accepted && self.origin.device.as_ref().is_some_and(is_guests) {
            HeldPosts::Held(Mutex::default())
        } else {
            HeldPosts::Rejected
        }
    }

    /// Sends the posts that waited for the identification.
    pub(super) async fn send_held(&mut self) {
        for (request, answer) in self.held.take() {
            self.refresh_membership(&request).await;
            match request {
                Request::Send(post) => self.send(post, answer).await,
                Request::GroupChat(post) => self.group_chat(post, answer).await,
                Request::SingleChat { to, body, id } => {
                    self.single_chat(to, body, id, answer).await;
                }
                Request::Custom(post) => self.custom(*post, answer).await,
                _ => answer(Err(Rejection::NotIdentified)),
            }
        }
    }

    /// Rejects the posts that waited for an identification as another user, or that failed.
    pub(super) fn reject_held(&mut self) {
        self.held.reject();
    }
}
