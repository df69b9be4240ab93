//! What the packets of a Redis emitter ask for.

use tracing::debug;

use super::{Chat, ports::MetricEvent};
use crate::domain::{CustomEvent, PassingDelivery, Rejection, RoomName, Selection};

/// A packet of an emitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitterPacket {
    /// The connections that it is about.
    pub to: Selection,
    /// What happens to them.
    pub effect: EmitterEffect,
}

/// What happens to the connections that a packet selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitterEffect {
    /// They receive an event of the application.
    Emit(CustomEvent, PassingDelivery),
    /// They are in these rooms for later packets.
    Join(Vec<RoomName>),
    /// They are not in these rooms any more.
    Leave(Vec<RoomName>),
    /// They are closed.
    Disconnect,
}

impl Chat {
    /// Does what a packet asks for, to the connections of this node: every node receives it. A packet
    /// that was rejected is counted.
    pub fn apply_emitter_packet(&self, packet: Result<EmitterPacket, Rejection>) {
        let EmitterPacket { to, effect } = match packet {
            Ok(packet) => packet,
            Err(rejection) => {
                debug!(reason = %rejection, "emitter packet dropped");
                self.metrics.record(MetricEvent::EmitterPacketDropped);
                return;
            }
        };
        match effect {
            EmitterEffect::Emit(event, delivery) => self.hub.emitters.send(&to, event, delivery),
            EmitterEffect::Join(rooms) => self.hub.emitters.join(&to, &rooms),
            EmitterEffect::Leave(rooms) => self.hub.emitters.leave(&to, &rooms),
            EmitterEffect::Disconnect => self.hub.emitters.disconnect(&to),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        auth::KeyTokens,
        bus::LocalBus,
        chat::{Backends, ChatParts, ports::NoApiKeys, test_support::rules},
        clock::{RandomIds, SystemClock},
        domain::{Body, EventName, NodeId, Secret, Space},
        store::{MemoryNodes, MemoryStore},
        telemetry::metrics::ProcessMetrics,
    };

    #[test]
    fn a_dropped_packet_is_counted_once_and_others_are_not() {
        let metrics = Arc::new(ProcessMetrics::default());
        let node = NodeId::from_raw("alone");
        let secret = Secret::from_raw(&[7; 32]);
        let (chat, _writer) = Chat::new(ChatParts {
            store: Arc::new(MemoryStore::default()),
            bus: Arc::new(LocalBus::default()),
            nodes: Arc::new(MemoryNodes::single(node.clone())),
            tokens: Arc::new(KeyTokens::new(&secret, Arc::new(SystemClock))),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            metrics: Arc::<ProcessMetrics>::clone(&metrics),
            backends: Backends::default(),
            api_keys: Arc::new(NoApiKeys),
            webhooks: None,
            tracer: None,
            rules: rules(node),
        });
        let args = Body::from_raw("[]".into(), Vec::new());
        let event = CustomEvent { name: EventName::parse("x").unwrap(), args };
        let to = Selection { space: Space::root(), rooms: Vec::new(), except: Vec::new() };
        let effect = EmitterEffect::Emit(event, PassingDelivery::Reliable);
        chat.apply_emitter_packet(Ok(EmitterPacket { to, effect }));
        let dropped = |count: u32| {
            let line = format!("roomcast_emitter_packets_dropped_total {count}\n");
            metrics.text(&chat.gauges()).contains(&line)
        };
        assert!(dropped(0));
        chat.apply_emitter_packet(Err(Rejection::UnknownEvent));
        assert!(dropped(1));
    }
}
