//! METRICS.md vectors TV-P1 to TV-P4.

use mercer_reports::Undefined;
use mercer_reports::clipping::{clip_factor, clip_per_user};
use mercer_reports::rdp::{Accountant, SampledGaussian, epsilon, epsilon_classic, rdp, rdp_any_order};

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

/// Equal in every printed digit.
fn printed(value: f64, digits: i32, wanted: f64) {
    assert!((value - wanted).abs() <= 0.5 * 10_f64.powi(-digits) * 1.001, "{value} is not {wanted}");
}

fn step(sampling: f64, noise: f64) -> SampledGaussian {
    SampledGaussian { sampling, noise }
}

#[test]
fn tv_p1_rdp_of_one_step() {
    let one = step(0.01, 1.0);
    for (order, wanted) in [(2, 1.718_134e-4), (3, 2.646_376e-4), (8, 8.936_439e-4)] {
        let found = rdp(one, order).unwrap();
        assert!((found / wanted - 1.0).abs() < 1e-6, "{order}: {found} is not {wanted}");
    }
    close(rdp(one, 32).unwrap(), 11.246_276);
    assert_eq!(rdp(one, 1), Err(Undefined::BadParameter));
    assert_eq!(rdp(step(1.5, 1.0), 2), Err(Undefined::BadParameter));
    assert_eq!(rdp(step(0.1, 0.0), 2), Err(Undefined::BadParameter));
    assert_eq!(rdp(step(0.0, 1.0), 2), Ok(0.0));
}

/// The default orders of Opacus: 1.1 to 10.9 in tenths, then 12 to 63.
fn lowest_epsilon(one: SampledGaussian, steps: f64, delta: f64) -> f64 {
    let orders = (1..100).map(|x| 1.0 + f64::from(x) / 10.0).chain((12..64).map(f64::from));
    orders
        .map(|order| epsilon(steps * rdp_any_order(one, order).unwrap(), order, delta).unwrap())
        .fold(f64::MAX, f64::min)
}

/// A line of TV-P2.
struct Line {
    noise: f64,
    sampling: f64,
    steps: u64,
    delta: f64,
    rdp: f64,
    prv: f64,
    pld: f64,
}

#[test]
fn tv_p2_epsilon() {
    let lines = [
        Line { noise: 1.0, sampling: 0.01, steps: 1_000, delta: 1e-5, rdp: 2.1014, prv: 1.838, pld: 1.828 },
        Line { noise: 1.0, sampling: 0.01, steps: 10_000, delta: 1e-5, rdp: 6.7127, prv: 6.198, pld: 6.188 },
        Line { noise: 2.0, sampling: 0.05, steps: 200, delta: 1e-6, rdp: 1.9518, prv: 1.802, pld: 1.792 },
        Line { noise: 4.0, sampling: 1.0, steps: 1, delta: 1e-5, rdp: 1.0126, prv: 0.936, pld: 0.926 },
    ];
    for line in &lines {
        let one = step(line.sampling, line.noise);
        printed(lowest_epsilon(one, line.steps as f64, line.delta), 4, line.rdp);
        // Mercer's accountant knows integer orders only: a safe upper bound of all three accountants, and close to them.
        let mut accountant = Accountant::new();
        accountant.add(one, line.steps).unwrap();
        let spent = accountant.epsilon(line.delta).unwrap().epsilon;
        assert!(spent >= line.rdp - 1e-4 && line.rdp > line.prv && line.prv > line.pld, "{spent}");
        assert!(spent < 1.02 * line.rdp && spent < 1.2 * line.pld, "{spent} against {} and {}", line.rdp, line.pld);
    }
    let mut first = Accountant::new();
    first.add(step(0.01, 1.0), 1_000).unwrap();
    printed(first.epsilon(1e-5).unwrap().epsilon, 4, 2.1078);

    close(epsilon(0.5, 8.0, 1e-5).unwrap(), 1.714_109);
    close(epsilon_classic(0.5, 8.0, 1e-5).unwrap(), 2.144_704);
    assert_eq!(epsilon(0.5, 1.0, 1e-5), Err(Undefined::BadParameter));
    assert_eq!(epsilon(0.5, 2.0, 0.0), Err(Undefined::BadParameter));
}

#[test]
fn tv_p2_continuous_training_spends_continuously() {
    // PLD of 50 steps a day at q = .01, δ = 1e-6, after 1, 30 and 365 days.
    for (noise, after) in [(1.0, [0.82, 2.57, 9.73]), (2.0, [0.17, 0.89, 3.42])] {
        let mut accountant = Accountant::new();
        let (mut days, mut before) = (0, 0.0);
        for (day, pld) in [1_u64, 30, 365].into_iter().zip(after) {
            accountant.add(step(0.01, noise), 50 * (day - days)).unwrap();
            days = day;
            let spent = accountant.epsilon(1e-6).unwrap().epsilon;
            assert!(spent > before && spent >= pld && spent < 1.8 * pld + 0.2, "{noise} {day}: {spent} against {pld}");
            before = spent;
        }
    }
}

