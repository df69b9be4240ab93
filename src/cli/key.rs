//! `key`: make keys of the HTTP API.

use std::{collections::BTreeSet, process::ExitCode};

use clap::{Args, Subcommand};

use super::print_answer;
use crate::{
    auth::{ApiKeyHash, new_api_key},
    clock::RandomIds,
    config::{API_SCOPES, api_scope},
    domain::{ApiScope, SpacePattern},
};

/// What to do about keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Print a new key, and what the settings say of it
    New(NewKeyArgs),
}

/// What a new key permits.
#[derive(Args, Debug)]
pub(super) struct NewKeyArgs {
    /// The name in the settings and in the log
    #[arg(long, value_name = "NAME", default_value = "backend")]
    name: String,
    /// What it permits: publish, read, manage; several with commas
    #[arg(long, value_name = "SCOPES", required = true, value_delimiter = ',', value_parser = api_scope)]
    scope: Vec<ApiScope>,
    /// A space that it is for, or a pattern; may be repeated [default: all]
    #[arg(long, value_name = "SPACE", value_parser = super::token::space)]
    space: Vec<SpacePattern>,
}

impl KeyCommand {
    /// Prints the key on the first line, and its settings below. The key is kept nowhere.
    pub(super) fn run(self) -> ExitCode {
        let Self::New(NewKeyArgs { name, scope, space }) = self;
        let key = new_api_key(&RandomIds);
        let scopes: BTreeSet<_> = scope.into_iter().collect();
        let names = API_SCOPES.iter().filter(|(_, scope)| scopes.contains(scope));
        let mut lines = vec![
            key.expose().to_owned(),
            "# The settings have its hash. The key itself is kept nowhere:".to_owned(),
            "[[api_keys]]".to_owned(),
            format!("name = {name:?}"),
            format!("sha256 = \"{}\"", ApiKeyHash::of(&key)),
            format!("scopes = {:?}", names.map(|(name, _)| *name).collect::<Vec<_>>()),
        ];
        if !space.is_empty() {
            let spaces: Vec<_> = space.iter().map(ToString::to_string).collect();
            lines.push(format!("spaces = {spaces:?}"));
        }
        print_answer(lines.join("\n"))
    }
}
