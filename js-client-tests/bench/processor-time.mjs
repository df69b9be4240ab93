// The processor time of a process, in nanoseconds of the scheduler.

import { readdirSync, readFileSync } from "node:fs";

/** The unit of `utime` and `stime`: `getconf CLK_TCK` on Linux. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds of processor time of a process since its start, with its ended threads and children.
 *
 * `/proc/PID/schedstat` counts the first thread only, so the files of all threads are added. They
 * have nanoseconds, but a thread's file is gone when it ends. `/proc/PID/stat` keeps the time of
 * ended threads, rounded down to ticks of 10 ms. Both are lower bounds, so the greater one counts:
 * the exact one while no thread has ended, and at most two ticks too little afterwards.
 */
export function cpuOf(pid) {
  const { own, children } = ticksOf(pid);
  return Math.max(threadsOf(pid), own) + children;
}

/** The time of all live threads. */
export function threadsOf(pid) {
  const times = readdirSync(`/proc/${pid}/task`).map((thread) => {
    try {
      return Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1"), 10);
    } catch (error) {
      if (error.code === "ENOENT" || error.code === "ESRCH") return 0; // it has ended just now
      throw error;
    }
  });
  return times.reduce((sum, it) => sum + it, 0) / 1e9;
}

/** The time of the process, and of its ended children. */
export function ticksOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, usersOfChildren, systemOfChildren] = fields.slice(11, 15).map(Number);
  const seconds = (ticks) => ticks / TICKS_PER_SECOND;
  return { own: seconds(user + system), children: seconds(usersOfChildren + systemOfChildren) };
}
