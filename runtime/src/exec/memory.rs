//! The memory plan: the memory of a run, known before it starts.
//!
//! The peak is the largest sum, over the waves of a [`Plan`], of the values alive and what the wave makes: results, scratch
//! (plaintexts encoded when they are used, room to compute in), and keys. To it is added what is there from beginning to end:
//! plaintexts kept from one run to the next, circuit and tables, and the memory that the caller states for the process around the
//! run. The bytes of each come from the back end's [`Footprint`].

use super::footprint::{Footprint, Pools};
use super::plan::Plan;
use super::wave::{KeyForm, KeyResidence, PlanOptions, SharedPlains, SharedSums, Wave};
use super::worth;
use crate::bytes::Bytes;
use peregrine_ir::{Circuit, Entity, Key, Value};
use std::collections::BTreeSet;

/// The predicted memory of a run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Prediction {
    /// Bytes of the values alive at the worst moment, with those that are being computed.
    pub values: u64,
    /// Bytes of the evaluation keys in memory at that moment.
    pub keys: u64,
    /// Bytes of encoded plaintexts that are kept from one run to the next.
    pub cache: u64,
    /// Bytes of circuit, tables, inputs and outputs, and of the process around them.
    pub fixed: u64,
    /// The number of instructions that run side by side.
    pub window: usize,
    /// The first value that is computed at the worst moment.
    pub at: Option<Value>,
}

impl Prediction {
    /// The bytes of everything together.
    pub fn total(&self) -> u64 {
        let Self {
            values,
            keys,
            cache,
            fixed,
            ..
        } = *self;
        let parts = [values, keys, cache, fixed];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// Predicts the memory of a plan, in a process that takes no memory itself.
pub fn predict<F: Footprint>(circuit: &Circuit, footprint: &F, plan: &Plan) -> Prediction {
    let meter = Meter { footprint, plan };
    let functions = meter.functions(circuit);
    let main = circuit.definitions(circuit.main());
    let inputs = main.filter(|(_, definition)| definition.inst.is_input());
    let inputs: Vec<Value> = inputs.map(|(value, _)| value).collect();
    // Before the first wave there are the inputs, and all keys if their source holds them.
    let mut live = meter.values(&inputs);
    let mut keys = match plan.options().keys {
        KeyResidence::Held => meter.keys(circuit.keys.levels.keys()),
        KeyResidence::Stored => 0,
    };
    let mut peak = Prediction {
        values: footprint.held(live.clone()),
        keys,
        cache: meter.values(plan.cached()).total(),
        fixed: footprint.shared() + footprint.transfer(),
        window: plan.options().window,
        at: None,
    };
    // Values may lie in buffers that are kept for others, so they never take less than they once did; keys leave memory.
    let mut most = live.clone();
    for wave in plan.waves() {
        // Three moments of a wave: while its keys are read, while the function that it calls runs, and while its own steps
        // run.
        keys += meter.keys(&wave.keys);
        let reading = live.clone() + meter.reading(&wave.keys);
        keys += meter.keys(&wave.prefetch);
        let called = Called::by(circuit, wave, &functions);
        live += meter.values(&wave.plains);
        let (during, keys_of_call) = called.beside(&meter, live.clone());
        live += meter.values(&wave.steps) + meter.values(&called.further);
        let beside = footprint.scratch(wave) + meter.reading(&wave.prefetch);
        most = most.larger(reading.larger(during).larger(live.clone() + beside));
        let values = footprint.held(most.clone());
        if values + keys + keys_of_call > peak.values + peak.keys {
            let keys = keys + keys_of_call;
            let at = wave.steps.first().copied();
            peak = Prediction {
                values,
                keys,
                at,
                ..peak
            };
        }
        // After the wave.
        live -= meter.values(&wave.dead);
        keys -= meter.keys(&wave.released);
    }
    peak
}

/// The memory of the body of a function at its worst moment, beside what its caller holds.
#[derive(Clone, Debug, Default)]
struct BodyPeak<P> {
    /// Values, with parameters and results.
    values: P,
    /// Keys that are loaded and released within it.
    keys: u64,
}

/// The function that the call of a wave runs.
struct Called<'p, P> {
    peak: Option<&'p BodyPeak<P>>,
    /// Arguments that move into the function.
    moved: Vec<Value>,
    /// Results beside the one that the step itself defines.
    further: Vec<Value>,
}

impl<'p, P: Pools> Called<'p, P> {
    fn by(circuit: &Circuit, wave: &Wave, functions: &'p [BodyPeak<P>]) -> Self {
        let step = wave.steps.first().copied().filter(|_| wave.call.is_some());
        let further = step
            .into_iter()
            .flat_map(|step| circuit.further_results(step));
        Self {
            peak: wave
                .call
                .and_then(|function| functions.get(function.index())),
            moved: step.map_or(Vec::new(), |step| moved(circuit, step, &wave.dead)),
            further: further.map(|(value, _)| value).collect(),
        }
    }

