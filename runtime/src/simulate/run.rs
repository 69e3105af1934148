//! Simulations of one image and of many, in groups that are computed together.

use super::error::SimulateError;
use crate::backend::clear::{Cipher, ClearFootprint, Headroom, Noise, Seen, Simulator, first};
use crate::exec::{
    self, KeyResidence, Plan, PlanOptions, Progress, SharedPlains, SharedSums, memory,
};
use crate::ports::{Arrays, PortView, check_names};
use crate::range::Outlier;
use peregrine_ir::{Circuit, Inst, Port, Type, Verified};
use std::collections::BTreeMap;

/// Options of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed from which noise is drawn; none for exact arithmetic.
    pub noise: Option<u64>,
}

/// The result of a simulation of one image.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The output tensors of the model, after the steps that follow decryption.
    pub outputs: Arrays,
    /// The output tensors as a client would decrypt them, before the steps that follow.
    pub decrypted: Arrays,
    /// The smallest headroom of any value; none when every slot was zero.
    pub headroom: Option<Headroom>,
}

/// The result of a simulation of several images.
#[derive(Clone, Debug)]
pub struct Simulations {
    /// For each image, the output tensors of the model, after the steps that follow decryption.
    pub outputs: Vec<Arrays>,
    /// For each image, the output tensors as a client would decrypt them, before the steps that follow.
    pub decrypted: Vec<Arrays>,
    /// For each image, the largest imaginary part of each output whose imaginary parts tell what refreshes changed.
    pub imaginary: Vec<BTreeMap<String, f64>>,
    /// The smallest headroom of any value over all images; none when every slot was zero.
    pub headroom: Option<Headroom>,
    /// The first value that a node hands on, to another or to the client, and that is too large for the modulus, so that an
    /// encrypted run gives garbage. Partial sums inside a node do not count, because they may wrap around and back.
    pub overflow: Option<Headroom>,
}

/// Simulates a circuit on one image: tensors by the names of the inputs.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// # use peregrine_ir::Shape;
/// # use peregrine_runtime::ports::Array;
/// # let x = Array::new(Shape::new([1, 8])?, vec![0.5; 8])?;
/// # let inputs = [("x".to_owned(), x)].into();
/// use peregrine_runtime::exec::Silent;
/// use peregrine_runtime::simulate::{self, Options};
///
/// let exact = simulate::run(&circuit, &inputs, Options { noise: None }, &Silent)?;
/// assert_eq!(exact.outputs["y"].data(), [0.25; 8]);
/// // Where a message comes closest to its modulus, there is room.
/// assert!(exact.headroom.is_some_and(|headroom| headroom.bits > 0.0));
///
/// let noisy = simulate::run(&circuit, &inputs, Options { noise: Some(7) }, &Silent)?;
/// assert_ne!(noisy.outputs, exact.outputs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When a tensor is missing or has another shape, or `progress` cancels the simulation.
pub fn run(
    circuit: &Verified,
    inputs: &Arrays,
    options: Options,
    progress: &dyn Progress,
) -> Result<Simulation, SimulateError> {
    let Simulations {
        outputs,
        decrypted,
        headroom,
        ..
    } = run_all(circuit, std::slice::from_ref(inputs), options, progress)?;
    let first = |arrays: Vec<Arrays>| arrays.into_iter().next().unwrap_or_default();
    Ok(Simulation {
        outputs: first(outputs),
        decrypted: first(decrypted),
        headroom,
    })
}

/// Simulates a circuit on many images, each with the result that [`run`] has for it.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// use peregrine_ir::Shape;
/// use peregrine_runtime::{exec::Silent, ports::Array};
/// use peregrine_runtime::simulate::{self, Options};
///
/// let image = |x: f64| Ok([("x".to_owned(), Array::new(Shape::new([1, 8])?, vec![x; 8])?)].into());
/// let images = [0.5, 2.0].map(image).into_iter().collect::<Result<Vec<_>, Box<dyn std::error::Error>>>()?;
/// let all = simulate::run_all(&circuit, &images, Options { noise: None }, &Silent)?;
/// let first = |i: usize| all.outputs[i]["y"].data()[0];
/// assert_eq!([first(0), first(1)], [0.25, 4.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Constants are filled once for as many images as fit a gigabyte of slots, which makes this several times faster than
/// one run for each. `progress` sees one run for each such group.
///
/// # Errors
/// When [`run`] has an error for one of the images.
pub fn run_all(
    circuit: &Verified,
    inputs: &[Arrays],
    options: Options,
    progress: &dyn Progress,
) -> Result<Simulations, SimulateError> {
    let mut all = Simulations::of(inputs.len());
    let kind = Kind {
        noise: options.noise,
        twins: 0,
    };
    each_group((circuit, inputs), kind, progress, |group| {
        all.join(group.images)
    })?;
    Ok(all)
}

