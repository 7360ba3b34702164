//! What the host side wants done, collected while one input is handled.

use alloc::vec::Vec;

use overlay_proto::ProcessId;

use crate::machine::Event;
use crate::message::Message;

/// Messages and events in the order in which they came up.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be sent; a message to this very process is delivered inside the machine.
    pub sends: Vec<(ProcessId, Message)>,
    /// For the driver.
    pub events: Vec<Event>,
}

impl Effects {
    /// Adds a message.
    pub fn send(&mut self, to: ProcessId, message: Message) {
        self.sends.push((to, message));
    }

    /// Adds an event.
    pub fn emit(&mut self, event: Event) {
        self.events.push(event);
    }
}