    /// The values at the worst moment of the function, when `live` is alive before it, and the keys of that moment.
    fn beside<F: Footprint<Pools = P>>(&self, meter: &Meter<'_, F>, mut live: P) -> (P, u64) {
        live -= meter.values(&self.moved);
        match self.peak {
            Some(peak) => (live + peak.values.clone(), peak.keys),
            None => (live, 0),
        }
    }
}

/// The arguments of a call that nobody needs afterwards, each passed once: these move into the function, others are copied.
pub(super) fn moved(circuit: &Circuit, call: Value, dead: &[Value]) -> Vec<Value> {
    let definition = circuit.values.get(call);
    let arguments = definition.map_or(Vec::new(), |definition| definition.inst.operands());
    let once = |&value: &Value| arguments.iter().filter(|&&other| other == value).count() == 1;
    let dead = dead.iter().copied();
    dead.filter(|value| arguments.contains(value) && once(value))
        .collect()
}

/// Measures the parts of a plan in bytes.
struct Meter<'p, F> {
    footprint: &'p F,
    plan: &'p Plan,
}

impl<F: Footprint> Meter<'_, F> {
    /// The peak of each function, in the order of definition.
    fn functions(&self, circuit: &Circuit) -> Vec<BodyPeak<F::Pools>> {
        let mut peaks = Vec::with_capacity(circuit.functions.len());
        for function in circuit.functions.keys() {
            let parameters: Vec<Value> = circuit.parameters(function).collect();
            let peak = self.body(circuit, (&parameters, self.plan.waves_of(function)), &peaks);
            peaks.push(peak);
        }
        peaks
    }

    /// The peak of a body that begins with these values.
    fn body(
        &self,
        circuit: &Circuit,
        (parameters, waves): (&[Value], &[Wave]),
        functions: &[BodyPeak<F::Pools>],
    ) -> BodyPeak<F::Pools> {
        let mut live = self.values(parameters);
        let (mut keys, mut peak) = (0, BodyPeak::default());
        peak.values = live.clone();
        for wave in waves {
            keys += self.keys(&wave.keys) + self.keys(&wave.prefetch);
            let called = Called::by(circuit, wave, functions);
            live += self.values(&wave.plains);
            let (during, keys_of_call) = called.beside(self, live.clone());
            live += self.values(&wave.steps) + self.values(&called.further);
            let reading = self.reading(&wave.keys) + self.reading(&wave.prefetch);
            let now = live.clone() + self.footprint.scratch(wave) + reading;
            peak.values = peak.values.larger(during).larger(now);
            peak.keys = peak.keys.max(keys + keys_of_call);
            live -= self.values(&wave.dead);
            keys -= self.keys(&wave.released);
        }
        peak
    }

    fn values<'v>(&self, values: impl IntoIterator<Item = &'v Value>) -> F::Pools {
        let values = values.into_iter();
        values.map(|&value| self.footprint.value(value)).sum()
    }

    fn keys<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> u64 {
        let keys = keys.into_iter();
        let bytes = |&key: &Key| self.footprint.key(key, self.plan.form(key));
        keys.map(bytes).sum()
    }

    /// The bytes that are taken beside keys while they are read.
    fn reading(&self, keys: &[Key]) -> F::Pools {
        let bytes = |&key: &Key| self.footprint.reading(key, self.plan.form(key));
        keys.iter().map(bytes).sum()
    }
}

/// Bytes of the keys that a plan has expanded for good, without those that their source holds.
pub fn expanded_bytes<F: Footprint>(footprint: &F, plan: &Plan) -> u64 {
    let keys = plan.expanded().iter();
    keys.map(|&key| footprint.key(key, KeyForm::Expanded)).sum()
}

/// The bounds of a plan: instructions side by side, and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The largest number of instructions side by side.
    pub window: usize,
    /// Whether the source of the keys holds them in memory.
    pub keys: KeyResidence,
    /// The most bytes for keys that are expanded for good.
    pub expanded: u64,
    /// The most bytes for everything; no limit without.
    pub limit: Option<u64>,
    /// The most bytes for plaintexts that are kept from one run to the next.
    pub cache: u64,
    /// Bytes that the process takes beside the run.
    pub process: u64,
}

