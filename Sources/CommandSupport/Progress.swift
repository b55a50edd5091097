import Dispatch

/// Tells how far a command is: one line that is rewritten on a terminal, a line for each tenth
/// elsewhere. Small jobs are quiet.
public final class Progress {
  private let total: Int
  private let isOn: Bool
  private let start = DispatchTime.now()
  private var lastTenth = 0
  private var lastUpdate = DispatchTime(uptimeNanoseconds: 0)

  /// - Parameters:
  ///   - total: the bytes there are to do.
  ///   - isOn: whether to print at all.
  public init(total: Int, isOn: Bool) {
    self.total = total
    self.isOn = isOn
  }

  /// Hears how many bytes are done.
  public func update(_ done: Int) {
    // Within the first second a person sees no wait.
    guard isOn, seconds >= 1 else { return }
    if errorIsTerminal {
      let now = DispatchTime.now()
      guard now.uptimeNanoseconds - lastUpdate.uptimeNanoseconds > 100_000_000 else { return }
      lastUpdate = now
      standardError("\r\u{1B}[K\(line(done))", terminator: "")
    } else if total > 0, done * 10 / total > lastTenth {
      lastTenth = done * 10 / total
      standardError(line(done))
    }
  }

  /// Removes the line from the terminal.
  public func finish() {
    if isOn && errorIsTerminal { standardError("\r\u{1B}[K", terminator: "") }
  }

  /// Since the start.
  private var seconds: Double {
    Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
  }

  private func line(_ done: Int) -> String {
    let rate = Double(done) / seconds
    let left = Int((Double(total - done) / max(1, rate)).rounded(.up))
    let percent = total > 0 ? done * 100 / total : 100
    return "\(percent) %  \(describe(bytes: done)) of \(describe(bytes: total))"
      + "  \(describe(bytes: Int(rate)))/s  \(left) s left"
  }
}
