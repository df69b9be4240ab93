//! `completions` and `man`: what shells and manual pages say of the command line.

use std::{io, path::PathBuf, process::ExitCode};

use clap::Args;
use clap_complete::{Shell, generate};

use super::{BAD_SETTING, FAULT, command, print_answer, print_error};

/// The program's name.
const NAME: &str = "roomcast";

/// For which shell.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Where to.
#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// An existing directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl CompletionsArgs {
    /// Prints the script.
    pub(super) fn print(&self) -> ExitCode {
        let mut script = Vec::new();
        generate(self.shell, &mut command(), NAME, &mut script);
        print_answer(String::from_utf8_lossy(&script))
    }
}

impl ManArgs {
    /// Writes a page for the program and one for each command, and prints the number of pages.
    pub(super) fn write(&self) -> ExitCode {
        match self.pages() {
            Ok(pages) => print_answer(format_args!("{pages} pages")),
            Err(error) => {
                // A directory that is not there is a mistake of who typed it.
                let is_missing = error.kind() == io::ErrorKind::NotFound;
                let code = if is_missing { BAD_SETTING } else { FAULT };
                print_error(code, format_args!("{}: {error}", self.directory.display()))
            }
        }
    }

    fn pages(&self) -> io::Result<usize> {
        clap_mangen::generate_to(command(), &self.directory)?;
        let names = std::fs::read_dir(&self.directory)?.filter_map(Result::ok);
        Ok(names.filter(|entry| entry.path().extension().is_some_and(|it| it == "1")).count())
    }
}
