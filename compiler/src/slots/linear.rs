//! Linear operators: `y = A x` between two layouts, at most one multiplication deep.
//!
//! There are four ways, see [`LinearPlan`]: [`super::wiring`] where ciphertexts only change places, [`super::scalars`] where
//! one scalar multiplies a whole ciphertext, generalized diagonals that repeat ([`super::periodic`]) where channels lie at the lowest index, and
//! such that do not ([`super::diagonals`]) for everything else.

use super::bsgs::{Split, Steps};
use super::diagonals::{Diagonals, is_regular};
use super::displacements::Displaced;
use super::periodic::Repeat;
use super::polynomial::ones;
use super::scalars::Scalars;
use super::wiring::Wiring;
use super::{Packed, Program, SlotOp, SlotValue, identity};
use peregrine_ir::cost::LinearCost;
use peregrine_ir::linear::{BoundMap, LinearMap};
use peregrine_ir::{
    Constant, Layout, LayoutId, LayoutParts, Node, Operator, OperatorId, Rotation, Shape, Tensors,
};
use std::collections::BTreeMap;
use std::fmt;

/// The way in which a linear operator will be computed.
#[derive(Clone, Debug)]
pub enum LinearPlan {
    /// Ciphertexts change places: no operation, no level.
    Wiring(Wiring),
    /// Sums of rotated ciphertexts times scalars.
    Scalars(Scalars),
    /// Sums of rotated ciphertexts times plaintexts that repeat, cleared by a mask where that is needed.
    Periodic(DiagonalPlan, Repeat),
    /// Sums of rotated ciphertexts times plaintexts.
    Diagonals(DiagonalPlan),
    /// Sums of rotated ciphertexts times plaintexts, into a packing with aligned replicas; masks of ones then skew these, in
    /// one level of a longer prime.
    Turned {
        /// The diagonals into aligned replicas.
        sums: DiagonalPlan,
        /// The packing with aligned replicas.
        copies: Layout,
        /// The masks from there into the wanted packing.
        turn: DiagonalPlan,
    },
}

/// Diagonals with their baby steps and giant steps.
#[derive(Clone, Debug)]
pub struct DiagonalPlan {
    /// The diagonals of the matrix.
    pub diagonals: Diagonals,
    /// The split into baby steps and giant steps.
    pub split: Split,
    /// The number of steps of the split.
    pub steps: Steps,
    /// The number of parts of a ciphertext that hold partial sums.
    pub fold: u32,
}

/// The ways to compute a linear map between two layouts, whatever operations cost. A [`LinearPlan`] is the cheapest of these
/// at some prices.
#[derive(Clone, Debug)]
pub enum LinearOptions {
    /// Ciphertexts change places.
    Wiring,
    /// Products with scalars.
    Scalars(Scalars),
    /// Generalized diagonals that repeat.
    Periodic(DiagonalOptions, Repeat),
    /// Generalized diagonals; at least one option.
    Diagonals(Vec<DiagonalOptions>),
    /// Aligned replicas first, which masks then skew.
    Turned {
        /// The diagonals into aligned replicas.
        sums: Vec<DiagonalOptions>,
        /// The packing with aligned replicas.
        copies: Layout,
        /// The masks from there.
        turn: Vec<DiagonalOptions>,
    },
}

/// The splits of the diagonals for one fold.
#[derive(Clone, Debug)]
pub struct DiagonalOptions {
    fold: u32,
    products: usize,
    splits: Vec<(Split, Steps)>,
}

