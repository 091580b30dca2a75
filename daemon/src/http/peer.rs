//! Who asks, by the kernel's word, and whether they may change things.

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Extension, FromRequestParts};
use axum::http::request::Parts;
use axum::serve::IncomingStream;
use mercer_shared::problem::{Code, Problem};
use tokio::net::UnixListener;

use crate::http::Shared;
use crate::http::problem::Refused;
use crate::state::app::Peer;

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        // Without credentials nobody is trusted: the highest id belongs to no operator.
        stream.io().peer_cred().map_or(Self { uid: u32::MAX, gid: u32::MAX, pid: None }, |cred| Self {
            uid: cred.uid(),
            gid: cred.gid(),
            pid: cred.pid(),
        })
    }
}

/// A peer that may change things: root, the daemon's own user, or a member of the operator group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator(pub Peer);

impl FromRequestParts<Shared> for Operator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refused> {
        let info = Extension::<ConnectInfo<Peer>>::from_request_parts(parts, shared).await;
        let Ok(Extension(ConnectInfo(peer))) = info else {
            return Err(Refused(Problem::new(Code::Forbidden, "the peer's credentials are not known")));
        };
        let own = rustix::process::geteuid().as_raw();
        let group = shared.app.config.operator_group;
        if peer.uid == 0 || peer.uid == own || group.is_some_and(|group| group == peer.gid) {
            Ok(Self(peer))
        } else {
            Err(Refused(Problem::new(
                Code::Forbidden,
                format!("user {} of group {} may only read", peer.uid, peer.gid),
            )))
        }
    }
}