#[test]
fn a_budget_has_a_hard_stop_and_is_never_refunded() {
    let one = step(0.01, 1.0);
    let mut accountant = Accountant::new();
    assert_eq!(accountant.epsilon(1e-6).unwrap().epsilon, 0.0);
    let left = accountant.steps_left(one, 1e-6, 3.0).unwrap();
    accountant.add(one, left).unwrap();
    assert!(accountant.epsilon(1e-6).unwrap().epsilon <= 3.0);
    assert_eq!(accountant.steps_left(one, 1e-6, 3.0), Ok(0));
    let spent = accountant.epsilon(1e-6).unwrap().epsilon;
    accountant.add(one, 1).unwrap();
    assert!(accountant.epsilon(1e-6).unwrap().epsilon > spent.max(3.0));
    // A Laplace report on top costs as well; its own epsilon bounds what it adds.
    let before = accountant.epsilon(1e-6).unwrap().epsilon;
    accountant.add_pure(0.5).unwrap();
    let after = accountant.epsilon(1e-6).unwrap().epsilon;
    assert!(after > before && after <= before + 0.5 + 1e-12, "{before} {after}");
    // Refused nonsense spends nothing.
    assert!(accountant.add(step(2.0, 1.0), 5).is_err() && accountant.add_pure(f64::NAN).is_err());
    assert_eq!(accountant.epsilon(1e-6).unwrap().epsilon, after);
    // What is stored continues where it stopped.
    let text = serde_json::to_string(&accountant).unwrap();
    assert_eq!(serde_json::from_str::<Accountant>(&text).unwrap(), accountant);
    // Without noise to speak of even one step is too much.
    assert_eq!(Accountant::new().steps_left(step(1.0, 0.01), 1e-6, 3.0), Ok(0));
}

#[test]
fn orders_between_integers_lie_between_their_values() {
    for one in [step(0.01, 1.0), step(0.05, 2.0), step(0.2, 0.8), step(1.0, 4.0)] {
        for order in 2..30 {
            let [low, middle, high] = [0.0, 0.5, 1.0].map(|part| rdp_any_order(one, f64::from(order) + part).unwrap());
            assert!(low < middle && middle < high, "{one:?} {order}: {low} {middle} {high}");
            assert_eq!(low, rdp(one, order).unwrap());
        }
    }
}

#[test]
fn tv_p3_clipping() {
    let gradients = [[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]];
    let found = clip_per_user(&gradients, 1.0).unwrap();
    for (factor, wanted) in found.factors.iter().zip([0.2, 1.0, 1.0]) {
        close(*factor, wanted);
    }
    for (value, wanted) in found.sum.iter().zip([0.9, 1.2]) {
        close(*value, wanted);
    }
    for (value, wanted) in found.mean(4.0).unwrap().iter().zip([0.225, 0.3]) {
        close(*value, wanted);
    }
    // Opacus clips a little more.
    assert!(clip_factor(5.0, 1.0).unwrap() > 1.0 / (5.0 + 1e-6));
    assert_eq!(found.mean(0.0), Err(Undefined::BadParameter));
    assert_eq!(clip_per_user(&[vec![1.0], vec![1.0, 2.0]], 1.0), Err(Undefined::LengthMismatch));
    assert_eq!(clip_per_user(&gradients, 0.0), Err(Undefined::BadParameter));
    assert_eq!(clip_per_user(&[[f64::NAN]], 1.0), Err(Undefined::NotFinite));
}

/// SHA-256 (FIPS 180-4) for the HMAC half of TV-P4; Mercer itself hashes with BLAKE3.
fn sha256(message: &[u8]) -> [u8; 32] {
    let root = |value: u64, power: f64| {
        // The first 32 bits of the fraction of a root of a prime.
        ((value as f64).powf(1.0 / power).fract() * 4_294_967_296.0) as u32
    };
    let primes: Vec<u64> = (2..312_u64).filter(|n| (2..*n).all(|d| n % d != 0)).take(64).collect();
    let constants: Vec<u32> = primes.iter().map(|prime| root(*prime, 3.0)).collect();
    let mut state: Vec<u32> = primes[..8].iter().map(|prime| root(*prime, 2.0)).collect();
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut words: Vec<u32> =
            block.chunks(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect();
        for i in 16..64 {
            let small = |x: u32, a, b, c: u32| x.rotate_right(a) ^ x.rotate_right(b) ^ (x >> c);
            let sum = words[i - 16].wrapping_add(small(words[i - 15], 7, 18, 3)).wrapping_add(words[i - 7]);
            words.push(sum.wrapping_add(small(words[i - 2], 17, 19, 10)));
        }
        let mut v = state.clone();
        for i in 0..64 {
            let big = |x: u32, a, b, c| x.rotate_right(a) ^ x.rotate_right(b) ^ x.rotate_right(c);
            let choose = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            let one = v[7].wrapping_add(big(v[4], 6, 11, 25)).wrapping_add(choose);
            let one = one.wrapping_add(constants[i]).wrapping_add(words[i]);
            let two = big(v[0], 2, 13, 22).wrapping_add(majority);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(one);
            v[0] = one.wrapping_add(two);
        }
        for (total, value) in state.iter_mut().zip(v) {
            *total = total.wrapping_add(value);
        }
    }
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}

fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ with).collect() };
    let inner = sha256(&[pad(0x36).as_slice(), message].concat());
    sha256(&[pad(0x5c).as_slice(), &inner].concat())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn tv_p4_pseudonyms() {
    // The BLAKE3 half runs against the store's key code in `mercer_store::keys` as well (`tv_p4_keyed_pseudonym`).
    let key: [u8; 32] = std::array::from_fn(|index| index as u8);
    let blake = blake3::keyed_hash(&key, b"user:42");
    assert_eq!(hex(blake.as_bytes()), "9610cf6a571f1e92f2f76a8e77c0e975e0ed287eb318f0d300c5b0bcf43ea50c");
    assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hex(&hmac_sha256(&key, b"user:42")), "858d24814075892b07ef044a03eeeb63db50e26f7e19d5a05c2a4c97947701be");
}
