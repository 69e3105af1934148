//! How much memory a run takes, known before it starts.
//!
//! The peak is the largest sum, over the waves of a [`Plan`], of the values alive and what the wave makes: results, scratch
//! (plaintexts encoded on the fly, room to compute in), and keys. To it come what is there from beginning to end: plaintexts kept
//! from one run to the next, circuit and tables, and what the caller says of the process around the run. The bytes of each come
//! from the back end's [`Footprint`].

use super::footprint::{Footprint, Pools};
use super::plan::Plan;
use super::wave::{KeyForm, KeyResidence, PlanOptions, SharedPlains, Wave};
use super::worth;
use crate::bytes::Bytes;
use peregrine_ir::{Circuit, Entity, Key, Value};
use std::collections::BTreeSet;

/// The memory a run is predicted to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Prediction {
    /// Values alive at the worst moment, with what is being computed then.
    pub values: u64,
    /// Evaluation keys in memory at that moment.
    pub keys: u64,
    /// Encoded plaintexts kept from one run to the next.
    pub cache: u64,
    /// Circuit, tables, inputs and outputs, and the process around them.
    pub fixed: u64,
    /// Instructions that run side by side.
    pub window: usize,
    /// The first value computed at the worst moment.
    pub at: Option<Value>,
}

impl Prediction {
    /// Everything together.
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

/// Predicts the peak of a plan in a process that takes no memory itself.
pub fn predict<F: Footprint>(circuit: &Circuit, footprint: &F, plan: &Plan) -> Prediction {
    let meter = Meter { footprint, plan };
    let functions = meter.functions(circuit);
    let main = circuit.definitions(circuit.main());
    let inputs = main.filter(|(_, definition)| definition.inst.is_input());
    let inputs: Vec<Value> = inputs.map(|(value, _)| value).collect();
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
        keys += meter.keys(&wave.keys);
        let reading = live.clone() + meter.reading(&wave.keys);
        keys += meter.keys(&wave.ahead);
        let called = Called::by(circuit, wave, &functions);
        live += meter.values(&wave.plains);
        let (during, keys_of_call) = called.beside(&meter, live.clone());
        live += meter.values(&wave.steps) + meter.values(&called.further);
        let beside = footprint.scratch(wave) + meter.reading(&wave.ahead);
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
        live -= meter.values(&wave.dead);
        keys -= meter.keys(&wave.spent);
    }
    peak
}

/// What the body of a function takes at its worst, beside what its caller holds.
#[derive(Clone, Debug, Default)]
struct BodyPeak<P> {
    /// Values, parameters and results among them.
    values: P,
    /// Keys that come and go within it.
    keys: u64,
}

/// What the call of a wave runs, if it is one.
struct Called<'p, P> {
    peak: Option<&'p BodyPeak<P>>,
    /// Arguments that move into the function.
    moved: Vec<Value>,
    /// Results beside that which the step itself defines.
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

    /// Values at its worst moment, when so much is alive before it, and the keys of that moment.
    fn beside<F: Footprint<Pools = P>>(&self, meter: &Meter<'_, F>, mut live: P) -> (P, u64) {
        live -= meter.values(&self.moved);
        match self.peak {
            Some(peak) => (live + peak.values.clone(), peak.keys),
            None => (live, 0),
        }
    }
}

/// The arguments of a call that nobody needs afterwards, each passed once: they move into the function, others are copied.
pub(super) fn moved(circuit: &Circuit, call: Value, dead: &[Value]) -> Vec<Value> {
    let definition = circuit.values.get(call);
    let arguments = definition.map_or(Vec::new(), |definition| definition.inst.operands());
    let once = |&value: &Value| arguments.iter().filter(|&&other| other == value).count() == 1;
    let dead = dead.iter().copied();
    dead.filter(|value| arguments.contains(value) && once(value))
        .collect()
}

/// Bytes of the things in a plan.
struct Meter<'p, F> {
    footprint: &'p F,
    plan: &'p Plan,
}

