public import SystemPackage
import TensorCore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where something is that another machine has: `https://HOST/…`, `http://HOST/…`, or
/// `hf://OWNER/NAME[@REVISION][/FILE]`, a model of a hub and a file of it.
///
/// An address is a path whose first component is the scheme; a path keeps one of the two slashes.
enum RemoteAddress: Equatable, Sendable {
  case web(url: String)
  case hub(HubRepository, file: [UInt8])

  /// The schemes that are read.
  private static let schemes = ["https:", "http:", "hf:"]

  /// Whether a path is an address that is read.
  static func isAddress(_ path: FilePath) -> Bool {
    guard !path.isAbsolute, let first = path.components.first?.string else { return false }
    return schemes.contains(first)
  }

  /// What a path is the address of; `nil` if it is none.
  ///
  /// - Throws: `CheckpointError` if an address of a hub does not name a model.
  init?(_ path: FilePath) throws(CheckpointError) {
    guard Self.isAddress(path), let scheme = path.components.first?.string else { return nil }
    let rest = path.components.dropFirst().map(\.bytes)
    guard scheme == "hf:" else {
      let slash = UInt8(ascii: "/")
      self = .web(url: scheme + "//" + encoded(Array(rest.joined(separator: [slash])), .url))
      return
    }
    let (repository, count) = try HubRepository.named(rest, in: path)
    self = .hub(
      repository, file: Array(rest.dropFirst(count).joined(separator: [UInt8(ascii: "/")])))
  }
}

/// A model of a hub, at a revision.
struct HubRepository: Hashable, Sendable {
  /// OWNER/NAME.
  let name: String
  let revision: String

  /// The model that an address begins with, and of how many components its name is.
  static func named(
    _ components: [[UInt8]], in path: FilePath
  ) throws(CheckpointError) -> (HubRepository, count: Int) {
    let usage = "hf://OWNER/NAME[@REVISION][/FILE]"
    let texts = components.prefix(4).map { String(decoding: $0, as: UTF8.self) }
    guard texts.count >= 2 else {
      throw CheckpointError(.malformed("is no model of a hub: \(usage)"), file: displayed(path))
    }
    if ["datasets", "spaces"].contains(texts[0]) {
      throw CheckpointError(
        .unsupported("is no model, and only models are read from a hub"), file: displayed(path))
    }
    let parts = texts[1].split(
      separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let name = texts[0] + "/" + parts[0]
    var revision = parts.count > 1 ? decoded(String(parts[1])) : "main"
    var count = 2
    // refs/pr/1 and refs/convert/parquet are revisions that have slashes.
    if parts.count > 1, revision == "refs" {
      guard texts.count >= 4 else {
        throw CheckpointError(
          .malformed("the revision is not whole: refs/pr/1"), file: displayed(path))
      }
      revision = texts[1...3].joined(separator: "/").split(separator: "@")[1].description
      count = 4
    }
    guard isPlain(texts[0]), isPlain(String(parts[0])), !revision.isEmpty,
      revision.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
    else {
      throw CheckpointError(.malformed("is no model of a hub: \(usage)"), file: displayed(path))
    }
    return (HubRepository(name: name, revision: revision), count)
  }

  /// Whether a text can be a name on a hub.
  private static func isPlain(_ text: String) -> Bool {
    !text.isEmpty && text != "." && text != ".."
      && text.utf8.allSatisfy { isUnreserved($0) && $0 != UInt8(ascii: "~") }
  }
}

/// What of a text is written in an address as it is.
enum Spelling {
  /// A whole address: all that is printed, but for what is in no address.
  case url
  /// A path: letters, digits, `-._~` and slashes.
  case path
  /// The same without slashes.
  case component
}

private func isUnreserved(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: "-._~".utf8.contains(byte)
  }
}

/// Bytes as they stand in an address: the others as `%NN` (RFC 3986, 2.1).
func encoded(_ bytes: [UInt8], _ spelling: Spelling) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    let isKept =
      switch spelling {
      case .url: (0x21..<0x7F).contains(byte) && !"\"<>\\^`{|}".utf8.contains(byte)
      case .path: isUnreserved(byte) || byte == UInt8(ascii: "/")
      case .component: isUnreserved(byte)
      }
    text += isKept ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
  }
  return String(decoding: text, as: UTF8.self)
}

/// A text without its `%NN`; those that are none stay.
private func decoded(_ text: String) -> String {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let first = rest.popFirst() {
    if first == UInt8(ascii: "%"), rest.count >= 2,
      let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
    {
      bytes.append(byte)
      rest = rest.dropFirst(2)
    } else {
      bytes.append(first)
    }
  }
  return String(decoding: bytes, as: UTF8.self)
}

extension FilePath {
  /// Whether another machine has what is there: `https://…`, `http://…`, `hf://…`.
  public var isRemote: Bool { RemoteAddress.isAddress(self) }
}

/// A remote path as it is printed: both slashes after the scheme, and neither the name and password that
/// may stand before the host nor what follows a question mark, since that can be a key.
func displayedAddress(_ text: String) -> String {
  guard let colon = text.firstIndex(of: ":") else { return text }
  let scheme = text[...colon]
  var rest = text[text.index(after: colon)...].drop { $0 == "/" }
  if let mark = rest.firstIndex(of: "?") { rest = rest[..<mark] + "?…" }
  let end = rest.firstIndex(of: "/") ?? rest.endIndex
  if scheme != "hf:", let at = rest[..<end].lastIndex(of: "@") {
    rest = rest[rest.index(after: at)...]
  }
  return scheme + "//" + rest
}

/// Where a request goes: the scheme, the host and the port of an address.
struct Origin: Equatable, Sendable {
  let scheme: String
  let host: String
  let port: String

  /// `nil` if the text is no address of a server.
  init?(_ url: String) {
    // What is in no address is not read in one way here and in another by libcurl.
    guard let mark = url.firstRange(of: "://"), !url.contains("\\"),
      url.utf8.allSatisfy({ (0x21..<0x7F).contains($0) })
    else { return nil }
    scheme = url[..<mark.lowerBound].lowercased()
    guard scheme == "https" || scheme == "http" else { return nil }
    var authority = url[mark.upperBound...].prefix { !"/?#".contains($0) }
    if let at = authority.lastIndex(of: "@") {
      authority = authority[authority.index(after: at)...]
    }
    let bracket = authority.lastIndex(of: "]") ?? authority.startIndex
    let colon = authority[bracket...].lastIndex(of: ":")
    host = authority[..<(colon ?? authority.endIndex)].lowercased()
    let digits = colon.map { authority[authority.index(after: $0)...] } ?? ""
    port = digits.isEmpty ? (scheme == "https" ? "443" : "80") : String(digits)
    guard !host.isEmpty else { return nil }
  }

  /// Whether it is this machine, so that nobody else sees what is sent.
  var isLoopback: Bool {
    if host == "localhost" || host == "[::1]" { return true }
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    return numbers.count == 4 && numbers[0] == "127" && numbers.allSatisfy { UInt8($0) != nil }
  }

  /// Whether nobody on the way sees what is sent.
  var isPrivate: Bool { scheme == "https" || isLoopback }
}
