//! Page tokens, sync tokens and page sizes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::errors::SandboxRefusal;
use crate::sandbox::reply::SandboxRequest;

/// Where a page begins.
pub(super) struct PageStart {
    pub from: usize,
    pub as_of: u64,
}

impl PageStart {
    pub(super) fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.from, self.as_of))
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (from, as_of) = text.split_once('.')?;
        Some(Self { from: from.parse().ok()?, as_of: as_of.parse().ok()? })
    }

    /// The page that a request asks for.
    pub(super) fn asked(asked: &SandboxRequest) -> Result<Option<Self>, SandboxRefusal> {
        let read =
            |text| Self::read(text).ok_or_else(|| SandboxRefusal::parameter("pageToken", "Invalid page token value."));
        asked.param("pageToken").map(read).transpose()
    }
}

/// A sync token: a change number in a time of life of its collection.
pub(super) fn sync_token(kind: &str, epoch: u64, number: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}.{epoch}.{number}"))
}

/// The change number of a sync token; one that is too old, or that was never given out for this, is 410.
pub(super) fn since(kind: &str, epoch: u64, changes: u64, token: &str) -> Result<u64, SandboxRefusal> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (held, rest) = text.split_once('.')?;
        let (life, number) = rest.split_once('.')?;
        let (life, number) = (life.parse::<u64>().ok()?, number.parse::<u64>().ok()?);
        (held == kind && life == epoch && number <= changes).then_some(number)
    };
    read().ok_or_else(|| SandboxRefusal::new(410, "global", "fullSyncRequired"))
}

/// How many items a page may have.
pub(super) fn max_results(asked: &SandboxRequest, usual: usize, most: usize) -> Result<usize, SandboxRefusal> {
    let Some(text) = asked.param("maxResults") else { return Ok(usual) };
    match text.parse::<usize>() {
        Ok(size) if size > 0 => Ok(size.min(most)),
        _ => Err(SandboxRefusal::parameter("maxResults", format!("Invalid value '{text}'. It must be at least 1."))),
    }
}

/// A page of a small collection: the next page's token, or on the last one the next sync token.
pub(super) fn small_page(
    asked: &SandboxRequest,
    kind: &str,
    rows: &[Value],
    next: &str,
) -> Result<Value, SandboxRefusal> {
    let size = max_results(asked, 100, 250)?;
    let from = PageStart::asked(asked)?.map_or(0, |page| page.from);
    let items: Vec<_> = rows.iter().skip(from).take(size).collect();
    let mut body = json!({ "kind": kind, "etag": format!("\"{next}\""), "items": items });
    if let Some(fields) = body.as_object_mut() {
        if from.saturating_add(size) < rows.len() {
            let page = PageStart { from: from.saturating_add(size), as_of: 0 };
            fields.insert("nextPageToken".to_owned(), json!(page.text()));
        } else {
            fields.insert("nextSyncToken".to_owned(), json!(next));
        }
    }
    Ok(body)
}
