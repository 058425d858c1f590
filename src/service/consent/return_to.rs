//! Where a person may be sent after a consent: to hosts that the operator chose. A link of ours that leads anywhere would lend
//! our name to whoever makes one.

use url::{Host, Url};

/// The hosts that people may be sent back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnHosts {
    /// Their names and addresses, as a URL spells them.
    hosts: Vec<String>,
    /// Whether this machine's own addresses are among them: the server is reached under one itself.
    loopback: bool,
}

impl ReturnHosts {
    /// The host under which we are reached, and those that the operator named.
    #[must_use]
    pub fn new(own: &Url, named: &[String]) -> Self {
        let hosts = own.host_str().into_iter().map(str::to_owned).chain(named.iter().map(|host| host.to_lowercase()));
        Self { hosts: hosts.collect(), loopback: own.host().is_some_and(|host| is_loopback(&host)) }
    }

    /// Reads where a person wants to go; `Err`: why not there.
    pub fn check(&self, text: &str) -> Result<Url, String> {
        let example = "write an http or https URL, such as https://app.example.org/settings";
        let url = Url::parse(text).map_err(|_| example.to_owned())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let Some(host) = url.host().filter(|_| matches!(url.scheme(), "http" | "https") && plain) else {
            return Err(example.to_owned());
        };
        let name = url.host_str().unwrap_or_default();
        if (self.loopback && is_loopback(&host)) || self.hosts.iter().any(|known| known == name) {
            return Ok(url);
        }
        Err(format!(
            "people are not sent to {name} from here; the operator may add it to the setting return_to_hosts \
             (CALWARDEN_RETURN_TO_HOSTS)"
        ))
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(own: &str, named: &[&str]) -> ReturnHosts {
        let named: Vec<_> = named.iter().map(|host| (*host).to_owned()).collect();
        ReturnHosts::new(&Url::parse(own).expect("a URL"), &named)
    }

    #[test]
    fn people_go_back_to_our_own_host_and_to_those_that_are_named() {
        let known = hosts("https://calendars.example.org", &["App.example.org"]);
        for good in ["https://app.example.org/a?b=c", "http://app.example.org:8080/", "https://CALENDARS.example.org/x"]
        {
            assert!(known.check(good).is_ok(), "{good}");
        }
        for bad in
            ["https://evil.example/", "https://app.example.org.evil.example/", "http://127.0.0.1/", "http://localhost/"]
        {
            let why = known.check(bad).expect_err(bad);
            assert!(why.contains("CALWARDEN_RETURN_TO_HOSTS"), "{why}");
        }
        for bad in [
            "javascript:alert(1)",
            "settings",
            "https://a@app.example.org/",
            "https://:b@app.example.org/",
            "ftp://app.example.org/",
        ] {
            assert!(known.check(bad).expect_err(bad).contains("such as"), "{bad}");
        }
    }

    #[test]
    fn on_ones_own_machine_people_go_anywhere_on_it() {
        let known = hosts("http://127.0.0.1:8080", &[]);
        for good in
            ["http://localhost:3000/settings", "http://[::1]:5173/", "http://127.0.0.1/", "http://app.localhost/"]
        {
            assert!(known.check(good).is_ok(), "{good}");
        }
        assert!(known.check("https://app.example.org/").is_err());
    }
}
