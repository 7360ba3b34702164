//! A world of members to which nothing happens by itself, for measurements.

use overlay_proto::{Duration, Overlay};

use super::Membership;
use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::seed::Seed;
use crate::world::World;

/// A world of `nodes` members on a network like this, which start within 3 s and to which
/// nothing happens by itself.
#[must_use]
pub fn undisturbed(nodes: u32, conditions: Conditions, seed: Seed) -> World<Overlay, Membership> {
    let mut environment = Membership::watching(nodes, seed, false);
    environment.client = None;
    environment.mesh.duplicates = 0.0;
    let mut world = World::new(nodes, conditions, seed, 0, environment);
    let mut dice = seed.child("starts").dice();
    for node in 0..nodes {
        let after = dice.duration(Duration::ZERO, Duration::from_secs(3));
        world.kernel.fault(after, Fault::Start(node));
    }
    world
}
