//! The daemon's socket: refuses one that a live daemon holds, removes what a dead one left, and removes its own at the end.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use mercer_shared::problem::{Code, Problem};
use tokio::net::UnixListener;

/// The socket's file while the daemon lives.
pub(crate) struct Bound {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Another daemon's socket may be there by now.
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// Binds the socket: mode 0660, of the operator group where one is set.
///
/// # Errors
/// `socket-taken` if somebody listens there; `socket-path` if the path cannot be used.
pub(crate) fn bind(path: &Path, group: Option<u32>) -> Result<(UnixListener, Bound), Problem> {
    let bad =
        |what: &str, error: io::Error| Problem::new(Code::SocketPath, format!("{}: {what}: {error}", path.display()));
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| bad("its directory cannot be made", error))?;
    }
    clear(path)?;
    let listener = UnixListener::bind(path).map_err(|error| bad("cannot be bound", error))?;
    let bound = identity(path).map(|file| Bound { path: path.to_owned(), file });
    let bound = bound.map_err(|error| bad("vanished", error))?;
    if let Err(error) = group.map_or(Ok(()), |group| std::os::unix::fs::chown(path, None, Some(group))) {
        tracing::warn!(%error, ?group, "the socket could not be given to the operator group");
    }
    let mode = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(path, mode).map_err(|error| bad("its mode cannot be set", error))?;
    Ok((listener, bound))
}

/// Removes the socket of a dead daemon.
fn clear(path: &Path) -> Result<(), Problem> {
    let refuse = |code, detail: &str| Err(Problem::new(code, format!("{}: {detail}", path.display())));
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return refuse(Code::SocketPath, &error.to_string()),
        Ok(meta) if !meta.file_type().is_socket() => {
            return refuse(Code::SocketPath, "something stands there that is no socket");
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => refuse(Code::SocketTaken, "a process answers there"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "a dead daemon's socket is removed");
            std::fs::remove_file(path).or_else(|error| refuse(Code::SocketPath, &error.to_string()))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            refuse(Code::SocketTaken, "a busy process listens there")
        }
        Err(error) => refuse(Code::SocketPath, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_dead_sockets_are_cleared_and_only_own_ones_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/s.sock");
        let (listener, bound) = bind(&path, None).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(bind(&path, None).err().unwrap().code, Code::SocketTaken);
        // The daemon dies without cleaning up: the file stays, nobody listens.
        std::mem::forget(bound);
        drop(listener);
        let (_listener, bound) = bind(&path, None).unwrap();
        // Another socket takes the place: it is not ours to remove.
        std::fs::remove_file(&path).unwrap();
        let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
        let file = dir.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        assert_eq!(bind(&file, None).err().unwrap().code, Code::SocketPath);
        assert!(file.exists());
    }
}
