//! Stored reports: every report that was computed, with its hashes, listed and read again, and numbers over time.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    Page, Report, ReportHashes, ReportKind, ReportSummary, ReportTrend, StoredReport, TrendPoint,
};
use mercer_store::{DocKind, Order, Store};
use serde::Deserialize;

use crate::reports::older_reports;
use crate::state::erasure_times::ErasureTimes;
use crate::state::problems::{Answer, store_problem};

/// Form of stored documents: the first one had exact sizes and means of groups.
const FORM: u32 = 2;
/// Reports that are kept: five kinds a night for more than a year. The oldest go first.
const KEPT: u64 = 2_000;
/// Stored reports read at once while they are filtered.
const CHUNK: usize = 200;

/// A document of the collection. An older program stored bare reports, one for each kind and version.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Stored(Box<StoredReport>),
    Bare(Box<Report>),
}

impl From<Document> for StoredReport {
    fn from(document: Document) -> Self {
        let mut stored = match document {
            Document::Stored(stored) => *stored,
            Document::Bare(report) => Self {
                id: format!("{}-{}", report.kind.as_str(), report.model),
                form: 0,
                hashes: None,
                erased_since: 0,
                report: *report,
            },
        };
        if stored.form < FORM {
            older_reports::protect(&mut stored.report);
        }
        stored
    }
}

/// Says of a stored report how many shoppers were erased since.
fn mark(stored: &mut StoredReport, erasures: &ErasureTimes) {
    stored.erased_since = erasures.since(stored.report.created);
    let shoppers = match stored.erased_since {
        0 => return,
        1 => "one shopper".to_owned(),
        more => format!("{more} shoppers"),
    };
    stored.report.notes.push(format!("made before the erasure of {shoppers}, whom its numbers may count"));
}

/// The key of a stored report: keys sort like the numbers.
fn id(number: u64) -> String {
    format!("p{number:06}")
}

/// Stores a report under the next id and drops the oldest beyond the number that is kept.
///
/// # Errors
/// The store's.
pub(crate) fn store(store: &Store, report: Report, hashes: ReportHashes) -> Answer<StoredReport> {
    let number = store.next_number(DocKind::Report).map_err(|e| store_problem(&e))?;
    let stored = StoredReport { id: id(number), form: FORM, hashes: Some(hashes), erased_since: 0, report };
    store.put_doc(DocKind::Report, &stored.id, &stored).map_err(|e| store_problem(&e))?;
    if number > KEPT {
        store.remove_doc(DocKind::Report, &id(number - KEPT)).map_err(|e| store_problem(&e))?;
    }
    Ok(stored)
}

/// A stored report.
///
/// # Errors
/// `not-found`.
pub(crate) fn show(store: &Store, id: &str) -> Answer<StoredReport> {
    let found = store.get_doc::<Document>(DocKind::Report, id).map_err(|e| store_problem(&e))?;
    let mut found = found
        .map(StoredReport::from)
        .ok_or_else(|| Problem::new(Code::NotFound, format!("there is no stored report `{id}`")))?;
    mark(&mut found, &ErasureTimes::load(store)?);
    Ok(found)
}

/// The stored form of a report that was just computed or is still cached.
///
/// # Errors
/// `not-found` where it was dropped since.
pub(crate) fn of(store: &Store, report: &Report) -> Answer<StoredReport> {
    let mut cursor = None::<String>;
    loop {
        let chunk: Page<Document> =
            store.list_docs(DocKind::Report, Order::Newest, cursor.as_deref(), CHUNK).map_err(|e| store_problem(&e))?;
        let mut reports = chunk.items.into_iter().map(StoredReport::from);
        let same = |stored: &StoredReport| {
            let other = &stored.report;
            (other.kind, &other.model, other.created) == (report.kind, &report.model, report.created)
        };
        if let Some(found) = reports.find(same) {
            return Ok(found);
        }
        cursor = chunk.next_cursor;
        if cursor.is_none() {
            return Err(Problem::new(Code::NotFound, "the report is not stored any more: ask for it again"));
        }
    }
}

