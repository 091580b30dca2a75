//! The peer of a connection, by the credentials of the kernel, and what it may do and see.

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use mercer_shared::problem::{Code, Problem};
use tokio::net::UnixListener;

use crate::http::problem::ProblemResponse;
use crate::http::state::HttpState;
use crate::state::app::Peer;
use crate::state::config::{Config, ShowIds};

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        // A peer without credentials is no operator: the highest id belongs to nobody.
        stream.io().peer_cred().map_or(NOBODY, |cred| Self { uid: cred.uid(), gid: cred.gid(), pid: cred.pid() })
    }
}

/// A peer whose credentials are not known: the highest id belongs to nobody.
const NOBODY: Peer = Peer { uid: u32::MAX, gid: u32::MAX, pid: None };

/// What a peer may do beyond reading, by its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Roles {
    /// May change data and read what is for operators: root, the daemon's own user, or a member of the operator group.
    pub operator: bool,
    /// May read what shoppers declared of themselves: root, the daemon's own user, or a member of the audit group.
    pub audit: bool,
}

impl Roles {
    /// The roles of a peer; `own` is the daemon's own user.
    pub(super) fn of(peer: Peer, own: u32, config: &Config) -> Self {
        let all = peer.uid == 0 || peer.uid == own;
        let member = |group: Option<u32>| group.is_some_and(|group| group == peer.gid);
        Self { operator: all || member(config.operator_group), audit: all || member(config.audit_group) }
    }
}

/// Any peer, and what it may see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewer {
    pub peer: Peer,
    pub roles: Roles,
    /// Whether lists of shoppers have ids for it; else they have pseudonyms.
    pub sees_ids: bool,
}

impl Viewer {
    pub(super) fn of(peer: Peer, own: u32, config: &Config) -> Self {
        let roles = Roles::of(peer, own, config);
        let sees_ids = roles.audit || (roles.operator && config.privacy.show_ids == ShowIds::Operators);
        Self { peer, roles, sees_ids }
    }

    /// Refuses a peer that is no operator.
    ///
    /// # Errors
    /// `forbidden`.
    pub(super) fn operator(&self) -> Result<Peer, ProblemResponse> {
        let Peer { uid, gid, .. } = self.peer;
        if self.roles.operator {
            return Ok(self.peer);
        }
        let who = if self.peer == NOBODY {
            "the peer's credentials are not known".to_owned()
        } else {
            format!("the peer is user {uid} of group {gid}")
        };
        Err(ProblemResponse(Problem::new(Code::Forbidden, who)))
    }
}

impl FromRequestParts<HttpState> for Viewer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Self::Rejection> {
        let info = Extension::<ConnectInfo<Peer>>::from_request_parts(parts, state).await;
        let peer = info.map_or(NOBODY, |Extension(ConnectInfo(peer))| peer);
        Ok(Self::of(peer, rustix::process::geteuid().as_raw(), &state.app.config))
    }
}

/// A peer that is an operator: see [`Roles::operator`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Operator(pub Peer);

impl FromRequestParts<HttpState> for Operator {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ProblemResponse> {
        let Ok(viewer) = Viewer::from_request_parts(parts, state).await;
        viewer.operator().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 700;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid, gid, pid: Some(1) }
    }

    fn config(text: &str) -> Config {
        Config::parse(text).unwrap()
    }

    #[test]
    fn roles_follow_from_user_and_group() {
        let config = config("operator_group = 990\naudit_group = 991\n");
        let roles = |uid, gid| {
            let Roles { operator, audit } = Roles::of(peer(uid, gid), OWN, &config);
            (operator, audit)
        };
        assert_eq!(roles(0, 0), (true, true), "root");
        assert_eq!(roles(OWN, 5), (true, true), "the daemon's own user");
        assert_eq!(roles(1000, 990), (true, false), "an operator");
        assert_eq!(roles(1000, 991), (false, true), "an auditor");
        assert_eq!(roles(1000, 1000), (false, false), "a reader");
        assert_eq!(roles(990, 1000), (false, false), "a user id is no group id");
        let Roles { operator, audit } = Roles::of(NOBODY, OWN, &config);
        assert!(!operator && !audit);
    }

    #[test]
    fn without_groups_only_root_and_the_own_user_have_roles() {
        let none = Config::default();
        for (uid, gid) in [(1000, 0), (1000, u32::MAX), (u32::MAX, u32::MAX)] {
            assert_eq!(Roles::of(peer(uid, gid), OWN, &none), Roles { operator: false, audit: false });
        }
    }

    #[test]
    fn ids_are_for_operators_or_only_for_the_audit_role() {
        let groups = "operator_group = 990\naudit_group = 991\n";
        for (text, operator) in
            [(groups.to_owned(), true), (format!("{groups}[privacy]\nshow_ids = \"audit\"\n"), false)]
        {
            let config = config(&text);
            let sees = |gid| Viewer::of(peer(1000, gid), OWN, &config).sees_ids;
            assert_eq!((sees(990), sees(991), sees(1000)), (operator, true, false), "{text}");
            assert!(Viewer::of(peer(0, 0), OWN, &config).sees_ids);
        }
        assert!(Config::parse("[privacy]\nshow_ids = \"everybody\"\n").is_err());
    }

    #[test]
    fn only_operators_pass() {
        let config = config("operator_group = 990\naudit_group = 991\n");
        assert!(Viewer::of(peer(1000, 990), OWN, &config).operator().is_ok());
        for refused in [peer(1000, 991), peer(1000, 1000), NOBODY] {
            let problem = Viewer::of(refused, OWN, &config).operator().unwrap_err().0;
            assert_eq!(problem.code, Code::Forbidden, "{refused:?}");
        }
    }
}
