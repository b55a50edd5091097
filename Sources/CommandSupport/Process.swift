internal import CMalloc
internal import Containers
internal import Kernels
internal import Synchronization
public import TensorCore

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Writes text to standard output.
///
/// After a reader has gone away (`| head`) nothing more is written, and the command goes on: its exit code says what it
/// found, whoever reads. Any other failure is an error.
public func standardOutput(_ text: String, terminator: String = "\n") {
  if readerIsGone.load(ordering: .relaxed) { return }
  hasWritten.store(true, ordering: .relaxed)
  let problem = write(text + terminator, to: STDOUT_FILENO)
  if problem == 0 { return }
  if problem == EPIPE { return readerIsGone.store(true, ordering: .relaxed) }
  standardError(
    "\(escaped(commandName)): cannot write to standard output: " + systemMessage(problem))
  terminate(.failed)
}

/// Writes a line to standard error.
public func standardError(_ text: String, terminator: String = "\n") {
  _ = write(text + terminator, to: STDERR_FILENO)
}

/// Whether nobody reads standard output any more.
private let readerIsGone = Atomic(false)

/// What the process was called as, without folders.
var commandName: String {
  CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "tfkit"
}

/// Whether anything was written to standard output.
private let hasWritten = Atomic(false)

/// Whether nothing was written to standard output.
var outputIsEmpty: Bool { !hasWritten.load(ordering: .relaxed) }

/// Whether standard output is a terminal.
public var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

/// How many characters a line of the terminal has, if standard output is one.
public var outputWidth: Int? { width(of: STDOUT_FILENO) }

/// How many characters a line of the terminal has, if standard error is one.
public var errorWidth: Int? { width(of: STDERR_FILENO) }

private func width(of descriptor: Int32) -> Int? {
  guard isatty(descriptor) == 1 else { return nil }
  var size = winsize()
  guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}

/// The value of a variable of the environment; empty if it is not set.
func environment(_ name: String) -> String {
  guard let text = unsafe getenv(name) else { return "" }
  return unsafe String(cString: text)
}

/// The name of the shell that the user logs in with.
var loginShell: String { String(environment("SHELL").split(separator: "/").last ?? "") }

/// A path with the user's home for a `~` at its beginning.
func expandingHome(_ path: String) -> String {
  path.hasPrefix("~/") ? environment("HOME") + path.dropFirst() : path
}

/// Ends the process.
func terminate(_ status: ExitStatus) -> Never {
  restoreTerminal()
  exit(status.rawValue)
}

/// Writes everything, and returns 0 or the error number.
private func write(_ text: String, to descriptor: Int32) -> Int32 {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { bytes in
      #if canImport(Glibc)
        unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      #else
        unsafe Darwin.write(descriptor, bytes.baseAddress, bytes.count)
      #endif
    }
    if count >= 0 {
      rest.removeFirst(count)
    } else if errno != EINTR {
      return errno
    }
  }
  return 0
}

/// Gives the standard streams that were closed by whoever started the process something to be.
///
/// Otherwise the next file to be opened gets the number of one, and what is printed there goes into
/// it: the target would be overwritten with messages. Writing to what is opened here fails, as it did.
func occupyStandardDescriptors() {
  for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
    // The lowest free number is taken, so this one.
    if fcntl(descriptor, F_GETFD) == -1, errno == EBADF { _ = unsafe open("/dev/null", O_RDONLY) }
  }
}

/// Lets the process open as many files as it may: shards are open together.
///
/// - Throws: `CheckpointError` if that is fewer than the system's own thread pool needs, which ends the
///   process when it gets none.
func raiseDescriptorLimit() throws(CheckpointError) {
  #if canImport(Glibc)
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
    let kind = RLIMIT_NOFILE
  #endif
  let (needed, wanted): (rlim_t, rlim_t) = (32, 65_536)
  var limit = rlimit()
  guard unsafe getrlimit(kind, &limit) == 0 else { return }
  if limit.rlim_cur < wanted {
    limit.rlim_cur = min(limit.rlim_max, wanted)
    _ = unsafe setrlimit(kind, &limit)
    _ = unsafe getrlimit(kind, &limit)
  }
  guard limit.rlim_cur >= needed else {
    throw CheckpointError(
      .malformed("only \(limit.rlim_cur) files may be open, and \(needed) are needed (ulimit -n)"))
  }
}

/// A broken pipe and a file size limit become errors of `write` instead of killing the process.
func ignorePipeSignals() {
  _ = signal(SIGPIPE, SIG_IGN)
  _ = signal(SIGXFSZ, SIG_IGN)
}

/// Leaves nothing behind when interrupted, and exits as the shell expects: 128 and the signal.
///
/// A process inherits which signals are blocked, and programs that start others from a thread of a pool
/// often have all of them blocked, without meaning it.
func removeTemporariesOnInterrupt() {
  var signals = sigset_t()
  unsafe sigemptyset(&signals)
  for number in [SIGINT, SIGTERM, SIGHUP] where number != SIGHUP || !isIgnored(number) {
    unsafe sigaddset(&signals, number)
    _ = signal(number) { number in
      if TemporaryFiles.postpones(number) { return }
      restoreTerminal()
      TemporaryFiles.removeAll()
      _exit(128 + number)
    }
  }
  _ = unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
}

