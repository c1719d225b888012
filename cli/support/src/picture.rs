//! Distributions of times as a picture: an SVG, written by hand.
//!
//! Both axes are logarithmic. To the right each step is a nine more: half of all times are not above the curve at
//! 50 %, and one of a thousand is above it at 99.9 %. Nothing has a background, and text and lines are of a grey
//! that can be seen on light and on dark.

use std::fmt::Write;

use serde_json::Value;

use crate::times::{Curve, readable};

const WIDTH: f64 = 1040.0;
/// More, where the legend is longer.
const HEIGHT: f64 = 480.0;
/// Of the part with the curves: left, top, right, bottom.
const INSIDE: [f64; 4] = [80.0, 44.0, 700.0, 420.0];
/// Told apart by the colour-blind too (Okabe and Ito), without black and the yellow that white swallows.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Where there are more curves than colours.
const DASHES: [&str; 4] = ["none", "7 4", "2 3", "9 3 2 3"];
/// Behind the last point that has another one above it.
const LAST_STEP: f64 = 0.15;

/// Distributions with their names, from everything in a bench's JSON that has a `name` and a `curve`.
pub fn curves(found: &Value) -> Vec<(String, Curve)> {
    let own = found.get("name").and_then(Value::as_str).zip(found.get("curve"));
    let own =
        own.and_then(|(name, curve)| Some((name.to_owned(), serde_json::from_value(curve.clone()).ok()?)));
    let within: Vec<&Value> = match found {
        Value::Array(values) => values.iter().collect(),
        Value::Object(values) => values.values().collect(),
        _ => Vec::new(),
    };
    own.into_iter().chain(within.into_iter().flat_map(curves)).collect()
}

/// Draws distributions. `None` if there is nothing to draw.
pub fn draw(title: &str, curves: &[(String, Curve)]) -> Option<String> {
    let lines: Vec<(&str, Vec<(f64, f64)>)> = curves
        .iter()
        .map(|(name, curve)| (&name[..], places(curve)))
        .filter(|(_, places)| !places.is_empty())
        .collect();
    let all = || lines.iter().flat_map(|(_, places)| places.iter());
    let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
    let nines = most(&mut all().map(|place| place.0))?.max(1.0);
    let top = most(&mut all().map(|place| place.1))?.ceil();
    let bottom = -most(&mut all().map(|place| -place.1))?;
    let axes = Axes { nines, bottom: bottom.floor().min(top - 1.0), top };

    let height = HEIGHT.max(legend_y(lines.len()) + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#808080\">\n"
    );
    let [left, _, right, bottom] = INSIDE;
    text(&mut svg, left, 24.0, "start", title);
    text(&mut svg, (left + right) / 2.0, bottom + 44.0, "middle", "so many of all are not above the curve");
    axes.draw(&mut svg);
    for (at, (name, places)) in lines.iter().enumerate() {
        let (colour, dash) = (COLOURS[at % COLOURS.len()], DASHES[at / COLOURS.len() % DASHES.len()]);
        let stroke =
            format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"");
        let points: Vec<String> = places
            .iter()
            .map(|(nines, power)| format!("{:.1},{:.1}", axes.x(*nines), axes.y(*power)))
            .collect();
        let _ = writeln!(svg, "<polyline {stroke} points=\"{}\"/>", points.join(" "));
        let (x, y) = (right + 24.0, legend_y(at));
        let _ = writeln!(svg, "<path {stroke} d=\"M{x:.0} {y:.0}h28\"/>");
        text(&mut svg, x + 36.0, y + 4.0, "start", name);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Where a line of the legend stands.
fn legend_y(line: usize) -> f64 {
    INSIDE[1] + 8.0 + 20.0 * line as f64
}

/// Nines and powers of ten of nanoseconds, each point of a curve.
fn places(curve: &Curve) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = Vec::new();
    for (part, nanos) in curve.points() {
        let last = places.last().map_or(0.0, |(nines, _)| *nines);
        let nines = if part < 1.0 { -(1.0 - part).log10() } else { last + LAST_STEP };
        places.push((nines, nanos.max(1.0).log10()));
        if part >= 1.0 {
            break;
        }
    }
    places
}

struct Axes {
    nines: f64,
    bottom: f64,
    top: f64,
}

impl Axes {
    fn x(&self, nines: f64) -> f64 {
        let [left, _, right, _] = INSIDE;
        left + (right - left) * nines / self.nines
    }

    fn y(&self, power: f64) -> f64 {
        let [_, top, _, bottom] = INSIDE;
        bottom - (bottom - top) * (power - self.bottom) / (self.top - self.bottom)
    }

    fn draw(&self, svg: &mut String) {
        let [left, top, right, bottom] = INSIDE;
        let line = "stroke=\"#808080\" stroke-opacity=\"0.35\"";
        for power in steps(self.bottom, self.top) {
            let y = self.y(power);
            let _ = writeln!(svg, "<path {line} d=\"M{left} {y:.1}H{right}\"/>");
            let label = readable(10_f64.powf(power)).replace(".00 ", " ").replace(".0 ", " ");
            text(svg, left - 8.0, y + 4.0, "end", &label);
        }
        // The left end is the shortest time of all; a label there would run into the next.
        let left_half = [(0.0, String::new()), (2_f64.log10(), "50 %".to_owned())];
        let nines = steps(1.0, self.nines.floor()).map(|nines| (nines, percent(nines)));
        for (nines, label) in left_half.into_iter().chain(nines) {
            let x = self.x(nines);
            let _ = writeln!(svg, "<path {line} d=\"M{x:.1} {top}V{bottom}\"/>");
            text(svg, x, bottom + 20.0, "middle", &label);
        }
    }
}

/// Whole numbers from one to another.
fn steps(from: f64, to: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(from), |step| Some(step + 1.0)).take_while(move |step| *step <= to)
}

/// 90 %, 99 %, 99.9 % and so on.
fn percent(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
    let digits = steps(3.0, nines).count();
    format!("{percent:.digits$} %")
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::times::Times;

    #[test]
    fn every_distribution_of_a_file_is_found_and_drawn() {
        let times = ["a", "b < c"].map(|name| Times::new(name, (1..=5000).map(Duration::from_micros)));
        let found = json!({ "lines": times, "rest": [{ "name": "no curve" }] });
        let curves = curves(&found);
        assert_eq!(curves.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), ["a", "b < c"]);
        let svg = draw("title", &curves).unwrap();
        for part in ["title", "b &lt; c", ">10 µs<", ">10 ms<", ">50 %<", ">99.9 %<", "</svg>"] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(draw("title", &[]), None);
    }

    #[test]
    fn each_nine_is_a_step() {
        assert_eq!([1.0, 2.0, 3.0, 5.0].map(percent), ["90 %", "99 %", "99.9 %", "99.999 %"]);
    }
}
