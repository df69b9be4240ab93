//! Schemas of bodies and answers, for the document of the API.

use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::{
    ask::AskData, bans::BanData, member::MemberData, question::PresenceData,
    revocations::RevocationData, topic::TopicData, webhooks::ResendData,
};
use crate::wire::{
    contract::{self, AnswerPayload},
    sign_in::SignIn,
};

/// The schema of a body or an answer: a name in the document, and all schemas that it needs.
#[derive(Clone, Debug)]
pub struct PayloadSchema {
    pub(super) name: String,
    pub(super) components: Vec<(String, Value)>,
}

impl PayloadSchema {
    /// The schema of what serde reads into `T`, under a name of its own in the document.
    pub(in crate::wire) fn of<T: ToSchema>(name: &str) -> Self {
        Self { name: name.to_owned(), components: Vec::new() }.with::<T>(name)
    }

    /// The schema of a generic list, under this name, and of its items.
    pub(super) fn of_list<L: ToSchema, T: ToSchema>(name: &str) -> Self {
        Self::of::<L>(name).with::<T>(&T::name())
    }

    fn with<T: ToSchema>(mut self, name: &str) -> Self {
        let mut schemas: Vec<(String, RefOr<Schema>)> = vec![(name.to_owned(), T::schema())];
        T::schemas(&mut schemas);
        // The contract has what a type only refers to.
        let own = schemas.into_iter().filter(|(_, it)| matches!(it, RefOr::T(_)));
        self.components.extend(own.map(|(name, schema)| (name, json!(schema))));
        self
    }

    /// An answer of the contract.
    pub fn answer(answer: AnswerPayload) -> Self {
        let (name, schema) = contract::answer_schema(answer);
        Self { name: name.to_owned(), components: vec![(name.to_owned(), schema)] }
    }

    /// The body of a sign-in.
    pub fn sign_in() -> Self {
        Self::of::<SignIn>("SignIn")
    }

    /// The body of an ask.
    pub fn ask() -> Self {
        Self::of::<AskData<'_>>("Ask")
    }

    /// The body of a ban.
    pub fn ban() -> Self {
        Self::of::<BanData>("Ban")
    }

    /// The body of a revocation.
    pub fn revocation() -> Self {
        Self::of::<RevocationData>("Revocation")
    }

    /// The body of a question about presence.
    pub fn presence() -> Self {
        Self::of::<PresenceData>("PresenceQuestion")
    }

    /// The body of a membership.
    pub fn member() -> Self {
        Self::of::<MemberData>("Member")
    }

    /// The body of a topic.
    pub fn topic() -> Self {
        Self::of::<TopicData>("Topic")
    }

    /// The body of a request that sends dead letters again.
    pub fn resend() -> Self {
        Self::of::<ResendData>("Resend")
    }

    pub(super) fn reference(&self) -> Ref {
        Ref::from_schema_name(&self.name)
    }
}
