//! Shoppers like this one and what they bought lately (user-based nearest neighbours, Resnick et al. 1994).
use rayon::prelude::*;

use crate::kind::Kind;
use crate::log::{DAY_MS, Log};
use crate::shopper::Shopper;
use crate::sparse::Csr;

/// Items with a weight each.
type Weights = Vec<(u32, f32)>;

/// What is needed to find neighbours of a shopper and to read off their recent purchases.
#[derive(Debug, Clone, Default)]
pub(crate) struct Neighbours {
    /// Items of the last days per shopper; value 1.
    latest: Csr,
    /// The same, each counting half after a week.
    fresh: Csr,
    /// The ones among them that the shopper bought for the first time.
    adopted: Csr,
    norms: Vec<f32>,
    /// Inverse document frequency of each item: what everybody buys says little.
    idf: Vec<f32>,
    keep: usize,
}

impl Neighbours {
    pub(crate) fn fit(log: &Log, at: i64, target: Kind, days: i64, keep: usize, users: &Csr, by_item: &Csr) -> Self {
        let n = (0..users.rows()).filter(|&u| users.row_len(u) > 0).count() as f32;
        let idf: Vec<f32> =
            (0..by_item.rows()).map(|i| ((1.0 + n) / (1.0 + by_item.row_len(i) as f32)).ln().max(0.05)).collect();
        let norms = (0..users.rows())
            .map(|u| users.row(u).map(|(i, w)| f64::from(w * idf[i as usize]).powi(2)).sum::<f64>().sqrt() as f32)
            .collect();
        let since = at - days * DAY_MS;
        let items = by_item.rows();
        let rows: Vec<(Weights, Vec<u32>)> = (0..log.users() as u32)
            .into_par_iter()
            .map(|u| {
                let events = log.until(u, at);
                let split = events.partition_point(|e| e.at <= since);
                let mut had: Vec<u32> =
                    events[..split].iter().filter(|e| e.kind == target).filter_map(|e| e.item).collect();
                had.sort_unstable();
                let week = |e: &crate::log::Event| (-((at - e.at) as f64 / DAY_MS as f64) / 7.0).exp2() as f32;
                let mut latest: Vec<(u32, f32)> = events[split..]
                    .iter()
                    .filter(|e| e.kind == target)
                    .filter_map(|e| Some((e.item?, week(e))))
                    .filter(|x| (x.0 as usize) < items)
                    .collect();
                // Of several purchases of an item the newest counts.
                latest.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
                latest.dedup_by_key(|x| x.0);
                let adopted = latest.iter().map(|x| x.0).filter(|i| had.binary_search(i).is_err()).collect();
                (latest, adopted)
            })
            .collect();
        Self {
            latest: Csr::from_rows(rows.iter().map(|r| r.0.iter().map(|x| (x.0, 1.0)).collect()).collect()),
            adopted: Csr::from_rows(rows.iter().map(|r| r.1.iter().map(|&i| (i, 1.0)).collect()).collect()),
            fresh: Csr::from_rows(rows.into_iter().map(|r| r.0).collect()),
            norms,
            idf,
            keep,
        }
    }

    /// The nearest shoppers by cosine of interest weights times idf, best first; `me` is left out.
    pub(crate) fn near(&self, shopper: &Shopper, me: Option<u32>, by_item: &Csr) -> Vec<(u32, f32)> {
        let mut dots = vec![0f32; self.norms.len()];
        let mut touched = Vec::new();
        let mut norm = 0f64;
        for &(i, w) in &shopper.profile {
            let Some(&idf) = self.idf.get(i as usize) else { continue };
            norm += f64::from(w * idf).powi(2);
            let w = w * idf * idf;
            for (v, x) in by_item.row(i as usize) {
                let slot = &mut dots[v as usize];
                if *slot == 0.0 {
                    touched.push(v);
                }
                *slot += w * x;
            }
        }
        let norm = norm.sqrt() as f32;
        let mut near: Vec<(u32, f32)> = touched
            .into_iter()
            .filter(|&v| Some(v) != me)
            .map(|v| (v, dots[v as usize] / (norm * self.norms[v as usize]).max(1e-12)))
            .collect();
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if near.len() > self.keep {
            near.select_nth_unstable_by(self.keep, order);
            near.truncate(self.keep);
        }
        near.sort_unstable_by(order);
        near
    }

    /// Adds each neighbour's similarity to the items it bought lately (`latest`), the same by how lately (`fresh`), and to those it
    /// bought lately for the first time (`adopted`).
    pub(crate) fn score(&self, near: &[(u32, f32)], latest: &mut [f32], fresh: &mut [f32], adopted: &mut [f32]) {
        for &(v, s) in near {
            for (i, _) in self.latest.row(v as usize) {
                latest[i as usize] += s;
            }
            for (i, w) in self.fresh.row(v as usize) {
                fresh[i as usize] += s * w;
            }
            for (i, _) in self.adopted.row(v as usize) {
                adopted[i as usize] += s;
            }
        }
    }
}