impl LinearOptions {
    /// The ways between [regular](is_regular) layouts; `displaced` has the displacements of this map.
    pub fn regular(
        map: &BoundMap<'_>,
        input: &Layout,
        output: &Layout,
        displaced: &mut Displaced,
    ) -> Option<Self> {
        if Wiring::of(map, input, output).is_some() {
            return Some(Self::Wiring);
        }
        if let Some(scalars) = Scalars::of(map, input, output) {
            return Some(Self::Scalars(scalars));
        }
        let of = |(fold, diagonals): (u32, Diagonals)| DiagonalOptions {
            fold,
            products: diagonals.products(),
            splits: Split::all(&diagonals, input, output),
        };
        if let Some(repeat) = Repeat::of(map, input, output) {
            let diagonals = whole_diagonals(map, input, output, displaced);
            return Some(Self::Periodic(of((1, diagonals)), repeat));
        }
        let options = regular_diagonals(map, input, output, displaced)?;
        Some(Self::Diagonals(options.into_iter().map(of).collect()))
    }

    /// The ways by aligned replicas, which masks then skew; `displaced` has the displacements of this map.
    pub fn turned(
        map: &BoundMap<'_>,
        input: &Layout,
        output: &Layout,
        displaced: &mut Displaced,
    ) -> Option<Self> {
        let copies = output.untwisted();
        if copies == *output {
            return None;
        }
        let identity = identity(&map.map().output);
        let none = Tensors::new();
        let moved = identity.bind(&none).ok()?;
        match (
            Self::regular(map, input, &copies, displaced)?,
            Self::regular(&moved, &copies, output, &mut Displaced::default())?,
        ) {
            (Self::Diagonals(sums), Self::Diagonals(turn)) => {
                Some(Self::Turned { sums, copies, turn })
            }
            _ => None,
        }
    }

    /// Predicted seconds of the cheapest way, the rescale of the results included.
    pub fn price(&self, output: &Layout, cost: &LinearCost) -> f64 {
        match self {
            Self::Wiring => 0.0,
            Self::Scalars(scalars) => scalars.price(cost),
            Self::Periodic(option, repeat) => {
                let weights = repeat.cost(cost);
                cheapest(std::slice::from_ref(option), output, &weights)
                    + repeat.price(output, cost)
            }
            Self::Diagonals(options) => cheapest(options, output, cost),
            Self::Turned { sums, copies, turn } => {
                cheapest(sums, copies, cost) + cheapest(turn, output, cost) - cost.rescale
            }
        }
    }

    /// Whether a mask of the results makes the prime of the level longer. A mask of products with scalars shares their bits.
    pub fn is_masked(&self) -> bool {
        match self {
            Self::Wiring | Self::Scalars(_) | Self::Diagonals(_) => false,
            Self::Periodic(_, repeat) => repeat.masked,
            Self::Turned { .. } => true,
        }
    }

    /// Multiplications in a row.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Wiring => 0,
            Self::Scalars(_) | Self::Periodic(..) | Self::Diagonals(_) | Self::Turned { .. } => 1,
        }
    }
}

/// Predicted seconds of the cheapest option.
fn cheapest(options: &[DiagonalOptions], output: &Layout, cost: &LinearCost) -> f64 {
    let prices = options.iter().map(|option| {
        let (_, steps) = cheapest_steps(&option.splits, cost);
        price(&steps, option.products, option.fold, (output, cost))
    });
    prices.fold(f64::INFINITY, f64::min)
}

/// The cheapest split; the first one where several are equal.
fn cheapest_steps(splits: &[(Split, Steps)], cost: &LinearCost) -> (Split, Steps) {
    let price = |(_, steps): &&(Split, Steps)| steps.price(cost);
    let cheapest = splits.iter().min_by(|a, b| price(a).total_cmp(&price(b)));
    *cheapest.unwrap_or(&splits[0])
}

/// Predicted seconds of a way to compute with diagonals.
fn price(steps: &Steps, products: usize, fold: u32, (output, cost): (&Layout, &LinearCost)) -> f64 {
    let outputs = f64::from(output.ciphertexts());
    let folds = f64::from(fold.ilog2());
    steps.price(cost)
        + cost.product * products as f64
        + outputs * (folds * (cost.decompose + cost.baby) + cost.rescale)
        + folds * cost.key
}

