//! What the operating system says of processes: time on the processor, memory.

use std::fs;

/// Processor time that processes have used so far, seconds; 0 where the system does not tell.
pub(super) fn cpu_seconds(pids: &[u32]) -> f64 {
    pids.iter().filter_map(|pid| cpu_ticks(*pid)).sum::<f64>() / TICKS_PER_SECOND
}

/// What Linux counts the time of processes in, whatever the hardware does.
const TICKS_PER_SECOND: f64 = 100.0;

fn cpu_ticks(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may itself have spaces and brackets.
    let (_, fields) = stat.rsplit_once(") ")?;
    let field = |number: usize| fields.split(' ').nth(number)?.parse::<f64>().ok();
    Some(field(11)? + field(12)?)
}

/// Memory of a process that no other shares, bytes; none where the system does not tell.
pub(super) fn memory_bytes(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    let kibibytes = line.split_whitespace().nth(1)?.parse::<f64>().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_both() {
        let own = std::process::id();
        assert!(memory_bytes(own).is_some_and(|bytes| bytes > 1e5));
        assert!(cpu_ticks(own).is_some());
        assert_eq!(memory_bytes(u32::MAX), None);
    }
}
