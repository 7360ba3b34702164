//! How full the tables are that answers of other processes fill.

use overlay_proto::Table;

use super::Client;
use super::end::SURPLUS_MAX;
use super::place::{DOUBTED_MAX, Place};
use crate::directory::HOLDERS_MAX;

impl Client {
    /// How full every table is that others can fill; of the tables that every object called
    /// has, the fullest.
    pub fn tables(&self) -> impl Iterator<Item = Table> {
        let most = |of: fn(&Place) -> usize| self.places.values().map(of).max().unwrap_or(0);
        let (idle, config) = (self.idle.len(), &self.config);
        [
            Table::new("places.idle", idle, config.places),
            self.reach.table(),
            Table::new("surplus", self.surplus.len(), SURPLUS_MAX),
            Table::new(
                "place.candidates",
                most(Place::candidates),
                config.candidates.max(1),
            ),
            Table::new("place.holders", most(Place::holders), HOLDERS_MAX),
            Table::new("place.strangers", most(Place::strangers), DOUBTED_MAX),
            Table::new("place.down", most(Place::down), DOUBTED_MAX),
            Table::new(
                "place.unheard",
                most(Place::unheard),
                config.view_round_hosts,
            ),
        ]
        .into_iter()
    }
}