/// The newest reports of a kind, newest first, of any version.
///
/// # Errors
/// The store's.
pub(crate) fn earlier(store: &Store, kind: ReportKind, limit: usize) -> Answer<Vec<Report>> {
    let (mut reports, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let chunk: Page<Document> =
            store.list_docs(DocKind::Report, Order::Newest, cursor.as_deref(), CHUNK).map_err(|e| store_problem(&e))?;
        let of_kind = chunk.items.into_iter().map(|document| StoredReport::from(document).report);
        reports.extend(of_kind.filter(|report| report.kind == kind));
        cursor = chunk.next_cursor;
        if reports.len() >= limit || cursor.is_none() {
            reports.truncate(limit);
            return Ok(reports);
        }
    }
}

/// Which stored reports are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Of this kind.
    pub(crate) kind: Option<ReportKind>,
    /// Of this version.
    pub(crate) model: Option<String>,
}

impl Filter {
    fn takes(&self, report: &Report) -> bool {
        self.kind.is_none_or(|kind| kind == report.kind)
            && self.model.as_ref().is_none_or(|model| *model == report.model)
    }
}

/// Stored reports in short, newest first: a page of at most `limit`.
///
/// # Errors
/// `bad-cursor`, and the store's.
pub(crate) fn list(store: &Store, filter: &Filter, cursor: Option<&str>, limit: usize) -> Answer<Page<ReportSummary>> {
    let (mut items, mut cursor) = (Vec::new(), cursor.map(str::to_owned));
    let erasures = ErasureTimes::load(store)?;
    loop {
        // Never more than are still wanted: the cursor of the last chunk is that of the page.
        let chunk: Page<Document> = store
            .list_docs(DocKind::Report, Order::Newest, cursor.as_deref(), (limit - items.len()).min(CHUNK))
            .map_err(|e| store_problem(&e))?;
        items.extend(
            chunk.items.into_iter().map(StoredReport::from).filter(|stored| filter.takes(&stored.report)).map(
                |mut stored| {
                    mark(&mut stored, &erasures);
                    stored.summary()
                },
            ),
        );
        cursor = chunk.next_cursor;
        if items.len() >= limit || cursor.is_none() {
            return Ok(Page { items, next_cursor: cursor });
        }
    }
}

/// One row over the newest stored reports of a kind, oldest first.
///
/// # Errors
/// `not-found` where no stored report has the row, and the store's.
pub(crate) fn trend(store: &Store, row: &str, filter: &Filter, limit: usize) -> Answer<ReportTrend> {
    let kind = filter.kind.unwrap_or(ReportKind::Quality);
    let (mut points, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let chunk: Page<Document> =
            store.list_docs(DocKind::Report, Order::Newest, cursor.as_deref(), CHUNK).map_err(|e| store_problem(&e))?;
        let reports = chunk.items.into_iter().map(StoredReport::from).filter(|stored| filter.takes(&stored.report));
        points.extend(reports.filter_map(|stored| point(&stored, row)));
        cursor = chunk.next_cursor;
        if points.len() >= limit || cursor.is_none() {
            break;
        }
    }
    points.truncate(limit);
    points.sort_by_key(|point| point.created);
    if points.is_empty() {
        return Err(Problem::new(Code::NotFound, format!("no stored {} report has a row `{row}`", kind.as_str())));
    }
    Ok(ReportTrend { kind, row: row.to_owned(), points })
}

