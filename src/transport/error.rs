//! Failures of an exchange that no provider's protocol decides about: an answer that is too large.

use crate::domain::failure::{FailureClass, ProviderError};

/// The refusals of an answer by its size, as it is and as it would be unpacked.
pub(super) const TOO_LARGE: &str = "the answer is larger than this server accepts";
pub(super) const TOO_PACKED: &str = "the answer decompresses to more than a hundred times its size";

/// Answers of this layer.
pub type Result<T> = std::result::Result<T, ProviderError>;

impl ProviderError {
    /// The answer is larger than [`body_max`](super::client::ClientConfig::body_max): what was asked for may be asked for
    /// in smaller pieces.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(FailureClass::Malformed, TOO_LARGE)
    }

    /// Whether it is [`ProviderError::too_large`], or would be unpacked: a file that is kept as text inside an event may pack
    /// better than any text should.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.class == FailureClass::Malformed && [TOO_LARGE, TOO_PACKED].contains(&self.detail.as_str())
    }
}
