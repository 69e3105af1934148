//! The command line: what each verb takes.

use super::force::Force;
use super::values::{
    InputArg, RangeArg, bytes, flood_bits, key_budget, log_n, optimisation, seconds, threads,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::passes::keys::KeyBudget;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What exit codes mean.
const EXIT_CODES: &str = "\
Exit codes: 0 success; 1 failure; 2 a command line that cannot be understood; 3 an answer that is garbage (infer, simulate, \
decrypt): less than a bit of it is right, far less than predicted, or values have left the room that the circuit has for them.";

/// Compile neural networks to programs on encrypted data, and run them.
#[derive(Debug, Parser)]
#[command(
    name = "peregrine",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = EXIT_CODES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Compile an ONNX model to a circuit for the server and an interface for the client
    Compile(Compile),
    /// Show what a circuit or a client interface holds
    Inspect(Inspect),
    /// Run a circuit on cleartext: fast, and with a model of the noise on request
    Simulate(Simulate),
    /// Make a secret key, and the evaluation keys that circuits need
    Keygen(Keygen),
    /// Encrypt the inputs of a circuit
    Encrypt(Encrypt),
    /// Run a circuit on encrypted inputs; needs no secret
    Run(Run),
    /// Decrypt the outputs of a circuit
    Decrypt(Decrypt),
    /// Do everything in one process and compare with the cleartext model
    Infer(Infer),
    /// Measure the primitives on this machine
    Bench(Bench),
}

/// Choices of the compiler.
#[derive(Debug, Args)]
pub struct Choices {
    /// Bits of the largest output that must be right, by simulated noise [default: 8]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=40))]
    pub precision_bits: Option<u32>,
    /// Instead: bits after the point that the noise of every operation must leave; nothing is simulated
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=40), conflicts_with = "precision_bits")]
    pub operation_bits: Option<u32>,
    /// log2 of the largest magnitude of any value, sign and margin included [default: what samples take, with a margin]
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(1..=40))]
    pub headroom_bits: Option<u32>,
    /// log2 of the ring degree [default: the smallest that serves, up to 17]
    #[arg(long, value_name = "N", value_parser = log_n)]
    pub log_n: Option<u32>,
    /// What the parameters must promise
    #[arg(long, value_enum, default_value = "128")]
    pub security: SecurityArg,
    /// Most that all evaluation keys may take in a file, as 2GiB or 500MB, or `none`: rotations are composed of others [default:
    /// as few as make the run at most 5 % longer, never more than 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = key_budget)]
    pub key_budget: Option<KeyBudget>,
    /// Plan within the rings, primes and levels of another circuit, so that its keys serve this one, too; --key-budget then counts
    /// new keys only
    #[arg(long, value_name = "OTHER.client", conflicts_with = "log_n")]
    pub like: Option<PathBuf>,
    /// What the machine that runs the circuit takes for what, as `bench --profile-out` writes it [default: a built-in
    /// profile]
    #[arg(long, value_name = "MACHINE.json")]
    pub profile: Option<PathBuf>,
    /// Sample inputs (.npy, .npz): report the range of all values, set the headroom from it, and the precision from the outputs
    #[arg(long, value_name = "[NAME=]FILE")]
    pub calibrate: Vec<InputArg>,
    /// What inputs are never outside of; without NAME for all inputs [default: what samples have, else -3,3 is assumed]
    #[arg(long, value_name = "[NAME=]LO,HI", allow_hyphen_values = true)]
    pub input_range: Vec<RangeArg>,
    /// Leave an optimisation out
    #[arg(long, value_name = "NAME", value_parser = optimisation())]
    pub without: Vec<Optimisation>,
}

/// `--security`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SecurityArg {
    /// At least 128 bits against classical attacks
    #[value(name = "128")]
    Classical128,
    /// Nothing: for tests only
    None,
}

/// Which values a circuit has room for, and how precise its outputs are.
const COMPILE_HELP: &str = "\
Without options, `compile` chooses all of these and says in a few lines what and why:

ring       the smallest degree up to 2^17 whose modulus is secure and long enough (--log-n, --security).

