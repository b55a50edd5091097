import Dispatch
import Synchronization
import SystemPackage
import TensorCore

/// A file that another machine has, read by ranges, which stays what it was when it was opened: its size and its ETag, or where there is none
/// the time it was changed, come with every range.
final class RemoteFile: Sendable {
  /// What it is called in errors.
  let name: String
  let size: Int
  /// What tells it from what it may be later.
  let mark: String
  /// The SHA-256 that a hub's list says of it.
  let sha256: String?
  private let url: String
  private let client: HTTPClient
  private let direct: Mutex<String?>
  private let windows = RemoteWindows()
  private let cache: RemoteCache?

  /// How many bytes are asked for when nothing is known yet: most headers fit.
  static let firstCount = 1 << 16
  /// How many are asked for at once at most.
  private static let most = 8 << 20
  /// A file that a server sends only as a whole may have as many bytes.
  private static let mostWhole = 16 << 20

  /// Asks for the first bytes.
  ///
  /// - Parameters:
  ///   - expected: how many bytes it has, if somebody has said so.
  ///   - sha256: its digest, if somebody has said it.
  ///   - missing: what to say of a status, instead of what is usually said.
  /// - Throws: `CheckpointError` if it is not there, or the server does not say what it must.
  init(
    _ url: String, named name: String, _ client: HTTPClient, expected: Int? = nil,
    sha256: String? = nil,
    missing: (Int) -> CheckpointError.Problem? = { _ in nil }
  ) throws(CheckpointError) {
    (self.name, self.url, self.client, self.sha256) = (name, url, client, sha256)
    var found: (size: Int, isWhole: Bool)?
    let request = HTTPClient.Request(
      url: url, fields: ["Range: bytes=0-\(Self.firstCount - 1)"], name: name)
    let answer: HTTPClient.Answer
    do throws(CheckpointError) {
      answer = try client.fetch(
        request, missing: { $0 == 416 ? .malformed("the file is empty") : missing($0) }
      ) { head throws(CheckpointError) in
        let first = try Self.first(head)
        found = (first.size ?? -1, first.isWhole)
        return first.count
      }
      guard let found else { throw CheckpointError(.malformed("the server says nothing of it")) }
      size = found.isWhole ? answer.count : found.size
      let count = min(size, Self.firstCount)
      guard found.isWhole ? found.size < 0 || found.size == size : answer.count == count else {
        throw CheckpointError(.truncated(needed: count, available: answer.count))
      }
      if let expected, expected != size {
        throw CheckpointError(
          .malformed("has \(size) bytes, and the hub lists it with \(expected)"))
      }
    } catch {
      throw error.inFile(name)
    }
    mark = Self.mark(answer.head)
    cache = RemoteCache(in: client.settings.cache, url: url, mark: mark, size: size)
    direct = Mutex(answer.url == url ? nil : answer.url)
    windows.keep(answer.body, at: 0)
    isInMemory = answer.count == size
  }

  /// Whether all of it has come.
  private let isInMemory: Bool

  /// What the first answer says: how many bytes come, how many there are, and whether all come.
  private static func first(
    _ head: HTTPHead
  ) throws(CheckpointError) -> (count: Int, size: Int?, isWhole: Bool) {
    try checkPlain(head)
    if head.status == 206 {
      let range = try ContentRange(head)
      guard range.start == 0, range.end == min(range.size, firstCount) else {
        throw CheckpointError(.malformed("the server sends another range than it was asked for"))
      }
      return (range.end, range.size, false)
    }
    guard head.status == 200 else {
      throw CheckpointError(.malformed("the server answers \(head.status)"))
    }
    guard head.hasEnd else {
      throw CheckpointError(.malformed("the server does not say how many bytes it has"))
    }
    let size = head.field("content-length").flatMap { Int($0) }
    if let size, size > mostWhole {
      throw CheckpointError(
        .unsupported("its server sends no ranges, but all of its \(size) bytes (200)"),
        advice: "download it first")
    }
    return (size ?? mostWhole, size, true)
  }

  /// Fails if what comes is not the file's bytes as they are.
  private static func checkPlain(_ head: HTTPHead) throws(CheckpointError) {
    if let coding = head.field("content-encoding"), coding.lowercased() != "identity" {
      throw CheckpointError(
        .malformed("the server, or one on the way, sends it compressed (\(coding.prefix(20)))"))
    }
    if head.field("content-type")?.lowercased().hasPrefix("multipart/byteranges") == true {
      throw CheckpointError(.malformed("the server sends several ranges at once"))
    }
  }

  /// The ETag, or else the time of the last change.
  private static func mark(_ head: HTTPHead) -> String {
    head.field("etag") ?? head.field("last-modified") ?? ""
  }

