import CCurl
import TensorCore

/// What a server says before the bytes.
struct HTTPHead: Sendable {
  /// The status, such as 206.
  fileprivate(set) var status = 0
  /// Whether the end of the connection can be the end of the body.
  fileprivate(set) var isBeforeHTTP2 = false
  private var fields: [(name: String, value: String)] = []
  fileprivate var byteCount = 0

  /// The value of a field, whose name is in lower case; of several the last.
  func field(_ name: String) -> String? { fields.last { $0.name == name }?.value }

  /// Whether the body's length is known before its end, or its end is marked.
  var hasEnd: Bool {
    !isBeforeHTTP2 || field("content-length") != nil
      || field("transfer-encoding")?.lowercased().contains("chunked") == true
  }

  /// Takes a line.
  fileprivate mutating func add(_ line: UnsafeRawBufferPointer) {
    byteCount += line.count
    let text = unsafe String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      let words = text.split(separator: " ")
      let count = byteCount
      self = HTTPHead()
      byteCount = count
      isBeforeHTTP2 = text.hasPrefix("HTTP/1") || text.hasPrefix("HTTP/0")
      status = words.count > 1 ? Int(words[1].prefix(3)) ?? 0 : 0
    } else if let colon = text.firstIndex(of: ":") {
      let isSpace = { (character: Character) in character.isWhitespace }
      let value = text[text.index(after: colon)...].drop(while: isSpace).reversed()
        .drop(while: isSpace).reversed()
      fields.append((text[..<colon].lowercased(), String(value)))
    }
  }

  /// Bytes of all that a server says before the bytes.
  static let limit = 1 << 16
}

/// What came of a request.
struct HTTPAnswer {
  var head: HTTPHead
  /// The bytes, unless they had a place to go.
  var body: [UInt8]
  /// How many bytes came.
  var count: Int
  /// Where the server sends to instead.
  var redirect: String?
  /// What went wrong on the way: libcurl's number and words.
  var failure: (number: Int32, words: String)?
  /// Why the transfer was ended from here.
  var refusal: CheckpointError?
}

/// Why bytes are not taken, and how many are if they are.
typealias HeadCheck = (HTTPHead) throws(CheckpointError) -> Int

/// A connection to servers, used by one thread at a time.
@safe final class HTTPConnection: @unchecked Sendable {
  private let handle: UnsafeMutableRawPointer

  /// - Throws: `CheckpointError` if libcurl is not there.
  init() throws(CheckpointError) {
    guard let handle = unsafe tfkit_curl_open() else {
      throw CheckpointError(
        .unsupported("is read with libcurl, which is not installed"),
        advice: "install it (Debian: apt-get install libcurl4), or download the files first")
    }
    unsafe self.handle = handle
  }

  deinit { unsafe tfkit_curl_close(handle) }

  /// How long something may take.
  struct Times {
    let connecting: Double
    let whole: Double
    /// Seconds with less than `slowest` bytes a second.
    let slow: Double
    let slowest: Int
  }

  /// Asks for one thing.
  ///
  /// - Parameters:
  ///   - fields: lines of the header.
  ///   - check: says of a status that is not 3xx, 4xx or 5xx how many bytes may come.
  ///   - target: where they go; `nil` for the answer's body.
  func transfer(
    _ url: String, fields: [String], _ times: Times, into target: UnsafeMutableRawBufferPointer?,
    check: HeadCheck
  ) -> HTTPAnswer {
    withoutActuallyEscaping(check) { check in
      let exchange = unsafe Exchange(target: target, check: check)
      var status = 0
      var redirect: UnsafePointer<CChar>?
      var message = [CChar](repeating: 0, count: 256)
      let number = unsafe url.withCString { url in
        unsafe withCStrings(fields) { fields in
          unsafe withCString(variable("CURL_CA_BUNDLE") ?? variable("SSL_CERT_FILE")) { file in
            unsafe withCString(variable("SSL_CERT_DIR")) { folder in
              var request = unsafe tfkit_curl_request(
                url: url, fields: fields.baseAddress, field_count: fields.count,
                connect_milliseconds: Int(times.connecting * 1000),
                whole_milliseconds: Int(times.whole * 1000), slow_bytes: times.slowest,
                slow_seconds: max(1, Int(times.slow.rounded())), certificates: file,
                certificate_folder: folder, header: takeHeader, body: takeBody,
                context: Unmanaged.passUnretained(exchange).toOpaque())
              return withExtendedLifetime(exchange) {
                unsafe tfkit_curl_transfer(handle, &request, &status, &redirect, &message)
              }
            }
          }
        }
      }
      let words = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return HTTPAnswer(
        head: exchange.head, body: exchange.body, count: exchange.count,
        redirect: unsafe redirect.map { unsafe String(cString: $0) },
        failure: number == 0 ? nil : (number, words), refusal: exchange.refusal)
    }
  }
}

/// What a transfer gathers.
@safe private final class Exchange {
  var head = HTTPHead()
  var body: [UInt8] = []
  var count = 0
  var refusal: CheckpointError?
  private var limit: Int?
  private var skipped = 0
  private let target: UnsafeMutableRawBufferPointer?
  private let check: HeadCheck

  init(target: UnsafeMutableRawBufferPointer?, check: @escaping HeadCheck) {
    unsafe self.target = target
    self.check = check
  }

  func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
    unsafe head.add(line)
    guard head.byteCount <= HTTPHead.limit else {
      refusal = CheckpointError(
        .limitExceeded(
          "the header of the server's answer", limit: HTTPHead.limit, found: head.byteCount))
      return 0
    }
    return line.count
  }

  func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard head.status < 300 else {
      // What a server says of a refusal; an endless one is not waited for.
      skipped += bytes.count
      return skipped > 1 << 20 ? 0 : bytes.count
    }
    do throws(CheckpointError) {
      let limit: Int
      if let known = self.limit { limit = known } else { limit = try check(head) }
      self.limit = limit
      guard bytes.count <= limit - count else {
        throw CheckpointError(
          .malformed("the server sends more than the \(limit) bytes that it announced"))
      }
      if let target = unsafe target {
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[count...]).copyMemory(from: bytes)
      } else {
        unsafe body.append(contentsOf: bytes)
      }
      count += bytes.count
      return bytes.count
    } catch {
      refusal = error
      return 0
    }
  }
}

private func takeHeader(
  _ context: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int
) -> Int {
  guard let context = unsafe context else { return 0 }
  return unsafe Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    .takeHeader(UnsafeRawBufferPointer(start: bytes, count: count))
}

private func takeBody(
  _ context: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int
) -> Int {
  guard let context = unsafe context else { return 0 }
  return unsafe Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    .takeBody(UnsafeRawBufferPointer(start: bytes, count: count))
}

private func withCString<Result>(
  _ text: String?, _ body: (UnsafePointer<CChar>?) -> Result
) -> Result {
  if let text { return unsafe text.withCString { unsafe body($0) } }
  return body(nil)
}

private func withCStrings<Result>(
  _ texts: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
  let ends = texts.map { $0.utf8.count + 1 }
  let bytes = texts.flatMap { Array($0.utf8) + [0] }.map { CChar(bitPattern: $0) }
  return unsafe bytes.withUnsafeBufferPointer { bytes in
    var start = 0
    var pointers: [UnsafePointer<CChar>?] = unsafe []
    for count in ends {
      unsafe pointers.append(unsafe bytes.baseAddress.map { unsafe $0 + start })
      start += count
    }
    return unsafe pointers.withUnsafeBufferPointer { unsafe body($0) }
  }
}