/// The diagonals between two layouts without replicas.
fn whole_diagonals(
    map: &BoundMap<'_>,
    input: &Layout,
    output: &Layout,
    displaced: &mut Displaced,
) -> Diagonals {
    let displacements = displaced.of(map, input, output);
    Diagonals::from_displacements(displacements, input, output, 1)
}

/// The diagonals for each fold that suits two layouts; empty where none does.
fn regular_diagonals(
    map: &BoundMap<'_>,
    input: &Layout,
    output: &Layout,
    displaced: &mut Displaced,
) -> Option<Vec<(u32, Diagonals)>> {
    let mut folds = folds(input, output);
    folds.retain(|&fold| is_regular(input, output, fold));
    if folds.is_empty() {
        return None;
    }
    let displacements = displaced.of(map, input, output);
    let diagonals = folds.into_iter().map(|fold| {
        let diagonals = Diagonals::from_displacements(displacements, input, output, fold);
        (fold, diagonals)
    });
    Some(diagonals.collect())
}

impl LinearPlan {
    /// The cheapest plan of a map from `input` to `output`.
    pub fn new(map: &BoundMap<'_>, input: &Layout, output: &Layout, cost: &LinearCost) -> Self {
        Self::regular(map, input, output, cost).unwrap_or_else(|| {
            let diagonals = Diagonals::of(map, input, output, 1);
            Self::Diagonals(DiagonalPlan::new(diagonals, 1, (input, output), cost))
        })
    }

    /// The cheapest plan of a map between [regular](is_regular) layouts, found quickly; `None` for other layouts.
    pub fn regular(
        map: &BoundMap<'_>,
        input: &Layout,
        output: &Layout,
        cost: &LinearCost,
    ) -> Option<Self> {
        if let Some(wiring) = Wiring::of(map, input, output) {
            return Some(Self::Wiring(wiring));
        }
        if let Some(scalars) = Scalars::of(map, input, output) {
            return Some(Self::Scalars(scalars));
        }
        if let Some(repeat) = Repeat::of(map, input, output) {
            let diagonals = whole_diagonals(map, input, output, &mut Displaced::default());
            let plan = DiagonalPlan::new(diagonals, 1, (input, output), &repeat.cost(cost));
            return Some(Self::Periodic(plan, repeat));
        }
        let diagonals =
            regular_diagonals(map, input, output, &mut Displaced::default())?.into_iter();
        let plans = diagonals
            .map(|(fold, diagonals)| DiagonalPlan::new(diagonals, fold, (input, output), cost));
        let price = |plan: &DiagonalPlan| plan.price(output, cost);
        let best = plans.min_by(|a, b| price(a).total_cmp(&price(b)));
        best.map(Self::Diagonals)
    }

    /// The cheapest plan into a packing with skewed replicas, by aligned replicas that masks then skew.
    pub fn turned(
        map: &BoundMap<'_>,
        input: &Layout,
        output: &Layout,
        cost: &LinearCost,
    ) -> Option<Self> {
        let copies = output.untwisted();
        if copies == *output {
            return None;
        }
        let Self::Diagonals(sums) = Self::regular(map, input, &copies, cost)? else {
            return None;
        };
        let identity = identity(&map.map().output);
        let none = Tensors::new();
        let moved = identity.bind(&none).ok()?;
        let Self::Diagonals(turn) = Self::regular(&moved, &copies, output, cost)? else {
            return None;
        };
        Some(Self::Turned { sums, copies, turn })
    }

    /// Predicted seconds of the plan, the rescale of the results included.
    pub fn price(&self, output: &Layout, cost: &LinearCost) -> f64 {
        match self {
            Self::Wiring(_) => 0.0,
            Self::Scalars(scalars) => scalars.price(cost),
            Self::Periodic(plan, repeat) => {
                plan.price(output, &repeat.cost(cost)) + repeat.price(output, cost)
            }
            Self::Diagonals(plan) => plan.price(output, cost),
            Self::Turned { sums, copies, turn } => {
                sums.price(copies, cost) + turn.price(output, cost) - cost.rescale
            }
        }
    }
}

