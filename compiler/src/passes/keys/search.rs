//! The search for keys to give up.
//!
//! 1. At first every rotation has a key at its highest level of use.
//! 2. A *move* lowers a key to a lower level of use, or drops it. Groups above that level that use it are grown anew without.
//!    It costs what their trees take longer, less the key's share of loading.
//! 3. The move that costs least per byte is made, as long as it saves time or bytes are above the budget.
//! 4. Where no move is left, a key may be lowered at the price of raising another one by less.
//! 5. Where none of those is left, longer detours are allowed. Where they are exhausted too, the budget is out of reach.
//!
//! Prices of moves only rise when others are made, but for few exceptions, so a price is computed anew only when its move is
//! the cheapest known. Groups that are alike are one [`Kind`].
//!
//! Cost: one tree per use of a key for each price. Prices are those of single operations; where divisions by P move past
//! products is settled later.

use super::Having;
use super::groups::{Group, Groups, Hub, Sharing};
use super::tree::{Held, Tree};
use peregrine_ir::cost::{CostModel, LinearCost, Phases};
use peregrine_ir::stats::key_bytes;
use peregrine_ir::{Arena, Circuit, Inst, Key, KeyKind, Keys, Level, RingId, RingTable, Rotation};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The longest detours in steps, in the order in which they are allowed.
const DETOURS: [u32; 5] = [2, 3, 4, 6, 8];

/// A rotation in one of the rings, which a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    ring: RingId,
    by: u32,
}

/// The keys of all rings.
#[derive(Clone, Debug)]
struct AllHeld(Arena<RingId, Held>);

impl AllHeld {
    fn new(ring: &RingTable, keys: &Keys) -> Self {
        let of = |id| {
            let mut held = Held::none(ring.view(id).slots());
            for (rotation, level) in keys.rotations(id) {
                held.set(rotation.0, Some(level));
            }
            held
        };
        Self(ring.rings.keys().map(of).collect())
    }

    fn level(&self, turn: Turn) -> Option<Level> {
        self.0[turn.ring].level(turn.by)
    }

    fn set(&mut self, turn: Turn, level: Option<Level>) {
        self.0[turn.ring].set(turn.by, level);
    }
}

/// A kind of groups: those that have the same rotations at the same level, in the same ring.
#[derive(Clone, Debug)]
struct Kind {
    ring: RingId,
    group: Group,
    count: u32,
    tree: Tree,
    edge: f64,
    inner: f64,
}

impl Kind {
    fn seconds(&self, tree: &Tree) -> f64 {
        f64::from(self.count) * tree.seconds(self.edge, self.inner)
    }

    /// The rotations whose keys a tree uses.
    fn turns(&self, tree: &Tree) -> BTreeSet<Turn> {
        let ring = self.ring;
        let turns = tree.rotations().into_iter().map(|by| Turn { ring, by });
        turns.collect()
    }
}

/// A move: a key is lowered to another level, or dropped.
#[derive(Clone, Copy, Debug)]
struct Move {
    turn: Turn,
    to: Option<Level>,
    /// Another key that must be raised to a higher level for it.
    raised: Option<(Turn, Level)>,
    /// The seconds that it costs; negative where it saves some.
    seconds: f64,
    saved: u64,
}

impl Move {
    fn per_byte(&self) -> f64 {
        self.seconds / self.saved.max(1) as f64
    }
}

/// What a rotation key for a level takes.
#[derive(Clone, Copy, Debug, Default)]
struct Price {
    bytes: u64,
    seconds: f64,
}

/// A choice of keys that becomes smaller, move by move.
#[derive(Clone, Debug)]
pub(super) struct KeySearch {
    /// The kinds of groups, the highest level first.
    kinds: Vec<Kind>,
    held: AllHeld,
    /// The kinds that use each rotation.
    users: BTreeMap<Turn, BTreeSet<usize>>,
    /// Levels below which keys are not lowered: they are used in phases, or are there at no cost.
    fixed: BTreeMap<Turn, Level>,
    /// Levels up to which keys are there at no cost.
    free: BTreeMap<Turn, Level>,
    prices: Vec<Price>,
    /// Bytes of all keys that are not for rotations.
    other_bytes: u64,
    /// The cheapest move of each key, if it has one, with the number of moves after which it was found; no entry where the
    /// price may have fallen since.
    known: BTreeMap<Turn, Option<(Option<Move>, u64)>>,
    moves: u64,
    longest: usize,
}

