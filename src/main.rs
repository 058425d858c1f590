//! The command-line program. It ends with 0 when the command did its work, 1 when it failed, 2 when the arguments or the
//! settings were wrong.

use std::process::ExitCode;

use calwarden::{
    app::{self, cli::Cli},
    config::Config,
    telemetry,
};
use clap::Parser as _;

/// Wrong arguments (clap ends with it too) or wrong settings.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match Config::load(cli.config.as_deref()) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("calwarden: {mistakes}");
            return ExitCode::from(USAGE);
        }
    };
    let done = telemetry::init_log(&config.log, config.log_format)
        .map_err(anyhow::Error::from)
        .and_then(|()| app::run(cli.command, &config));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("calwarden: {why:#}");
            ExitCode::FAILURE
        }
    }
}
