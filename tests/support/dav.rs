//! A person's other client: plain CalDAV requests at a server, so that tests see what is really there.

use reqwest::{Client, Method, Response, StatusCode};

/// How often a server that is locked by another's write is asked.
const LOCKED_MAX: usize = 200;

use super::peers::{PASSWORD, USER};

/// A client of one server.
pub struct Dav {
    user: String,
    base: String,
    client: Client,
}

impl Dav {
    /// A client of the server at this address (without the trailing slash's path).
    pub fn new(base: &str) -> Self {
        Self::as_user(base, USER)
    }

    /// The same for another person.
    pub fn as_user(base: &str, user: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No kept connections: SOGo closes them when it likes.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { user: user.to_owned(), base: base.trim_end_matches('/').to_owned(), client }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Response {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(method, url).basic_auth(&self.user, Some(PASSWORD)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for _ in 0..LOCKED_MAX {
            let again = request.try_clone().expect("a body that is at hand");
            let answer = again.send().await.expect("an answer");
            if answer.status() != StatusCode::LOCKED {
                return answer;
            }
        }
        panic!("{} is locked", self.base);
    }

    /// Makes a calendar.
    pub async fn make_calendar(&self, path: &str) {
        let made = self.send("MKCALENDAR", path, &[], String::new()).await.status();
        assert!(made == StatusCode::CREATED || made == StatusCode::METHOD_NOT_ALLOWED, "MKCALENDAR {path}: {made}");
    }

    /// Puts an object.
    pub async fn put(&self, path: &str, text: &str) {
        let kind = [("content-type", "text/calendar; charset=utf-8")];
        let answer = self.send("PUT", path, &kind, text.to_owned()).await;
        assert!(answer.status().is_success(), "PUT {path}: {}", answer.status());
    }

    /// The same of an object that the server may refuse.
    pub async fn try_put(&self, path: &str, text: &str) -> StatusCode {
        let kind = [("content-type", "text/calendar; charset=utf-8")];
        self.send("PUT", path, &kind, text.to_owned()).await.status()
    }

    /// Deletes an object, or a calendar.
    pub async fn delete(&self, path: &str) {
        let status = self.send("DELETE", path, &[], String::new()).await.status();
        assert!(status.is_success(), "DELETE {path}: {status}");
    }

    /// An object's text; `None`: it is not there.
    pub async fn get(&self, path: &str) -> Option<String> {
        let answer = self.send("GET", path, &[], String::new()).await;
        if answer.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert!(answer.status().is_success(), "GET {path}: {}", answer.status());
        Some(answer.text().await.expect("a body"))
    }

    /// The paths of a calendar's objects.
    pub async fn list(&self, path: &str) -> Vec<String> {
        let body = "<d:propfind xmlns:d=\"DAV:\"><d:prop><d:getetag/></d:prop></d:propfind>".to_owned();
        let xml = self
            .send("PROPFIND", path, &[("depth", "1"), ("content-type", "application/xml")], body)
            .await
            .text()
            .await
            .expect("a body");
        let hrefs = xml.split("href>").skip(1).step_by(2).filter_map(|rest| rest.split("</").next());
        hrefs.filter(|href| !href.ends_with('/')).map(str::to_owned).collect()
    }

    /// Every object's text, by path.
    pub async fn everything(&self, path: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for href in self.list(path).await {
            // Cyrus lists some names as they are, unescaped.
            let whole = href.replace('?', "%3F");
            for href in if whole == href { vec![href] } else { vec![href, whole] } {
                if let Some(text) = self.get(&href).await {
                    found.push((href, text));
                    break;
                }
            }
        }
        found
    }
}
