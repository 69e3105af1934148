//! `infer`: compile, make keys, encrypt, run and decrypt in one process, and compare with the cleartext model.

use crate::program::args::Infer;
use crate::program::arrays::NewArrays;
use crate::program::choices;
use crate::program::error::Error;
use crate::program::files;
use crate::program::garbage::Garbage;
use crate::program::inputs::Inputs;
use crate::program::labels;
use crate::program::machine;
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables;
use crate::program::values::InputArg;
use crate::program::warn::{Promises, warn, warn_of_drowned, warn_of_inputs};
use peregrine::{CompileOptions, InferOptions, Inference, Inferred, Model};
use std::time::Instant;

/// Runs `peregrine infer`.
pub fn run(args: &Infer) -> Result<(), Error> {
    let started = Instant::now();
    distinct(args)?;
    machine::start_threads(&args.machine)?;
    let model = choices::model(&args.model)?;
    let inputs = Inputs::read(&args.input.files, &model.input_names(), &args.model)?;
    let images = inputs.images(&model.inputs())?;
    let labels = labels::read(args.labels.as_deref(), images.len())?;
    let file = output(args, &model)?;
    let mut promises = Promises::default();
    let options = InferOptions {
        compile: choices::options(&args.model, &model, &args.choices, &mut promises)?,
        labels,
        limit: args.limit.get(),
        memory: args.machine.memory,
    };
    let refuse = |error| match (error, &args.labels) {
        (error @ peregrine::Error::Labels(_), Some(labels)) => Error::about(labels)(error),
        (error, _) => inputs.refuse(error),
    };
    let reading = started.elapsed().as_secs_f64();
    let inference = Inference::new(&model, &images, options, &Bars).map_err(refuse)?;
    promises.meet(model.name(), inference.security());
    machine::announce(inference.memory(), &args.machine);
    let odd = inference.oddities();
    if !odd.is_empty() {
        warn_of_inputs(inputs.path(odd), odd);
    }
    let mut inferred = inference.run(&Bars).map_err(refuse)?;
    inferred.report.seconds.total += reading;
    conclude(args, file, (inferred, promises))
}

/// Writes and prints what was found, and says whether it is garbage.
fn conclude(
    args: &Infer,
    file: Option<NewArrays>,
    (inferred, promises): (Inferred, Promises),
) -> Result<(), Error> {
    let Inferred {
        report,
        outputs,
        drowned,
        outgrown,
    } = inferred;
    warn_of_drowned(&drowned);
    let is_garbage = !report.faults.is_empty();
    if let (Some(outgrown), false) = (&outgrown, is_garbage) {
        warn(&format!(
            "{}: {}; the answer is right, but others may not be: --headroom-bits {} leaves a margin",
            args.model.display(),
            outgrown.fault,
            outgrown.headroom_bits
        ));
    }
    if let (Some(file), true) = (file, !is_garbage || args.force.force) {
        file.write(&outputs)?;
    }
    print::print(args.json.json, promises, &report, tables::infer::text)?;
    if !is_garbage {
        return Ok(());
    }
    let bits = outgrown.map(|outgrown| outgrown.headroom_bits);
    Err(Error::Garbage(Box::new(Garbage {
        path: args.model.clone(),
        findings: report.faults,
        headroom_bits: bits.filter(|bits| CompileOptions::BITS.contains(bits)),
        written: args.force.force && args.output.is_some(),
    })))
}

/// The file of outputs, if one is asked for.
fn output(args: &Infer, model: &Model) -> Result<Option<NewArrays>, Error> {
    let outputs = model.graph().outputs.iter();
    let outputs: Vec<&str> = outputs.map(|output| output.name.as_str()).collect();
    NewArrays::create(args.output.as_deref(), &outputs, args.force)
}

/// Refuses an output that is also an input.
fn distinct(args: &Infer) -> Result<(), Error> {
    let Some(output) = &args.output else {
        return Ok(());
    };
    files::distinct(&[("the model", &args.model), ("the output", output)])?;
    InputArg::distinct(&args.input.files, output)?;
    InputArg::distinct(&args.choices.calibrate, output)
}
