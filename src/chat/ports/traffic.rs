//! How much passes through the connections of a node.

/// What connections have sent and received since the start of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Number of requests.
    pub packets_in: u64,
    /// The bytes that clients have sent.
    pub bytes_in: u64,
    /// Number of events, answers and pings.
    pub packets_out: u64,
    /// The bytes that clients were sent.
    pub bytes_out: u64,
}

impl Traffic {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let Self { packets_in, bytes_in, packets_out, bytes_out } = before;
        Self {
            packets_in: self.packets_in.saturating_sub(*packets_in),
            bytes_in: self.bytes_in.saturating_sub(*bytes_in),
            packets_out: self.packets_out.saturating_sub(*packets_out),
            bytes_out: self.bytes_out.saturating_sub(*bytes_out),
        }
    }
}

/// What counts the traffic of a node.
pub trait TrafficMeter: Send + Sync + 'static {
    /// The present sums. They are not all of the same moment.
    fn traffic(&self) -> Traffic;
}
