//! The batch endpoint: many requests in one `multipart/mixed` body, each answered by itself.

use chrono::{DateTime, Utc};

use super::{GoogleLookAlike, SandboxAnswer, errors::SandboxRefusal, routes};
use crate::sandbox::reply::{Reply, SandboxRequest};

/// Requests in one batch.
const PARTS_MAX: usize = 1_000;
/// Longest answer: what comes after it is refused part by part.
const ANSWER_MAX: usize = 64 * 1024 * 1024;
const BOUNDARY: &str = "batch_sandbox";

impl GoogleLookAlike {
    pub(super) fn batch(&mut self, now: DateTime<Utc>, asked: &SandboxRequest) -> SandboxAnswer {
        let kind = asked.header("content-type").unwrap_or_default();
        let boundary =
            kind.split(';').find_map(|piece| piece.trim().strip_prefix("boundary=")).map(|text| text.trim_matches('"'));
        let boundary = boundary
            .filter(|_| kind.starts_with("multipart/mixed"))
            .ok_or_else(|| SandboxRefusal::new(400, "global", "badRequest"))?;
        let text = String::from_utf8_lossy(&asked.body).replace("\r\n", "\n");
        let parts: Vec<&str> =
            text.split(&format!("--{boundary}")).skip(1).filter(|part| !part.starts_with("--")).collect();
        if parts.len() > PARTS_MAX {
            return Err(SandboxRefusal::new(400, "global", "tooManyParts"));
        }
        let mut out = String::new();
        for part in parts {
            let (head, inside) = part.trim_start_matches('\n').split_once("\n\n").unwrap_or((part, ""));
            let id = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-id").then(|| value.trim().trim_matches(['<', '>']).to_owned())
            });
            let reply = match inner(inside, asked) {
                Some(_) if out.len() > ANSWER_MAX => SandboxRefusal::new(403, "usageLimits", "quotaExceeded").reply(),
                Some(request) => {
                    let reply = self.route(now, &request);
                    *self.counts.entry("batched".to_owned()).or_default() += 1;
                    reply
                }
                None => SandboxRefusal::new(400, "global", "badRequest").reply(),
            };
            let id = id.map(|id| format!("Content-ID: <response-{id}>\r\n")).unwrap_or_default();
            let body = String::from_utf8_lossy(&reply.body);
            let (status, meaning) = (reply.status.to_string(), words(reply.status));
            let start =
                ["--", BOUNDARY, "\r\nContent-Type: application/http\r\n", &id, "\r\nHTTP/1.1 ", &status, " ", meaning];
            out.extend(start);
            out.push_str("\r\n");
            for (name, value) in &reply.headers {
                out.extend([name.as_str(), ": ", value, "\r\n"]);
            }
            out.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n", &body, "\r\n"]);
        }
        out.extend(["--", BOUNDARY, "--\r\n"]);
        Ok(Reply::with(200, &format!("multipart/mixed; boundary={BOUNDARY}"), out.into_bytes()))
    }
}

/// The request inside a part; it borrows the outer one's credential when it has none.
fn inner(text: &str, outer: &SandboxRequest) -> Option<SandboxRequest> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let mut first = lines.next()?.split_whitespace();
    let (method, target) = (first.next()?, first.next()?);
    let target = target
        .split_once("://")
        .map_or(target, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
    let mut asked = SandboxRequest::target(method, target);
    asked.headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    if let Some(credential) = outer.headers.get("authorization") {
        asked.headers.entry("authorization".to_owned()).or_insert_with(|| credential.clone());
    }
    asked.body = body.trim_end().as_bytes().to_vec();
    // A batch holds calls of this API and no other batch.
    routes::is_api(&asked).then_some(asked)
}

fn words(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400..=499 => "Refused",
        _ => "Error",
    }
}
