//! Discrete-event simulation of the protocol cores.
//!
//! A [`World`](world::World) runs the very machines that production runs, in virtual time:
//! latency, loss, cuts, crashes with memory loss, pauses and clock drift all come from one
//! seed, and so does everything else. The same seed gives the same event hash, on any machine.
//!
//! Modules import only leftwards in this order: `seed · panics · progress · trace · traffic ·
//! samples · queue · conditions · network · faults · outages · churn · kernel · environment ·
//! world`, then the environment's parts `gossip · directory · sets · surroundings · caller ·
//! oracle · invariants · effects · witness · linearizability · coverage`, then `scenario ·
//! panels`, the worlds `{membership, register, finder}` and `names`, and `figures · report ·
//! overrides · mutant · summary · trial · run · mutants · shrink · compare · cli`.
#![forbid(unsafe_code)]

pub mod caller;
pub mod churn;
pub mod cli;
pub mod compare;
pub mod conditions;
pub mod coverage;
pub mod directory;
pub mod effects;
pub mod environment;
pub mod faults;
pub mod figures;
pub mod finder;
pub mod gossip;
pub mod invariants;
pub mod kernel;
pub mod linearizability;
pub mod load;
pub mod membership;
pub mod mutant;
pub mod mutants;
pub mod names;
pub mod network;
pub mod oracle;
pub mod outages;
pub mod overrides;
pub mod panels;
mod panics;
pub mod peers;
pub mod progress;
pub mod queue;
pub mod register;
pub mod report;
pub mod run;
pub mod samples;
pub mod scenario;
pub mod seed;
pub mod sets;
pub mod shrink;
pub mod summary;
mod surroundings;
pub mod theory;
pub mod trace;
pub mod traffic;
pub mod trial;
pub mod witness;
pub mod world;
