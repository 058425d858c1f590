//! The program: puts the parts together and runs one command.

pub mod cli;
mod keys;
pub mod world;

use std::io;

use self::cli::Command;
use crate::config::Config;

/// Runs one command; what it answers goes to standard output.
pub fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Keys(command) => keys::run(command, config, world::system(), &mut io::stdout().lock()),
        other => anyhow::bail!("{other:?} is not part of this build"),
    }
}
