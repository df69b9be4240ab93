//! What a conversation is: names, bodies, messages, places in a log, presence, pace, refusals.
//!
//! Nothing here awaits, serialises, logs or looks at a clock, so every rule is a plain function
//! that a plain test can try. The other layers stand on this one; it stands on nothing.

#![warn(clippy::wildcard_enum_match_arm)]

mod body;
mod close;
mod conversation;
mod id;
mod limits;
mod message;
mod name;
mod pace;
mod presence;
mod recovery;
mod rejection;
mod secret;

pub use body::Body;
pub use close::CloseReason;
pub use conversation::{Conversation, Place};
pub use id::{ConnectionId, DeviceId, MessageId, NodeId, Seq, SignInId};
pub use limits::Limits;
pub use message::{Kind, Message};
pub use name::{NameKey, RoomName, RoomPattern, Space, SpacePattern, UserName};
pub use pace::Pace;
pub use presence::{Arrival, Roster};
pub use recovery::{Recovery, recovery};
pub use rejection::Rejection;
pub use secret::{Secret, Token};
