//! The executor: runs a circuit in one walk over its instructions, on any back end.
//!
//! 1. The back end, an [`Evaluator`], accepts the circuit or says why not: keys, parameters, inputs are checked before any work.
//! 2. A [`Plan`] groups instructions into waves of independent ones; each wave runs in parallel.
//! 3. Constants are filled and encoded right before their consumer, in parallel, and dropped after it, unless the plan
//!    keeps them for the next run.
//! 4. Values are freed after the wave of their last use.
//! 5. An observer, a [`Progress`], learns how far the run is, may cancel it, and may ask what each instruction takes.
//!
//! The result does not depend on the plan or the number of threads. A verified circuit never makes the executor panic.
//! Nothing here knows a back end: what it computes with is an [`Evaluator`], what it takes of memory a [`Footprint`].

mod cache;
mod control;
mod dots;
mod error;
mod evaluator;
mod footprint;
mod held;
mod key_plan;
mod live;
pub mod memory;
mod operands;
mod plan;
mod progress;
mod run;
mod schedule;
mod walk;
mod wave;
mod worth;

pub use cache::{Cache, Weights};
pub use error::{Cancelled, ExecError};
pub use evaluator::{Encoding, Evaluator, ScaleValue, Site};
pub use footprint::{Footprint, Pools};
pub use held::Held;
pub use plan::Plan;
pub use progress::{CancelFlag, Progress, Silent, Step};
pub use run::{run, run_again, run_fragment};
pub use wave::{KeyForm, KeyResidence, PlanOptions, SharedPlains, SharedSums, Wave};
