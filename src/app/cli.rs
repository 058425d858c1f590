//! The command line: what may be asked of the program.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::domain::{
    ids::{AccountId, ApiKeyId, UserId},
    person::KeyScope,
};

/// Longest name of an API key, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Keeps the calendars of your users in two-way step with your product, over HTTP.
#[derive(Clone, Debug, Parser)]
#[command(name = "calwarden", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Settings come from config/default.toml, config/local.toml and the environment (CALWARDEN_LISTEN, \
                        CALWARDEN_DATA_DIR, DATABASE_URL, …).\nExit status: 0 done, 1 failed, 2 wrong arguments or settings."
)]
pub struct Cli {
    /// The settings file to read in place of config/local.toml
    #[arg(long, global = true, value_name = "FILE", env = "CALWARDEN_CONFIG")]
    pub config: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: CliCommand,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum CliCommand {
    /// Run the service: HTTP API, account actors and housekeeping
    ///
    /// Migrates the database first. The first start makes the data directory with its database and its key file.
    Serve(Serve),
    /// Run the service with a sandbox of Google, a connected household and a busy fortnight, and print where to look
    ///
    /// Everything is temporary, and gone when it is stopped.
    Demo,
    /// Bring the database to this version's form, and stop
    Migrate,
    /// Check settings, data directory, keys and database, and say what to mend
    Doctor,
    /// Make, list or revoke the keys that callers of the HTTP API show
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// List the connected accounts with their state
    Accounts,
    /// Write a copy of the SQLite database to a new file, while a server runs or not
    Backup(Backup),
    /// Sync one account now, in this process
    Sync(Sync),
    /// List or rotate the keys that seal stored credentials
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Run a look-alike of Google Calendar on this machine, for development and tests without Google
    ///
    /// Prints the settings that point a server at it. Everything is in memory. What it does on command: /control.
    Sandbox(SandboxArgs),
    /// Print the description of the HTTP API (OpenAPI 3.1, JSON)
    Openapi,
    /// Schedule the tasks of problem files into their free time, and print one line of JSON for each
    ///
    /// Needs no server and no database. A line has the id, the blocks, the score (deadlines missed, work left unplaced, cost; less
    /// is better, in this order) and the microseconds that planning took.
    Plan(PlanArgs),
}

/// What is planned.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct PlanArgs {
    /// A problem file; several may be given
    #[arg(long, value_name = "FILE", required_unless_present = "user", conflicts_with = "user", num_args = 1..)]
    pub instance: Vec<PathBuf>,
    /// A user, whose own tasks are planned and offered to them
    #[arg(long, value_name = "ID")]
    pub user: Option<UserId>,
    /// With --user: offer nothing, say only what would be offered
    #[arg(long, requires = "user")]
    pub dry_run: bool,
    /// With --user: say also why something is late or has no place
    #[arg(long, requires = "user")]
    pub explain: bool,
    /// How long to search
    #[arg(long, value_enum, default_value_t = PlanBudget::Interactive)]
    pub budget: PlanBudget,
}

/// How long to search for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanBudget {
    /// Somebody waits: milliseconds
    Interactive,
    /// Nobody waits: some ten times that
    Background,
}

/// What is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub struct Serve {
    /// Beside it, run a sandbox of Google and send everybody there in place of Google
    #[arg(long)]
    pub sandbox: bool,
}

/// Where the look-alike listens.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct SandboxArgs {
    /// Address and port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// What everything it invents follows from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What to do with API keys.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ApiKeyCommand {
    /// Make a key and print it, this once
    Create(ApiKeyCreate),
    /// List the keys: id, name, scopes and dates, never the keys themselves
    List,
    /// Make a key stop working at once
    Revoke {
        /// The key's id, as `api-key list` prints it
        id: ApiKeyId,
    },
}

/// The key to make.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ApiKeyCreate {
    /// What the key is for
    #[arg(long, default_value = "default", value_parser = name)]
    pub name: String,
    /// What the key may do: read, write, operate; comma-separated
    #[arg(long, value_delimiter = ',', default_value = "read,write", value_name = "SCOPES")]
    pub scopes: Vec<KeyScope>,
    /// Days until the key stops working; without it, it works until it is revoked
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub expires_days: Option<u32>,
}

