//! What a process has used: CPU seconds and memory, as the kernel counts them.

use std::fs;

/// A process of ours, or a server beside us.
#[derive(Clone, Copy, Debug)]
pub enum Process {
    Own,
    Other(u32),
}

impl Process {
    fn file(self, name: &str) -> String {
        match self {
            Process::Own => format!("/proc/self/{name}"),
            Process::Other(pid) => format!("/proc/{pid}/{name}"),
        }
    }

    /// User and system time so far, in seconds; 0 where the kernel does not tell.
    pub fn cpu_seconds(self) -> f64 {
        let stat = fs::read_to_string(self.file("stat")).unwrap_or_default();
        cpu_ticks(&stat).map_or(0.0, |ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The highest resident size since the start or the last [`reset_peak`], in MB.
    pub fn peak_rss_mb(self) -> f64 {
        let status = fs::read_to_string(self.file("status")).unwrap_or_default();
        peak_kb(&status).map_or(0.0, |kb| kb as f64 / 1024.0)
    }
}

/// CPU seconds of this process so far, to the microsecond: for what lasts less than the kernel's ticks.
pub fn fine_cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Starts [`Process::peak_rss_mb`] of this process anew.
pub fn reset_peak() {
    // Where the kernel refuses, the peak of the whole run is reported: too high, never too low.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// utime + stime, the 14th and 15th field; the second is a name in brackets that may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn peak_kb(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "12 (a b) c) S 1 12 12 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(175));
        assert_eq!(cpu_ticks("nothing"), None);
        assert_eq!(peak_kb("Name:\tx\nVmHWM:\t  2048 kB\n"), Some(2048));
        assert!(Process::Own.peak_rss_mb() > 1.0);
    }
}