/// Whether whoever started the process wants it to go on in spite of a signal, as `nohup` does.
private func isIgnored(_ number: Int32) -> Bool {
  var action = sigaction()
  guard unsafe sigaction(number, nil, &action) == 0 else { return false }
  #if canImport(Glibc)
    let handler = unsafe action.__sigaction_handler.sa_handler
  #else
    let handler = unsafe action.__sigaction_u.__sa_handler
  #endif
  return unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
}

// MARK: Arguments that are not UTF-8

/// The last scalar before those that stand for bytes; a private-use plane of Unicode.
private let escapeBase: UInt32 = 0x10FE00

/// The command line after the command's name.
///
/// A byte that is not part of valid UTF-8 becomes a private-use scalar; `argumentBytes` brings it
/// back. So names of files that are not UTF-8 survive the way through Swift's strings.
func arguments() -> [String] {
  (1..<max(1, Int(CommandLine.argc))).map { index in
    guard let argument = unsafe CommandLine.unsafeArgv[index] else { return "" }
    let bytes = unsafe Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
    return readable(bytes)
  }
}

private func readable(_ bytes: [UInt8]) -> String {
  var (text, rest) = ("", bytes[...])
  while !rest.isEmpty {
    do {
      let copy = Array(rest)
      _ = try UTF8Span(validating: copy.span)
      return text + String(decoding: copy, as: UTF8.self)
    } catch {
      let start = rest.startIndex + error.byteOffsets.lowerBound
      text += String(decoding: rest[..<start], as: UTF8.self)
      if let scalar = Unicode.Scalar(escapeBase + UInt32(rest[start])) {
        text.unicodeScalars.append(scalar)
      }
      rest = rest[(start + 1)...]
    }
  }
  return text
}

/// The bytes that an argument had.
func argumentBytes(_ argument: String) -> [UInt8] {
  var bytes: [UInt8] = []
  for scalar in argument.unicodeScalars {
    if (escapeBase + 0x80...escapeBase + 0xFF).contains(scalar.value) {
      bytes.append(UInt8(scalar.value - escapeBase))
    } else {
      bytes += Array(String(scalar).utf8)
    }
  }
  return bytes
}

// MARK: Arithmetic

/// Makes sure that matrix products are right on this machine, and as fast as it can.
///
/// Where OpenBLAS has not recognised the processor, the command starts itself again with the name of
/// the kernels to use in the environment, which OpenBLAS reads only when it is loaded. So this comes
/// before anything is read or written.
///
/// - Throws: `CheckpointError` if there is no OpenBLAS, or products are wrong.
public func prepareArithmetic() throws(CheckpointError) {
  guard ArithmeticLibrary.isThere else {
    throw CheckpointError(
      .unsupported("OpenBLAS, which multiplies matrices, cannot be loaded"),
      advice: "install it: libopenblas0 on Debian and Ubuntu, openblas elsewhere")
  }
  if let core = neglectedBLASCore(), unsafe getenv(blasCoreVariable) == nil {
    unsafe setenv(blasCoreVariable, core, 1)
    startAgain()
  }
  if let fault = arithmeticFault() {
    throw CheckpointError(.malformed("this machine's OpenBLAS computes wrongly: \(fault)"))
  }
}

/// Replaces the process by a new one of the same program, arguments and environment; returns if that
/// is not possible.
private func startAgain() {
  #if os(Linux)
    unsafe execv("/proc/self/exe", CommandLine.unsafeArgv)
  #endif
}

/// The most memory that the process has taken so far, in bytes.
public func peakMemory() -> Int {
  #if os(Linux)
    if let peak = peakOfProgram() { return peak }
  #endif
  var usage = rusage()
  #if canImport(Glibc)
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
  #else
    _ = unsafe getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
  #endif
}

#if os(Linux)
  /// The peak since the program was started: proc(5), VmHWM, in units of 1024 bytes. What getrusage(2)
  /// counts begins earlier, with what the parent process had when it forked.
  private func peakOfProgram() -> Int? {
    let descriptor = unsafe open("/proc/self/status", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    let lines = bytes.prefix(max(0, count)).split(separator: UInt8(ascii: "\n"))
    guard let line = lines.first(where: { $0.starts(with: Array("VmHWM:".utf8)) }) else {
      return nil
    }
    let digits = line.filter { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return Int(String(decoding: digits, as: UTF8.self)).map { $0 << 10 }
  }
#endif

/// Has large blocks of memory go back to the system as soon as they are free.
///
/// Otherwise glibc keeps blocks of up to 32 MiB for later, for each thread by itself, after the first one
/// has been freed (mallopt(3), M_MMAP_THRESHOLD), and slabs of several threads add up. Blocks that
/// are needed again and again, as in a forward pass, are better kept.
///
/// So are a few small ones for each thread (M_TRIM_THRESHOLD): who decodes or casts block by block would get
/// them from the system anew each time, which takes longer than the work on them.
public func returnLargeBlocks() {
  #if canImport(Glibc)
    _ = mallopt(M_MMAP_THRESHOLD, 8 << 20)
    _ = mallopt(M_TRIM_THRESHOLD, 512 << 10)
  #endif
}
