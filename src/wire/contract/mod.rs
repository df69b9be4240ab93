//! The contract with clients, for programs: TypeScript, AsyncAPI and JSON Schema.
//!
//! The tables `requests` and `events` describe the payload of every event, and the writers beside them
//! write all formats from these. The structs that `wire` serializes are separate, so tests hold both
//! together: every text that the golden tests expect is valid, and no key is undescribed.

mod answers;
mod asyncapi;
mod definitions;
mod events;
mod json_schema;
mod requests;
#[cfg(test)]
pub(super) mod test_support;
#[cfg(test)]
mod tests;
mod types;
mod typescript;

use self::json_schema::UnknownKeys;
pub use self::{
    answers::AnswerPayload,
    definitions::{CLOSE_CODES, CODES},
};
pub(super) use self::{
    answers::{answer_schema, component_schemas},
    requests::for_each_request_key,
    types::DescribedKey,
};

/// A format of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractFormat {
    /// TypeScript declarations.
    TypeScript,
    /// AsyncAPI 3.0, of plain WebSocket frames.
    AsyncApi,
    /// JSON Schema 2020-12.
    JsonSchema,
}

/// The contract as text.
pub fn contract(format: ContractFormat) -> String {
    match format {
        ContractFormat::TypeScript => typescript::document(),
        ContractFormat::AsyncApi => format!("{:#}\n", asyncapi::document()),
        ContractFormat::JsonSchema => {
            format!("{:#}\n", json_schema::document(UnknownKeys::Accepted))
        }
    }
}
