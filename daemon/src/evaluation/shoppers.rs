//! Writes the metrics of each shopper to a Parquet file under the state directory, so that an evaluation can be
//! checked. Shoppers appear under pseudonyms, because the file may leave the daemon. An erasure deletes the files,
//! since they hold metrics of the erased shopper's lists.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use mercer_import::{Column, write_table};
use mercer_shared::problem::{Code, Problem};

use crate::evaluation::bench::{Bench, METRICS};
use crate::evaluation::contestant::Contestant;
use crate::evaluation::slices::{All, LISTS};
use crate::runs::context::{RunExit, failed};
use crate::state::app::App;
use crate::state::evaluation_files::directory;
use crate::state::problems::Answer;

/// Files that are kept; the oldest goes first.
const KEPT: usize = 5;

fn io(error: &std::io::Error) -> Problem {
    Problem::new(Code::Internal, format!("values per shopper: {error}"))
}

/// The pseudonym of a user; `None` for a user who was erased since the evaluation began.
fn pseudonym(bench: &Bench<'_>, user: u32) -> Option<String> {
    match bench.view.user_id(user) {
        Some(id) if bench.app.store.is_erased(id) => None,
        Some(id) => Some(bench.app.store.pseudonym(id).hex()),
        None => Some(format!("session-{user}")),
    }
}

/// Writes the file of an evaluation: a row for each slice, shopper and arm.
pub(crate) fn write(bench: &Bench<'_>, id: &str, arms: &[Contestant], all: &All) -> Result<(), RunExit> {
    let names: std::collections::BTreeMap<u32, String> =
        all.histories.users().filter_map(|user| Some((user, pseudonym(bench, user)?))).collect();
    let (mut shopper, mut slice, mut arm) = (Vec::new(), Vec::new(), Vec::new());
    let (mut baskets, mut relevant) = (Vec::new(), Vec::new());
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); METRICS.len()];
    for ((name, ..), lists) in LISTS.iter().zip(&all.lists) {
        for (contestant, measured) in arms.iter().zip(&lists.arms) {
            for (entry, row) in lists.truth.iter().zip(&measured.rows) {
                let Some(name_of) = names.get(&entry.user) else { continue };
                shopper.push(name_of.clone());
                slice.push((*name).to_owned());
                arm.push(contestant.name.clone());
                baskets.push(i64::from(all.histories.baskets(entry.user)));
                relevant.push(entry.items.len() as i64);
                values.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
            }
        }
    }
    let mut columns = vec![
        ("shopper", Column::Text(shopper)),
        ("slice", Column::Text(slice)),
        ("arm", Column::Text(arm)),
        ("baskets_before", Column::Whole(baskets)),
        ("relevant", Column::Whole(relevant)),
    ];
    for (name, column) in ["ndcg", "recall", "precision", "hit", "mrr", "map"].into_iter().zip(values) {
        columns.push((name, Column::Number(column)));
    }
    let dir = directory(bench.app);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| io(&e))?;
    let path = dir.join(format!("{id}.parquet"));
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(|e| io(&e))?;
    write_table(file, &columns)?;
    thin(&dir).map_err(|e| failed(&e))
}

fn thin(dir: &std::path::Path) -> std::io::Result<()> {
    let mut files: Vec<_> = std::fs::read_dir(dir)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.sort();
    let over = files.len().saturating_sub(KEPT);
    files.into_iter().take(over).try_for_each(std::fs::remove_file)
}

/// The file of an evaluation.
///
/// # Errors
/// `not-found` for an unknown evaluation, or where its file was deleted since.
pub fn shoppers(app: &App, id: &str) -> Answer<Vec<u8>> {
    let known = crate::evaluation::documents::show(app, id)?;
    std::fs::read(directory(app).join(format!("{}.parquet", known.id))).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new(
            Code::NotFound,
            format!("the values per shopper of `{id}` are gone: the last {KEPT} are kept, and none over an erasure"),
        ),
        _ => io(&error),
    })
}
