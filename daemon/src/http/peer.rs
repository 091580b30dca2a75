//! The peer of a connection, by the credentials of the kernel, and whether it is an operator.

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use mercer_shared::problem::{Code, Problem};
use tokio::net::UnixListener;

use crate::http::problem::ProblemResponse;
use crate::http::state::HttpState;
use crate::state::app::Peer;

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        // A peer without credentials is no operator: the highest id belongs to nobody.
        stream.io().peer_cred().map_or(Self { uid: u32::MAX, gid: u32::MAX, pid: None }, |cred| Self {
            uid: cred.uid(),
            gid: cred.gid(),
            pid: cred.pid(),
        })
    }
}

/// A peer that may change data and read what is for operators: root, the daemon's own user, or a member of the operator group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operator(pub Peer);

impl FromRequestParts<HttpState> for Operator {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, ProblemResponse> {
        let info = Extension::<ConnectInfo<Peer>>::from_request_parts(parts, state).await;
        let Ok(Extension(ConnectInfo(peer))) = info else {
            return Err(ProblemResponse(Problem::new(Code::Forbidden, "the peer's credentials are not known")));
        };
        let own = rustix::process::geteuid().as_raw();
        let group = state.app.config.operator_group;
        if peer.uid == 0 || peer.uid == own || group.is_some_and(|group| group == peer.gid) {
            Ok(Self(peer))
        } else {
            Err(ProblemResponse(Problem::new(
                Code::Forbidden,
                format!("the peer is user {} of group {}", peer.uid, peer.gid),
            )))
        }
    }
}