impl DiagonalPlan {
    /// The plan for some diagonals, with the cheapest baby steps and giant steps.
    pub fn new(
        diagonals: Diagonals,
        fold: u32,
        (input, output): (&Layout, &Layout),
        cost: &LinearCost,
    ) -> Self {
        let splits = Split::all(&diagonals, input, output);
        let (split, steps) = cheapest_steps(&splits, cost);
        Self {
            diagonals,
            split,
            steps,
            fold,
        }
    }

    fn price(&self, output: &Layout, cost: &LinearCost) -> f64 {
        let products = self.diagonals.products();
        price(&self.steps, products, self.fold, (output, cost))
    }
}

impl fmt::Display for LinearPlan {
    /// Prints the plan in one phrase for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wiring(_) => f.write_str("ciphertexts change places"),
            Self::Scalars(scalars) => write!(f, "{scalars}"),
            Self::Periodic(plan, repeat) => {
                write!(f, "{plan}, repeating after {} slots", repeat.period)?;
                match repeat.masked {
                    true => f.write_str(", one mask for each result"),
                    false => Ok(()),
                }
            }
            Self::Diagonals(plan) => write!(f, "{plan}"),
            Self::Turned { sums, turn, .. } => {
                write!(
                    f,
                    "{sums}, copies turned by {} masks",
                    turn.diagonals.products()
                )
            }
        }
    }
}

impl fmt::Display for DiagonalPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            diagonals,
            split: _,
            steps,
            fold,
        } = self;
        write!(f, "{} diagonals", diagonals.products())?;
        write!(
            f,
            ", {} baby and {} giant steps",
            steps.babies, steps.giants
        )?;
        match fold {
            1 => Ok(()),
            _ => write!(f, ", {fold} partial sums folded"),
        }
    }
}

/// The numbers of parts into which sums may be folded, 1 first: others only where they join displacements.
fn folds(input: &Layout, output: &Layout) -> Vec<u32> {
    let replicas = match output.is_aligned() {
        true => output.parts().replicas,
        false => 1,
    };
    let joins = |fold: u32| {
        let period = output.slots() / fold;
        if input.is_aligned() {
            period < input.block()
        } else {
            period <= input.block()
        }
    };
    let folds = (1..=replicas.ilog2()).map(|log| 1 << log);
    [1].into_iter()
        .chain(folds.filter(|&fold| joins(fold)))
        .collect()
}

/// Emits `A x` as planned, and returns the packed result.
pub fn emit(
    program: &mut Program,
    map: LinearMap,
    plan: &LinearPlan,
    x: &Packed,
    (layout, node): (LayoutId, Node),
) -> Packed {
    match plan {
        LinearPlan::Wiring(wiring) => wiring.emit(x, layout),
        LinearPlan::Scalars(scalars) => scalars.emit(program, map, x, (layout, node)),
        LinearPlan::Periodic(plan, repeat) => {
            let shape = map.output.clone();
            let weights = Product::Periodic(repeat.period);
            let sums = plan.emit(program, map, x, (layout, node), weights);
            match repeat.masked {
                true => cleared(program, sums, shape, node),
                false => sums,
            }
        }
        LinearPlan::Diagonals(plan) => plan.emit(program, map, x, (layout, node), Product::Weights),
        LinearPlan::Turned { sums, copies, turn } => {
            let moved = identity(&map.output);
            let copies = program.layout(*copies);
            let sums = sums.emit(program, map, x, (copies, node), Product::Weights);
            turn.emit(program, moved, &sums, (layout, node), Product::Mask)
        }
    }
}

