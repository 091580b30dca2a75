//! What stands in a ranker because it pays: the behaviour network among its sources, and trees beside the networks of each head. All of
//! them were made up to the cut-off; the window after it decides, for each log anew.

use mercer_rank::Ranker;

use super::judge::Judged;
use super::order::Order;
use super::{Control, Ended};
use crate::service::evaluation::mean;

/// An order, and its lists on the window.
type Held = (Order, Judged);

/// A ranker with its lists.
struct Variant {
    ranker: Ranker,
    judged: Judged,
    /// What trees change for any item and for unseen ones; nothing where there are none.
    trees: [Option<f64>; 2],
}

/// The better of an order's variants, by NDCG@10 on the window; one that changes nothing stays out. `judge` makes and judges lists.
pub(super) fn choose(
    order: Order,
    control: &Control<'_>,
    judge: &dyn Fn(&Order) -> Result<Judged, Ended>,
) -> Result<Held, Ended> {
    let Some(ranker) = order.ranker.clone() else {
        let judged = judge(&order)?;
        return Ok((order, judged));
    };
    let best = pruned(ranker, judge)?;
    let (best, order) = match order.plain.clone() {
        None => (best, order),
        Some(plain) => {
            let plain = pruned(plain, judge)?;
            let difference = |of: fn(&Judged) -> f64| of(&best.judged) - of(&plain.judged);
            let pays = difference(Judged::lists) > 0.0;
            control.note(format!(
                "behaviour network among the ranker's sources: NDCG@10 {:+.4} for any item, {:+.4} for unseen ones; it {}",
                difference(|judged| mean(&judged.any.ndcg)),
                difference(|judged| mean(&judged.unseen.ndcg)),
                if pays { "serves" } else { "is left out" }
            ));
            if pays { (best, order) } else { (plain, Order { network: None, ..order }) }
        }
    };
    for (gain, what) in best.trees.iter().zip(["any item", "unseen items"]) {
        if let Some(gain) = gain {
            let verdict = if *gain > 0.0 { "they serve" } else { "they are left out" };
            control.note(format!("trees beside the ranker's networks for {what}: NDCG@10 {gain:+.4}; {verdict}"));
        }
    }
    Ok((Order { ranker: Some(best.ranker), plain: None, ..order }, best.judged))
}

/// A ranker with trees only in heads where they pay.
fn pruned(ranker: Ranker, judge: &dyn Fn(&Order) -> Result<Judged, Ended>) -> Result<Variant, Ended> {
    let lists = |ranker: &Ranker| judge(&Order { ranker: Some(ranker.clone()), ..Order::default() });
    let has = ranker.has_trees();
    if has == [false, false] {
        let judged = lists(&ranker)?;
        return Ok(Variant { ranker, judged, trees: [None, None] });
    }
    let (with, without) = (lists(&ranker)?, lists(&ranker.clone().with_trees_of([false, false]))?);
    let gain = [mean(&with.any.ndcg) - mean(&without.any.ndcg), mean(&with.unseen.ndcg) - mean(&without.unseen.ndcg)];
    let keep = [has[0] && gain[0] > 0.0, has[1] && gain[1] > 0.0];
    let judged = Judged {
        any: if keep[0] { with.any } else { without.any },
        unseen: if keep[1] { with.unseen } else { without.unseen },
        search: Vec::new(),
    };
    let trees = [has[0].then_some(gain[0]), has[1].then_some(gain[1])];
    Ok(Variant { ranker: ranker.with_trees_of(keep), judged, trees })
}