impl KeySearch {
    /// Begins with all keys that a circuit uses.
    pub(super) fn new(circuit: &Circuit, groups: &Groups, having: Having<'_>) -> Self {
        let (ring, cost) = (&circuit.rings, having.cost);
        let required = circuit.required_keys();
        let there = having
            .like
            .map(|like| like.levels(ring))
            .unwrap_or_default();
        // Keys that are not for rotations stay; only their bytes are counted.
        let others = required.levels.iter();
        let others = others.filter(|(key, level)| {
            let is_there = there.get(key) >= Some(level);
            !matches!(key.kind, KeyKind::Rotation(_)) && !is_there
        });
        let bytes = |(key, &level): (&Key, &Level)| key_bytes(ring, *key, level);
        let other_bytes = others.map(bytes).sum();
        // Rotations: a key at the highest level of use for each, or higher where it is there at no cost.
        let mut held = AllHeld::new(ring, &required);
        let free = turns(&there);
        let mut fixed = fixed(circuit);
        for (&turn, &level) in &free {
            held.set(turn, held.level(turn).max(Some(level)));
            let fixed = fixed.entry(turn).or_insert(level);
            *fixed = level.max(*fixed);
        }
        let mut search = Self {
            kinds: kinds(circuit, groups, cost),
            held,
            users: BTreeMap::new(),
            fixed,
            free,
            prices: prices(ring, cost),
            other_bytes,
            known: BTreeMap::new(),
            moves: 0,
            longest: 0,
        };
        // Which kinds must be grown anew when a key changes. No price is known yet.
        for (index, kind) in search.kinds.iter().enumerate() {
            for turn in kind.turns(&kind.tree) {
                search.users.entry(turn).or_default().insert(index);
            }
        }
        search.known = search.users.keys().map(|&key| (key, None)).collect();
        search
    }

    /// Bytes of all keys.
    pub(super) fn bytes(&self) -> u64 {
        let rotations = self.users.keys().chain(self.fixed.keys());
        let rotations: BTreeSet<Turn> = rotations.copied().collect();
        let bytes = |&turn: &Turn| self.price(turn, self.held.level(turn)).bytes;
        self.other_bytes + rotations.iter().map(bytes).sum::<u64>()
    }

    /// Gives up keys that are not worth their loading, and then more, until all fit the budget or no move is left.
    pub(super) fn reduce(&mut self, budget: Option<u64>) {
        while let Some(step) = self.next(budget) {
            self.make(step);
        }
    }

    fn next(&mut self, budget: Option<u64>) -> Option<Move> {
        let fits = budget.is_none_or(|budget| self.bytes() <= budget);
        loop {
            let step = self.cheapest();
            if fits {
                return step.filter(|step| step.seconds < 0.0);
            }
            let step = step.or_else(|| self.exchange());
            if step.is_some() || self.longest + 1 == DETOURS.len() {
                return step;
            }
            self.longest += 1;
            self.known.values_mut().for_each(|known| *known = None);
        }
    }

    /// The trees of the groups that are composed.
    pub(super) fn trees(&self, groups: &Groups) -> BTreeMap<Hub, Tree> {
        let trees: BTreeMap<&Group, &Tree> =
            self.kinds.iter().map(|k| (&k.group, &k.tree)).collect();
        let composed = groups.by_hub.iter().filter_map(|(&hub, group)| {
            let tree = trees.get(group).filter(|tree| !tree.is_direct())?;
            Some((hub, (*tree).clone()))
        });
        composed.collect()
    }

    fn price(&self, turn: Turn, level: Option<Level>) -> Price {
        let level = level.filter(|&level| self.free.get(&turn) < Some(&level));
        // No key costs nothing.
        level.map_or(Price::default(), |level| self.prices[level.0 as usize])
    }

    fn detour(&self) -> u32 {
        DETOURS[self.longest]
    }

