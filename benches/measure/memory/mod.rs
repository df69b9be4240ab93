//! The memory of an idle connection: the real program, thousands of real sockets, `/proc`.

mod client;
mod program;

use std::{io::Write as _, ops::Range, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinSet,
    time::sleep,
};

use self::{
    client::{Wire, run_idle_client},
    program::{Memory, Program},
};

/// The name that `cargo bench -- …` filters by.
pub(crate) const NAME: &str = "idle memory";
/// Connections of each wire.
const CONNECTIONS: usize = 2000;
/// Connections before the first measurement, so that one-time allocations are not counted.
const WARM_UP: usize = 20;
/// Connections that are opened concurrently.
const STEP: usize = 50;
/// The delay of the second measurement: presence events were delivered by then.
const SETTLING: Duration = Duration::from_secs(5);
/// Open files besides the connections.
const FILES_MORE: u64 = 100;

/// Measures each wire with a process of its own.
pub(crate) fn measure() {
    let wanted = CONNECTIONS as u64 + FILES_MORE;
    let files = program::files_max();
    if files < wanted {
        print_line(&format!("{NAME}: skipped, `ulimit -n` is {files} and must be {wanted}"));
        return;
    }
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    for wire in Wire::ALL {
        let (before, after) = measure_memory(&runtime, wire);
        let each = |before: u64, after: u64| {
            kib_tenths(after.saturating_sub(before), (CONNECTIONS - WARM_UP) as u64)
        };
        let name = wire.name();
        let Memory { rss, peak } = after;
        print_line(&format!(
            "{NAME}/{name:<24} {:>6} KiB per connection, at its peak {} KiB \
             ({} KiB before, {rss} KiB after, peak {peak} KiB)",
            each(before.rss, rss),
            each(before.peak, peak),
            before.rss,
        ));
    }
}

/// The memory of the process with a few connections, and with all of them.
fn measure_memory(runtime: &Runtime, wire: Wire) -> (Memory, Memory) {
    let program = Program::start();
    runtime.block_on(async {
        let mut idle = JoinSet::new();
        connect_users(&mut idle, &program, wire, 0..WARM_UP).await;
        sleep(SETTLING).await;
        let before = program.memory();
        let mut next = WARM_UP;
        while next < CONNECTIONS {
            let end = CONNECTIONS.min(next + STEP);
            connect_users(&mut idle, &program, wire, next..end).await;
            next = end;
        }
        sleep(SETTLING).await;
        let after = program.memory();
        assert!(idle.try_join_next().is_none(), "every connection is still there");
        idle.shutdown().await;
        (before, after)
    })
}

/// Connects users concurrently, and waits until all have received `welcome`.
async fn connect_users(
    idle: &mut JoinSet<()>,
    program: &Program,
    wire: Wire,
    numbers: Range<usize>,
) {
    let mut arrivals = Vec::with_capacity(numbers.len());
    for number in numbers {
        let (welcome, arrival) = oneshot::channel();
        idle.spawn(run_idle_client(program.address(), wire, number, welcome));
        arrivals.push(arrival);
    }
    for arrival in arrivals {
        arrival.await.expect("every user receives `welcome`");
    }
}

/// `kib` divided by `count`, with one decimal.
fn kib_tenths(kib: u64, count: u64) -> String {
    let tenths = (kib * 10 + count / 2) / count;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn print_line(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}
