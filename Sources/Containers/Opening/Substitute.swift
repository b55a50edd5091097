public import TensorCore

/// What is found where a file should be, and is not the file: told for weights, configs and indices
/// alike.
struct Substitute: Equatable {
  /// What it is, as a predicate.
  let text: String

  /// What to do about it, where that is not what one does about a damaged file.
  var advice: String? {
    if text.hasPrefix("is a web page") {
      "fetch the file itself: on the hub its address has /resolve/ where that of its page has /blob/"
    } else if text.contains("pointer") {
      "fetch what it points to: git lfs pull, or download the model again"
    } else {
      nil
    }
  }

  /// What is wrong with the file.
  var problem: CheckpointError.Problem { .malformed(text) }

  /// The substitute that a file is, or `nil` if it is none that is known.
  init?(_ glimpse: Glimpse) {
    self.init(head: glimpse.head, size: glimpse.source.size)
  }

  /// The same, from the first bytes of a file and its size.
  init?(head: [UInt8], size: Int) {
    if size == 0 {
      text = "the file is empty"
    } else if head.starts(with: "version https://git-lfs.github.com/spec/".utf8) {
      text = "is a Git LFS pointer: the file itself has not been downloaded"
    } else if head.starts(with: "# xet version ".utf8) {
      text = "is a Xet pointer: the file itself has not been downloaded"
    } else if Self.isWebPage(head) {
      text = "is a web page (HTML) instead of the file: download the file itself, not its page"
    } else if let answer = Self.answer(head, size) {
      text = "holds only \"\(answer)\", a server's answer instead of the file: download it again"
    } else {
      return nil
    }
  }

  private static func isWebPage(_ head: [UInt8]) -> Bool {
    var rest = withoutMark(head).drop { isSpace($0) }
    // Comments and the declaration of XML may stand before it.
    while rest.starts(with: "<!--".utf8) || rest.starts(with: "<?".utf8) {
      guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
      rest = rest[(end + 1)...].drop { isSpace($0) }
    }
    let text = String(decoding: rest.prefix(15), as: UTF8.self).lowercased()
    return ["<!doctype html", "<html", "<head", "<error"].contains { text.hasPrefix($0) }
  }

  /// What servers answer instead of a file.
  private static let answers = [
    "Entry not found", "Repository not found", "Not Found", "404: Not Found", "Forbidden",
    "Access denied", "Invalid username or password", "Unauthorized", "Invalid credentials",
  ]

  private static func answer(_ head: [UInt8], _ size: Int) -> String? {
    guard size <= 120 else { return nil }
    let text = String(decoding: head.drop { isSpace($0) }, as: UTF8.self)
    return answers.first { text.lowercased().hasPrefix($0.lowercased()) }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    [0x20, 0x09, 0x0A, 0x0D].contains(byte)
  }

  private static func withoutMark(_ head: [UInt8]) -> ArraySlice<UInt8> {
    head.dropFirst(head.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
  }
}

/// Why bytes that should be a file's cannot be, if they are what is found instead of files: a pointer, a web page, a
/// server's answer, nothing.
public func notTheFile(_ bytes: [UInt8]) -> CheckpointError.Problem? {
  Substitute(head: Array(bytes.prefix(Glimpse.headSize)), size: bytes.count)?.problem
}

/// Why bytes that should be JSON text cannot be, if that can be told before reading them as such.
public func notJSON(_ bytes: [UInt8]) -> CheckpointError.Problem? {
  if let problem = notTheFile(bytes) { return problem }
  let head = bytes.prefix(3)
  if head.starts(with: [0xEF, 0xBB, 0xBF]) {
    return .malformed("begins with a byte order mark, which JSON must not have: save it without")
  }
  if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
    return .malformed("is UTF-16, and JSON files are UTF-8: save it as that")
  }
  return nil
}
