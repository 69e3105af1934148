//! Regions: stretches of a slot program between two places where the ring changes.
//!
//! Notation: within a region the *depth* of a value is the number of rescales on its deepest path from where the region begins. Its
//! *place* is region and depth; the level of a place is found in a table of levels, of which each region has a row of
//! consecutive ones, the deepest place at the lowest. Regions follow each other: whatever begins the next one comes after everything
//! of the one before it that goes on there.
//!
//! A refresh leads back within its region: its argument is at the deepest place, its result after the first rescale. Stretches of
//! the program between refreshes share the levels of the region, and a value of one serves in another wherever that is as deep.

use super::Defect;
use peregrine_ir::{Arena, Entity, Level};

peregrine_ir::entities! {
    /// A region of a slot program; regions are numbered in the order in which values go through them.
    pub Region = "region";
}

impl Region {
    /// The region that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The place of a value: its region and depth. Later places are deeper, and all of a later region are deeper than those of
/// earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The region of the value.
    pub region: Region,
    /// The depth: rescales since the region began.
    pub depth: u32,
}

impl Place {
    /// The place at which a region begins.
    pub const fn beginning(region: Region) -> Self {
        Self { region, depth: 0 }
    }

    /// The place of a refreshed value: after the rescale that brings it to the working scale.
    pub const fn refreshed(region: Region) -> Self {
        Self { region, depth: 1 }
    }

    /// The place after some more rescales in the region.
    #[must_use]
    pub const fn deeper(self, rescales: u32) -> Self {
        Self {
            region: self.region,
            depth: self.depth + rescales,
        }
    }

    /// The place before the rescale that leads here; `None` at the beginning of a region.
    pub fn before_rescale(self) -> Option<Self> {
        let depth = self.depth.checked_sub(1)?;
        Some(Self { depth, ..self })
    }
}

/// The depth of each region, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// Rescales on the longest path through each region.
    rescales: Arena<Region, u32>,
}

impl Regions {
    /// The regions of a program, from the places of its values; at least one.
    pub fn of(places: impl IntoIterator<Item = Place>) -> Self {
        let mut rescales: Arena<Region, u32> = std::iter::once(0).collect();
        for place in places {
            while rescales.len() <= place.region.index() {
                rescales.push(0);
            }
            let deepest = &mut rescales[place.region];
            *deepest = place.depth.max(*deepest);
        }
        Self { rescales }
    }

    /// All regions in order.
    pub fn all(&self) -> impl Iterator<Item = Region> + use<> {
        self.rescales.keys()
    }

    /// The deepest place of a region.
    pub fn last(&self, region: Region) -> Place {
        let depth = self.rescales[region];
        Place { region, depth }
    }

    /// The number of places before `place` on the way through all regions, which counts levels from the highest down.
    pub fn number(&self, place: Place) -> u32 {
        let before = self.rescales.values().take(place.region.index());
        before.map(|rescales| rescales + 1).sum::<u32>() + place.depth
    }

    /// The number of levels of all regions together.
    pub fn levels(&self) -> u32 {
        self.rescales.values().map(|rescales| rescales + 1).sum()
    }

    /// The level of a place, in a table with as many levels as there are places.
    ///
    /// # Errors
    /// When the table has fewer levels: a defect of whoever made it.
    pub fn level(&self, place: Place) -> Result<Level, Defect> {
        let above = self.number(place) + 1;
        let level = self.levels().checked_sub(above);
        level.map(Level).ok_or(Defect::Deep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_descend_through_the_regions() {
        let place = |region, depth| Place {
            region: Region(region),
            depth,
        };
        let places = [place(0, 2), place(1, 0), place(2, 1), place(0, 1)];
        let regions = Regions::of(places);
        assert_eq!(regions.levels(), 3 + 1 + 2);
        let levels: Vec<u32> = regions
            .all()
            .flat_map(|region| (0..=regions.last(region).depth).map(move |d| (region, d)))
            .map(|(region, depth)| regions.level(Place { region, depth }).unwrap().0)
            .collect();
        assert_eq!(levels, [5, 4, 3, 2, 1, 0]);
        assert!(regions.level(place(2, 2)).is_err());
        assert!(place(0, 9) < place(1, 0));
    }
}