impl<F: Footprint> Meter<'_, F> {
    /// What each function takes, in the order in which they are defined.
    fn functions(&self, circuit: &Circuit) -> Vec<BodyPeak<F::Pools>> {
        let mut peaks = Vec::with_capacity(circuit.functions.len());
        for function in circuit.functions.keys() {
            let parameters: Vec<Value> = circuit.parameters(function).collect();
            let peak = self.body(circuit, (&parameters, self.plan.waves_of(function)), &peaks);
            peaks.push(peak);
        }
        peaks
    }

    /// What a body takes that begins with these values.
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
            keys += self.keys(&wave.keys) + self.keys(&wave.ahead);
            let called = Called::by(circuit, wave, functions);
            live += self.values(&wave.plains);
            let (during, keys_of_call) = called.beside(self, live.clone());
            live += self.values(&wave.steps) + self.values(&called.further);
            let reading = self.reading(&wave.keys) + self.reading(&wave.ahead);
            let now = live.clone() + self.footprint.scratch(wave) + reading;
            peak.values = peak.values.larger(during).larger(now);
            peak.keys = peak.keys.max(keys + keys_of_call);
            live -= self.values(&wave.dead);
            keys -= self.keys(&wave.spent);
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

    /// Beside keys that are being read.
    fn reading(&self, keys: &[Key]) -> F::Pools {
        let bytes = |&key: &Key| self.footprint.reading(key, self.plan.form(key));
        keys.iter().map(bytes).sum()
    }
}

/// Bytes of the keys that a plan has expanded for good, those that their source holds not among them.
pub fn expanded_bytes<F: Footprint>(footprint: &F, plan: &Plan) -> u64 {
    let keys = plan.expanded().iter();
    keys.map(|&key| footprint.key(key, KeyForm::Expanded)).sum()
}

/// What a plan may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most instructions side by side.
    pub window: usize,
    /// What their source does with keys.
    pub keys: KeyResidence,
    /// Most bytes for keys that are expanded for good.
    pub expanded: u64,
    /// Most bytes for everything.
    pub limit: Option<u64>,
    /// Most bytes for plaintexts kept from one run to the next.
    pub cache: u64,
    /// Bytes that the process takes beside the run.
    pub process: u64,
}

/// The widest plan that stays below the limit; then as many expanded keys, and then as many kept plaintexts, as it leaves
/// room for.
///
/// Gives up instructions side by side first, and then plaintexts used several times, which are encoded anew for each use.
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

/// The plan of [`fit`] in a process that keeps some plaintexts of the circuit already. Their bytes belong to [`Budget::process`];
/// those that the plan uses are among its [`Prediction::cache`], too, and neither the limit nor [`Budget::cache`] counts them again.
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
        keys: budget.keys,
    };
    let limit = budget.limit.unwrap_or(u64::MAX);
    let predict = |plan: &Plan| {
        let mut prediction = predict(circuit, footprint, plan);
        prediction.fixed = prediction.fixed.saturating_add(budget.process);
        prediction
    };
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

/// The next plan to try when one takes too much.
fn thriftier(mut options: PlanOptions) -> Option<PlanOptions> {
    match (options.window, options.plains) {
        (2.., _) => options.window /= 2,
        (_, SharedPlains::Keep) => options.plains = SharedPlains::Reencode,
        (_, SharedPlains::Reencode) => return None,
    }
    Some(options)
}

/// A circuit does not fit the memory it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run needs {} of memory ({} of values, {} of evaluation keys, {} of program, weights and tables), the limit is {}",
    Bytes(prediction.total()), Bytes(prediction.values), Bytes(prediction.keys),
    Bytes(prediction.fixed), Bytes(*limit)
)]
pub struct MemoryError {
    /// The limit in bytes.
    pub limit: u64,
    /// The least that any plan takes; with this limit the circuit runs.
    pub prediction: Prediction,
}
