import Dispatch

/// Tells how far a command is: one line that is rewritten on a terminal, a line for each tenth
/// elsewhere. Small jobs are quiet.
public final class Progress {
  private var total: Int
  private let isOn: Bool
  private let start = DispatchTime.now()
  private var lastTenth = 0
  private var isShown = false
  private var lastUpdate = DispatchTime(uptimeNanoseconds: 0)

  /// - Parameters:
  ///   - total: the bytes there are to do.
  ///   - isOn: whether to print at all.
  public init(total: Int, isOn: Bool) {
    self.total = total
    self.isOn = isOn
  }

  /// Hears how many bytes are done, and how many there are to do, where that has changed.
  public func update(_ done: Int, of total: Int? = nil) {
    if let total { self.total = total }
    let total = self.total
    // Within the first second a person sees no wait.
    guard isOn, seconds >= 1 else { return }
    if let width = errorWidth {
      let now = DispatchTime.now()
      guard now.uptimeNanoseconds - lastUpdate.uptimeNanoseconds > 100_000_000 else { return }
      lastUpdate = now
      isShown = true
      standardError("\r\u{1B}[K\(line(done, width: width))", terminator: "")
    } else if total > 0, done * 10 / total > lastTenth {
      lastTenth = done * 10 / total
      standardError(line(done, width: nil))
    }
  }

  /// Removes the line from the terminal.
  public func finish() {
    if isShown { standardError("\r\u{1B}[K", terminator: "") }
  }

  /// Since the start.
  private var seconds: Double {
    Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
  }

  private func line(_ done: Int, width: Int?) -> String {
    progressLine(done, of: total, seconds: seconds, width: width)
  }
}

/// `42 %  1.20 GB of 2.86 GB  310 MB/s  6 s left`, or as much of it as stands on a line of that width,
/// beside the cursor.
package func progressLine(_ done: Int, of total: Int, seconds: Double, width: Int?) -> String {
  let rate = Double(done) / seconds
  let left = Int((Double(total - done) / max(1, rate)).rounded(.up))
  let percent = "\(total > 0 ? done * 100 / total : 100) %"
  let bytes = "\(describe(bytes: done)) of \(describe(bytes: total))"
  let (speed, time) = ("\(describe(bytes: Int(rate)))/s", "\(left) s left")
  let lines = [
    [percent, bytes, speed, time], [percent, bytes, time], [percent, time], [percent],
  ]
  .map { $0.joined(separator: "  ") }
  return lines.first { $0.count < width ?? .max } ?? ""
}