/// Where the copy goes.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Backup {
    /// A file that does not exist yet
    pub file: PathBuf,
}

/// The account to sync.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Sync {
    /// The account's id, as `accounts` prints it
    pub account: AccountId,
    /// Say what a round would do, with the reason of each step, and change nothing on either side
    #[arg(long)]
    pub dry_run: bool,
}

/// What to do with the sealing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum KeysCommand {
    /// Add a new key to keys.toml and seal every secret again under it; servers may go on running
    Rotate,
    /// List the keys: id, where each is kept, and which one seals
    List,
}

fn name(text: &str) -> Result<String, String> {
    let length = text.trim().chars().count();
    if (1..=NAME_CHARS_MAX).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(text.trim().to_owned());
    }
    Err(format!("a name has 1 to {NAME_CHARS_MAX} characters"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, error::ErrorKind};

    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("calwarden").chain(line.split_whitespace()))
    }

    const ID: &str = "018f0000-0000-7000-8000-000000000001";

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_is_read() {
        let id: AccountId = ID.parse().expect("an id");
        let key: ApiKeyId = ID.parse().expect("an id");
        let create = |name: &str, scopes: &[KeyScope], expires_days| {
            let (name, scopes) = (name.to_owned(), scopes.to_vec());
            CliCommand::ApiKey(ApiKeyCommand::Create(ApiKeyCreate { name, scopes, expires_days }))
        };
        for (line, expected) in [
            ("serve", CliCommand::Serve(Serve { sandbox: false })),
            ("serve --sandbox", CliCommand::Serve(Serve { sandbox: true })),
            ("demo", CliCommand::Demo),
            ("migrate", CliCommand::Migrate),
            ("doctor", CliCommand::Doctor),
            ("accounts", CliCommand::Accounts),
            ("backup copy.db", CliCommand::Backup(Backup { file: "copy.db".into() })),
            ("openapi", CliCommand::Openapi),
            (
                "plan --instance a.json b.json --budget background",
                CliCommand::Plan(PlanArgs {
                    instance: vec!["a.json".into(), "b.json".into()],
                    user: None,
                    dry_run: false,
                    explain: false,
                    budget: PlanBudget::Background,
                }),
            ),
            ("keys list", CliCommand::Keys(KeysCommand::List)),
            ("keys rotate", CliCommand::Keys(KeysCommand::Rotate)),
            ("api-key list", CliCommand::ApiKey(ApiKeyCommand::List)),
            (&format!("api-key revoke {ID}"), CliCommand::ApiKey(ApiKeyCommand::Revoke { id: key })),
            ("api-key create", create("default", &[KeyScope::Read, KeyScope::Write], None)),
            (
                "api-key create --name ops --scopes operate --expires-days 30",
                create("ops", &[KeyScope::Operate], Some(30)),
            ),
            (&format!("sync {ID}"), CliCommand::Sync(Sync { account: id, dry_run: false })),
            (&format!("sync {ID} --dry-run"), CliCommand::Sync(Sync { account: id, dry_run: true })),
        ] {
            assert_eq!(read(line).expect(line).command, expected, "{line}");
        }
    }

    #[test]
    fn the_settings_file_may_be_named_before_or_after_the_command() {
        for line in ["--config a.toml serve", "serve --config a.toml"] {
            assert_eq!(read(line).expect(line).config, Some(PathBuf::from("a.toml")), "{line}");
        }
    }

    #[test]
    fn a_wrong_argument_is_reported_with_what_would_do() {
        for (line, reason) in [
            ("serv", "serve"),
            ("sync", "<ACCOUNT>"),
            ("sync nine", "nine"),
            ("api-key create --scopes read,all", "`all` is none of read, write, operate"),
            ("api-key create --expires-days 0", "1..=3660"),
            ("plan", "--instance <FILE>"),
            ("plan --instance a.json --budget all", "interactive, background"),
            ("api-key create --name=", "a name has 1 to 100 characters"),
        ] {
            let why = read(line).expect_err(line);
            assert_eq!(why.exit_code(), 2, "{line}");
            assert!(why.to_string().contains(reason), "{line}: {why}");
        }
        assert_eq!(read("--version").expect_err("a version").kind(), ErrorKind::DisplayVersion);
    }
}
