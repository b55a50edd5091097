import Synchronization
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Asks servers, follows where they send to, and asks again where that can help.
final class HTTPClient: Sendable {
  let settings: RemoteSettings
  /// Connections that nobody uses at the moment.
  private let idle = Mutex<[HTTPConnection]>([])
  private let received = Atomic<Int>(0)

  init(_ settings: RemoteSettings) { self.settings = settings }

  /// What is asked for.
  struct Request {
    /// The address.
    var url: String
    /// Where the address leads to by what was found before; asked first, and forgotten if that fails.
    var direct: String?
    /// Lines of the header.
    var fields: [String] = []
    /// What it is called in errors.
    var name: String
  }

  /// How a request ended.
  struct Answer {
    var head: HTTPHead
    var body: [UInt8]
    var count: Int
    /// The address that answered.
    var url: String
  }

  /// How often something is asked for.
  private static let attempts = 6
  private static let redirects = 10
  /// Bytes a second that are too few.
  private static let slowest = 1024

  /// Asks until there is an answer that `check` is content with, and returns its body.
  func fetch(
    _ request: Request, missing: (Int) -> CheckpointError.Problem? = { _ in nil }, check: HeadCheck
  ) throws(CheckpointError) -> Answer {
    try unsafe fetch(request, into: nil, missing: missing, check: check)
  }

  /// Asks until there is an answer that `check` is content with.
  ///
  /// - Parameters:
  ///   - target: where the bytes go; `nil` for the answer's body.
  ///   - check: how many bytes may come after a head of status 2xx.
  /// - Throws: `CheckpointError` if there is none.
  func fetch(
    _ request: Request, into target: UnsafeMutableRawBufferPointer?,
    missing: (Int) -> CheckpointError.Problem? = { _ in nil }, check: HeadCheck
  ) throws(CheckpointError) -> Answer {
    do throws(CheckpointError) {
      if settings.isOffline {
        throw CheckpointError(.malformed("is on another machine, and HF_HUB_OFFLINE is set"))
      }
      var request = request
      let end = now() + settings.patience
      var attempt = 1
      while true {
        let step = try unsafe step(request, target, check)
        switch step {
        case .answer(let answer): return answer
        case .status(let status, _) where request.direct != nil && status != 416:
          // An address that a redirect led to is good for a while.
          request.direct = nil
        case .status(let status, let wait) where Self.isPassing(status):
          try pause(&attempt, until: end, wait: wait, "the server answers \(status)")
        case .status(let status, _):
          throw CheckpointError(missing(status) ?? problem(status, request.url))
        case .broken(let words):
          try pause(&attempt, until: end, wait: nil, words)
        }
      }
    } catch {
      throw error.inFile(request.name)
    }
  }

  private enum Step {
    case answer(Answer)
    /// A status that is none of success, and after how many seconds to ask again.
    case status(Int, wait: Double?)
    /// A transfer that broke.
    case broken(String)
  }

  /// Asks once, and where the server sends to.
  private func step(
    _ request: Request, _ target: UnsafeMutableRawBufferPointer?, _ check: HeadCheck
  ) throws(CheckpointError) -> Step {
    let connection: HTTPConnection
    if let idle = idle.withLock({ $0.popLast() }) {
      connection = idle
    } else {
      connection = try HTTPConnection()
    }
    defer { idle.withLock { $0.append(connection) } }
    var url = request.direct ?? request.url
    for _ in 0...Self.redirects {
      let fields = try requestFields(url, request)
      let answer = unsafe connection.transfer(
        url, fields: fields, times, into: target, check: check)
      let sum = received.add(answer.count, ordering: .relaxed).newValue
      guard sum <= settings.mostBytes else {
        throw CheckpointError(
          .limitExceeded(
            "the number of bytes from other machines", limit: settings.mostBytes, found: sum))
      }
      if let refusal = answer.refusal { throw refusal }
      let status = answer.head.status
      if (300..<400).contains(status), let next = answer.redirect {
        url = try checked(next, after: url)
        continue
      }
      if status >= 300 {
        return .status(status, wait: answer.head.field("retry-after").flatMap(Double.init))
      }
      if let failure = answer.failure { return try .broken(words(of: failure, url)) }
      guard status >= 200 else { return .broken("the server's answer is none") }
      _ = try check(answer.head)
      return .answer(
        Answer(head: answer.head, body: answer.body, count: answer.count, url: url))
    }
    throw CheckpointError(
      .malformed("the server sends on more than \(Self.redirects) times"))
  }

