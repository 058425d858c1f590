//! The program: puts the parts together and runs one command.

pub mod assemble;
pub mod cli;
mod commands;
mod demo;
mod keys;
pub mod look_alike;
mod plan;
mod serve;
pub mod world;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use tokio::runtime;

use self::cli::CliCommand;
use crate::{config::Config, web};

/// Runs one command; what it answers goes to standard output.
pub fn run(command: CliCommand, config: &Config) -> Result<()> {
    let world = world::system();
    let out = &mut io::stdout();
    match command {
        CliCommand::Serve(asked) if asked.sandbox => serve::with_sandbox(config, world, out),
        CliCommand::Serve(_) => serve::serve(config, world, None),
        CliCommand::Demo => serve::demo(config, world, out),
        CliCommand::Migrate => wait(commands::migrate(config, out)),
        CliCommand::Doctor => wait(commands::doctor(config, world, out)),
        CliCommand::ApiKey(command) => wait(commands::api_key(command, config, world, out)),
        CliCommand::Accounts => wait(commands::accounts(config, out)),
        CliCommand::Backup(asked) => wait(commands::back_up(&asked, config, out)),
        CliCommand::Sync(asked) => wait(commands::sync(&asked, config, world, out)),
        CliCommand::Keys(command) => wait(keys::run(command, config, world, out)),
        CliCommand::Sandbox(asked) => look_alike::run(&asked, world, out),
        CliCommand::Plan(asked) => match &asked.user {
            Some(user) => wait(commands::plan(user, &asked, config, world, out)),
            None => plan::run(&asked, out),
        },
        CliCommand::Openapi => Ok(writeln!(out, "{}", web::openapi::document().to_pretty_json()?)?),
    }
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().context("no runtime can be started")?;
    runtime.block_on(work)
}
