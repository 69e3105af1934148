//! Checkpoints: a run step by step, with what later steps need in a folder, so that a run that was interrupted goes on from there.

mod folder;

use super::args::Checkpoint;
use super::error::Error;
pub use folder::Folder;
use peregrine::{Server, ServerError, ServerOptions, Session, StoredKeys, Task};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Step, Value, steps};
use peregrine_runtime::exec::memory::Prediction;
use peregrine_runtime::wire::{EncryptedInputs, EncryptedOutputs, FragmentValues};
use std::path::Path;
use std::sync::Arc;

/// How many times as long as asked for a step may be predicted to take, where less has to be kept then.
const LONGER: f64 = 4.0;

/// A run whose steps are kept in a folder.
pub struct SteppedRun<'a> {
    pub circuit: &'a Path,
    pub asked: &'a Checkpoint,
    pub server: &'a Server,
    pub options: ServerOptions,
    /// Finds the keys of a fragment.
    pub keys: &'a dyn Fn(&Server) -> Result<StoredKeys, Error>,
    /// The file that an error of a run is about.
    pub culprit: &'a dyn Fn(&ServerError) -> &'a Path,
}

/// What a run by steps gives.
pub struct Stepped<'f> {
    pub outputs: EncryptedOutputs,
    /// The memory of the step that takes the most; none if all steps were done before.
    pub memory: Option<Prediction>,
    /// To be removed once the outputs are written.
    pub folder: Folder<'f>,
}

impl SteppedRun<'_> {
    /// Runs the steps that are not done yet.
    pub fn run<'f>(
        &self,
        inputs: EncryptedInputs,
        folder: &'f Path,
        task: &Task<'_>,
    ) -> Result<Stepped<'f>, Error> {
        let values = self.server.input_values(inputs);
        let mut values = values.map_err(self.about_circuit())?;
        let folder = Folder::open(folder)?;
        let begin = folder.begin()?;
        if let Some(begin) = begin {
            folder.read(self.server, begin, &mut values)?;
        }
        let all = self.steps(Value(0))?;
        let left = match begin {
            Some(begin) => self.steps(begin)?,
            None => all.clone(),
        };
        let seconds = |steps: &[Step]| steps.iter().map(|step| step.seconds).sum::<f64>();
        let (all, mut done) = (seconds(&all), seconds(&all) - seconds(&left));
        let mut memory: Option<Prediction> = None;
        if let Some(begin) = begin {
            folder.resumed(begin, done / all);
        }
        for step in left {
            let before = done;
            let part = Task::new(|share, detail| {
                task.set((before + share * step.seconds) / all, detail);
            });
            let session = self.session(&step, &values)?;
            let predicted = session.prediction();
            memory = memory.filter(|most| most.total() >= predicted.total());
            memory = memory.or(Some(predicted));
            let exports = session.run_fragment(&values, &part);
            let exports = exports.map_err(|error| Error::about((self.culprit)(&error))(error))?;
            let joined = values.join(exports).map_err(ServerError::from);
            joined.map_err(self.about_circuit())?;
            values.retain(|name| step.kept.contains(&name));
            folder.keep(self.server, step.end, &values)?;
            done += step.seconds;
        }
        let outputs = self.server.output_values(&values);
        Ok(Stepped {
            outputs: outputs.map_err(self.about_circuit())?,
            memory,
            folder,
        })
    }

    fn steps(&self, from: Value) -> Result<Vec<Step>, Error> {
        let least = self.asked.step_seconds;
        let cost = CostModel::default();
        let steps = steps(self.server.circuit(), &cost, least..least * LONGER, from);
        steps.map_err(self.about_circuit())
    }

    /// A session for a step, beside the values that are kept for it and for later ones.
    fn session(&self, step: &Step, values: &FragmentValues) -> Result<Session, Error> {
        let mut options = self.options;
        options.usage.process += values.bytes();
        let server = Server::with_options(step.fragment.clone(), options);
        let server = server.map_err(self.about_circuit())?;
        let keys = Arc::new((self.keys)(&server)?);
        let session = server.session(keys, server.resources());
        session.map_err(self.about_circuit())
    }

    fn about_circuit<E: Into<peregrine::Error>>(&self) -> impl FnOnce(E) -> Error {
        Error::about(self.circuit)
    }
}
