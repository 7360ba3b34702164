//! The name of a cluster: part of every protocol name, so that clusters stay apart.

use std::fmt;
use std::str::FromStr;

use libp2p::StreamProtocol;

/// Longest cluster name, bytes.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;

/// The name of a cluster: 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not starting with `.`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterName(String);

/// The text is not a cluster name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cluster name is 1 to 64 ASCII letters, digits, '-', '_' or '.', not starting with '.'")]
pub struct ClusterNameError;

impl ClusterName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The protocol name `/pydo/{cluster}/{suffix}`.
    pub(crate) fn protocol(&self, suffix: &str) -> StreamProtocol {
        StreamProtocol::try_from_owned(format!("/pydo/{}/{suffix}", self.0))
            .unwrap_or(StreamProtocol::new("/pydo"))
    }
}

impl FromStr for ClusterName {
    type Err = ClusterNameError;

    fn from_str(text: &str) -> Result<Self, ClusterNameError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let fits = (1..=CLUSTER_NAME_BYTES_MAX).contains(&text.len());
        if fits && text.chars().all(allowed) && !text.starts_with('.') {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClusterNameError)
        }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_path_or_a_protocol_are_refused() {
        for name in ["", "a/b", "..", ".hidden", "a b", "ä", &"x".repeat(65)] {
            assert_eq!(name.parse::<ClusterName>(), Err(ClusterNameError), "{name}");
        }
        for name in ["lan", "shop-2.test_a"] {
            assert_eq!(
                name.parse::<ClusterName>()
                    .unwrap()
                    .protocol("x/1")
                    .as_ref(),
                format!("/pydo/{name}/x/1")
            );
        }
    }
}
