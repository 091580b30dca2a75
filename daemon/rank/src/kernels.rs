//! The matrix product of the ranking network, compiled for the vector instructions that the machine has. Every sum has one order of
//! additions and no fused multiply-add, so trained weights do not depend on the machine.
use std::ops::Range;

use pulp::{Arch, NullaryFnOnce};

/// Rows and columns of the tile whose sums stay in registers.
const ROWS: usize = 4;
const COLUMNS: usize = 16;

/// Where the elements of a matrix lie in a slice: element `(i, k)` at `i * row + k * column`.
#[derive(Clone, Copy)]
pub(crate) struct Strides {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// `out[i][c] += sum over k of a[i][k] * b[k][c]`, k ascending. `b` and `out` are row-major with `columns` columns; `strides` says
/// where the elements of `a` lie.
pub(crate) fn accumulate(out: &mut [f32], a: &[f32], strides: Strides, b: &[f32], columns: usize) {
    Arch::new().dispatch(Product { out, a, strides, b, columns });
}

/// A type of its own, because a closure might not become part of the function that has the instructions.
struct Product<'m> {
    out: &'m mut [f32],
    a: &'m [f32],
    strides: Strides,
    b: &'m [f32],
    columns: usize,
}

impl NullaryFnOnce for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        tiles(self.out, self.a, self.strides, self.b, self.columns);
    }
}

#[inline(always)]
fn tiles(out: &mut [f32], a: &[f32], strides: Strides, b: &[f32], columns: usize) {
    for (tile, out) in out.chunks_mut(ROWS * columns).enumerate() {
        let first = tile * ROWS * strides.row;
        let rows = out.len() / columns;
        let whole = columns / COLUMNS * COLUMNS;
        for c in (0..whole).step_by(COLUMNS) {
            if rows == ROWS {
                full_tile(out, &a[first..], strides, b, columns, c);
            } else {
                edge(out, &a[first..], strides, b, columns, c..c + COLUMNS);
            }
        }
        edge(out, &a[first..], strides, b, columns, whole..columns);
    }
}

#[inline(always)]
fn full_tile(out: &mut [f32], a: &[f32], strides: Strides, b: &[f32], columns: usize, c: usize) {
    let mut sums = [[0f32; COLUMNS]; ROWS];
    for (r, sum) in sums.iter_mut().enumerate() {
        sum.copy_from_slice(&out[r * columns + c..][..COLUMNS]);
    }
    for (k, row) in b.chunks_exact(columns).enumerate() {
        let mut values = [0f32; COLUMNS];
        values.copy_from_slice(&row[c..c + COLUMNS]);
        for (r, sum) in sums.iter_mut().enumerate() {
            let x = a[r * strides.row + k * strides.column];
            for (s, v) in sum.iter_mut().zip(values) {
                *s += x * v;
            }
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        out[r * columns + c..][..COLUMNS].copy_from_slice(sum);
    }
}

/// A part of a tile at the border: some columns of at most [`ROWS`] rows.
#[inline(always)]
fn edge(out: &mut [f32], a: &[f32], strides: Strides, b: &[f32], columns: usize, part: Range<usize>) {
    for (r, out) in out.chunks_exact_mut(columns).enumerate() {
        for (k, row) in b.chunks_exact(columns).enumerate() {
            let x = a[r * strides.row + k * strides.column];
            for (s, v) in out[part.clone()].iter_mut().zip(&row[part.clone()]) {
                *s += x * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_plain_sums_bit_for_bit() {
        for (rows, depth, columns) in [(1, 1, 1), (4, 3, 16), (9, 70, 64), (5, 7, 37), (8, 2, 50)] {
            let number = |k: usize| ((k * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
            let a: Vec<f32> = (0..rows * depth).map(number).collect();
            let b: Vec<f32> = (0..depth * columns).map(|k| number(k + 5)).collect();
            let start: Vec<f32> = (0..rows * columns).map(|k| number(k + 9)).collect();
            for strides in [Strides { row: depth, column: 1 }, Strides { row: 1, column: rows }] {
                let mut got = start.clone();
                accumulate(&mut got, &a, strides, &b, columns);
                let mut want = start.clone();
                for i in 0..rows {
                    for k in 0..depth {
                        for c in 0..columns {
                            want[i * columns + c] += a[i * strides.row + k * strides.column] * b[k * columns + c];
                        }
                    }
                }
                assert_eq!(got, want, "{rows} x {depth} x {columns}");
            }
        }
    }
}
