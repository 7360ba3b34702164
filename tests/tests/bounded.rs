//! Every map, set and queue that a program keeps has a limit with a name, or a reason why no other
//! process can fill it. A new one that is not listed here fails this test.
//!
//! How full the tables of the two machines get is checked after every input of their tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use self::Bound::{Because, Limit};

/// Why a collection does not grow for ever.
#[derive(Clone, Copy)]
enum Bound {
    /// By this constant, or this field of a configuration, of its package.
    Limit(&'static str),
    /// In words.
    Because(&'static str),
}

const PACKAGES: &[&str] = &[
    "bootstrap/src",
    "objects/proto/src",
    "objects/src",
    "overlay/proto/src",
    "overlay/src",
];

const COLLECTIONS: [&str; 8] = [
    "BTreeMap<",
    "BTreeSet<",
    "VecDeque<",
    "HashMap<",
    "HashSet<",
    "BinaryHeap<",
    "PeerMap<",
    "FlatMap<",
];

const OWN_CALLS: Bound = Because("calls that this process makes");
const ONE_INPUT: Bound = Because("lives for one input");

type Fields = &'static [(&'static str, Bound)];

const BOUNDS: &[(&str, Fields)] = &[
    (
        "bootstrap/src/registry.rs",
        &[("clusters", Limit("CLUSTERS_MAX"))],
    ),
    (
        "objects/proto/src/client/lane.rs",
        &[
            ("calls", Limit("calls_per_handle")),
            ("writes", Limit("calls_per_handle")),
        ],
    ),
    (
        "objects/proto/src/client/mod.rs",
        &[
            ("calls", OWN_CALLS),
            ("tickets", OWN_CALLS),
            ("lanes", Because("handles of this process")),
            ("places", Limit("places")),
            ("active", OWN_CALLS),
            ("idle", Limit("places")),
            ("nested", OWN_CALLS),
            ("surplus", Limit("SURPLUS_MAX")),
        ],
    ),
    (
        "objects/proto/src/client/place.rs",
        &[
            ("strangers", Limit("DOUBTED_MAX")),
            ("down", Limit("DOUBTED_MAX")),
            ("lanes", Because("handles of this process")),
        ],
    ),
    (
        "objects/proto/src/client/place/search.rs",
        &[("unheard", Limit("view_round_hosts"))],
    ),
    (
        "objects/proto/src/creation.rs",
        &[
            ("open", Limit("creations")),
            ("by_object", Limit("creations")),
            (
                "avoid",
                Because("members asked until the creation's deadline"),
            ),
            ("stored", Limit("MEMBERS_MAX")),
            ("refused", Limit("MEMBERS_MAX")),
        ],
    ),
    (
        "objects/proto/src/creation/deal.rs",
        &[("stamps", Because("members of the view"))],
    ),
    (
        "objects/proto/src/host/drain.rs",
        &[("untakeable", Limit("objects"))],
    ),
    (
        "objects/proto/src/host/host_counts.rs",
        &[("counts", Limit("COUNTS_MAX"))],
    ),
    (
        "objects/proto/src/host/inquiry.rs",
        &[
            ("open", Limit("OPEN_PER_OBJECT")),
            ("next", Limit("INQUIRIES_MAX")),
        ],
    ),
    (
        "objects/proto/src/host/mod.rs",
        &[
            ("attention", Limit("objects")),
            ("outboxes", Limit("objects")),
        ],
    ),
    (
        "objects/proto/src/host/outbox.rs",
        &[("sources", Limit("objects"))],
    ),
    (
        "objects/proto/src/host/rebalance.rs",
        &[
            ("moves", Limit("moves")),
            ("of", ONE_INPUT),
            ("resting", Limit("RESTING_MAX")),
        ],
    ),
    (
        "objects/proto/src/host/recover.rs",
        &[
            ("open", Limit("recoveries")),
            ("waiting", Limit("survey_hosts")),
            ("copies", Limit("survey_hosts")),
            ("holders", Limit("survey_hosts")),
        ],
    ),
    (
        "objects/proto/src/host/repair.rs",
        &[
            ("since", Limit("LOST_CROWD")),
            ("learners", Limit("MEMBERS_MAX")),
            ("failed", Limit("FAILED_MAX")),
            ("jobs", Limit("objects")),
            ("queue", Limit("objects")),
            ("missed", Limit("objects")),
            ("scan", Limit("objects")),
            ("shadowed", Limit("objects")),
            ("contacts", Because("learners of the changes under way")),
        ],
    ),
    (
        "objects/proto/src/host/returned.rs",
        &[("after", Limit("RETURNED_MAX"))],
    ),
    (
        "objects/proto/src/host/shared.rs",
        &[
            ("sets", Limit("SHARED_MAX")),
            ("kinds", Limit("SHARED_MAX")),
        ],
    ),
    (
        "objects/proto/src/host/republish.rs",
        &[(
            "due",
            Because("one per slot of ids, of which there are 65,536"),
        )],
    ),
    (
        "objects/proto/src/host/silence.rs",
        &[
            ("watches", Limit("watches")),
            ("confirmed", Limit("askers")),
            ("denied", Limit("askers")),
            ("askers", Limit("askers")),
        ],
    ),
    (
        "objects/proto/src/host/slots.rs",
        &[
            ("map", Limit("objects")),
            ("by_primary", Limit("objects")),
            ("busy", Limit("objects")),
            ("weak_primaries", Limit("objects")),
            ("awake", Limit("objects")),
        ],
    ),
    (
        "objects/proto/src/host/takeover.rs",
        &[("next", Limit("objects"))],
    ),
    (
        "objects/proto/src/host/tombstones.rs",
        &[
            ("graves", Limit("tombstones")),
            ("burials", Limit("tombstones")),
        ],
    ),
    (
        "objects/proto/src/kinds_table.rs",
        &[("kinds", Because("kinds that the program registers"))],
    ),
    (
        "objects/proto/src/lease/given.rs",
        &[
            ("grants", Limit("HOLDERS_MAX")),
            ("objects", Limit("leased")),
        ],
    ),
    (
        "objects/proto/src/lease/held.rs",
        &[
            ("leases", Limit("GRANTERS_MAX")),
            ("asked", Limit("ASKED_MAX")),
        ],
    ),
    (
        "objects/proto/src/naming/names.rs",
        &[("names", Limit("STATE_BYTES_MAX"))],
    ),
    (
        "objects/proto/src/objects.rs",
        &[("local", Limit("LOCAL_MAX"))],
    ),
    (
        "objects/proto/src/reach.rs",
        &[("unreached", Limit("UNREACHED_MAX"))],
    ),
    (
        "objects/proto/src/register/candidate.rs",
        &[
            ("accepted", Limit("MEMBERS_MAX")),
            ("askers", Limit("ASKERS_MAX")),
        ],
    ),
    (
        "objects/proto/src/register/carried.rs",
        &[
            ("outbox_done", Limit("OUTBOX_CALLS_MAX")),
            ("used", Limit("SESSION_BYTES_MAX")),
        ],
    ),
    (
        "objects/proto/src/register/expiry.rs",
        &[("marks", Limit("nested_kept"))],
    ),
    (
        "objects/proto/src/register/finish.rs",
        &[("stored", Limit("MEMBERS_MAX"))],
    ),
    (
        "objects/proto/src/register/plan.rs",
        &[("ahead", ONE_INPUT)],
    ),
    (
        "objects/proto/src/register/primary.rs",
        &[
            ("peers", Limit("PEERS_MAX")),
            ("outbox_done", Limit("OUTBOX_CALLS_MAX")),
            ("used", Limit("SESSION_BYTES_MAX")),
        ],
    ),
    (
        "objects/proto/src/register/queue.rs",
        &[
            ("items", Limit("QUEUE_CALLS_MAX")),
            ("ahead", Limit("AHEAD_MAX")),
        ],
    ),
    (
        "objects/proto/src/register/replay.rs",
        &[("waiting", Limit("WAITING_MAX"))],
    ),
    (
        "objects/proto/src/register/snapshots.rs",
        &[("writing", ONE_INPUT)],
    ),
    (
        "objects/proto/src/servant.rs",
        &[("cached", Limit("objects")), ("order", Limit("objects"))],
    ),
    (
        "objects/src/directory.rs",
        &[("waiting", Because("one for each of 65,536 slots"))],
    ),
    (
        "objects/src/kinds/map.rs",
        &[("entries", Because("an object's state, which has a limit"))],
    ),
    (
        "objects/src/timers.rs",
        &[("due", Because("one of each kind of timer"))],
    ),
    ("objects/src/waiting.rs", &[("waiters", OWN_CALLS)]),
    (
        "overlay/proto/src/connections/contacts.rs",
        &[("contacts", Limit("contacts_max"))],
    ),
    (
        "overlay/proto/src/connections/dials.rs",
        &[("dials", Limit("FAILURES_MAX"))],
    ),
    (
        "overlay/proto/src/connections/links.rs",
        &[("links", Limit("LINKS_KNOWN_MAX"))],
    ),
    (
        "overlay/proto/src/directory/lookup.rs",
        &[
            ("untried", Limit("candidates_max")),
            ("newest", Limit("candidates_max")),
        ],
    ),
    (
        "overlay/proto/src/directory/publications.rs",
        &[
            ("contents", Limit("publications_max")),
            ("schedule", Limit("publications_max")),
        ],
    ),
    (
        "overlay/proto/src/directory/store.rs",
        &[
            ("objects", Limit("stored_max")),
            ("signers", Limit("stored_max")),
        ],
    ),
    (
        "overlay/proto/src/founding.rs",
        &[
            ("askers", Limit("ASKERS_MAX")),
            ("conflicts", Limit("CONFLICTS_MAX")),
            ("passed", Limit("PASSED_MAX")),
        ],
    ),
    (
        "overlay/proto/src/membership/dissemination.rs",
        &[
            ("events", Limit("EVENTS_MAX")),
            ("relays", Limit("relays_max")),
            ("doubts", Limit("relays_max")),
        ],
    ),
    (
        "overlay/proto/src/membership/mod.rs",
        &[("untold", Limit("UNTOLD_MAX"))],
    ),
    (
        "overlay/proto/src/membership/probe.rs",
        &[
            ("edges", Limit("RINGS_MAX")),
            ("relayed", Limit("RELAYED_MAX")),
        ],
    ),
    (
        "overlay/proto/src/membership/suspicion.rs",
        &[
            ("votes", Limit("VOTES_MAX")),
            ("cases", Limit("members_max")),
        ],
    ),
    (
        "overlay/proto/src/membership/table.rs",
        &[("entries", Limit("members_max"))],
    ),
    (
        "overlay/proto/src/overlay.rs",
        &[("ungreeted", Limit("LINKS_KNOWN_MAX"))],
    ),
    (
        "overlay/proto/src/registry/leases.rs",
        &[
            ("leases", Limit("records_max")),
            ("origins", Limit("records_max")),
        ],
    ),
    (
        "overlay/proto/src/view.rs",
        &[("known", Limit("members_max"))],
    ),
    (
        "overlay/src/driver/directory.rs",
        &[
            ("gets", Limit("DIRECTORY_QUERIES_MAX")),
            ("puts", Limit("DIRECTORY_QUERIES_MAX")),
        ],
    ),
    (
        "overlay/src/driver/routing.rs",
        &[("known", Because("members of the view"))],
    ),
    (
        "overlay/src/driver/mod.rs",
        &[
            ("peers", Limit("connections")),
            ("strangers", Limit("STRANGERS_MAX")),
            ("topics", Because("topics that this node subscribed to")),
            ("linked", Limit("COMMANDS_MAX")),
        ],
    ),
    (
        "overlay/src/driver/timers.rs",
        &[(
            "due",
            Because("the machine's timers, and one per peer with a connection"),
        )],
    ),
    (
        "overlay/src/link/behaviour.rs",
        &[("actions", Because("drained before connections report more"))],
    ),
    (
        "overlay/src/link/handler.rs",
        &[
            ("to_open", Because("streams that this side asks for")),
            ("events", Limit("EVENTS_MAX")),
        ],
    ),
    (
        "overlay/src/link/queue.rs",
        &[("frames", Limit("QUEUE_FRAMES_MAX"))],
    ),
    (
        "overlay/src/link/table.rs",
        &[
            ("links", Limit("connections")),
            ("waiting", Limit("WAITING_PROCESSES_MAX")),
            ("frames", Limit("WAITING_FRAMES_MAX")),
        ],
    ),
    (
        "overlay/src/records.rs",
        &[("records", Limit("RECORDS_MAX"))],
    ),
    (
        "overlay/src/registry/server.rs",
        &[("origins", Limit("connections"))],
    ),
    (
        "overlay/src/request.rs",
        &[
            ("served", Because("services that the program offers")),
            ("open", Limit("OPEN_REQUESTS_MAX")),
        ],
    ),
];

