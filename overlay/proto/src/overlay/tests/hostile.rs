//! Whatever arrives, in whatever order: the machine neither panics nor forgets itself.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use proptest::prelude::*;

use crate::interface::Announcement;
use crate::machine::Output;
use crate::member::Keys;
use crate::message::tests::{batch, message};
use crate::plain_keys::PlainKeys;
use crate::time::Duration;
use crate::{
    ClusterId, ClusterRecord, Command, Event, Incarnation, Input, Instant, LinkDown, Machine,
    Message, Overlay, OverlayConfig, ProcessId, Role, Timer,
};

type In = Input<Command, Message, Timer>;

fn some_process() -> impl Strategy<Value = ProcessId> {
    (0_u64..4, 1_u64..3).prop_map(|(number, incarnation)| ProcessId {
        peer: PlainKeys::numbered(number).peer(),
        incarnation: Incarnation(incarnation),
    })
}

fn input() -> impl Strategy<Value = In> {
    let reason = prop_oneof![
        Just(LinkDown::Closed),
        Just(LinkDown::Refused),
        Just(LinkDown::Unreachable)
    ];
    let timer = prop_oneof![
        Just(Timer::ProbeRound),
        Just(Timer::Upkeep),
        Just(Timer::Tick),
        Just(Timer::Flush),
    ];
    prop_oneof![
        4 => (some_process(), message())
            .prop_map(|(from, message)| Input::Received { from, message }),
        2 => batch().prop_map(|batch| Input::Command(Command::Gossip(batch.encode()))),
        1 => proptest::collection::vec(any::<u8>(), 0..50)
            .prop_map(|bytes| Input::Command(Command::Gossip(bytes.into()))),
        2 => some_process().prop_map(Input::LinkUp),
        1 => (some_process(), reason.clone())
            .prop_map(|(process, reason)| Input::LinkDown { process, reason }),
        1 => (some_process(), reason).prop_map(|(process, reason)| {
            Input::Command(Command::DialFailed { peer: process.peer, reason })
        }),
        1 => Just(Input::Command(Command::NeedCluster)),
        3 => timer.prop_map(Input::TimerFired),
    ]
}

fn run(role: Role, inputs: Vec<(u64, In)>) -> (Overlay, Vec<Output<Message, Timer, Event>>) {
    let keys = PlainKeys::numbered(0);
    let me = ProcessId {
        peer: keys.peer(),
        incarnation: Incarnation(7),
    };
    let mut overlay = Overlay::new(OverlayConfig::default(), Box::new(keys), me, role, 1);
    let mut now = Instant::from_micros(1);
    let mut out = Vec::new();
    let announcement = Announcement {
        addresses: vec!["/a".into()],
        ..Announcement::default()
    };
    overlay.handle(
        now,
        Input::Command(Command::Announce(announcement)),
        &mut out,
    );
    for (millis, input) in inputs {
        now = now + Duration::from_millis(millis);
        overlay.handle(now, input, &mut out);
        for table in overlay.tables() {
            assert!(table.holds(), "{table:?}");
        }
    }
    (overlay, out)
}

#[test]
fn a_client_that_knows_its_cluster_sets_no_timer_to_gossip_it() {
    let cluster = ClusterRecord {
        id: ClusterId(7),
        founded_at_ms: 1,
        founder: ProcessId {
            peer: PlainKeys::numbered(1).peer(),
            incarnation: Incarnation(1),
        },
        root: Bytes::new(),
        root_version: 1,
    };
    let learned = Input::Command(Command::UpdateCluster(cluster));
    let flush = || (50, Input::TimerFired(Timer::Flush));
    let (_, out) = run(Role::Client, vec![(1, learned), flush(), flush()]);
    let set = |output: &&Output<_, Timer, _>| {
        matches!(
            output,
            Output::SetTimer {
                timer: Timer::Flush,
                ..
            }
        )
    };
    assert!(out.iter().filter(set).count() <= 1, "{out:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_member_survives_anything_and_stays_in_its_own_view(
        inputs in proptest::collection::vec((0_u64..3_000, input()), 0..60)
    ) {
        let (overlay, out) = run(Role::Member, inputs.clone());
        let view = overlay.view();
        prop_assert!(view.process(&overlay.process()).is_some());
        let own = Event::Lost { process: overlay.process(), cause: crate::LostCause::Dead };
        prop_assert!(!out.contains(&Output::Emit(own)));
        prop_assert_eq!(run(Role::Member, inputs).1, out);
    }

    #[test]
    fn a_client_survives_anything_and_publishes_nothing(
        inputs in proptest::collection::vec((0_u64..3_000, input()), 0..60)
    ) {
        let (overlay, out) = run(Role::Client, inputs);
        prop_assert!(overlay.own_record().is_none());
        let published = |output: &Output<_, _, Event>| {
            matches!(output, Output::Emit(Event::Publish(_)))
        };
        prop_assert!(!out.iter().any(published));
    }
}
