//! Encoders on disk: checked copies of directories, downloads in the layout of the Hugging Face hub, and the hub's own cache.
//!
//! An encoder gets its final directory only after it was loaded and checked; a failure leaves nothing behind.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checkpoint::{Checkpoint, Identity};
use crate::error::ModelError;
use crate::hf::{OPTIONAL, REQUIRED, first_pickle};

/// Default of `HF_ENDPOINT`.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// Maximum size of a downloaded file, bytes.
const MAX_FILE_BYTES: u64 = 8 << 30;

/// An encoder that was added.
#[derive(Debug, Clone)]
pub struct AddedEncoder {
    /// Its directory.
    pub dir: PathBuf,
    /// Name and content hash.
    pub identity: Identity,
    /// Number of weights.
    pub parameters: usize,
}

/// Copies an encoder directory to `dest_root/<version prefix>` after checking it; pickled weights beside it are never copied.
/// Adding the same encoder again changes nothing.
///
/// # Errors
/// Those of [`crate::hf::load`] and [`ModelError::Io`].
pub fn add_from_dir(src: &Path, dest_root: &Path) -> Result<AddedEncoder, ModelError> {
    if !src.is_dir() {
        return Err(ModelError::Missing { path: src.to_owned() });
    }
    let staging = Staging::new(dest_root)?;
    for name in REQUIRED.iter().chain(&OPTIONAL) {
        let from = src.join(name);
        if from.is_file() {
            let to = staging.file(name)?;
            std::fs::copy(&from, &to).map_err(io(&from))?;
        } else if *name == "model.safetensors" {
            return Err(match first_pickle(src) {
                Some(path) => ModelError::Pickle { path },
                None => ModelError::Missing { path: from },
            });
        }
    }
    let name = src.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    staging.settle(&name)
}

/// Downloads `repo` (for example `intfloat/multilingual-e5-small`) from `endpoint`, checks it and places it below `dest_root`.
///
/// # Errors
/// [`ModelError::Download`] for a malformed name, an unreachable hub, an error status or a body shorter than announced;
/// otherwise as [`add_from_dir`].
pub fn download(repo: &str, endpoint: &str, dest_root: &Path) -> Result<AddedEncoder, ModelError> {
    let endpoint = endpoint.trim_end_matches('/');
    let well_formed = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if repo.split('/').count() > 2 || !repo.split('/').all(well_formed) {
        return Err(ModelError::Download {
            url: format!("{endpoint}/{repo}"),
            why: "a repository is named ORGANISATION/NAME".to_owned(),
        });
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        // Statuses are judged below, where an absent optional file is no error.
        .http_status_as_error(false)
        .build()
        .into();
    let staging = Staging::new(dest_root)?;
    for name in REQUIRED.iter().chain(&OPTIONAL) {
        let url = format!("{endpoint}/{repo}/resolve/main/{name}");
        fetch(&agent, &url, &staging, name, REQUIRED.contains(name))?;
    }
    staging.settle(repo)
}

/// `HF_ENDPOINT`, else the public hub.
#[must_use]
pub fn endpoint() -> String {
    std::env::var("HF_ENDPOINT").ok().filter(|e| !e.is_empty()).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned())
}

/// The cache of the hub's own tools: `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
#[must_use]
pub fn hub_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = set("HF_HOME")
        .or_else(|| Some(set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?.join("huggingface")))?;
    Some(home.join("hub"))
}

/// The snapshot of `repo` in a hub cache (`models--ORG--NAME/snapshots/COMMIT`, the commit that `refs/main` names), if it is there.
#[must_use]
pub fn find_in_cache(repo: &str, cache: &Path) -> Option<PathBuf> {
    let base = cache.join(format!("models--{}", repo.replace('/', "--")));
    let commit = std::fs::read_to_string(base.join("refs/main")).ok()?;
    let dir = base.join("snapshots").join(commit.trim());
    REQUIRED.iter().all(|f| dir.join(f).is_file()).then_some(dir)
}

fn fetch(agent: &ureq::Agent, url: &str, staging: &Staging, name: &str, required: bool) -> Result<(), ModelError> {
    let fail = |why: String| ModelError::Download { url: url.to_owned(), why };
    let mut response = agent.get(url).call().map_err(|e| fail(e.to_string()))?;
    let status = response.status().as_u16();
    if status == 404 && !required {
        return Ok(());
    }
    if status != 200 {
        return Err(fail(format!("the hub answered {status}")));
    }
    let announced: Option<u64> = response.headers().get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|n| n > MAX_FILE_BYTES) {
        return Err(fail(format!("{} bytes are more than an encoder has", announced.unwrap_or_default())));
    }
    let path = staging.file(name)?;
    let mut file = std::fs::File::create(&path).map_err(io(&path))?;
    let mut body = response.body_mut().with_config().limit(MAX_FILE_BYTES).reader();
    let mut buffer = vec![0u8; 1 << 16];
    let mut written = 0u64;
    loop {
        let n = body.read(&mut buffer).map_err(|e| fail(e.to_string()))?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(io(&path))?;
        written += n as u64;
    }
    file.sync_all().map_err(io(&path))?;
    if announced.is_some_and(|n| n != written) {
        return Err(fail(format!("the connection ended after {written} of {} bytes", announced.unwrap_or_default())));
    }
    Ok(())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ModelError + use<> {
    let path = path.to_owned();
    move |source| ModelError::Io { path, source }
}

/// A temporary directory; removed when dropped before [`Staging::settle`].
struct Staging {
    root: PathBuf,
    dir: PathBuf,
}

impl Staging {
    fn new(root: &Path) -> Result<Self, ModelError> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let dir = root.join(format!(".adding-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&dir).map_err(io(&dir))?;
        Ok(Self { root: root.to_owned(), dir })
    }

    fn file(&self, name: &str) -> Result<PathBuf, ModelError> {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(io(parent))?;
        }
        Ok(path)
    }

    /// Loads and checks the encoder, and renames its directory to the first 16 digits of its version.
    fn settle(self, name: &str) -> Result<AddedEncoder, ModelError> {
        self.write_name(name)?;
        let checkpoint = Checkpoint::load(&self.dir)?;
        let dir = self.root.join(&checkpoint.identity.version[..16]);
        if !dir.exists() {
            std::fs::rename(&self.dir, &dir).map_err(io(&dir))?;
        }
        Ok(AddedEncoder { dir, parameters: checkpoint.parameters(), identity: checkpoint.identity })
    }

    /// Adds the origin's name to `mercer.json` if it has none, because the final directory is named by version.
    fn write_name(&self, name: &str) -> Result<(), ModelError> {
        let path = self.dir.join("mercer.json");
        let mut value = crate::rules::read_json(&path)?.unwrap_or_else(|| serde_json::json!({}));
        if let Some(object) = value.as_object_mut() {
            object.entry("name").or_insert_with(|| name.into());
        }
        std::fs::write(&path, value.to_string()).map_err(io(&path))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After settling the directory has moved; otherwise it holds an unfinished encoder.
        if self.dir.exists()
            && let Err(error) = std::fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "cannot remove an unfinished encoder");
        }
    }
}