/// The widest plan below the limit; then with as many expanded keys, and then as many kept plaintexts, as there is room for.
///
/// Sums of products that are gathered to be computed together are given up first, then instructions side by side, then plaintexts
/// that several instructions use, which are encoded anew for each use.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// use peregrine_runtime::backend::cpu::CpuFootprint;
/// use peregrine_runtime::exec::{KeyResidence, memory};
///
/// let budget = memory::Budget {
///     window: 8,
///     keys: KeyResidence::Held,
///     expanded: 0,
///     limit: Some(1),
///     cache: 0,
///     process: 0,
/// };
/// let footprint = CpuFootprint::of(&circuit);
/// // One byte is too little; the error says what would do.
/// let error = memory::fit(&circuit, &footprint, budget).unwrap_err();
/// let limit = Some(error.prediction.total());
/// let budget = memory::Budget { limit, ..budget };
/// let (plan, prediction) = memory::fit(&circuit, &footprint, budget)?;
/// assert_eq!(Some(prediction.total()), limit);
/// assert_eq!(plan.waves().len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When no plan fits; with the smallest prediction.
pub fn fit<F: Footprint>(
    circuit: &Circuit,
    footprint: &F,
    budget: Budget,
) -> Result<(Plan, Prediction), MemoryError> {
    fit_beside(circuit, footprint, budget, &BTreeSet::new())
}

/// The plan that [`fit`] finds, in a process that keeps some plaintexts of the circuit already. Their bytes belong to
/// [`Budget::process`]; those that the plan uses are part of its [`Prediction::cache`], too, and neither the limit nor
/// [`Budget::cache`] counts them again.
///
/// # Errors
/// When no plan fits; with the smallest prediction.
pub fn fit_beside<F: Footprint>(
    circuit: &Circuit,
    footprint: &F,
    budget: Budget,
    kept: &BTreeSet<Value>,
) -> Result<(Plan, Prediction), MemoryError> {
    let mut options = PlanOptions {
        window: budget.window.max(1),
        plains: SharedPlains::Keep,
        sums: SharedSums::Gather,
        keys: budget.keys,
    };
    let limit = budget.limit.unwrap_or(u64::MAX);
    let predict = |plan: &Plan| {
        let mut prediction = predict(circuit, footprint, plan);
        prediction.fixed = prediction.fixed.saturating_add(budget.process);
        prediction
    };
    // The first plan that fits wins: options are tried from the fastest to the thriftiest. What it leaves goes to expanded
    // keys first, and then to kept plaintexts.
    let mut least: Option<Prediction> = None;
    loop {
        let mut plan = Plan::new(circuit, options);
        let prediction = predict(&plan);
        if let Some(room) = limit.checked_sub(prediction.total()) {
            let room = room.min(budget.expanded);
            plan.expand(circuit, worth::keys(circuit, footprint, &plan, room));
            let room = limit.saturating_sub(predict(&plan).total());
            let room = (room.min(budget.cache), kept);
            plan.cache(worth::plains(circuit, footprint, &plan, room));
            let prediction = predict(&plan);
            return Ok((plan, prediction));
        }
        let best = least.filter(|least| least.total() <= prediction.total());
        let prediction = best.unwrap_or(prediction);
        least = Some(prediction);
        options = thriftier(options).ok_or(MemoryError { limit, prediction })?;
    }
}

/// The options to try next when a plan takes too much memory.
fn thriftier(mut options: PlanOptions) -> Option<PlanOptions> {
    match (options.window, options.sums, options.plains) {
        (2.., SharedSums::Gather, _) => options.sums = SharedSums::AsTheyCome,
        (2.., _, _) => options.window /= 2,
        (_, _, SharedPlains::Keep) => options.plains = SharedPlains::Reencode,
        (_, _, SharedPlains::Reencode) => return None,
    }
    Some(options)
}

/// The error for a circuit that does not fit the memory it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run needs {} of memory ({} of values, {} of evaluation keys, {} of program, weights and tables), the limit is {}",
    Bytes(prediction.total()), Bytes(prediction.values), Bytes(prediction.keys),
    Bytes(prediction.fixed), Bytes(*limit)
)]
pub struct MemoryError {
    /// The limit, in bytes.
    pub limit: u64,
    /// The smallest prediction of any plan; with its total as the limit the circuit runs.
    pub prediction: Prediction,
}
