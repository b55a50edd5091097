internal import Synchronization
public import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The whole terminal: keys come one at a time, and what was there before comes back at the end, also when the process is
/// ended by a signal.
///
/// Source of the sequences: xterm's "Control Sequences" (the alternate screen, 1049; the cursor, 25).
public final class FullScreen {
  /// Characters of a line, and lines.
  public struct Size: Equatable, Sendable {
    public let width: Int
    public let height: Int

    /// A size.
    public init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
  }

  private var decoder = KeyDecoder()
  private var drawn = ""

  /// Takes the terminal.
  ///
  /// - Throws: `CheckpointError` if input or output is none, or one that draws nothing.
  public init() throws(CheckpointError) {
    try Self.requireTerminal()
    var settings = termios()
    _ = unsafe tcgetattr(STDIN_FILENO, &settings)
    unsafe savedSettings = settings
    isTaken.store(true, ordering: .sequentiallyConsistent)
    settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | IEXTEN)
    settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
    // A read ends after a tenth of a second without a byte.
    unsafe withUnsafeMutableBytes(of: &settings.c_cc) { characters in
      unsafe characters[Int(VMIN)] = 0
      unsafe characters[Int(VTIME)] = 1
    }
    _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    standardOutput("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J", terminator: "")
  }

  deinit { restoreTerminal() }

  /// Fails if input or output is no terminal, or one that draws nothing.
  public static func requireTerminal() throws(CheckpointError) {
    guard isatty(STDIN_FILENO) == 1, outputIsTerminal, environment("TERM") != "dumb" else {
      throw CheckpointError(
        .unsupported("a terminal is needed, for what is typed and for what is shown"))
    }
  }

  /// How large it is now.
  public var size: Size {
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0,
      size.ws_row > 0
    else { return Size(width: 80, height: 24) }
    return Size(width: Int(size.ws_col), height: Int(size.ws_row))
  }

  /// Shows lines from the top; nothing happens if these are shown already.
  public func draw(_ lines: [String]) {
    let text =
      "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
    if text == drawn { return }
    drawn = text
    standardOutput(text, terminator: "")
  }

  /// What has been typed; none after a tenth of a second in which nothing was. `nil` when nobody can type any more.
  public func keys() -> [Key]? {
    var buffer = [UInt8](repeating: 0, count: 1024)
    let capacity = buffer.count
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      unsafe read(STDIN_FILENO, bytes.baseAddress, capacity)
    }
    if count < 0 { return errno == EINTR ? [] : nil }
    if count == 0, isatty(STDIN_FILENO) != 1 { return nil }
    return decoder.keys(Array(buffer.prefix(count)), isPause: count == 0)
  }
}

/// How the terminal was set before; written once, before `isTaken`.
nonisolated(unsafe) private var savedSettings = termios()
private let isTaken = Atomic(false)

/// Gives the terminal back as it was, if it was taken. May be called by a signal's handler.
func restoreTerminal() {
  guard isTaken.exchange(false, ordering: .sequentiallyConsistent) else { return }
  let text: StaticString = "\u{1B}[?25h\u{1B}[?1049l"
  _ = unsafe write(STDOUT_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &savedSettings)
}
