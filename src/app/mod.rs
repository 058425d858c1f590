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

use self::cli::Command;
use crate::{config::Config, web};

/// Runs one command; what it answers goes to standard output.
pub fn run(command: Command, config: &Config) -> Result<()> {
    let world = world::system();
    let out = &mut io::stdout();
    match command {
        Command::Serve(asked) if asked.sandbox => serve::with_sandbox(config, world, out),
        Command::Serve(_) => serve::serve(config, world, None),
        Command::Demo => serve::demo(config, world, out),
        Command::Migrate => wait(commands::migrate(config, out)),
        Command::Doctor => wait(commands::doctor(config, world, out)),
        Command::ApiKey(command) => wait(commands::api_key(command, config, world, out)),
        Command::Accounts => wait(commands::accounts(config, out)),
        Command::Backup(asked) => wait(commands::back_up(&asked, config, out)),
        Command::Sync(asked) => wait(commands::sync(&asked, config, world, out)),
        Command::Keys(command) => wait(keys::run(command, config, world, out)),
        Command::Sandbox(asked) => look_alike::run(&asked, world, out),
        Command::Plan(asked) => match &asked.user {
            Some(user) => wait(commands::plan(user, &asked, config, world, out)),
            None => plan::run(&asked, out),
        },
        Command::Openapi => Ok(writeln!(out, "{}", web::openapi::document().to_pretty_json()?)?),
    }
}

fn wait<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().context("no runtime can be started")?;
    runtime.block_on(work)
}
