//! Tests of the console as a whole: messages in, pictures out.

use ratatui::buffer::Buffer;

/// A picture as text, a string a row, without trailing blanks. The second cell of a wide character is no character.
pub(crate) fn rows(buf: &Buffer) -> Vec<String> {
    use unicode_width::UnicodeWidthStr;
    let width = usize::from(buf.area.width);
    if width == 0 {
        return Vec::new();
    }
    buf.content
        .chunks(width)
        .map(|cells| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in cells {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = cell.symbol().width().saturating_sub(1);
            }
            text.trim_end().to_owned()
        })
        .collect()
}
