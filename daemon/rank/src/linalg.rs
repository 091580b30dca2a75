//! Dense linear algebra for the factor models.

/// Inner product with eight running sums, so that it vectorises and still has one fixed order of additions. Always inlined, as is
/// [`dots`]: a loop over many products is compiled for the machine's vector instructions as a whole (see `kernels`).
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [0f32; 8];
    let n = a.len().min(b.len()) / 8 * 8;
    for (x, y) in a[..n].chunks_exact(8).zip(b[..n].chunks_exact(8)) {
        for k in 0..8 {
            acc[k] += x[k] * y[k];
        }
    }
    let tail: f32 = a[n..].iter().zip(&b[n..]).map(|(x, y)| x * y).sum();
    acc.iter().sum::<f32>() + tail
}

/// [`dot`] of one vector with four others, the same numbers bit for bit; it is read once for all of them.
#[inline(always)]
pub(crate) fn dots(v: &[f32], others: [&[f32]; 4]) -> [f32; 4] {
    let mut acc = [[0f32; 8]; 4];
    let n = others.iter().fold(v.len(), |n, o| n.min(o.len())) / 8 * 8;
    for (c, y) in v[..n].chunks_exact(8).enumerate() {
        for (a, o) in acc.iter_mut().zip(others) {
            let x = &o[c * 8..c * 8 + 8];
            for k in 0..8 {
                a[k] += x[k] * y[k];
            }
        }
    }
    let mut out = [0f32; 4];
    for ((slot, a), o) in out.iter_mut().zip(acc).zip(others) {
        let tail: f32 = o[n..].iter().zip(&v[n..]).map(|(x, y)| x * y).sum();
        *slot = a.iter().sum::<f32>() + tail;
    }
    out
}

/// Replaces the lower triangle of a symmetric positive definite matrix (row-major `n x n`) by its Cholesky factor; what stands above the
/// diagonal stays.
pub(crate) fn cholesky(a: &mut [f64], n: usize) {
    for j in 0..n {
        let (done, rest) = a.split_at_mut((j + 1) * n);
        let pivot_row = &mut done[j * n..];
        let d = dot64(&pivot_row[..j], &pivot_row[..j]);
        let pivot = (pivot_row[j] - d).max(1e-12).sqrt();
        pivot_row[j] = pivot;
        for row in rest.chunks_exact_mut(n) {
            row[j] = (row[j] - dot64(&row[..j], &pivot_row[..j])) / pivot;
        }
    }
}

/// Replaces a lower triangle (row-major `n x n`, diagonal not 0) by its inverse; what stands above the diagonal stays.
pub(crate) fn invert_lower(a: &mut [f64], n: usize) {
    for i in 0..n {
        let (done, rest) = a.split_at_mut(i * n);
        let row = &mut rest[..n];
        let inverse = 1.0 / row[i];
        let mut out = vec![0f64; i];
        for (k, &l) in row[..i].iter().enumerate() {
            for (slot, x) in out[..=k].iter_mut().zip(&done[k * n..]) {
                *slot -= l * x;
            }
        }
        for (slot, x) in row[..i].iter_mut().zip(out) {
            *slot = x * inverse;
        }
        row[i] = inverse;
    }
}

/// Solves `A x = b` for a symmetric positive definite `A` (row-major `n x n`, lower triangle read and overwritten); `x` replaces `b`.
pub(crate) fn cholesky_solve(a: &mut [f64], b: &mut [f64], n: usize) {
    cholesky(a, n);
    for i in 0..n {
        let dot = dot64(&a[i * n..i * n + i], &b[..i]);
        b[i] = (b[i] - dot) / a[i * n + i];
    }
    for i in (0..n).rev() {
        b[i] /= a[i * n + i];
        let x = b[i];
        for (slot, l) in b[..i].iter_mut().zip(&a[i * n..]) {
            *slot -= l * x;
        }
    }
}

/// Inner product in f64 with four running sums.
pub(crate) fn dot64(a: &[f64], b: &[f64]) -> f64 {
    let mut acc = [0f64; 4];
    let n = a.len().min(b.len()) / 4 * 4;
    for (x, y) in a[..n].chunks_exact(4).zip(b[..n].chunks_exact(4)) {
        for k in 0..4 {
            acc[k] += x[k] * y[k];
        }
    }
    let tail: f64 = a[n..].iter().zip(&b[n..]).map(|(x, y)| x * y).sum();
    acc.iter().sum::<f64>() + tail
}

/// Width of the blocks of [`invert_spd`]: two of them fit the first-level cache.
const BLOCK: usize = 64;

