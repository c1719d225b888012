//! Columns as wide as what is in them.

/// Lines of a table, the heading first. The first `left` columns begin at the left, the others end at the right.
pub(crate) fn aligned<const N: usize>(
    heading: [&str; N],
    left: usize,
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<String> {
    let mut cells = vec![heading.map(str::to_owned)];
    cells.extend(rows);
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let columns = row.iter().zip(&widths).enumerate();
        let padded = columns.map(|(column, (cell, width))| match column < left {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "1000".to_owned()]];
        assert_eq!(aligned(["NAME", "N"], 1, rows), ["NAME       N", "a          1", "longer  1000"]);
    }
}
