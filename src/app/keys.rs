//! `calwarden keys`: the sealing keys, seen and rotated from the command line.

use std::io::Write;

use anyhow::{Context as _, Result};

use super::{assemble, cli::KeysCommand};
use crate::{
    config::Config,
    domain::ports::World,
    vault::{KeyOrigin, KeyRing},
};

/// Runs one of the commands. A server that is running sees a rotation by itself and is not in the way of the re-sealing.
pub(super) async fn run(command: KeysCommand, config: &Config, world: World, out: &mut impl Write) -> Result<()> {
    if !KeyRing::is_there(&config.data_dir, config.token_encryption_key.as_ref())?
        && let Ok(store) = assemble::look_at_store(config).await
    {
        assemble::keys_are_there(config, &store).await?;
    }
    let ring = KeyRing::load(&config.data_dir, config.token_encryption_key.as_ref(), world.clone())?;
    match command {
        KeysCommand::Rotate => {
            let id = ring.rotate()?;
            writeln!(out, "key {id} seals from now on; the older keys still open")?;
            let resealed = async {
                let services = assemble::services(config, world, assemble::open_store(config).await?)?;
                anyhow::Ok(services.reseal().await?)
            };
            let count =
                resealed.await.context("the key is in place; what is sealed under older keys waits for the server")?;
            writeln!(out, "{count} secrets were sealed again under it")?;
        }
        KeysCommand::List => {
            for key in ring.list()? {
                let origin = match key.origin {
                    KeyOrigin::File => "keys.toml",
                    KeyOrigin::Environment => "TOKEN_ENCRYPTION_KEY",
                };
                let made = key.created_at.map_or_else(|| "-".to_owned(), |at| at.format("%F %R UTC").to_string());
                let use_ = if key.current { "seals" } else { "opens" };
                writeln!(out, "{}  {use_}  {made}  {origin}", key.id)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::app::world;

    fn printed(command: KeysCommand, folder: &Path) -> String {
        let mut config = Config::defaults().expect("the defaults");
        config.data_dir = folder.to_owned();
        let mut out = Vec::new();
        super::super::wait(run(command, &config, world::system(), &mut out)).expect("done");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_rotation_puts_a_new_key_first_and_keeps_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = printed(KeysCommand::List, folder.path());
        assert!(before.lines().count() == 1 && before.contains("seals"), "{before}");
        let rotated = printed(KeysCommand::Rotate, folder.path());
        let after = printed(KeysCommand::List, folder.path());
        let lines: Vec<&str> = after.lines().collect();
        assert_eq!(lines.len(), 2, "{after}");
        assert!(rotated.contains(&lines[0][..16]) && lines[0].contains("seals"), "{rotated}{after}");
        assert!(rotated.contains("0 secrets were sealed again"), "{rotated}");
        assert!(lines[1].starts_with(&before[..16]) && lines[1].contains("opens"), "{after}");
    }
}
