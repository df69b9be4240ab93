//! What an idle connection takes: the real program, thousands of real sockets, `/proc`.

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

/// What `cargo bench -- …` is compared with.
const NAME: &str = "idle memory";
/// Connections of each wire.
const CONNECTIONS: usize = 2000;
/// Connections that come before the first look, so that what is made once is not counted.
const WARM_UP: usize = 20;
/// Connections that come at one time.
const STEP: usize = 50;
/// From the last arrival to the second look: the room has been told who is there by then.
const SETTLING: Duration = Duration::from_secs(5);
/// Open files beside the connections.
const FILES_MORE: u64 = 100;

/// Whether the command line asks for it: not when tests are run, and not when the name of another
/// work is given.
pub(crate) fn is_selected(arguments: impl Iterator<Item = String>) -> bool {
    let arguments: Vec<_> = arguments.collect();
    let has = |flag: &str| arguments.iter().any(|it| it == flag);
    let mut filters = arguments.iter().filter(|it| !it.starts_with('-')).peekable();
    let is_named = filters.peek().is_none() || filters.any(|it| NAME.contains(it.as_str()));
    has("--bench") && !has("--test") && !has("--list") && is_named
}

/// Measures each wire with a program of its own.
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

/// What the program takes with a few connections, and with all of them.
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

/// Lets users in, all at once, and waits until each is welcome.
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
        arrival.await.expect("everybody is welcome");
    }
}

/// `kib` shared by `count`, with one decimal.
fn kib_tenths(kib: u64, count: u64) -> String {
    let tenths = (kib * 10 + count / 2) / count;
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn print_line(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("somebody reads the figures");
}
