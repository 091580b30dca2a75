//! Layout of files: quotes, line ends, separators, headers, lists, byte order marks.

use mercer_import::{Kind, Plan, run};
use mercer_shared::problem::Code;

use super::{RETAIL, case, has_note, operator, read, read_case, read_text, reason};
use crate::{Shop, plan};

#[test]
fn a_stray_quote_spoils_its_own_record() {
    let (shop, report) = read_case("03-swallow2.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, &report.rejected[0].first_lines[..]), (5, 4, &[2][..]), "{report:?}");
    assert_eq!(shop.items.keys().collect::<Vec<_>>(), ["34002", "34003", "34004", "34005"]);
    let last = shop.interactions.last().unwrap();
    assert_eq!((last.user.as_ref().unwrap().as_str(), last.item.as_ref().unwrap().as_str()), ("18002", "34005"));
}

#[test]
fn ten_thousand_rows_between_two_stray_quotes() {
    let row =
        |n: u32, title: &str| format!("{n},1{:04},{title},1,2020-03-02 09:15:00,2.5,{},France\n", n % 50, n % 97 + 1);
    // Whatever comes next: a quoted field, a quoted last field, a quote that ends an open field, an inch, nothing.
    for next in ["\"JUG LAST\"", "JUG LAST\"", "JUG 5\" LAST", "\"\"", "\"JUG, LAST\"", "JUG LAST"] {
        for stray in ["\"STRAY JUG", "\"STRAY, JUG", "\"", "\"5\"\" JUG"] {
            let mut text = format!("{RETAIL}{}", row(0, stray));
            (1..=10_000).for_each(|n| text += &row(n, "PLAIN JUG"));
            text += &row(10_001, next);
            let (shop, report) = read(text, &plan("online-retail"));
            assert_eq!((report.lines, report.accepted), (10_002, 10_001), "{stray} then {next}: {report:?}");
            assert_eq!(report.rejected[0].first_lines, [2], "{stray} then {next}");
            assert!(shop.interactions.iter().all(|line| line.user.is_some()));
        }
    }
}

#[test]
fn a_stray_quote_anywhere_in_a_row() {
    let good = "1,10001,JUG,1,2020-03-02 09:15:00,2.5,7,France";
    for place in 0..8 {
        let mut fields: Vec<String> = good.split(',').map(str::to_owned).collect();
        fields[place].insert(0, '"');
        let text = format!(
            "{RETAIL}{good}\n{}\n{good}\n{good}\n5,10002,\"LAMP, RED\",1,2020-03-02 09:15:00,2.5,8,France\n",
            fields.join(",")
        );
        let (shop, report) = read(text, &plan("online-retail"));
        assert_eq!((report.lines, report.accepted, &report.rejected[0].first_lines[..]), (5, 4, &[3][..]), "{place}");
        assert_eq!(shop.items["10002"].title, "LAMP, RED");
    }
}

#[test]
fn texts_of_several_lines_stay_whole() {
    let text = format!(
        "{RETAIL}1,10001,\"JUG\nred, blue, green\n\nand \"\"more\"\"\",1,2020-03-02 09:15:00,2.5,7,France\n2,10002,LAMP,1,2020-03-02 09:15:00,2.5,7,France\n"
    );
    let (shop, report) = read(&text, &plan("online-retail"));
    assert_eq!((report.lines, report.accepted), (2, 2), "{report:?}");
    assert_eq!(shop.items["10001"].title, "JUG red, blue, green and \"more\"");
    assert!(has_note(&report, &["6 lines of the file", "3 further lines of records"]), "{:?}", report.notes);
    let (_, report) = read(text.replace('\n', "\r\n"), &plan("online-retail"));
    assert_eq!(report.accepted, 2);
}

#[test]
fn line_ends_of_old_spreadsheets() {
    let (shop, report) = read_case("02-cronly.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, shop.items["30005"].title.as_str()), (1, 1, "CAFÉ CRÈME BOWL"));
    let row = |n: u32| format!("{n},10001,JUG,1,2020-03-02 09:15:00,2.5,7,France");
    let header = RETAIL.trim_end();
    for ends in [
        ["\r"; 4],
        ["\r\n"; 4],
        ["\n", "\r\n", "\n", "\r\n"],
        ["\r\n", "\r", "\r\n", "\n"],
        ["\n", "\r", "\n", "\n"],
        ["\r", "\r\n", "\r", "\r"],
    ] {
        let lines = [header.to_owned(), row(1), row(2), row(3)];
        let text: String = lines.iter().zip(ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        let (_, report) = read(text, &plan("online-retail"));
        assert_eq!((report.lines, report.accepted), (3, 3), "{ends:?}: {report:?}");
    }
    // A break inside a cell of an old spreadsheet is an LF among bare CRs.
    let (shop, report) = read(
        format!("{header}\r1,10001,\"JUG\nRED\",1,2020-03-02 09:15:00,2.5,7,France\r{}\r", row(2)),
        &plan("online-retail"),
    );
    assert_eq!((report.accepted, shop.items["10001"].title.as_str()), (2, "JUG RED"));
}

#[test]
fn the_separator_of_a_spreadsheet_is_read() {
    let (shop, report) = read_case("02-sep.csv", &plan("online-retail"));
    assert_eq!((report.lines, report.accepted, shop.items["30006"].title.as_str()), (1, 1, "CAFÉ CRÈME BOWL"));
    for (first, separator) in [("sep=;", ";"), ("\u{feff}SEP=\t", "\t"), ("\"sep=|\"", "|"), ("sep=,,,,", ",")] {
        let text = format!("{first}\r\nUserId{separator}Labels\r\nann{separator}x\r\n");
        let (shop, _) = read(text, &plan("gorse"));
        assert_eq!(shop.users["ann"].attributes["labels"], "x", "{first:?}");
    }
}

#[test]
fn a_header_where_none_should_be_is_said() {
    let failure = |name: &str, text: &str, plan: &Plan| -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("upload");
        std::fs::write(&path, text).unwrap();
        let failure = run(&path, name, plan, false, &mut Shop::default(), &mut |_| {}).unwrap_err();
        assert_eq!((failure.problem.code, failure.report.lines), (Code::MissingColumns, 0));
        failure.problem.detail
    };
    let ratings = std::fs::read_to_string(case("07-ratings.csv")).unwrap();
    for name in ["ratings.csv", "upload.csv"] {
        let said = failure(name, &ratings, &plan("movielens-1m"));
        assert!(said.contains("preset movielens-25m") && said.contains("userId, movieId, rating, timestamp"), "{said}");
    }
    let said = failure(
        "x.csv",
        "user_id,item_id,category_id,behavior_type,timestamp\n1,2,3,pv,1511544070\n",
        &operator("taobao"),
    );
    assert!(said.contains("has a header (user_id, item_id"), "{said}");
    // A header with the names of the preset is read by its names.
    let (shop, report) = read("time,behaviour,category,item,user\n1511544070,pv,3,2,1\n", &operator("taobao"));
    assert_eq!((report.accepted, shop.interactions[0].user.as_ref().unwrap().as_str()), (1, "1"));
    let (shop, report) = read_case("07-ratings.csv", &plan("movielens-25m"));
    assert_eq!((report.accepted, report.duplicates, shop.interactions[0].value), (3, 1, Some(4.5)), "{report:?}");
}

#[test]
fn a_file_without_a_good_line_fails() {
    for (text, plan) in [("{\n", Plan::Ndjson(Kind::Items)), ("UserId,Labels\n1,2,3\n4\n", plan("gorse"))] {
        let failure = read_text(text, &plan).1.unwrap_err();
        assert_eq!(failure.problem.code, Code::NothingImported);
        assert!(failure.problem.detail.contains("rejected"), "{}", failure.problem);
    }
    for (text, plan) in [("UserId,Labels\n", plan("gorse")), ("", Plan::Ndjson(Kind::Items))] {
        assert_eq!(read(text, &plan).1.lines, 0, "a file without lines is no failure");
    }
    let skipped = format!("{RETAIL}1,POST,POSTAGE,1,2020-03-02 09:15:00,2.5,7,France\nx\n");
    assert_eq!(read(skipped, &plan("online-retail")).1.lines, 2, "a line that a rule leaves out was understood");
}

#[test]
fn lists_and_byte_order_marks() {
    for (name, format) in [("50-array.ndjson", "json"), ("50-bom.ndjson", "ndjson")] {
        let (shop, report) = read_case(name, &Plan::Ndjson(Kind::Items));
        assert_eq!((report.lines, report.accepted, shop.items.len(), report.format.as_str()), (2, 2, 2, format));
    }
    let (_, report) = read(
        "[{\"id\":\"a\",\"title\":\"t\"}, 5,\n{\"id\":\"\",\"title\":\"t\"}, {\"id\":\"b\",\"title\":\"t\"}]",
        &Plan::Ndjson(Kind::Items),
    );
    assert_eq!((report.lines, report.accepted), (4, 2));
    assert!(
        reason(&report, Code::WrongType).starts_with("[1]: ") && reason(&report, Code::BadId).starts_with("[2]: "),
        "{report:?}"
    );
    let (_, report) =
        read("\u{feff}{\"id\":\"a\",\"title\":\"t\"}\r{\"id\":\"b\",\"title\":\"t\"}\r", &Plan::Ndjson(Kind::Items));
    assert_eq!(report.accepted, 2, "bare CRs end lines here too");
    let (_, report) =
        read("{\"id\":\"a\",\"title\":\"t\"}\n\u{feff}{\"id\":\"b\",\"title\":\"t\"}\n", &Plan::Ndjson(Kind::Items));
    assert_eq!(report.accepted, 2, "two files put together");
}
