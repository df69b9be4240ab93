//! `contract`: the events and their payloads, for programs.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::print_answer;
use crate::wire::contract::{self, ContractFormat};

/// Which format of the contract to print.
#[derive(Args, Debug)]
pub(super) struct ContractArgs {
    /// The format: TypeScript declarations, AsyncAPI 3.0 or JSON Schema 2020-12
    #[arg(long, value_enum)]
    format: FormatName,
}

/// The formats by their names.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    #[value(name = "d.ts")]
    Declarations,
    #[value(name = "asyncapi")]
    AsyncApi,
    #[value(name = "json-schema")]
    JsonSchema,
}

impl ContractArgs {
    /// Prints the contract of this version. It depends on no setting.
    pub(super) fn print(self) -> ExitCode {
        print_answer(contract::contract(match self.format {
            FormatName::Declarations => ContractFormat::TypeScript,
            FormatName::AsyncApi => ContractFormat::AsyncApi,
            FormatName::JsonSchema => ContractFormat::JsonSchema,
        }))
    }
}
