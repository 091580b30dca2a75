//! Plots of exported reports as SVG. Text and axes take the colour of the page (`currentColor`), so that one plot serves light, dark and print.

use mercer_shared::wire::{CurvePoint, GroupTable, ReportTrend};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Drawn in the page's text colour: replaced after drawing, because the library knows no `currentColor`.
const INK: RGBColor = RGBColor(1, 2, 3);
/// The same as SVG writes it.
const INK_HEX: &str = "#010203";
/// What is measured. Mid tones that are read on white and on black.
const BLUE: RGBColor = RGBColor(0x3b, 0x82, 0xc4);
/// What it is compared with.
const AMBER: RGBColor = RGBColor(0xc8, 0x77, 0x2e);
/// Width of a plot.
const WIDTH: u32 = 720;
/// Columns of a group's name.
const NAME: usize = 24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws into an SVG element; `None` where there is nothing to draw.
fn svg(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Option<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        if let Err(error) = draw(&area).and_then(|()| Ok(area.present()?)) {
            tracing::warn!(%error, "a plot could not be drawn");
            return None;
        }
    }
    Some(text.replace(INK_HEX, "currentColor"))
}

/// A range that holds all values, with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.filter(|v| v.is_finite()).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0;
    }
    let margin = ((high - low) * 0.06).max(1e-3);
    (low - margin)..(high + margin)
}

fn label(size: u32, anchor: Pos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK).pos(anchor)
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// The interval of each group that is shown, and around the mean of the groups a band as wide as the gap that chance makes: `None` where
/// no group has an interval.
pub(crate) fn groups(table: &GroupTable) -> Option<String> {
    let shown: Vec<_> =
        table.groups.iter().filter_map(|group| Some((&group.group, group.mean, group.low?, group.high?))).collect();
    if shown.is_empty() {
        return None;
    }
    let means: Vec<f64> = shown.iter().filter_map(|(_, mean, ..)| *mean).collect();
    let centre = (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64);
    let band = centre.zip(table.noise_floor).map(|(centre, floor)| (centre - floor / 2.0, centre + floor / 2.0));
    let ends = shown.iter().flat_map(|(_, _, low, high)| [*low, *high]).chain(band.iter().flat_map(|(l, h)| [*l, *h]));
    let (x, rows) = (range(ends), shown.len() as f64);
    svg(46 + 24 * shown.len() as u32, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_left(190)
            .x_label_area_size(24)
            .build_cartesian_2d(x.clone(), 0.0..rows)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.12))
            .axis_style(INK.mix(0.5))
            .x_labels(6)
            .label_style(label(12, Pos::new(HPos::Center, VPos::Top)))
            .draw()?;
        if let Some((low, high)) = band {
            chart.draw_series([Rectangle::new([(low, 0.0), (high, rows)], AMBER.mix(0.22).filled())])?;
        }
        for (n, (name, mean, low, high)) in shown.iter().enumerate() {
            let y = rows - n as f64 - 0.5;
            chart.draw_series([PathElement::new([(*low, y), (*high, y)], BLUE.stroke_width(3))])?;
            if let Some(mean) = mean {
                chart.draw_series([Circle::new((*mean, y), 4, BLUE.filled())])?;
            }
            let (_, row) = chart.backend_coord(&(*low, y));
            area.draw(&Text::new(shortened(name), (180, row), label(12, Pos::new(HPos::Right, VPos::Center))))?;
        }
        Ok(())
    })
}

/// Exposure of items, the most shown first: share of the items against the share of the exposure that they get. The straight line is even
/// exposure. The points are shares, ascending.
pub(crate) fn exposure(points: &[CurvePoint]) -> Option<String> {
    if points.len() < 2 {
        return None;
    }
    svg(300, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..100.0, 0.0..100.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.12))
            .axis_style(INK.mix(0.5))
            .x_desc("% of the items, the most shown first")
            .y_desc("% of the exposure")
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 12).into_font().color(&INK))
            .draw()?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (100.0, 100.0)], AMBER.stroke_width(2)))?;
        let percent = points.iter().map(|point| (100.0 * point.x, 100.0 * point.y));
        chart.draw_series(LineSeries::new(percent, BLUE.stroke_width(3)))?;
        Ok(())
    })
}

/// A number over the stored reports, with its intervals; `None` with fewer than two values.
pub(crate) fn trend(trend: &ReportTrend) -> Option<String> {
    let points: Vec<_> = trend.points.iter().filter_map(|point| Some((point.value?, point.low, point.high))).collect();
    if points.len() < 2 {
        return None;
    }
    let y = range(points.iter().flat_map(|(value, low, high)| [Some(*value), *low, *high]).flatten());
    svg(240, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(-0.5..points.len() as f64 - 0.5, y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.12))
            .axis_style(INK.mix(0.5))
            .x_labels(0)
            .x_desc("stored reports, the newest on the right")
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 12).into_font().color(&INK))
            .draw()?;
        for (n, (value, low, high)) in points.iter().enumerate() {
            let x = n as f64;
            if let (Some(low), Some(high)) = (low, high) {
                chart.draw_series([PathElement::new([(x, *low), (x, *high)], BLUE.mix(0.5).stroke_width(2))])?;
            }
            chart.draw_series([Circle::new((x, *value), 3, BLUE.filled())])?;
        }
        let line = points.iter().enumerate().map(|(n, (value, ..))| (n as f64, *value));
        chart.draw_series(LineSeries::new(line, BLUE.stroke_width(2)))?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use mercer_shared::wire::{GroupRow, Verdict};

    use super::*;

    fn group(name: &str, mean: Option<f64>) -> GroupRow {
        GroupRow {
            group: name.to_owned(),
            n: Some(100),
            share: Some(0.5),
            suppressed: mean.is_none(),
            mean,
            low: mean.map(|m| m - 0.1),
            high: mean.map(|m| m + 0.1),
            ..GroupRow::default()
        }
    }

    fn table(groups: Vec<GroupRow>) -> GroupTable {
        GroupTable {
            attribute: "region".to_owned(),
            metric: "ndcg@10".to_owned(),
            groups,
            noise_floor: Some(0.05),
            verdict: Verdict::WithinNoise,
            ..GroupTable::default()
        }
    }

    #[test]
    fn names_of_groups_are_escaped_and_ink_is_the_colour_of_the_page() {
        let plot =
            groups(&table(vec![group("<script>alert(1)</script>", Some(0.3)), group("north", Some(0.2))])).unwrap();
        assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"), "{plot}");
        assert!(!plot.contains("<script") && plot.contains("&lt;script&gt;"));
        assert!(plot.contains("currentColor") && !plot.contains(INK_HEX));
    }

    #[test]
    fn nothing_to_draw_is_no_plot() {
        assert_eq!(groups(&table(vec![group("a", None)])), None);
        let point = |x, y| CurvePoint { x, y };
        assert_eq!(exposure(&[point(0.0, 0.0)]), None);
        assert!(exposure(&[point(0.0, 0.0), point(0.5, 0.9), point(1.0, 1.0)]).is_some());
    }
}
