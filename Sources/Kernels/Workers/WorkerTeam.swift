internal import CVector
internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Threads that help with a task, and stay awake for a moment after it, since the next one is near: a
/// layer of a model is a dozen tasks of less than a millisecond each, and to wake a thread takes a
/// twentieth of that.
///
/// Nobody waits for help that has not begun: a task is pieces, whoever is there takes the next one, and
/// where no helper comes the caller does them all.
final class WorkerTeam: Sendable {
  static let shared = WorkerTeam()

  /// How often a helper looks for more before it leaves: some fifty microseconds.
  private static let patience = 4000

  /// Whether there is a task; one at a time.
  private let isBusy = Atomic<Bool>(false)
  /// How many more helpers the task can have.
  private let places = Atomic<Int>(0)
  /// How many helpers have finished with the task.
  private let finished = Atomic<Int>(0)
  /// How many helpers there are, at work, awake, or about to begin.
  private let helpers = Atomic<Int>(0)
  /// The task: written before `places` is, and read by those who took a place.
  nonisolated(unsafe) private var task: () -> Void = {}

  /// Runs `task` on the calling thread and on up to `count` more, each once or more often.
  ///
  /// - Returns: false, having done nothing, if the team is busy.
  func run(helpers count: Int, _ task: @escaping () -> Void) -> Bool {
    if isBusy.exchange(true, ordering: .acquiring) { return false }
    unsafe self.task = task
    finished.store(0, ordering: .relaxed)
    places.store(count, ordering: .sequentiallyConsistent)
    call(count)
    task()
    let left = places.exchange(0, ordering: .acquiringAndReleasing)
    waitUntil(finished: count - left)
    unsafe self.task = {}
    isBusy.store(false, ordering: .releasing)
    return true
  }

  /// Makes sure that so many helpers are on their way.
  private func call(_ count: Int) {
    while true {
      let present = helpers.load(ordering: .sequentiallyConsistent)
      if present >= count { return }
      let (isMine, _) = helpers.compareExchange(
        expected: present, desired: present + 1, ordering: .sequentiallyConsistent)
      if isMine { DispatchQueue.global().async { self.help() } }
    }
  }

  /// What a helper does: it takes places until there has been none for a while.
  private func help() {
    while true {
      var misses = 0
      while misses < Self.patience {
        if takePlace() {
          unsafe task()
          finished.add(1, ordering: .releasing)
          misses = 0
        } else {
          tfkit_pause()
          misses += 1
        }
      }
      helpers.subtract(1, ordering: .sequentiallyConsistent)
      // Whoever has called since then may have counted on this helper.
      if places.load(ordering: .sequentiallyConsistent) == 0 { return }
      helpers.add(1, ordering: .sequentiallyConsistent)
    }
  }

  private func takePlace() -> Bool {
    var left = places.load(ordering: .relaxed)
    while left > 0 {
      let (isMine, now) = places.compareExchange(
        expected: left, desired: left - 1, ordering: .acquiringAndReleasing)
      if isMine { return true }
      left = now
    }
    return false
  }

  private func waitUntil(finished count: Int) {
    var looks = 0
    while finished.load(ordering: .acquiring) < count {
      looks += 1
      if looks < Self.patience {
        tfkit_pause()
      } else if looks < 2 * Self.patience {
        sched_yield()
      } else {
        usleep(50)
      }
    }
  }
}