range      what inputs are like. --calibrate gives samples; the metadata key `peregrine.ranges` of a model, which \
peregrine-finetune writes, states what training has seen; --input-range says what inputs are never outside of. With none of \
these it is assumed: -3 to 3, which images scaled to 0..1 or -1..1 and normalised ones stay within, or less where values would \
grow too large. Inputs are then drawn from the range: smooth images, noise, blocks and constants.

headroom   values below 2^(H - 1) in magnitude are represented. H is what samples or stated ranges take, with 2 bits of margin and \
one for the sign, or what drawn inputs take, with 4 bits. Where --headroom-bits is given, samples must not take more: the node that \
does is named. Values can still leave it on inputs unlike the samples. For every input within its range interval arithmetic bounds \
all values; where they stay below 2^(H - 1) the report says `proven`. Bounds are safe, not tight, and grow with depth.

precision  --precision-bits of the largest output are right: the circuit is run on three samples with simulated noise, and log2 of \
the largest output over the largest error must not be less. Samples that are drawn are taken one by one, and the worst counts. The \
bits that operations need for it are found in at most 4 compilations; --operation-bits sets them, relative to 1 and not to \
the outputs, and nothing is simulated.

keys       evaluation keys for fewer rotations than there are, as few as make the predicted run at most 5 % longer than with a \
key for each, and never more than 4 GiB (--key-budget; `none` for no limit).

A table of nodes gives the least and largest value, the largest magnitude inside a polynomial (its powers and inner \
factors), and the bits left below 2^(H - 1). Nodes are those after simplification, which scales values. Noise is not in it.";