    /// The cheapest move of all keys.
    fn cheapest(&mut self) -> Option<Move> {
        loop {
            let per_byte = |known: &Option<(Option<Move>, u64)>| match known {
                None => f64::NEG_INFINITY,
                Some((step, _)) => step.map_or(f64::INFINITY, |step| step.per_byte()),
            };
            let known = self.known.iter();
            let cheapest = known.min_by(|a, b| per_byte(a.1).total_cmp(&per_byte(b.1)));
            let (&turn, known) = cheapest?;
            if let Some((step, found)) = *known
                && found == self.moves
            {
                return step;
            }
            let step = self.best_of(turn);
            self.known.insert(turn, Some((step, self.moves)));
        }
    }

    /// The cheapest move of one key.
    fn best_of(&mut self, turn: Turn) -> Option<Move> {
        let held = self.held.level(turn);
        let fixed = self.fixed.get(&turn).copied();
        let users: Vec<usize> = self.users.get(&turn)?.iter().copied().collect();
        // Without the key, the users are grown anew one by one, the highest level first.
        self.held.set(turn, None);
        let (mut seconds, mut best): (f64, Option<Move>) = (0.0, None);
        let mut users = users.iter().map(|&i| &self.kinds[i]).peekable();
        while let Some(kind) = users.next().filter(|k| fixed < Some(k.group.level)) {
            let level = kind.group.level;
            let Some(tree) = self.grown(kind) else {
                break;
            };
            seconds += kind.seconds(&tree) - kind.seconds(&kind.tree);
            // Kinds at one level lose the key together. After each level the key could be lowered to that of the next user.
            let next = users.peek().map(|kind| kind.group.level);
            if next == Some(level) {
                continue;
            }
            let to = next.max(fixed);
            let (from, after) = (self.price(turn, held), self.price(turn, to));
            let step = Move {
                turn,
                to,
                raised: None,
                seconds: seconds - (from.seconds - after.seconds),
                saved: from.bytes.saturating_sub(after.bytes),
            };
            if step.saved > 0 && best.is_none_or(|best| step.per_byte() < best.per_byte()) {
                best = Some(step);
            }
        }
        self.held.set(turn, held);
        best
    }

    /// The cheapest move that raises another key, for less than it gains.
    fn exchange(&mut self) -> Option<Move> {
        let turns: Vec<Turn> = self.users.keys().copied().collect();
        let mut best: Option<Move> = None;
        for &turn in &turns {
            let Some(level) = self.held.level(turn) else {
                continue;
            };
            for &other in turns.iter().filter(|other| other.ring == turn.ring) {
                let before = self.held.level(other);
                if before >= Some(level) {
                    continue;
                }
                // The move of one key, priced as if the other were raised to its level.
                self.held.set(other, Some(level));
                let step = self.best_of(turn);
                self.held.set(other, before);
                let (from, after) = (self.price(other, before), self.price(other, Some(level)));
                let Some(step) = step else {
                    continue;
                };
                let step = Move {
                    raised: Some((other, level)),
                    seconds: step.seconds + after.seconds - from.seconds,
                    saved: step
                        .saved
                        .saturating_sub(after.bytes.saturating_sub(from.bytes)),
                    ..step
                };
                if step.saved > 0 && best.is_none_or(|best| step.per_byte() < best.per_byte()) {
                    best = Some(step);
                }
            }
        }
        best
    }

    fn make(&mut self, step: Move) {
        self.moves += 1;
        let mut spared = BTreeSet::from([step.turn]);
        if let Some((turn, level)) = step.raised {
            self.held.set(turn, Some(level));
            spared.insert(turn);
        }
        self.held.set(step.turn, step.to);
        for index in self.users[&step.turn].clone() {
            let kind = &self.kinds[index];
            if step.to >= Some(kind.group.level) {
                continue;
            }
            // It grew when the move was priced.
            if let Some(tree) = self.grown(kind) {
                spared.extend(self.replace(index, tree));
            }
        }
        for turn in spared {
            self.lower(turn);
        }
    }

    /// The tree of a kind with the present keys.
    fn grown(&self, kind: &Kind) -> Option<Tree> {
        let Group { targets, level, .. } = &kind.group;
        Tree::grow(targets, *level, &self.held.0[kind.ring], self.detour())
    }

