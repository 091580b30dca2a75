//! The model thread: order, bounds, replacement, query cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mercer_model::{
    BertEncoder, DeviceInfo, Encoder, Identity, ModelError, Priority, TextKind, Vectors, Worker, WorkerOptions,
};
use parking_lot::{Condvar, Mutex};

use crate::fixture;

/// An encoder that blocks until it is opened, and records its calls.
struct Gate {
    identity: Identity,
    open: Mutex<bool>,
    opened: Condvar,
    calls: Mutex<Vec<Vec<String>>>,
    started: AtomicUsize,
}

impl Gate {
    fn new(version: &str) -> Arc<Self> {
        let identity = Identity {
            name: "gate".into(),
            version: version.into(),
            licence: String::new(),
            source: String::new(),
            sha256: String::new(),
        };
        Arc::new(Self {
            identity,
            open: Mutex::new(false),
            opened: Condvar::new(),
            calls: Mutex::default(),
            started: AtomicUsize::new(0),
        })
    }

    fn open_gate(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    fn wait_for_call(&self, n: usize) {
        while self.started.load(Ordering::SeqCst) < n {
            std::thread::yield_now();
        }
    }
}

impl Encoder for Gate {
    fn identity(&self) -> &Identity {
        &self.identity
    }
    fn dim(&self) -> usize {
        1
    }
    fn max_tokens(&self) -> usize {
        8
    }
    fn device(&self) -> DeviceInfo {
        mercer_model::device::describe(&candle_core::Device::Cpu)
    }
    fn embed(&self, texts: &[&str], _: TextKind) -> Result<Vectors, ModelError> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock();
        while !*open {
            self.opened.wait(&mut open);
        }
        self.calls.lock().push(texts.iter().map(|t| (*t).to_owned()).collect());
        if texts.contains(&"bad") {
            return Err(ModelError::Tokenizer("bad".into()));
        }
        Ok(Vectors { dim: 1, data: texts.iter().map(|t| t.len() as f32).collect() })
    }
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn serving_goes_before_background_and_requests_merge() {
    let gate = Gate::new("v1");
    let worker = Worker::start(gate.clone(), WorkerOptions::default()).unwrap();
    let handle = worker.handle();
    let many: Vec<String> = (0..80).map(|i| format!("b{i}")).collect();
    let background = handle.submit(many, TextKind::Passage, Priority::Background, None).unwrap();
    gate.wait_for_call(1);
    let first = handle.submit(texts(&["one"]), TextKind::Query, Priority::Serving, None).unwrap();
    let second = handle.submit(texts(&["three", "seventh"]), TextKind::Query, Priority::Serving, None).unwrap();
    gate.open_gate();
    assert_eq!(first.wait().unwrap().vectors.data, [3.0]);
    assert_eq!(second.wait().unwrap().vectors.data, [5.0, 7.0]);
    assert_eq!(background.wait().unwrap().vectors.len(), 80);
    let calls = gate.calls.lock();
    let sizes: Vec<usize> = calls.iter().map(Vec::len).collect();
    assert_eq!(sizes, [32, 3, 32, 16], "one slice, then both queries together, then the rest");
    assert_eq!(handle.stats().serving_waiting + handle.stats().background_waiting, 0);
}

#[test]
fn a_full_queue_refuses_at_once_and_recovers() {
    let gate = Gate::new("v1");
    let options = WorkerOptions { serving_texts: 4, background_texts: 4, bytes: 1000, cached_queries: 0 };
    let worker = Worker::start(gate.clone(), options).unwrap();
    let handle = worker.handle();
    let waiting = handle.submit(texts(&["a", "b", "c", "d"]), TextKind::Query, Priority::Serving, None).unwrap();
    let refused = handle.submit(texts(&["e"]), TextKind::Query, Priority::Serving, None).unwrap_err();
    assert!(matches!(refused, ModelError::Overloaded { retry_after } if retry_after.as_millis() >= 100), "{refused}");
    let long = "x".repeat(2000);
    assert!(matches!(
        handle.submit(vec![long], TextKind::Passage, Priority::Background, None),
        Err(ModelError::Overloaded { .. })
    ));
    assert_eq!(handle.stats().refused, 2);
    gate.open_gate();
    waiting.wait().unwrap();
    assert_eq!(handle.embed(texts(&["e"]), TextKind::Query, Priority::Serving).unwrap().vectors.len(), 1);
}

#[test]
fn one_bad_text_fails_alone() {
    let gate = Gate::new("v1");
    let worker = Worker::start(gate.clone(), WorkerOptions::default()).unwrap();
    let handle = worker.handle();
    let blocker = handle.submit(texts(&["x"]), TextKind::Query, Priority::Serving, None).unwrap();
    gate.wait_for_call(1);
    let bad = handle.submit(texts(&["bad"]), TextKind::Query, Priority::Serving, None).unwrap();
    let good = handle.submit(texts(&["good"]), TextKind::Query, Priority::Serving, None).unwrap();
    gate.open_gate();
    blocker.wait().unwrap();
    assert!(matches!(bad.wait(), Err(ModelError::Tokenizer(_))));
    assert_eq!(good.wait().unwrap().vectors.data, [4.0]);
}

#[test]
fn replacing_the_encoder_never_mixes_versions() {
    let make = |seed| Arc::new(BertEncoder::new(fixture::checkpoint(seed), &candle_core::Device::Cpu).unwrap());
    let encoders = [make(1), make(2)];
    let expected: Vec<(String, Vec<f32>)> = encoders
        .iter()
        .map(|e| (e.identity().version.clone(), e.embed(&["red dress"], TextKind::Query).unwrap().data))
        .collect();
    let worker = Worker::start(encoders[0].clone(), WorkerOptions::default()).unwrap();
    let answers: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (handle, expected) = (worker.handle(), &expected);
                scope.spawn(move || {
                    (0..100)
                        .map(|_| {
                            let answer = handle.query("red dress").unwrap();
                            let (_, vector) = expected.iter().find(|(v, _)| **v == *answer.version).unwrap();
                            let cosine: f32 = vector.iter().zip(&answer.vectors.data).map(|(a, b)| a * b).sum();
                            assert!(cosine > 0.9999, "{cosine}");
                        })
                        .count()
                })
            })
            .collect();
        for i in 0..40 {
            worker.handle().replace(encoders[(i + 1) % 2].clone());
            std::thread::yield_now();
        }
        clients.into_iter().map(|c| c.join().unwrap()).sum()
    });
    assert_eq!(answers, 400);
}

#[test]
fn a_named_encoder_runs_beside_the_serving_one_and_queries_are_cached() {
    let (serving, candidate) = (Gate::new("v1"), Gate::new("v2"));
    serving.open_gate();
    candidate.open_gate();
    let worker = Worker::start(serving.clone(), WorkerOptions::default()).unwrap();
    let handle = worker.handle();
    let named = handle
        .submit(texts(&["x"]), TextKind::Passage, Priority::Background, Some(candidate.clone()))
        .unwrap()
        .wait()
        .unwrap();
    assert_eq!(&*named.version, "v2");
    assert_eq!(&*handle.query("lamp").unwrap().version, "v1");
    assert_eq!(&*handle.query("lamp").unwrap().version, "v1");
    assert_eq!((handle.stats().cache_hits, serving.calls.lock().len()), (1, 1));
    handle.replace(candidate);
    assert_eq!(&*handle.query("lamp").unwrap().version, "v2");
    drop(worker);
    assert!(matches!(handle.query("other"), Err(ModelError::Stopped)));
}