/// `compile`.
#[derive(Debug, Args)]
#[command(after_long_help = COMPILE_HELP)]
pub struct Compile {
    /// The ONNX model
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
    /// Where the circuit goes
    #[arg(short, long, value_name = "MODEL.fhe")]
    pub output: PathBuf,
    /// Where the client interface goes [default: beside the circuit, ending in .client]
    #[arg(long, value_name = "MODEL.client")]
    pub client: Option<PathBuf>,
    #[command(flatten)]
    pub choices: Choices,
    /// Report what each optimisation buys: compile without it, too, one at a time
    #[arg(long)]
    pub ablate: bool,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// What `inspect` shows of a node.
const INSPECT_HELP: &str = "\
Without --node, two tables: what each node of the model computes beside the least that any packing needs (`MACs` entries \
of its matrices that are not structurally zero; `least` products when each does one of them in every slot; `ratio` of the \
products made to these; ciphertexts of its result and how full they are; rotation keys and their size), and how often \
it does what.

With --node, all about the nodes of that name: the remarks of the compiler that say why; how what it takes and makes is \
packed, as a formula for slot and ciphertext of channel c, row h, column w, and as a picture (the first rows of slots with \
what lies in each, `.` for zero; a bar over all slots of a ciphertext that numbers planes, one that numbers replicas); \
the diagonals of its operators, with the rotations of the input and of sums that they are split into; its instructions \
and the time they should take. `--format text` adds the instructions themselves, `json` holds all of it.";

/// `inspect`.
#[derive(Debug, Args)]
#[command(after_long_help = INSPECT_HELP)]
pub struct Inspect {
    /// A circuit (.fhe) or a client interface (.client)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to show it
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Only this node of the model, and all about it
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Show the numbers of weights too (text)
    #[arg(long)]
    pub weights: bool,
    /// The machine to predict times for, as `bench --profile-out` writes it [default: a built-in profile]
    #[arg(long, value_name = "MACHINE.json")]
    pub profile: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

/// `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The text form of the circuit
    Text,
    /// What it costs, in tables
    Table,
    /// The same, for machines
    Json,
}

/// `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The circuit
    #[arg(value_name = "MODEL.fhe")]
    pub circuit: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the outputs go: .npz by name; .npy or, in lines, .csv where there is one output
    #[arg(short, long, value_name = "FILE.npz")]
    pub output: Option<PathBuf>,
    /// Add noise as encryption would, and say what it leaves of the outputs
    #[arg(long)]
    pub noise: bool,
    /// Where the noise starts
    #[arg(long, value_name = "S", requires = "noise", default_value_t = 0)]
    pub seed: u64,
    /// What the images show (.npy of integers)
    #[arg(long, value_name = "FILE.npy")]
    pub labels: Option<PathBuf>,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// `keygen`.
#[derive(Debug, Args)]
pub struct Keygen {
    /// The client interfaces: the keys serve each of their circuits
    #[arg(value_name = "MODEL.client", required = true)]
    pub clients: Vec<PathBuf>,
    /// Where the secret key goes; whoever has it can decrypt
    #[arg(long, value_name = "FILE")]
    pub secret: PathBuf,
    /// Where the evaluation keys go; they are for the server
    #[arg(long, value_name = "FILE")]
    pub evaluation: PathBuf,
    /// Keep the secret key and the evaluation keys that are there, and make just the keys that they lack
    #[arg(long)]
    pub add: bool,
    /// Other evaluation keys of the pair that the server has, which are not made again; it then runs with both files
    #[arg(long, value_name = "FILE", requires = "add")]
    pub besides: Vec<PathBuf>,
    /// Overwrite keys that exist
    #[arg(long, conflicts_with = "add")]
    pub force: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `encrypt`.
#[derive(Debug, Args)]
pub struct Encrypt {
    /// The client interface
    #[arg(value_name = "MODEL.client")]
    pub client: PathBuf,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    pub secret: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the ciphertexts go
    #[arg(short, long, value_name = "FILE.ct")]
    pub output: PathBuf,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// What can happen to the files that `run` reads.
const RUN_HELP: &str = "\
The evaluation keys stay in their file and are read where they are used. Every key is compared with its checksum \
before it is used first, and the length of the file is looked at before each use: a file that is cut off while the circuit runs \
ends the run with an error. One that is cut off in the very moment of use ends it with the signal SIGBUS: copy keys from a store that \
others write to before you run. Replacing the file by another one of the same name does no harm.

With --checkpoint the circuit runs in steps. Behind each the folder holds one file of encrypted values, which replaces the one before \
once it is on the disk. It belongs to circuit, keys and inputs; a run of anything else is refused there, and so is a second run while \
the first one uses the folder. What is computed does not depend on how often a run was interrupted.";

/// `run`.
#[derive(Debug, Args)]
#[command(after_long_help = RUN_HELP)]
pub struct Run {
    /// The circuit
    #[arg(value_name = "MODEL.fhe")]
    pub circuit: PathBuf,
    /// The evaluation keys; given several times, those of all files
    #[arg(long, value_name = "FILE", required = true)]
    pub evaluation: Vec<PathBuf>,
    /// The encrypted inputs
    #[arg(long, value_name = "FILE.ct")]
    pub input: PathBuf,
    /// Where the encrypted outputs go
    #[arg(short, long, value_name = "FILE.ct")]
    pub output: PathBuf,
    #[command(flatten)]
    pub checkpoint: Checkpoint,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// How a run is kept against interruptions.
#[derive(Clone, Debug, Args)]
pub struct Checkpoint {
    /// A folder for what is computed so far, encrypted: a run that was interrupted goes on from there when it is asked for again;
    /// removed once the outputs are written
    #[arg(long = "checkpoint", value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// The least seconds that a step from one checkpoint to the next is predicted to take
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "folder",
        default_value_t = 5.0,
        value_parser = seconds
    )]
    pub step_seconds: f64,
}

/// What a verb may use of the machine.
#[derive(Clone, Copy, Debug, Args)]
pub struct MachineArgs {
    /// Most memory for the whole process while the circuit runs, as 8GiB or 500MB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// Threads to compute with [default: one per processor]
    #[arg(long, value_name = "COUNT", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
}

/// `decrypt`.
#[derive(Debug, Args)]
pub struct Decrypt {
    /// The client interface
    #[arg(value_name = "MODEL.client")]
    pub client: PathBuf,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    pub secret: PathBuf,
    /// The encrypted outputs
    #[arg(long, value_name = "FILE.ct")]
    pub input: PathBuf,
    /// Where the outputs go: .npz by name; .npy or, in lines, .csv where there is one output
    #[arg(short, long, value_name = "FILE.npz")]
    pub output: Option<PathBuf>,
    /// Add Gaussian noise of standard deviation 2^-B to every value, for values that are given away
    ///
    /// Decrypted values carry noise from which anyone who also has the ciphertexts can compute the secret key. Values that
    /// only the owner of the key sees need no flooding. Before values go to anyone else, choose B = p - s + 1 - log2(n) / 2.
    /// Here 2^-p bounds the noise of every value: take the noise that `decrypt` prints without this option, measured or
    /// predicted, whichever is larger, over several inputs, and 4 bits more. n counts all values that are ever given away under this key, each once per decryption. 2^-s
    /// is the advantage left to an attacker; s = 15 is the least to be taken seriously. What remains is right to about 2^-B.
    /// Where that is too little, give away the class instead of its scores, or compile with more --precision-bits.
    /// SECURITY.md has an example, and what flooding does not cover.
    #[arg(long, value_name = "B", allow_negative_numbers = true, value_parser = flood_bits)]
    pub flood_bits: Option<f64>,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// `infer`.
#[derive(Debug, Args)]
#[command(after_long_help = COMPILE_HELP)]
pub struct Infer {
    /// The ONNX model
    #[arg(value_name = "MODEL.onnx")]
    pub model: PathBuf,
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the outputs go: .npz by name; .npy or, in lines, .csv where there is one output
    #[arg(short, long, value_name = "FILE.npz")]
    pub output: Option<PathBuf>,
    /// What the images show (.npy of integers)
    #[arg(long, value_name = "FILE.npy")]
    pub labels: Option<PathBuf>,
    /// Most images to run
    #[arg(long, value_name = "K", default_value = "3")]
    pub limit: NonZeroUsize,
    #[command(flatten)]
    pub choices: Choices,
    #[command(flatten)]
    pub machine: MachineArgs,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// The reference parameters.
const BENCH_HELP: &str = "\
All primes are the largest below 2^50 that suit the degree; key switching has three digits. Chain and special primes: \
24 + 8 at degree 2^16, 12 + 4 at 2^15, 6 + 2 at 2^14, 3 + 1 at 2^13, all within the line for 128-bit security. Level l \
has the first l + 1 primes of the chain; everything is measured at the highest.";

/// `bench`.
#[derive(Debug, Args)]
#[command(after_long_help = BENCH_HELP)]
pub struct Bench {
    /// Only this ring degree, as a logarithm [default: 13, 14, 15 and 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(13..=16))]
    pub log_n: Option<u32>,
    /// Threads to measure on [default: 1, then one per processor]
    #[arg(long, value_name = "COUNT", value_parser = threads)]
    pub threads: Option<NonZeroUsize>,
    /// Instead: refreshes of 2^16 values and of 2^14 that repeat at 128-bit security, which take 4 GiB of memory and 3 GiB of disk
    #[arg(long, conflicts_with_all = ["log_n", "profile_out"])]
    pub refresh: bool,
    /// Random messages to refresh on each number of threads
    #[arg(long, value_name = "COUNT", default_value_t = 4, requires = "refresh", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub messages: u16,
    /// Bits by which refreshes are finer, as where `compile` finds that they limit the precision
    #[arg(long, value_name = "B", default_value_t = 0, requires = "refresh", value_parser = clap::value_parser!(u32).range(0..=i64::from(peregrine::bench::MAX_REFRESH_BITS)))]
    pub refresh_bits: u32,
    /// Where a profile of this machine goes, for `compile --profile`
    #[arg(long, value_name = "FILE.json")]
    pub profile_out: Option<PathBuf>,
    #[command(flatten)]
    pub force: Force,
    #[command(flatten)]
    pub json: Json,
}

/// `--json`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// `--input`.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// An input: .npy, or .npz with one array per input; NAME may be left out when there is one input. A file of the whole name
    /// comes first
    #[arg(long = "input", value_name = "[NAME=]FILE", required = true)]
    pub files: Vec<InputArg>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
