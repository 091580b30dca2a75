//! Lists the presets of `data/presets`, which are compiled in: adding one is adding its file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/presets");
    println!("cargo:rerun-if-changed={}", directory.display());
    let mut presets: Vec<PathBuf> =
        std::fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    presets.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    presets.sort();
    let mut list = String::from("&[\n");
    for path in presets {
        let name = path.file_stem().and_then(|name| name.to_str()).ok_or("a preset's name is not UTF-8")?;
        let text = path.canonicalize()?;
        writeln!(list, "    Shipped {{ name: {name:?}, text: include_str!({:?}) }},", text.display().to_string())?;
    }
    list.push(']');
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("presets.rs"), list)?;
    Ok(())
}
