//! What of a body counts only when the request says so: conferences and attachments. And the making of a conference.

use serde_json::{Map, Value, json};

use super::{GoogleLookAlike, errors::SandboxRefusal};
use crate::sandbox::reply::SandboxRequest;

/// The only kind of conference that is made here.
const SOLUTION: &str = "hangoutsMeet";

/// What of an event a request changes: without `conferenceDataVersion=1` its conference stays as it is, and without
/// `supportsAttachments=true` its attachments do.
pub(super) struct Reach {
    pub conference: bool,
    pub attachments: bool,
}

impl Reach {
    pub(super) fn read(asked: &SandboxRequest) -> Result<Self, SandboxRefusal> {
        let conference = match asked.param("conferenceDataVersion") {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => {
                let message = format!("Invalid value '{other}'. Values must be within the range: [0, 1]");
                return Err(SandboxRefusal::parameter("conferenceDataVersion", message));
            }
        };
        Ok(Self { conference, attachments: asked.flag("supportsAttachments") })
    }

    /// Whether a field of the body counts.
    pub(super) fn covers(&self, name: &str) -> bool {
        match name {
            "conferenceData" => self.conference,
            "attachments" => self.attachments,
            _ => true,
        }
    }
}

impl GoogleLookAlike {
    /// Makes the conference that an event asks for; a request with the id of the one before is ignored.
    pub(super) fn confer(
        &mut self,
        before: Option<&Map<String, Value>>,
        item: &mut Map<String, Value>,
    ) -> Result<(), SandboxRefusal> {
        let Some(data) = item.get("conferenceData") else {
            item.remove("hangoutLink");
            return Ok(());
        };
        let Some(request) = data.get("createRequest") else { return Ok(()) };
        let held = before.and_then(|before| before.get("conferenceData"));
        let wanted = request.get("requestId").and_then(Value::as_str);
        let wanted = wanted.ok_or_else(|| SandboxRefusal::required("Missing conference requestId."))?.to_owned();
        let same = held.and_then(|held| held.get("createRequest")?.get("requestId")?.as_str()) == Some(&wanted);
        if same && let Some(held) = held {
            item.insert("conferenceData".to_owned(), held.clone());
            return Ok(());
        }
        let kind = request.get("conferenceSolutionKey").and_then(|key| key.get("type")).and_then(Value::as_str);
        if kind.is_some_and(|kind| kind != SOLUTION) {
            return Err(SandboxRefusal::invalid("Invalid conference type value."));
        }
        let letters: String =
            self.invent("conference").bytes().take(10).map(|byte| char::from(b'a' + byte % 26)).collect();
        let piece = |from: usize, to: usize| letters.get(from..to).unwrap_or_default();
        let id = format!("{}-{}-{}", piece(0, 3), piece(3, 7), piece(7, 10));
        let link = format!("https://meet.google.com/{id}");
        let made = json!({
            "conferenceId": id,
            "conferenceSolution": { "key": { "type": SOLUTION }, "name": "Google Meet",
                "iconUri": "https://fonts.gstatic.com/s/i/productlogos/meet_2020q4/v6/web-512dp/logo_meet_2020q4_color_2x_web_512dp.png" },
            "createRequest": { "requestId": wanted, "conferenceSolutionKey": { "type": SOLUTION }, "status": { "statusCode": "success" } },
            "entryPoints": [{ "entryPointType": "video", "uri": link, "label": format!("meet.google.com/{id}") }],
        });
        item.insert("conferenceData".to_owned(), made);
        item.insert("hangoutLink".to_owned(), json!(link));
        Ok(())
    }
}