#[test]
fn every_collection_has_a_limit_or_a_reason() {
    let found: BTreeSet<(String, String)> = PACKAGES.iter().flat_map(|one| fields(one)).collect();
    let listed = |(file, fields): &(&str, Fields)| {
        let file = (*file).to_owned();
        let pair = move |(field, _): &(&str, Bound)| (file.clone(), (*field).to_owned());
        fields.iter().map(pair).collect::<Vec<_>>()
    };
    let listed: BTreeSet<(String, String)> = BOUNDS.iter().flat_map(listed).collect();
    let unlisted: Vec<_> = found.difference(&listed).collect();
    assert!(unlisted.is_empty(), "what bounds these? {unlisted:#?}");
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "these are no more: {gone:#?}");
}

#[test]
fn every_limit_is_defined_where_it_holds() {
    for (file, fields) in BOUNDS {
        let package = PACKAGES.iter().find(|package| file.starts_with(**package));
        let package = package.expect("a known package");
        let sources: String = sources(package).iter().map(|path| read(path)).collect();
        for (field, bound) in *fields {
            match bound {
                Because(reason) => assert!(!reason.is_empty()),
                Limit(name) => {
                    let constant = sources.contains(&format!("const {name}:"));
                    let parameter = sources.contains(&format!("pub {name}: "));
                    assert!(constant || parameter, "{file}: {field}: no limit `{name}`");
                }
            }
        }
    }
}

/// The fields of collections in a package, but for those of its tests.
fn fields(package: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in sources(package) {
        let file = path
            .strip_prefix(root())
            .expect("inside")
            .display()
            .to_string();
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            let next = lines.get(place + 1).copied().unwrap_or_default();
            if *line == "#[cfg(test)]" && next.ends_with('{') {
                break;
            }
            found.extend(field(line).map(|field| (file.clone(), field)));
        }
    }
    found
}

/// The name of the field that this line declares, if its type owns a collection.
fn field(line: &str) -> Option<String> {
    let code = line.strip_suffix(',')?.trim_start();
    if code.len() + 1 == line.len() || code.starts_with("//") {
        return None;
    }
    let (head, kind) = code.split_once(": ")?;
    let name = head.rsplit(' ').next()?;
    let is_name = name
        .chars()
        .all(|letter| letter.is_lowercase() || letter == '_');
    let collection = kind == "Topics" || COLLECTIONS.iter().any(|one| kind.contains(one));
    (is_name && collection && !kind.starts_with('&')).then(|| name.to_owned())
}

fn sources(package: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(package)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_name().is_some_and(|name| name != "tests.rs")
            {
                files.push(path);
            }
        }
    }
    files
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("workspace root").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
