//! When faults have stopped, all live members soon have one view: themselves, as they are.
//!
//! Source: strong completeness and eventual accuracy of a failure detector (Chandra and Toueg,
//! JACM 1996), with a bound instead of "eventually"; TigerBeetle's liveness mode for the shape.

use std::collections::BTreeMap;

use overlay_proto::ProcessId;
use overlay_proto::member::MemberState;
use overlay_proto::view::MembershipView;

/// The invariant's name in reports.
pub const NAME: &str = "view_converges";

/// Whether `view`, as `observer` has it, is exactly the expected members, all alive, each with
/// the load that it announced last.
///
/// # Errors
/// The first difference, in words.
pub fn agrees(
    observer: ProcessId,
    view: &MembershipView,
    expected: &BTreeMap<ProcessId, u32>,
) -> Result<(), String> {
    for member in view.members() {
        let process = member.record.process;
        let Some(load) = expected.get(&process) else {
            return Err(format!("{observer} still sees {process}, which is gone"));
        };
        if member.state != MemberState::Alive {
            return Err(format!("{observer} holds {process} for {:?}", member.state));
        }
        if member.record.load != *load {
            return Err(format!(
                "{observer} has load {} of {process}, which announced {load}",
                member.record.load
            ));
        }
    }
    match expected
        .keys()
        .find(|process| view.process(process).is_none())
    {
        Some(missing) => Err(format!("{observer} does not see {missing}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use overlay_proto::member::MemberRecord;
    use overlay_proto::view::Member;
    use overlay_proto::{Incarnation, PeerId};

    use super::*;

    fn process(n: u8) -> ProcessId {
        ProcessId {
            peer: PeerId([n; 32]),
            incarnation: Incarnation(1),
        }
    }

    fn member(n: u8, load: u32, state: MemberState) -> Member {
        let record = MemberRecord {
            process: process(n),
            sequence: 1,
            addresses: Vec::new(),
            kinds: Vec::new(),
            capacity: 0,
            load,
            primaries: 0,
            labels: Vec::new(),
            leaving: false,
            stamp: 0,
        };
        Member {
            record: Arc::new(record),
            state,
        }
    }

    #[test]
    fn tells_each_kind_of_difference() {
        let expected = BTreeMap::from([(process(1), 7), (process(2), 8)]);
        let check =
            |members: Vec<Member>| agrees(process(1), &MembershipView::new(1, members), &expected);
        let alive = MemberState::Alive;
        assert!(check(vec![member(1, 7, alive), member(2, 8, alive)]).is_ok());
        assert!(check(vec![member(1, 7, alive)]).is_err());
        assert!(check(vec![member(1, 7, alive), member(2, 9, alive)]).is_err());
        assert!(
            check(vec![
                member(1, 7, alive),
                member(2, 8, MemberState::Suspect)
            ])
            .is_err()
        );
        let surplus = vec![
            member(1, 7, alive),
            member(2, 8, alive),
            member(3, 0, alive),
        ];
        assert!(check(surplus).is_err());
    }
}
