import Foundation
import SystemPackage
import TestSupport

/// A page that was written by `tfinspect report`, taken apart.
struct ReportPage {
  /// A start tag.
  struct Tag {
    let name: String
    let attributes: [(name: String, value: String)]

    subscript(name: String) -> String? { attributes.first { $0.name == name }?.value }
  }

  /// All of the file.
  let text: String
  /// The start tags, in order.
  private(set) var tags: [Tag] = []
  /// What is wrong with the markup: tags that do not match, attributes without quotes.
  private(set) var faults: [String] = []
  /// The cells of the rows of tables that have ids.
  private(set) var rows: [String: [String]] = [:]

  /// Runs the command with `arguments`, and reads what it has written.
  init(_ arguments: String..., in scratch: ScratchFolder) throws {
    let target = scratch.path.appending("page-\(UInt64.random(in: 0 ... .max)).html")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfinspect").string)
    process.arguments = ["report"] + arguments + ["-q", "-o", target.string]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    text = String(decoding: readFile(target), as: UTF8.self)
    parse()
  }

  /// Elements that have no end tag in HTML.
  private static let void: Set<String> = ["meta", "link", "input", "br", "wbr", "img"]

  private mutating func parse() {
    var rest = Substring(text)
    var (open, row, cell): ([String], String?, String?) = ([], nil, nil)
    while let start = rest.firstIndex(of: "<") {
      cell?.append(contentsOf: rest[..<start])
      guard let end = rest[start...].firstIndex(of: ">") else {
        faults.append("a tag does not end")
        return
      }
      let inside = rest[rest.index(after: start)..<end]
      rest = rest[rest.index(after: end)...]
      if inside.hasPrefix("!") { continue }
      if inside.hasPrefix("/") {
        let name = String(inside.dropFirst())
        if open.popLast() != name { faults.append("</\(name)> ends nothing") }
        if name == "td" || name == "th", let id = row, let text = cell {
          rows[id, default: []].append(unquoted(text))
          cell = nil
        }
        continue
      }
      let tag = tag(inside)
      tags.append(tag)
      if tag.name == "tr" { row = tag["id"] }
      if tag.name == "td" || tag.name == "th" { cell = "" }
      if Self.void.contains(tag.name) || inside.hasSuffix("/") { continue }
      open.append(tag.name)
      // What is in these is no markup.
      if ["style", "script"].contains(tag.name), let close = rest.range(of: "</\(tag.name)>") {
        rest = rest[close.lowerBound...]
      }
    }
    if !open.isEmpty { faults.append("not ended: \(open)") }
  }

  private mutating func tag(_ inside: Substring) -> Tag {
    let name = inside.prefix { !$0.isWhitespace && $0 != "/" }
    var rest = inside.dropFirst(name.count)
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    var attributes: [(name: String, value: String)] = []
    while true {
      rest = rest.drop(while: \.isWhitespace)
      if rest.isEmpty { break }
      let key = rest.prefix { $0 != "=" && !$0.isWhitespace }
      rest = rest.dropFirst(key.count)
      guard rest.hasPrefix("=") else {
        attributes.append((String(key), ""))
        continue
      }
      guard rest.hasPrefix("=\""), let end = rest.dropFirst(2).firstIndex(of: "\"") else {
        faults.append("\(key) of <\(name)> has no quotes")
        break
      }
      attributes.append((String(key), String(rest[..<end].dropFirst(2))))
      rest = rest[end...].dropFirst()
    }
    return Tag(name: String(name), attributes: attributes)
  }

  private func unquoted(_ text: String) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
      .reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }
}
