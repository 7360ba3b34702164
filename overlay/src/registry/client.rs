//! Keeps a node registered at one registry, and takes introductions from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use overlay_proto::Role;
use overlay_proto::member::SignedRecord;
use overlay_proto::registry::{Answer, Call, LEASE_MAX, LEASE_MIN, Request};
use tokio::sync::watch;
use tokio::time::sleep;

use super::call::call_place;
use crate::address::Place;
use crate::command;
use crate::metrics::count;
use crate::shared::Shared;

/// Records asked for at one time.
const RECORDS_WANTED: u32 = 32;
/// Pause after the first failed call; doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest pause after a failed call.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Pause between calls of a node that knows nobody else.
const LONELY_PAUSE: Duration = Duration::from_secs(2);
/// Pause before a node registers whose addresses changed; further ones may come at once.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);

/// Registers a member for as long as the node runs, or asks for members until a client knows
/// some. Ends when the node leaves.
pub(crate) async fn keep(shared: Arc<Shared>, registry: Place, role: Role) {
    let mut own = shared.own_record.subscribe();
    if role == Role::Member {
        drop(own.wait_for(Option::is_some).await);
    }
    let mut addresses = shared.addresses.subscribe();
    let mut left = shared.left.subscribe();
    let mut backoff = BACKOFF_MIN;
    let mut registered: Option<Registered> = None;
    loop {
        let record = match role {
            Role::Member => own.borrow().clone(),
            Role::Client => None,
        };
        let pause = if role == Role::Client && knows_others(&shared) {
            LONELY_PAUSE
        } else if let Some(lease) = once(&shared, &registry, role, record.as_ref()).await {
            backoff = BACKOFF_MIN;
            if let (None, Some(_)) = (&registered, &record) {
                registered = Some(Registered::new(&shared.registrations));
            }
            if knows_others(&shared) {
                lease / 3
            } else {
                LONELY_PAUSE
            }
        } else {
            backoff = (backoff * 2).min(BACKOFF_MAX);
            backoff / 2 + backoff.mul_f64(rand::random::<f64>() / 2.0)
        };
        tokio::select! {
            () = sleep(pause) => {}
            Ok(()) = addresses.changed(), if role == Role::Member => sleep(CHANGE_PAUSE).await,
            () = goodbye(&mut left) => break,
        }
    }
    let record = own.borrow().clone();
    if let (Some(record), Some(_)) = (record, &registered) {
        count(&shared.counts.registry_calls);
        let leave = call_of(&shared, Request::Leave { record });
        if let Err(error) = call_place(&shared.identity, &registry, &leave).await {
            tracing::debug!(%error, "a registry was not told that this node leaves");
        }
    }
}

/// Waits until the node has said goodbye to the members.
async fn goodbye(left: &mut watch::Receiver<bool>) {
    drop(left.wait_for(|left| *left).await);
}

/// Counts a registration as long as it lives, so that a shutdown can wait for its end.
struct Registered<'a> {
    registrations: &'a watch::Sender<usize>,
}

impl<'a> Registered<'a> {
    fn new(registrations: &'a watch::Sender<usize>) -> Self {
        registrations.send_modify(|count| *count += 1);
        Self { registrations }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.registrations
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

fn knows_others(shared: &Shared) -> bool {
    let view = shared.view.borrow();
    view.members()
        .iter()
        .any(|member| member.record.process.peer != shared.process.peer)
}

fn call_of(shared: &Shared, request: Request) -> Call {
    let cluster_name = shared.cluster_name.as_str().to_owned();
    Call {
        cluster_name,
        request,
    }
}

/// One call. Returns the lease if the registry answered.
async fn once(
    shared: &Shared,
    registry: &Place,
    role: Role,
    record: Option<&SignedRecord>,
) -> Option<Duration> {
    let limit = RECORDS_WANTED;
    let request = match (role, record) {
        (Role::Member, Some(record)) => Request::Register {
            record: record.clone(),
            lease_s: u32::try_from(LEASE_MAX.as_secs()).unwrap_or(u32::MAX),
            cluster: shared.cluster.borrow().clone(),
            limit,
        },
        (Role::Member, None) => return None,
        (Role::Client, _) => Request::List { limit },
    };
    count(&shared.counts.registry_calls);
    if knows_others(shared) {
        shared
            .counts
            .registry_calls_after_join
            .fetch_add(1, Ordering::Relaxed);
    }
    let (records, cluster, lease) =
        match call_place(&shared.identity, registry, &call_of(shared, request)).await {
            Ok(Answer::Registered {
                lease_s,
                records,
                cluster,
            }) => (
                records,
                cluster,
                Duration::from_secs(lease_s.into()).clamp(LEASE_MIN, LEASE_MAX),
            ),
            Ok(Answer::List { records, cluster }) => (records, cluster, LEASE_MIN),
            Ok(Answer::Refused(refusal)) => {
                tracing::warn!(%registry, %refusal, "the registry refuses this node");
                return None;
            }
            Ok(Answer::Left) => return None,
            Err(error) => {
                tracing::debug!(%error, "registry not reached");
                return None;
            }
        };
    shared.introduce(records).await;
    drop(
        shared
            .requests
            .send(command::Request::RegistryAnswered(cluster))
            .await,
    );
    Some(lease)
}
