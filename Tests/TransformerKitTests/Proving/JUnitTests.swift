import Foundation
import TestSupport
import Testing
import TransformerKit

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Test reports are XML, whatever the names in them.
@Suite struct JUnitTests {
  @Test func `text comes back from a parser`() throws {
    let report = JUnitReport(
      "tfverify \"a\" <b> & 'c'", package: ["pair", "model.x y/é"],
      cases: [
        JUnitReport.Case("weights", "encoder.blocks.0", .passed),
        JUnitReport.Case("weights", "ß \u{1F600} ]]> &amp;", .failed(["one <1>", "two & \"2\""])),
        JUnitReport.Case("outputs", "logits", .error("no such file")),
      ])
    let elements = try parsed(report.xml)
    #expect(
      elements.map(\.name) == [
        "testsuites", "testsuite", "testcase", "testcase", "failure", "testcase", "error",
      ])
    for suite in elements.prefix(2) {
      #expect(suite.attributes["tests"] == "3" && suite.attributes["failures"] == "1")
      #expect(suite.attributes["errors"] == "1")
    }
    #expect(elements[1].attributes["name"] == "tfverify \"a\" <b> & 'c'")
    #expect(elements[2].attributes["classname"] == "tfverify.pair.model_x_y__.weights")
    #expect(elements[3].attributes["name"] == "ß \u{1F600} ]]> &amp;")
    #expect(elements[4].attributes["message"] == "one <1>")
    #expect(elements[4].text == "one <1>\ntwo & \"2\"")
    #expect(elements[6].attributes["message"] == "no such file")
  }

  @Test func `every character can be told`() throws {
    // XML 1.0 has no U+0000 to U+001F but three, no U+FFFE and U+FFFF, not even escaped.
    let scalars =
      (0...0x2FFF).compactMap { Unicode.Scalar($0) }
      + [0xFFFD, 0xFFFE, 0xFFFF, 0xE000, 0x1F4A9, 0x10FFFF].compactMap { Unicode.Scalar($0) }
    for scalar in scalars {
      let name = "a\(scalar)b"
      let report = JUnitReport(
        name, package: [name], cases: [JUnitReport.Case("x", name, .failed([name]))])
      let elements = try parsed(report.xml)
      let found = try #require(elements[2].attributes["name"])
      let hex = String(scalar.value, radix: 16)
      #expect(found.unicodeScalars.elementsEqual(name.unicodeScalars) || found == "a\\u{\(hex)}b")
    }
  }

  @Test func `a report without tests is one`() throws {
    let elements = try parsed(JUnitReport("none", package: [], cases: []).xml)
    #expect(elements.map(\.name) == ["testsuites", "testsuite"])
  }

  private func parsed(_ xml: String) throws -> [Element] {
    let reader = Reader()
    let parser = XMLParser(data: Data(xml.utf8))
    parser.delegate = reader
    let isWellFormed = parser.parse()
    #expect(isWellFormed, "\(xml)")
    return reader.elements
  }
}

private struct Element {
  let name: String
  let attributes: [String: String]
  var text = ""
}

private final class Reader: NSObject, XMLParserDelegate {
  var elements: [Element] = []
  private var open: [Int] = []

  func parser(
    _: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    open.append(elements.count)
    elements.append(Element(name: name, attributes: attributes))
  }

  func parser(_: XMLParser, didEndElement: String, namespaceURI: String?, qualifiedName: String?) {
    open.removeLast()
  }

  func parser(_: XMLParser, foundCharacters text: String) {
    if let last = open.last { elements[last].text += text }
  }
}
