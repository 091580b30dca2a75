//! Reads collections that the daemon serves in pages.

use clap::Args;
use mercer_shared::problem::Problem;
use mercer_shared::wire::Page;

use super::out::{Out, Stop};

/// Most rows of a page that the daemon gives at once.
pub(crate) const PAGE: u32 = 1000;

/// How much of a collection.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Paging {
    /// At most so many rows.
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// Reads the first `limit` rows of a collection, page by page; the cursor of the next row stays in the answer.
///
/// # Errors
/// What the daemon says.
pub(crate) async fn pages<T>(
    limit: u32,
    mut ask: impl AsyncFnMut(Option<&str>, Option<u32>) -> Result<Page<T>, Problem>,
) -> Result<Page<T>, Problem> {
    let mut all = Page { items: Vec::new(), next_cursor: None };
    loop {
        let wanted = limit.saturating_sub(u32::try_from(all.items.len()).unwrap_or(u32::MAX));
        let page = ask(all.next_cursor.as_deref(), Some(wanted.min(PAGE))).await?;
        let empty = page.items.is_empty();
        all.items.extend(page.items);
        all.next_cursor = page.next_cursor;
        if all.next_cursor.is_none() || empty || all.items.len() >= limit as usize {
            return Ok(all);
        }
    }
}

/// Says that there is more than was shown.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn more<T>(page: &Page<T>, out: &mut Out) -> Result<(), Stop> {
    if page.next_cursor.is_some() {
        out.line(format!("these are the first {}; -n shows more", page.items.len()))?;
    }
    Ok(())
}