  /// Fills `buffer` from `offset` on, from what has come already, or else from the server.
  ///
  /// - Throws: `CheckpointError` if it cannot be fetched, or has changed.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
    var done = 0
    while done < buffer.count {
      let place = offset + done
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      switch unsafe windows.copy(from: place, into: rest, fileSize: size) {
      case .copied(let count): done += count
      case .wait(let group): group.wait()
      case .fetch(let range, let group):
        defer { windows.forget(group) }
        windows.keep(try bytes(range), at: range.lowerBound)
      case .direct(let count):
        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: rest[..<min(count, Self.most)])
        try unsafe fetch(place, into: part)
        done += part.count
      }
    }
  }

  private func bytes(_ range: Range<Int>) throws(CheckpointError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableSpan
    var target = unsafe span.mutableBytes
    try unsafe target.withUnsafeMutableBytes { target throws(CheckpointError) in
      try unsafe fetch(range.lowerBound, into: target)
    }
    return bytes
  }

  /// Brings a range, from the cache where there is one and it has it.
  private func fetch(
    _ start: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    guard let cache else { return try unsafe ask(start, into: target) }
    let end = start + target.count
    var place = start
    while place < end {
      let first = place / RemoteCache.blockSize
      let found = cache.block(first, count: blockRange(first, first).count)
      // As many as are not there at once.
      var last = first
      while found == nil, (last + 1) * RemoteCache.blockSize < end, !cache.has(last + 1),
        last - first < Self.most / RemoteCache.blockSize - 1
      {
        last += 1
      }
      let range = blockRange(first, last)
      let bytes = if let found { found } else { try kept(range, from: first, in: cache) }
      let part = range.clamped(to: place..<end)
      unsafe bytes.withUnsafeBytes { bytes in
        let source = unsafe UnsafeRawBufferPointer(
          rebasing: bytes[part.lowerBound - range.lowerBound..<part.upperBound - range.lowerBound])
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[(place - start)...])
          .copyMemory(from: source)
      }
      place = part.upperBound
    }
  }

  private func blockRange(_ first: Int, _ last: Int) -> Range<Int> {
    first * RemoteCache.blockSize..<min(size, (last + 1) * RemoteCache.blockSize)
  }

  /// Asks for blocks, and keeps them.
  private func kept(
    _ range: Range<Int>, from first: Int, in cache: RemoteCache
  ) throws(CheckpointError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var span = bytes.mutableSpan
    var target = unsafe span.mutableBytes
    try unsafe target.withUnsafeMutableBytes { target throws(CheckpointError) in
      try unsafe ask(range.lowerBound, into: target)
    }
    for start in stride(from: 0, to: bytes.count, by: RemoteCache.blockSize) {
      let end = min(bytes.count, start + RemoteCache.blockSize)
      cache.keep(first + start / RemoteCache.blockSize, Array(bytes[start..<end]))
    }
    return bytes
  }

  /// Asks the server for a range.
  private func ask(
    _ start: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    let end = start + target.count
    if isInMemory { throw CheckpointError(.changedWhileRead, file: name) }
    var fields = ["Range: bytes=\(start)-\(end - 1)"]
    // RFC 9110, 13.1.5: only what is no weak ETag.
    if !mark.isEmpty, !mark.hasPrefix("W/") { fields.append("If-Range: \(mark)") }
    let request = HTTPClient.Request(
      url: url, direct: direct.withLock { $0 }, fields: fields, name: name)
    let answer = try unsafe client.fetch(request, into: target) { head throws(CheckpointError) in
      try check(head, start..<end)
    }
    guard answer.count == end - start else {
      throw CheckpointError(
        .truncated(needed: end - start, available: answer.count), file: name, offset: start)
    }
    direct.withLock { $0 = answer.url == url ? nil : answer.url }
  }

  /// Fails unless an answer is that range of this file.
  private func check(_ head: HTTPHead, _ range: Range<Int>) throws(CheckpointError) -> Int {
    try Self.checkPlain(head)
    guard Self.mark(head) == mark else { throw CheckpointError(.changedWhileRead) }
    guard head.status == 206 else {
      throw CheckpointError(
        .malformed("the server answers \(head.status) when it is asked for a range"))
    }
    let sent = try ContentRange(head)
    guard sent.size == size else { throw CheckpointError(.changedWhileRead) }
    guard sent.start == range.lowerBound, sent.end == range.upperBound else {
      throw CheckpointError(.malformed("the server sends another range than it was asked for"))
    }
    return range.count
  }
}

/// What a server says of a range that it sends: `bytes 0-65535/1000000` (RFC 9110, 14.4).
private struct ContentRange {
  let start: Int
  /// One more than the last byte's place.
  let end: Int
  let size: Int

  init(_ head: HTTPHead) throws(CheckpointError) {
    let wrong = CheckpointError(
      .malformed("the server sends a range (206) and does not say which"))
    guard let text = head.field("content-range"), text.lowercased().hasPrefix("bytes "),
      case let parts = text.dropFirst(6).split(separator: "/"), parts.count == 2,
      case let ends = parts[0].split(separator: "-"), ends.count == 2,
      let start = Self.number(ends[0]), let last = Self.number(ends[1]),
      let size = Self.number(parts[1]), start <= last, last < size
    else { throw wrong }
    (self.start, end, self.size) = (start, last + 1, size)
    if let text = head.field("content-length"), Int(text) != end - start { throw wrong }
  }

  private static func number(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }
}
