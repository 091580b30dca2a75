//! Which users stand behind a row of a table of groups.

use mercer_reports::groups::OTHER;
use mercer_shared::wire::{GroupRow, GroupTable};

use crate::state::report_cache::{GroupFacts, GroupMembers};

/// The members of a table's groups.
pub(crate) fn of_table<'a>(facts: &'a GroupFacts, attribute: &str) -> Option<&'a GroupMembers> {
    facts.members.iter().find(|members| members.attribute == attribute)
}

/// Places of the users of a row: those of the merged row are all whose group has none of its own.
pub(crate) fn places(members: &GroupMembers, table: &GroupTable, row: &GroupRow) -> Vec<usize> {
    let named = |label: &str| table.groups.iter().any(|other| other.group == label);
    let is_member = |label: &str| if row.group == OTHER { !named(label) } else { label == row.group };
    (0..members.labels.len()).filter(|&place| !row.suppressed && is_member(&members.labels[place])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_merged_row_holds_whom_no_other_row_names() {
        let labels = ["f", "m", "x", "f", "y"].map(str::to_owned).to_vec();
        let members = GroupMembers { attribute: "gender".to_owned(), labels, ..GroupMembers::default() };
        let row = |group: &str, suppressed| GroupRow { group: group.to_owned(), suppressed, ..GroupRow::default() };
        let groups = vec![row("f", false), row("m", false), row(OTHER, false)];
        let table = GroupTable { attribute: "gender".to_owned(), groups, ..GroupTable::default() };
        let of = |place: usize| places(&members, &table, &table.groups[place]);
        assert_eq!((of(0), of(1), of(2)), (vec![0, 3], vec![1], vec![2, 4]));
        assert!(places(&members, &table, &row("f", true)).is_empty());
    }
}