/// Products of sums with ones where their layout has an element.
fn cleared(program: &mut Program, sums: Packed, shape: Shape, node: Node) -> Packed {
    let operator = ones(program, shape, sums.layout);
    let LayoutParts {
        shape: [channels, ..],
        phases: [rows, columns],
        gaps: [_, gap],
        ..
    } = *program.layouts[sums.layout].parts();
    // Ciphertexts of all channels have the mask of the first ones.
    let (phases, full) = (rows * columns, channels / gap);
    let values = (0u32..).zip(&sums.values);
    let values = values
        .map(|(output, &value)| {
            let part = match output / phases < full {
                true => output % phases,
                false => output,
            };
            let mask = program.constant(Constant::Fill { operator, part });
            Some(program.push(SlotOp::Mask(vec![(value?, mask)]), node))
        })
        .collect();
    Packed { values, ..sums }
}

/// The kind of products that a plan emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    /// Products with weights, a level deep.
    Weights,
    /// Products with weights that repeat after so many slots, a level deep.
    Periodic(u32),
    /// Products with ones and zeros, in the level of the products that they are applied to.
    Mask,
}

impl DiagonalPlan {
    fn emit(
        &self,
        program: &mut Program,
        map: LinearMap,
        x: &Packed,
        (layout, node): (LayoutId, Node),
        product: Product,
    ) -> Packed {
        let operator = program.operators.push(Operator::Linear {
            map,
            input: x.layout,
            output: layout,
            fold: self.fold,
            period: match product {
                Product::Periodic(period) => Some(period),
                Product::Weights | Product::Mask => None,
            },
        });
        let count = program.layouts[layout].ciphertexts();
        let values = (0..count)
            .map(|output| {
                let place = (operator, output, product);
                let sums = self.giant_steps(program, x, place, node);
                let sum = program.sum(sums, node)?;
                Some(self.folded(program, operator, sum, node))
            })
            .collect();
        Packed { layout, values }
    }

    /// Emits the partial sums of one output ciphertext, each rotated into place.
    fn giant_steps(
        &self,
        program: &mut Program,
        x: &Packed,
        (operator, output, product): (OperatorId, u32, Product),
        node: Node,
    ) -> Vec<SlotValue> {
        // The terms of each giant step: a ciphertext, its baby step, and the rotation whose diagonal multiplies it.
        let mut groups: BTreeMap<u32, Vec<(SlotValue, u32, u32, u32)>> = BTreeMap::new();
        let pairs = self.diagonals.pairs.range((output, 0)..=(output, u32::MAX));
        for (&(_, input), rotations) in pairs {
            // A ciphertext that is known to be zero adds nothing.
            let Some(value) = x.values[input as usize] else {
                continue;
            };
            for &rotation in rotations.iter() {
                let (baby, giant) = self.split.steps(rotation);
                let group = groups.entry(giant).or_default();
                group.push((value, input, baby, rotation));
            }
        }
        // One sum of products for each giant step, whose constants are rotated back by as much as the sum is rotated.
        let slots = program.slots_of(operator);
        let mut sums = Vec::with_capacity(groups.len());
        for (giant, terms) in groups {
            let pre = (slots - giant) % slots;
            let mut products = Vec::with_capacity(terms.len());
            for (value, input, baby, rotation) in terms {
                let rotated = program.rotate(value, Rotation(baby), node);
                let constant = Constant::Diagonal {
                    operator,
                    input,
                    output,
                    rotation,
                    pre,
                };
                products.push((rotated, program.constant(constant)));
            }
            let op = match product {
                Product::Weights | Product::Periodic(_) => SlotOp::Dot(products),
                Product::Mask => SlotOp::Mask(products),
            };
            let sum = program.push(op, node);
            sums.push(program.rotate(sum, Rotation(giant), node));
        }
        sums
    }

    /// Emits the sum over the parts of a ciphertext, in every part.
    fn folded(
        &self,
        program: &mut Program,
        operator: OperatorId,
        mut sum: SlotValue,
        node: Node,
    ) -> SlotValue {
        let slots = program.slots_of(operator);
        for log in 1..=self.fold.ilog2() {
            let rotated = program.rotate(sum, Rotation(slots >> log), node);
            sum = program.push(SlotOp::Add(vec![sum, rotated]), node);
        }
        sum
    }
}