/// How images are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) noise: Option<u64>,
    /// The number of images at the start of a group that are computed without noise, too.
    pub(super) twins: usize,
}

/// The results of images that were computed together.
pub(super) struct Group {
    pub(super) images: Simulations,
    /// The outputs of the first images without noise.
    pub(super) exact: Vec<(Arrays, Arrays)>,
    pub(super) seen: Seen,
}

/// Computes images in groups whose slots fit a gigabyte.
pub(super) fn each_group(
    (circuit, inputs): (&Verified, &[Arrays]),
    kind: Kind,
    progress: &dyn Progress,
    mut take: impl FnMut(Group),
) -> Result<(), SimulateError> {
    let plan = Plan::new(
        circuit,
        PlanOptions {
            window: 2 * rayon::current_num_threads(),
            plains: SharedPlains::Keep,
            sums: SharedSums::AsTheyCome,
            keys: KeyResidence::Held,
        },
    );
    // Groups of as many images as fit, twins counted.
    let mut first = 0;
    let copies = if kind.twins > 1 { 2 } else { 1 };
    let footprint = ClearFootprint::of(circuit);
    let bytes = copies * memory::predict(circuit, &footprint, &plan).values as usize;
    for images in inputs.chunks(together(bytes, inputs.len())) {
        let twins = kind.twins.min(images.len());
        let noise = kind.noise;
        let noise = noise.map(|seed| Noise::new(&circuit.rings, seed, (first, twins)));
        let simulator = Simulator::new(circuit, noise);
        // The twins come first, then all images of the group with noise.
        let all: Vec<&Arrays> = images.iter().take(twins).chain(images).collect();
        let ports = circuit.inputs.iter();
        let ciphers = ports.map(|port| encrypt(circuit, &simulator, port, &all));
        let ciphers = ciphers.collect::<Result<_, _>>()?;
        let results = exec::run(circuit, &simulator, &plan, ciphers, progress)?;
        let mut group = Group {
            images: Simulations::of(images.len()),
            exact: Vec::with_capacity(twins),
            seen: Seen::default(),
        };
        for image in 0..all.len() {
            let (outputs, decrypted) = decrypt(circuit, &results, image)?;
            if image < twins {
                group.exact.push((outputs, decrypted));
            } else {
                group.images.outputs.push(outputs);
                group.images.decrypted.push(decrypted);
                group
                    .images
                    .imaginary
                    .push(imaginary(circuit, &results, image));
            }
        }
        first += images.len();
        group.images.headroom = simulator.headroom();
        group.seen = simulator.into_seen();
        group.images.overflow = group.seen.overflow;
        take(group);
    }
    Ok(())
}

impl Simulations {
    /// The results of no image yet, with room for `images`.
    pub(super) fn of(images: usize) -> Self {
        Self {
            outputs: Vec::with_capacity(images),
            decrypted: Vec::with_capacity(images),
            imaginary: Vec::with_capacity(images),
            headroom: None,
            overflow: None,
        }
    }

    /// Appends the results of the next images.
    pub(super) fn join(&mut self, next: Self) {
        self.outputs.extend(next.outputs);
        self.decrypted.extend(next.decrypted);
        self.imaginary.extend(next.imaginary);
        self.headroom = Headroom::least(self.headroom, next.headroom);
        self.overflow = first(self.overflow, next.overflow);
    }
}

/// Reports what is unusual about images that are simulated nevertheless, once for each kind: values just outside the range of
/// their input, or outside a range that nobody has stated, or on another scale.
///
/// # Errors
/// When an image does not fit the inputs, or has values that no client would encrypt.
pub fn oddities(circuit: &Circuit, images: &[Arrays]) -> Result<Vec<Outlier>, SimulateError> {
    let mut odd: Vec<Outlier> = Vec::new();
    for port in &circuit.inputs {
        let view = view(circuit, port)?;
        let found = images.iter().map(|image| Ok(view.checked(image)?.1));
        let found: Result<Vec<_>, SimulateError> = found.collect();
        odd.extend(found?.into_iter().flatten().next());
    }
    Ok(odd)
}

