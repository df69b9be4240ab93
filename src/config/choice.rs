//! Settings with a few named values. The values are types of the domain, which knows no format.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

use crate::domain::{
    AccessLogging, AdminUiAccess, AdminUiMode, AdminUiRights, DevicePolicy, FormSignIn,
    ForwardedHeader, GuestDevices, Guests, ProxyProtocol, QueryTokens, Synchronous,
    WebSocketCompression,
};

/// A type with one name per value.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// All values with their names.
    const NAMES: [(&'static str, Self); 2];
}

impl Choice for Guests {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for FormSignIn {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for WebSocketCompression {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for AccessLogging {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for AdminUiMode {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for AdminUiAccess {
    const NAMES: [(&'static str, Self); 2] =
        [("password", Self::Password), ("none", Self::Everybody)];
}

impl Choice for AdminUiRights {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::ReadOnly), ("off", Self::Commands)];
}

impl Choice for ForwardedHeader {
    const NAMES: [(&'static str, Self); 2] =
        [("x-forwarded-for", Self::XForwardedFor), ("forwarded", Self::Forwarded)];
}

impl Choice for ProxyProtocol {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::On), ("off", Self::Off)];
}

impl Choice for QueryTokens {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::Accepted), ("off", Self::Rejected)];
}

impl Choice for GuestDevices {
    const NAMES: [(&'static str, Self); 2] = [("on", Self::Accepted), ("off", Self::Ignored)];
}

impl Choice for DevicePolicy {
    const NAMES: [(&'static str, Self); 2] = [("many", Self::Many), ("newest", Self::Newest)];
}

impl Choice for Synchronous {
    const NAMES: [(&'static str, Self); 2] = [("full", Self::Full), ("normal", Self::Normal)];
}

/// Parses a name. The error lists the names.
pub(super) fn deserialize<'de, T: Choice, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    let text = String::deserialize(input)?;
    let named = T::NAMES.into_iter().find(|(name, _)| *name == text);
    named.map(|(_, value)| value).ok_or_else(|| {
        let [(one, _), (other, _)] = T::NAMES;
        D::Error::custom(format!("{text:?} is not `{one}` or `{other}`"))
    })
}

/// Writes the name of a value.
pub(super) fn serialize<T: Choice, S: Serializer>(value: &T, output: S) -> Result<S::Ok, S::Error> {
    let [(one, first), (other, _)] = T::NAMES;
    output.serialize_str(if *value == first { one } else { other })
}
