//! Queries of `GET`: parameters that are known and, but for some, there once.

use std::collections::BTreeSet;

use utoipa::openapi::{
    RefOr, Schema, Type,
    schema::{ArrayBuilder, ObjectBuilder},
};

use super::space;
use crate::{
    domain::{Space, ValueType},
    wire::{hello::Parameters, invalid_data::InvalidData, keys, schema},
};

/// A parameter of a query or a path.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub of: ParameterType,
    /// What it means.
    pub about: &'static str,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// A text with a format of the document.
    Text(&'static str),
    /// The same, which may not be left out.
    RequiredText(&'static str),
    /// Texts with a format, each as a parameter of this name: at least and at most so many.
    Texts(&'static str, usize, usize),
    /// A whole number of at least this.
    Number(u64),
    /// A whole number from the first to the second.
    Range(u32, u32),
}

/// The parameter of the space.
pub(super) const SPACE: Parameter =
    parameter("space", ParameterType::Text("space"), "`/` when left out.");

/// The parameters of a query, all of known names.
pub(super) struct Query<'q>(Parameters<'q>);

impl<'q> Query<'q> {
    /// Reads a query that has no other parameters than these.
    pub(super) fn parse(query: &'q str, described: &[Parameter]) -> Result<Self, InvalidData> {
        let names: Vec<_> = described.iter().map(|it| it.name).collect();
        let parameters =
            Parameters::read(query).map_err(|rejection| InvalidData::new(rejection.to_string()))?;
        let given: BTreeSet<_> = parameters.0.iter().map(|(name, _)| &**name).collect();
        let unknown: Vec<_> = given.into_iter().filter(|it| !names.contains(it)).collect();
        if !unknown.is_empty() {
            return Err(InvalidData::of_keys(keys::of_unknown(unknown, &names)));
        }
        Ok(Self(parameters))
    }

    /// The values of a parameter.
    pub(super) fn all(&self, wanted: &str) -> impl Iterator<Item = &str> {
        self.0.0.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that is there once at most.
    pub(super) fn one(&self, wanted: &str) -> Result<Option<&str>, InvalidData> {
        self.0.value(wanted).map_err(|rejection| InvalidData::new(rejection.to_string()))
    }

    /// The value of a parameter that is there once.
    pub(super) fn required(&self, wanted: &'static str) -> Result<&str, InvalidData> {
        self.one(wanted)?.ok_or_else(|| InvalidData::missing(wanted))
    }

    /// The same as [`Query::one`] for a number.
    pub(super) fn number(&self, wanted: &'static str) -> Result<Option<u64>, InvalidData> {
        let number = |text: &str| match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => Err(InvalidData::mistyped(wanted, ValueType::WholeNumber)),
        };
        self.one(wanted)?.map(number).transpose()
    }

    /// `limit`, if it is given: 1 to `max`. More is refused, because less than what is asked for
    /// looks like the end of a list.
    pub(super) fn limit(&self, max: u32) -> Result<Option<u32>, InvalidData> {
        match self.number("limit")? {
            None => Ok(None),
            Some(limit) => match u32::try_from(limit) {
                Ok(limit) if (1..=max).contains(&limit) => Ok(Some(limit)),
                Ok(_) | Err(_) => Err(InvalidData::new(format!("`limit` is 1 to {max}"))),
            },
        }
    }

    /// The space: `/` if it is left out.
    pub(super) fn space(&self) -> Result<Space, InvalidData> {
        self.one("space")?.map_or(Ok(Space::root()), space)
    }
}

pub(super) const fn parameter(
    name: &'static str,
    of: ParameterType,
    about: &'static str,
) -> Parameter {
    Parameter { name, of, about }
}

impl Parameter {
    /// Whether a query without it is refused. Others may depend on each other.
    pub(super) fn required(&self) -> bool {
        matches!(self.of, ParameterType::RequiredText(_) | ParameterType::Texts(_, 1.., _))
    }

    pub(super) fn schema(&self) -> RefOr<Schema> {
        match self.of {
            ParameterType::Text(format) | ParameterType::RequiredText(format) => {
                schema::text(format)
            }
            ParameterType::Texts(format, min, max) => {
                let texts = ArrayBuilder::new().items(schema::text(format));
                texts.min_items(Some(min)).max_items(Some(max)).into()
            }
            ParameterType::Number(min) => number(min).into(),
            ParameterType::Range(min, max) => {
                number(u64::from(min)).maximum(Some(u64::from(max))).into()
            }
        }
    }
}

fn number(min: u64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min))
}