/// Replaces a symmetric positive definite matrix (row-major `n x n`) by its inverse.
///
/// Blocked Gauss-Jordan without pivoting, which positive definite matrices do not need: each block column is eliminated from
/// all rows at once, so nearly all work is the inner loop of a matrix product.
pub(crate) fn invert_spd(a: &mut [f32], n: usize) {
    use rayon::prelude::*;
    for start in (0..n).step_by(BLOCK) {
        let width = BLOCK.min(n - start);
        let pivot = invert_block(a, n, start, width);
        // Row panel: P^-1 A[pivot rows, :], with the pivot block itself replaced by P^-1.
        let mut panel = vec![0f32; width * n];
        panel.par_chunks_exact_mut(n).enumerate().for_each(|(r, out)| {
            for (k, &p) in pivot[r * width..(r + 1) * width].iter().enumerate() {
                axpy(p, &a[(start + k) * n..(start + k + 1) * n], out);
            }
            out[start..start + width].copy_from_slice(&pivot[r * width..(r + 1) * width]);
        });
        a.par_chunks_exact_mut(n).enumerate().for_each(|(r, row)| {
            if (start..start + width).contains(&r) {
                row.copy_from_slice(&panel[(r - start) * n..(r - start + 1) * n]);
                return;
            }
            let mut factor = [0f32; BLOCK];
            factor[..width].copy_from_slice(&row[start..start + width]);
            row[start..start + width].fill(0.0);
            for (f, p) in factor[..width].iter().zip(panel.chunks_exact(n)) {
                axpy(-f, p, row);
            }
        });
    }
}

fn axpy(x: f32, from: &[f32], to: &mut [f32]) {
    for (t, f) in to.iter_mut().zip(from) {
        *t += x * f;
    }
}

/// Inverse of the diagonal block at `start`, by Gauss-Jordan in f64.
fn invert_block(a: &[f32], n: usize, start: usize, width: usize) -> Vec<f32> {
    let mut m: Vec<f64> =
        (0..width).flat_map(|r| a[(start + r) * n + start..][..width].iter().map(|&x| f64::from(x))).collect();
    for k in 0..width {
        let inv = 1.0 / m[k * width + k];
        m[k * width + k] = 1.0;
        m[k * width..(k + 1) * width].iter_mut().for_each(|x| *x *= inv);
        let row: Vec<f64> = m[k * width..(k + 1) * width].to_vec();
        for r in (0..width).filter(|&r| r != k) {
            let f = std::mem::take(&mut m[r * width + k]);
            for (x, p) in m[r * width..(r + 1) * width].iter_mut().zip(&row) {
                *x -= f * p;
            }
        }
    }
    m.into_iter().map(|x| x as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spd(n: usize) -> Vec<f32> {
        let b: Vec<f32> = (0..n * n).map(|k| ((k * 7919 + 13) % 101) as f32 / 50.0 - 1.0).collect();
        let mut a = vec![0f32; n * n];
        for r in 0..n {
            for c in 0..n {
                a[r * n + c] = dot(&b[r * n..][..n], &b[c * n..][..n]) / n as f32 + if r == c { 1.0 } else { 0.0 };
            }
        }
        a
    }

    #[test]
    fn inverse_times_matrix_is_one_over_several_blocks() {
        let n = 2 * BLOCK + 17;
        let a = spd(n);
        let mut inv = a.clone();
        invert_spd(&mut inv, n);
        for r in 0..n {
            for c in 0..n {
                let x: f64 = (0..n).map(|k| f64::from(a[r * n + k]) * f64::from(inv[k * n + c])).sum();
                assert!((x - f64::from(u8::from(r == c))).abs() < 1e-3, "({r},{c}) {x}");
            }
        }
    }

    #[test]
    fn cholesky_solves() {
        let n = 9;
        let a = spd(n);
        let x: Vec<f64> = (0..n).map(|k| k as f64 - 3.0).collect();
        let mut b: Vec<f64> = (0..n).map(|r| (0..n).map(|c| f64::from(a[r * n + c]) * x[c]).sum()).collect();
        let mut m: Vec<f64> = a.iter().map(|&v| f64::from(v)).collect();
        cholesky_solve(&mut m, &mut b, n);
        for (got, want) in b.iter().zip(&x) {
            assert!((got - want).abs() < 1e-6);
        }
    }

    #[test]
    fn an_inverse_of_a_lower_triangle_leads_back() {
        let n = 9;
        let mut factor: Vec<f64> = spd(n).iter().map(|&v| f64::from(v)).collect();
        cholesky(&mut factor, n);
        let mut inverse = factor.clone();
        invert_lower(&mut inverse, n);
        for r in 0..n {
            for c in 0..=r {
                let x: f64 = (c..=r).map(|k| factor[r * n + k] * inverse[k * n + c]).sum();
                assert!((x - f64::from(u8::from(r == c))).abs() < 1e-9, "({r},{c}) {x}");
            }
        }
    }
}