    /// Gives a kind another tree, and returns the rotations that it does not use any more.
    fn replace(&mut self, index: usize, tree: Tree) -> BTreeSet<Turn> {
        let kind = &mut self.kinds[index];
        let (before, after) = (kind.turns(&kind.tree), kind.turns(&tree));
        kind.tree = tree;
        for &turn in &after {
            self.users.entry(turn).or_default().insert(index);
        }
        let spared: BTreeSet<Turn> = before.difference(&after).copied().collect();
        for turn in &spared {
            if let Some(users) = self.users.get_mut(turn) {
                users.remove(&index);
            }
        }
        spared
    }

    /// Lowers a key to its highest level of use.
    fn lower(&mut self, turn: Turn) {
        let users = self.users.get(&turn);
        let highest = users.and_then(|users| users.first());
        let highest = highest.map(|&index| self.kinds[index].group.level);
        let level = highest.max(self.fixed.get(&turn).copied());
        self.held.set(turn, level);
        if highest.is_some() {
            self.known.insert(turn, None);
        } else {
            self.users.remove(&turn);
            self.known.remove(&turn);
        }
    }
}

/// The rotations among some keys, with their levels.
fn turns(keys: &BTreeMap<Key, Level>) -> BTreeMap<Turn, Level> {
    let turn = |(key, &level): (&Key, &Level)| match key.kind {
        KeyKind::Rotation(Rotation(by)) => {
            let ring = key.to;
            Some((Turn { ring, by }, level))
        }
        KeyKind::Relinearization
        | KeyKind::Conjugation
        | KeyKind::RingSwitch
        | KeyKind::Raise(_) => None,
    };
    keys.iter().filter_map(turn).collect()
}

/// The highest level at which each rotation is used in phases.
fn fixed(circuit: &Circuit) -> BTreeMap<Turn, Level> {
    let mut fixed = BTreeMap::new();
    for definition in circuit.values.values() {
        if let Inst::RotateExt { rotation, .. } = definition.inst {
            let level = definition.ty.level();
            let turn = Turn {
                ring: circuit.rings.ring_of(level),
                by: rotation.0,
            };
            let entry = fixed.entry(turn).or_insert(level);
            *entry = level.max(*entry);
        }
    }
    fixed
}

/// The kinds of the groups of a circuit, the highest level first, each with a star as its tree.
fn kinds(circuit: &Circuit, groups: &Groups, cost: &CostModel) -> Vec<Kind> {
    let mut counts: BTreeMap<(Reverse<Level>, &Group), u32> = BTreeMap::new();
    for group in groups.by_hub.values() {
        *counts.entry((Reverse(group.level), group)).or_insert(0) += 1;
    }
    let kind = |((_, group), count): ((_, &Group), u32)| {
        let phases = cost.phases(&circuit.rings, group.level);
        let (edge, inner) = seconds(group.sharing, &phases);
        Kind {
            ring: circuit.rings.ring_of(group.level),
            group: group.clone(),
            count,
            // Every target has a key.
            tree: Tree::star(&group.targets),
            edge,
            inner,
        }
    };
    counts.into_iter().map(kind).collect()
}

/// The seconds of an edge, and of a node with children.
fn seconds(sharing: Sharing, phases: &Phases) -> (f64, f64) {
    match sharing {
        Sharing::Spread => (phases.key_product() + phases.mod_down(), phases.decompose()),
        Sharing::Gather => (phases.decompose() + phases.key_product(), phases.mod_down()),
    }
}

/// A rotation key: keys of all rotations have one size.
const ROTATION: KeyKind = KeyKind::Rotation(Rotation(1));

/// What a rotation key takes, at each level.
fn prices(ring: &RingTable, cost: &CostModel) -> Vec<Price> {
    let levels = (0..ring.levels.len() as u32).map(Level);
    levels
        .map(|level| Price {
            bytes: key_bytes(ring, Key::within(ring.ring_of(level), ROTATION), level),
            seconds: cost.phases(ring, level).key_load() / LinearCost::RUNS_PER_KEY,
        })
        .collect()
}
