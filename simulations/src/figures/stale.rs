//! How much of the views is stale while machines die without a word and others take their place.

use overlay_proto::Duration;

use super::{Members, STEP, run, settled};
use crate::faults::Fault;
use crate::kernel::Violation;
use crate::seed::Seed;

/// A machine that died is replaced after this time: it has long been dropped.
const REPLACED_AFTER: Duration = Duration::from_secs(30);

/// The mean share of view entries whose processes are gone, of `peers` members that stay
/// `session` on the mean (exponential), over `time`.
///
/// # Errors
/// An invariant that did not hold meanwhile.
pub fn stale_share(
    peers: u32,
    session: Duration,
    time: Duration,
    seed: u64,
) -> Result<f64, Violation> {
    let seed = Seed::new(seed).child("stale");
    let mut world = settled(peers, seed)?;
    let mut dice = seed.child("sessions").dice();
    let end = world.kernel.now() + time;
    let mut next = world.kernel.now() + dice.exponential(session / peers);
    let (mut stale, mut entries) = (0, 0);
    while world.kernel.now() < end {
        run(&mut world, STEP * 4)?;
        while next <= world.kernel.now() {
            next = next + dice.exponential(session / peers);
            let running: Vec<u32> = world.kernel.running().collect();
            if let Some(node) = dice.pick(&running).copied() {
                let machine = true;
                world.fault(&Fault::Crash { node, machine });
                world.kernel.fault(REPLACED_AFTER, Fault::Start(node));
            }
        }
        let (gone, all) = count(&world);
        stale += gone;
        entries += all;
    }
    Ok(stale as f64 / entries as f64)
}

/// Entries in all views whose processes are gone, and all entries.
fn count(world: &Members) -> (usize, usize) {
    let kernel = &world.kernel;
    let views = super::views(world);
    views.fold((0, 0), |(gone, all), view| {
        let stale = view
            .iter()
            .filter(|member| !kernel.runs(&member.record.process));
        (gone + stale.count(), all + view.len())
    })
}
