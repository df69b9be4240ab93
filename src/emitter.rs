//! The engine that receives what `@socket.io/redis-emitter` publishes.
//!
//! Every node receives every packet and serves its own connections.

use std::sync::Arc;

use crate::{
    bus::{RedisOptions, RedisOptionsError, RedisPatterns},
    chat::Chat,
    wire::emitter,
};

/// See the module.
#[derive(Debug)]
pub struct RedisEmitters {
    key: String,
    subscription: RedisPatterns,
}

impl RedisEmitters {
    /// Receives what emitters with the option `key` publish, while it [runs](Self::run). The key has
    /// no characters that have a meaning in patterns.
    pub fn new(key: &str, options: &RedisOptions) -> Result<Self, RedisOptionsError> {
        let subscription = RedisPatterns::new(options, emitter::channel_patterns(key))?;
        Ok(Self { key: key.to_owned(), subscription })
    }

    /// Hands each packet to `chat`, without end. Cancel-safe.
    pub async fn run(self, chat: Arc<Chat>) {
        let Self { key, subscription } = self;
        let on_message = move |channel: &[u8], payload: &[u8]| {
            if let Some(packet) = emitter::packet(&key, (channel, payload), &chat.limits()) {
                chat.apply_emitter_packet(packet);
            }
        };
        subscription.run(on_message).await;
    }
}