  private var times: HTTPConnection.Times {
    HTTPConnection.Times(
      connecting: min(settings.patience, 15), whole: settings.patience * 10,
      slow: settings.patience / 2, slowest: Self.slowest)
  }

  /// The lines of a request's header. The token goes to the hub alone.
  private func requestFields(
    _ url: String, _ request: Request
  ) throws(CheckpointError) -> [String] {
    guard let origin = Origin(url) else {
      throw CheckpointError(.malformed("is no address of a server"))
    }
    guard origin.isPrivate || settings.allowsHTTP else {
      throw CheckpointError(
        .refused("would be read from \(origin.host) without encryption"),
        advice: "set TFKIT_REMOTE_HTTP=1 if that is meant, or use https")
    }
    // What is compressed on the way has other ranges.
    var fields = request.fields + ["Accept-Encoding: identity"]
    if origin == Origin(settings.endpoint), origin.isPrivate, let token = settings.token.field {
      fields.append(token)
    }
    return fields
  }

  /// An address that a server sends to.
  private func checked(_ next: String, after url: String) throws(CheckpointError) -> String {
    guard let from = Origin(url), let to = Origin(next) else {
      throw CheckpointError(.malformed("the server sends to what is no address of a server"))
    }
    guard to.isPrivate || !from.isPrivate else {
      throw CheckpointError(
        .malformed("the server sends from https to \(to.host) without encryption"))
    }
    return next
  }

  private func words(
    of failure: (number: Int32, words: String), _ url: String
  ) throws(CheckpointError) -> String {
    let host = Origin(url)?.host ?? ""
    let words = "\(host): \(withoutSecrets(failure.words))"
    // What asking again does not change: certificates, and what libcurl cannot do.
    let lasting: Set<Int32> = [
      1, 3, 4, 27, 35, 51, 53, 54, 58, 59, 60, 66, 77, 80, 82, 83, 90, 91,
    ]
    if lasting.contains(failure.number) {
      throw CheckpointError(.malformed("cannot be fetched from \(words)"))
    }
    return "cannot be fetched from \(words)"
  }

  /// A text without the token, should it be in it.
  private func withoutSecrets(_ text: String) -> String {
    guard case .secret(let bytes) = settings.token else { return text }
    return text.replacing(String(decoding: bytes, as: UTF8.self), with: "…")
  }

  /// Whether a server may answer otherwise soon.
  private static func isPassing(_ status: Int) -> Bool {
    [408, 425, 429, 500, 502, 503, 504].contains(status)
  }

  /// What a status means that is no success.
  private func problem(_ status: Int, _ url: String) -> CheckpointError.Problem {
    let isHub = Origin(url) == Origin(settings.endpoint)
    let hasToken = if case .secret = settings.token { true } else { false }
    switch status {
    case 401 where isHub && !hasToken:
      return .malformed(
        "the hub knows nothing of it for all (401): private, or not there; HF_TOKEN says who asks")
    case 401 where isHub:
      return .malformed("the hub does not know the token (401), or nothing of it")
    case 403 where isHub:
      return .malformed("the hub does not give it (403): its page says on what terms it does")
    case 401, 403, 407: return .malformed("the server does not give it (\(status))")
    case 404, 410: return .missing("the server has no such file (\(status))")
    case 412, 416: return .changedWhileRead
    default: return .malformed("the server answers \(status)")
    }
  }

  /// Waits before the next attempt, twice as long each time, and not all at the same moment.
  private func pause(
    _ attempt: inout Int, until end: Double, wait: Double?, _ words: String
  ) throws(CheckpointError) {
    let usual = 0.25 * Double(1 << attempt) * Double.random(in: 0.5...1)
    let seconds = max(wait ?? 0, min(usual, settings.patience / 8))
    guard attempt < Self.attempts, now() + seconds < end else {
      throw CheckpointError(
        .malformed("\(words), asked \(attempt == 1 ? "once" : "\(attempt) times")"))
    }
    attempt += 1
    usleep(UInt32(min(seconds, 3600) * 1_000_000))
  }
}

/// Seconds on a clock that nobody sets.
private func now() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