fn point(stored: &StoredReport, row: &str) -> Option<TrendPoint> {
    let found = stored.report.rows.iter().find(|one| one.name == row)?;
    Some(TrendPoint {
        id: stored.id.clone(),
        model: stored.report.model.clone(),
        created: stored.report.created,
        value: found.value,
        low: found.low,
        high: found.high,
    })
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::{GroupRow, GroupTable};
    use mercer_store::Key;

    use super::*;
    use crate::reports::rows::plain_row;

    fn report(kind: ReportKind, model: &str, day: i64) -> Report {
        Report {
            users: 3,
            rows: vec![plain_row("ndcg@10/repeat", "ndcg", Some(day as f64 / 10.0), 3, "f")],
            ..Report::new(kind, model, Timestamp::at(day * 86_400_000))
        }
    }

    fn filled() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let open = Store::open(&dir.path().join("store"), Key::from_bytes([7; 32])).unwrap();
        // What an older program left.
        open.put_doc(DocKind::Report, "fairness-v000001", &report(ReportKind::Fairness, "v000001", 1)).unwrap();
        for day in 2..9 {
            let kind = if day % 2 == 0 { ReportKind::Quality } else { ReportKind::Fairness };
            store(&open, report(kind, if day < 6 { "v000001" } else { "v000002" }, day), ReportHashes::default())
                .unwrap();
        }
        (dir, open)
    }

    #[test]
    fn pages_hold_what_the_filter_takes_and_nothing_twice() {
        let (_dir, open) = filled();
        let filter = Filter { kind: Some(ReportKind::Quality), model: None };
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page = list(&open, &filter, cursor.as_deref(), 2).unwrap();
            assert!(page.items.len() <= 2);
            found.extend(page.items.into_iter().map(|one| one.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, ["p000007", "p000005", "p000003", "p000001"]);
        let both = Filter { kind: Some(ReportKind::Fairness), model: Some("v000001".to_owned()) };
        let ids: Vec<String> = list(&open, &both, None, 100).unwrap().items.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, ["p000004", "p000002", "fairness-v000001"]);
        assert_eq!(list(&open, &both, Some("zz"), 1).unwrap_err().code, Code::BadCursor);
    }

    #[test]
    fn a_report_is_read_as_it_was_stored_also_one_of_an_older_program() {
        let (_dir, open) = filled();
        let old = show(&open, "fairness-v000001").unwrap();
        assert_eq!((old.form, old.hashes), (0, None));
        assert_eq!(show(&open, "p000001").unwrap().report, report(ReportKind::Quality, "v000001", 2));
        assert_eq!(show(&open, "p000099").unwrap_err().code, Code::NotFound);
    }

    #[test]
    fn a_report_of_an_older_program_tells_no_exact_size_of_a_group() {
        let (_dir, open) = filled();
        let group = GroupRow {
            group: "f".to_owned(),
            n: Some(143),
            share: Some(0.51),
            mean: Some(0.312_345_678),
            ..GroupRow::default()
        };
        let table = GroupTable { attribute: "gender".to_owned(), groups: vec![group], ..GroupTable::default() };
        let old = Report { groups: vec![table], ..report(ReportKind::Fairness, "v000001", 3) };
        open.put_doc(DocKind::Report, "fairness-v000003", &old).unwrap();
        let shown = show(&open, "fairness-v000003").unwrap().report.groups.remove(0).groups.remove(0);
        assert_eq!((shown.n, shown.mean, shown.share), (Some(140), Some(0.31), Some(1.0)));
    }

    #[test]
    fn a_report_says_how_many_shoppers_were_erased_since() {
        let (_dir, open) = filled();
        assert_eq!(show(&open, "p000003").unwrap().erased_since, 0);
        ErasureTimes::note(&open, Timestamp::at(6 * 86_400_000 - 1)).unwrap();
        ErasureTimes::note(&open, Timestamp::at(3 * 86_400_000 - 1)).unwrap();
        // Made on day 4 and 7; one erasure was before day 3, the other before day 6.
        let found = show(&open, "p000003").unwrap();
        assert_eq!(found.erased_since, 1);
        assert!(found.report.notes.iter().any(|note| note.contains("before the erasure of one shopper")));
        assert_eq!(show(&open, "p000006").unwrap().erased_since, 0);
        let all = list(&open, &Filter::default(), None, 100).unwrap().items;
        let since: Vec<u64> = all.into_iter().map(|one| one.erased_since).collect();
        assert_eq!(since, [0, 0, 0, 1, 1, 1, 2, 2]);
        assert_eq!(open.count_docs(DocKind::Report).unwrap(), 8);
    }

    #[test]
    fn a_trend_is_oldest_first() {
        let (_dir, open) = filled();
        let filter = Filter { kind: Some(ReportKind::Quality), model: None };
        let values = |limit| -> Vec<Option<f64>> {
            trend(&open, "ndcg@10/repeat", &filter, limit).unwrap().points.into_iter().map(|p| p.value).collect()
        };
        assert_eq!(values(10), [Some(0.2), Some(0.4), Some(0.6), Some(0.8)]);
        assert_eq!(values(2), [Some(0.6), Some(0.8)]);
        assert_eq!(trend(&open, "none", &filter, 10).unwrap_err().code, Code::NotFound);
    }
}