/// The most bytes for the slots of all images that are computed together.
const ROOM: usize = 1 << 30;

/// The number of images of `bytes` bytes to compute together, for the fewest groups that there is room for, of one size as far
/// as possible.
fn together(bytes: usize, images: usize) -> usize {
    let groups = images.div_ceil((ROOM / bytes.max(1)).max(1));
    images.div_ceil(groups.max(1)).max(1)
}

/// The ciphertexts of a port, with the slots of all images one after the other.
fn encrypt(
    circuit: &Circuit,
    simulator: &Simulator,
    port: &Port,
    images: &[&Arrays],
) -> Result<Vec<Cipher>, SimulateError> {
    let view = view(circuit, port)?;
    let mut packed = vec![Vec::new(); port.values.len()];
    for image in images {
        check_names(image, circuit.inputs.iter().map(|p| p.name.as_str()))?;
        for (all, slots) in packed.iter_mut().zip(view.pack(image)?) {
            all.extend(slots);
        }
    }
    let sealed = port.values.iter().zip(packed);
    Ok(sealed
        .filter_map(|(&value, slots)| match &circuit.values.get(value)?.inst {
            Inst::Input {
                ty: Type::Cipher { level, scale, .. },
            } => Some(simulator.encrypt(slots, *level, scale.clone())),
            _ => None,
        })
        .collect())
}

/// The output tensors of one image, after and before the steps that follow decryption.
fn decrypt(
    circuit: &Circuit,
    results: &[Vec<Cipher>],
    image: usize,
) -> Result<(Arrays, Arrays), SimulateError> {
    let (mut outputs, mut decrypted) = (Arrays::new(), Arrays::new());
    for (port, ciphers) in circuit.outputs.iter().zip(results) {
        let view = view(circuit, port)?;
        let width = view.layout.slots() as usize;
        let slots = |cipher: &Cipher| {
            let part = cipher.slots().get(image * width..(image + 1) * width);
            part.unwrap_or_default().to_vec()
        };
        let slots: Vec<Vec<f64>> = ciphers.iter().map(slots).collect();
        let array = view.unpack(&slots)?;
        outputs.insert(port.name.clone(), array.finished(&port.finish)?);
        decrypted.insert(port.name.clone(), array);
    }
    Ok((outputs, decrypted))
}

/// The largest imaginary part of each output of one image, where imaginary parts tell of refreshes.
fn imaginary(circuit: &Circuit, results: &[Vec<Cipher>], image: usize) -> BTreeMap<String, f64> {
    let ports = circuit.outputs.iter().zip(results);
    let told = ports.filter(|(port, _)| port.imaginary.is_some());
    let largest = told.map(|(port, ciphers)| {
        let layout = circuit.layouts.get(port.layout);
        let width = layout.map_or(0, |layout| layout.slots() as usize);
        let parts = ciphers.iter().filter_map(|cipher| {
            let all = cipher.imaginary()?;
            all.get(image * width..(image + 1) * width)
        });
        // Of a NaN and a number `max` would make the number.
        let largest = parts
            .flatten()
            .fold(0.0, |most: f64, x| match x.is_nan() || most.is_nan() {
                true => f64::NAN,
                false => most.max(x.abs()),
            });
        (port.name.clone(), largest)
    });
    largest.collect()
}

fn view<'c>(circuit: &'c Circuit, port: &'c Port) -> Result<PortView<'c>, SimulateError> {
    let layout = circuit.layouts.get(port.layout);
    Ok(PortView {
        range: port.range,
        largest: f64::INFINITY,
        name: &port.name,
        shape: &port.shape,
        prepare: port.prepare.as_ref(),
        layout: layout.ok_or_else(|| SimulateError::Layout {
            port: port.name.clone(),
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::{ROOM, together};

    #[test]
    fn groups_keep_to_the_room_and_are_even() {
        assert_eq!(together(1 << 10, 100), 100);
        assert_eq!(together(ROOM / 40, 100), 34);
        assert_eq!(together(ROOM / 40, 80), 40);
        assert_eq!(together(2 * ROOM, 3), 1);
        assert_eq!(together(2 * ROOM, 0), 1);
    }
}
