import Foundation
import SystemPackage
import TestSupport

#if os(Linux)
  import Glibc

  /// A program on a terminal of its own, with somebody who types and reads.
  final class Terminal {
    private let master: FileDescriptor
    private let process = Process()
    private var screen = ""

    /// Starts a program, found on the usual path, in a folder.
    init(
      _ program: String, _ arguments: [String], in folder: FilePath, columns: Int = 80,
      rows: Int = 24
    ) throws {
      // pty(7): the master is opened, unlocked, and asked for the number of its other side.
      master = try FileDescriptor.open(FilePath("/dev/ptmx"), .readWrite)
      let descriptor = master.rawValue
      var (lock, number): (CInt, CUnsignedInt) = (0, 0)
      guard unsafe ioctl(descriptor, UInt(0x4004_5431), &lock) == 0,
        unsafe ioctl(descriptor, UInt(0x8004_5430), &number) == 0
      else { throw Errno(rawValue: errno) }
      var size = winsize(
        ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
      _ = unsafe ioctl(descriptor, UInt(TIOCSWINSZ), &size)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      let slave = FileHandle(forUpdatingAtPath: "/dev/pts/\(number)")
      process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
      process.arguments = ["--ctty", "--wait", program] + arguments
      process.currentDirectoryURL = URL(fileURLWithPath: folder.string)
      process.environment = [
        "PATH": commandFolder.string + ":/usr/bin:/bin", "HOME": folder.string, "TERM": "xterm",
        "LC_ALL": "C.UTF-8", "PS1": "> ",
      ]
      (process.standardInput, process.standardOutput, process.standardError) = (slave, slave, slave)
      try process.run()
      try? slave?.close()
    }

    /// Types something.
    func type(_ text: String) throws {
      try master.writeAll(text.utf8)
    }

    /// Waits until the terminal has shown something since `mark`.
    func waits(for text: String, since mark: Int = 0, seconds: Double = 120) -> Bool {
      let end = Date(timeIntervalSinceNow: seconds)
      while Date() < end {
        read()
        if screen.dropFirst(mark).contains(text) { return true }
        usleep(20_000)
      }
      return false
    }

    /// What was shown, in characters.
    var mark: Int {
      read()
      return screen.count
    }

    /// All that was shown.
    var text: String { screen }

    /// What a program that draws the whole terminal has drawn last, line by line, without colours.
    var lines: [String] {
      read()
      guard let last = screen.range(of: "\u{1B}[H", options: .backwards) else { return [] }
      let frame = screen[last.upperBound...].replacing(/\u{1B}\[[0-9?]*[A-Za-z]/, with: "")
      // The terminal makes a carriage return and a new line of each new line.
      return frame.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
        String($0.filter { $0 != "\r" })
      }
    }

    /// Waits until what is drawn is as wanted.
    func shows(seconds: Double = 60, _ isWanted: (String) -> Bool) -> Bool {
      let end = Date(timeIntervalSinceNow: seconds)
      while Date() < end {
        if isWanted(lines.joined(separator: "\n")) { return true }
        usleep(20_000)
      }
      return false
    }

    /// Waits for the program to end; its exit code, or `nil` if it goes on.
    func ends(seconds: Double = 60) -> Int32? {
      let end = Date(timeIntervalSinceNow: seconds)
      while process.isRunning, Date() < end {
        read()
        usleep(20_000)
      }
      read()
      if process.isRunning { return nil }
      process.waitUntilExit()
      return process.terminationStatus
    }

    private func read() {
      var buffer = [UInt8](repeating: 0, count: 4096)
      while let count = try? unsafe buffer.withUnsafeMutableBytes({
        try unsafe master.read(into: $0)
      }),
        count > 0
      {
        screen += String(decoding: buffer[..<count], as: UTF8.self)
      }
    }

    deinit {
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
      try? master.close()
    }
  }
#endif
