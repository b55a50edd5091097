import Foundation
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A server of HTTP/1.1 on this machine, which answers as a test wants it to, rightly or wrongly.
public final class TestServer: Sendable {
  /// What somebody asks for.
  public struct Request: Sendable {
    /// The path and what follows it.
    public let target: String
    private let fields: [String: String]

    /// The value of a field of the header, whose name is in lower case.
    public func field(_ name: String) -> String? { fields[name] }

    /// The first and the last byte of the range that is asked for.
    public var range: ClosedRange<Int>? {
      guard let text = fields["range"], text.hasPrefix("bytes=") else { return nil }
      let ends = text.dropFirst(6).split(separator: "-").compactMap { Int($0) }
      return ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
    }

    init?(_ text: String) {
      let lines = text.split(separator: "\r\n")
      let words = lines.first?.split(separator: " ") ?? []
      guard words.count == 3 else { return nil }
      target = String(words[1])
      var fields: [String: String] = [:]
      for line in lines.dropFirst() {
        guard let colon = line.firstIndex(of: ":") else { continue }
        fields[line[..<colon].lowercased()] = String(
          line[line.index(after: colon)...].drop { $0 == " " })
      }
      self.fields = fields
    }
  }

  /// What is answered.
  public struct Answer: Sendable {
    public var status: Int
    /// Lines of the header; a length is added unless there is one.
    public var fields: [String]
    public var body: [UInt8]
    /// After how many bytes of the body the connection is cut.
    public var cut: Int?
    /// How many milliseconds to wait after each byte of the body.
    public var drip: Int?

    public init(_ status: Int, _ fields: [String] = [], _ body: [UInt8] = []) {
      (self.status, self.fields, self.body) = (status, fields, body)
    }

    /// What a good server answers about a file: the range that is asked for, or all of it.
    public static func file(
      _ bytes: [UInt8], _ request: Request, etag: String = "\"1\""
    ) -> Answer {
      let fields = ["ETag: \(etag)", "Accept-Ranges: bytes"]
      guard let range = request.range, request.field("if-range") ?? etag == etag else {
        return Answer(200, fields, bytes)
      }
      guard range.lowerBound < bytes.count else {
        return Answer(416, fields + ["Content-Range: bytes */\(bytes.count)"])
      }
      let end = min(range.upperBound + 1, bytes.count)
      let place = "Content-Range: bytes \(range.lowerBound)-\(end - 1)/\(bytes.count)"
      return Answer(206, fields + [place], Array(bytes[range.lowerBound..<end]))
    }
  }

  /// The port, on 127.0.0.1.
  public let port: UInt16
  private let listener: Int32
  private let log = Mutex<[Request]>([])
  private let respond: @Sendable (Request, Int) -> Answer

  /// `http://127.0.0.1:PORT`.
  public var address: String { "http://127.0.0.1:\(port)" }

  /// All that has been asked for.
  public var requests: [Request] { log.withLock { $0 } }

  /// Begins to answer, which goes on until the process ends.
  ///
  /// - Parameter respond: the answer to a request, of which so many came before.
  public init(_ respond: @escaping @Sendable (_ request: Request, _ before: Int) -> Answer) {
    self.respond = respond
    #if canImport(Glibc)
      listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    #else
      listener = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    let listener = listener
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isOpen = unsafe withUnsafeMutablePointer(to: &place) { place in
      unsafe place.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
        unsafe bind(listener, place, size) == 0 && listen(listener, 64) == 0
          && getsockname(listener, place, &size) == 0
      }
    }
    precondition(isOpen, "no server can be started")
    port = UInt16(bigEndian: place.sin_port)
    Thread.detachNewThread { [self] in
      while case let connection = accept(listener, nil, nil), connection >= 0 {
        Thread.detachNewThread { self.serve(connection) }
      }
    }
  }

  private func serve(_ connection: Int32) {
    var on: Int32 = 1
    unsafe setsockopt(
      connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var received: [UInt8] = []
    while let request = Self.next(connection, &received) {
      let before = log.withLock { log in
        log.append(request)
        return log.count - 1
      }
      guard send(respond(request, before), on: connection) else { break }
    }
    close(connection)
  }

  /// Reads the header of a request.
  private static func next(_ connection: Int32, _ received: inout [UInt8]) -> Request? {
    let end: [UInt8] = [13, 10, 13, 10]
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let cut = received.firstRange(of: end) {
        let text = String(decoding: received[..<cut.lowerBound], as: UTF8.self)
        received.removeFirst(cut.upperBound)
        return Request(text)
      }
      let count = unsafe recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      received += buffer[..<count]
    }
  }

  /// Sends an answer; whether the connection goes on.
  private func send(_ answer: Answer, on connection: Int32) -> Bool {
    var lines = ["HTTP/1.1 \(answer.status) x"] + answer.fields
    let saysLength = answer.fields.contains {
      let name = $0.prefix { $0 != ":" }.lowercased()
      return name == "content-length" || name == "transfer-encoding" || name == "connection"
    }
    if !saysLength { lines.append("Content-Length: \(answer.body.count)") }
    let head = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    let body = answer.body[..<min(answer.cut ?? .max, answer.body.count)]
    if let drip = answer.drip {
      guard send(head, connection) else { return false }
      for byte in body {
        guard send([byte], connection) else { return false }
        usleep(UInt32(drip) * 1000)
      }
      return true
    }
    return send(head + body, connection) && answer.cut == nil
      && !answer.fields.contains("Connection: close")
  }

  private func send(_ bytes: [UInt8], _ connection: Int32) -> Bool {
    var rest = bytes[...]
    #if canImport(Glibc)
      let flags = Int32(MSG_NOSIGNAL)
    #else
      let flags: Int32 = 0
    #endif
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe sending(connection, $0, flags) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

private func sending(_ connection: Int32, _ bytes: UnsafeRawBufferPointer, _ flags: Int32) -> Int {
  #if canImport(Glibc)
    unsafe Glibc.send(connection, bytes.baseAddress, bytes.count, flags)
  #else
    unsafe Darwin.send(connection, bytes.baseAddress, bytes.count, flags)
  #endif
}
