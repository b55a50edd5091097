import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct ReportTests {
  private let scratch = ScratchFolder()

  private static let models = [
    "bert/base", "bert/sharded", "bert/google_base", "gpt2/lm", "t5/model",
    "inspect/values.safetensors",
  ]

  @Test(arguments: models)
  func `is well-formed, complete, and needs nothing else`(_ name: String) throws {
    let page = try ReportPage(fixture(name).string, in: scratch)
    #expect(page.faults.isEmpty, "\(page.faults)")
    let sections = page.tags.filter { $0.name == "section" }.compactMap { $0["id"] }
    // Tables of positions are drawn, which are learned there.
    let patterns = name.hasPrefix("bert") || name.hasPrefix("gpt2") ? ["patterns"] : []
    let wanted =
      ["overview", "picture", "map"] + patterns + ["layers", "histograms", "spectra", "tensors"]
    #expect(sections == (name.hasPrefix("inspect") ? wanted.filter { $0 != "layers" } : wanted))
    expectSelfContained(page)
    // Markup that was taken for text.
    #expect(!page.text.contains("&lt;"))
  }

  private func expectSelfContained(_ page: ReportPage) {
    let ids = page.tags.compactMap { $0["id"] }
    #expect(Set(ids).count == ids.count)
    for tag in page.tags {
      #expect(!["iframe", "object", "embed", "base", "image", "use"].contains(tag.name))
      for (name, value) in tag.attributes {
        if tag.name == "img", name == "src" {
          #expect(value.wholeMatch(of: #/data:image\/png;base64,[A-Za-z0-9+\/=]+/#) != nil)
          continue
        }
        #expect(!name.hasPrefix("on") && !["src", "style", "srcset", "action"].contains(name))
        guard name == "href" else { continue }
        #expect(
          value == "data:," || value.hasPrefix("#") && ids.contains(String(value.dropFirst())))
      }
    }
    #expect(page.tags.count { $0.name == "script" } == 1)
    #expect(page.tags.count { $0.name == "style" } == 1)
    for word in ["http:", "https:", "url(", "@import"] { #expect(!page.text.contains(word)) }
  }

  @Test func `positions and bands are pictures`() throws {
    let vision = try ReportPage(fixture("vit/base").string, in: scratch)
    #expect(vision.faults.isEmpty, "\(vision.faults)")
    expectSelfContained(vision)
    // Its patches have two rows, too few for a picture.
    let pictures = vision.tags.filter { $0.name == "img" }.compactMap { $0["alt"] }
    #expect(pictures == ["Similarity of positions of embeddings.position_embeddings"])
    let sound = scratch.makeFolder("sound")
    for file in ["config.json", "model.safetensors"] {
      writeFile(readFile(fixture("whisper/base").appending(file)), to: sound.appending(file))
    }
    scratch.write(Array(#"{"feature_size": 5}"#.utf8), to: "sound/preprocessor_config.json")
    let bands = try ReportPage(sound.string, in: scratch)
    #expect(bands.tags.contains { $0["alt"] == "Filters of bands of preprocessor_config.json" })
    #expect(bands.text.contains("from 0 to 8000 Hz"))
  }

  @Test func `the numbers are those of stats`() throws {
    let path = fixture("bert/base").string
    let page = try ReportPage(path, in: scratch)
    let lines = try output("stats", path, "-q")
    #expect(lines.count == 39 && page.rows.count == 39)
    for (index, line) in lines.enumerated() {
      // Name, type, shape, then the numbers from the least to the norm.
      let cells = line.replacing(#/  +/#, with: "\t").split(separator: "\t").map(String.init)
      let row = try #require(page.rows["t\(index)"])
      #expect(row[0] == cells[0] && row[1] == cells[1])
      #expect(Array(row.dropFirst(4).prefix(5)) == Array(cells.dropFirst(3).prefix(5)), "\(row)")
    }
  }

  private func output(_ arguments: String...) throws -> [String] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: commandFolder.appending("tfinspect").string)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func `is the same again, whatever the number of threads`() throws {
    let path = fixture("t5/model").string
    let first = try ReportPage(path, "-T", "1", in: scratch).text
    #expect(try first == ReportPage(path, "-T", "2", in: scratch).text)
    #expect(try first == ReportPage(path, in: scratch).text)
  }

  /// Names that try to be markup, in every place where a page could put them.
  private static let names = [
    "</script><img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "' onfocus='alert(1)",
    "a&amp;b", "</title></style><script>alert(1)</script>", "layers.0.<b>w</b>",
    "layers.1.<b>w</b>",
    "<!--", "--><h1>", "javascript:alert(1)", "\u{202E}<i>\u{1B}[31m",
  ]

  @Test func `names are text, whatever they are`() throws {
    let path = try evilCheckpoint("evil <b>.safetensors", value: 1)
    let other = try evilCheckpoint("other <b>.safetensors", value: 2)
    for page in [
      try ReportPage(path.string, in: scratch),
      try ReportPage(path.string, other.string, in: scratch),
    ] {
      #expect(page.faults.isEmpty, "\(page.faults)")
      expectSelfContained(page)
      let tags = Set(page.tags.map(\.name))
      #expect(!tags.contains("i"))
      #expect(page.tags.count { $0.name == "h1" } == 1)
      let shown = Set(page.rows.values.compactMap(\.first))
      for name in Self.names where !name.contains("\u{1B}") && name != "a&amp;b" {
        #expect(shown.contains(name), "\(name)")
      }
      #expect(page.text.contains("a&amp;amp;b"))
      #expect(page.text.contains("\\u{202e}&lt;i&gt;\\u{1b}[31m"))
      #expect(!page.text.contains("\u{1B}") && !page.text.contains("\u{202E}"))
    }
  }

  private func evilCheckpoint(_ file: String, value: Float) throws -> FilePath {
    var header: [String: Any] = ["__metadata__": ["</style><i>": "</script><i>"]]
    var bytes: [UInt8] = []
    for name in Self.names {
      let start = bytes.count
      for index in 0..<16 { bytes += littleEndian((value + Float(index)).bitPattern) }
      header[name] = ["dtype": "F32", "shape": [4, 4], "data_offsets": [start, bytes.count]]
    }
    var text = Array(try JSONSerialization.data(withJSONObject: header))
    text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return scratch.write(littleEndian(UInt64(text.count)) + text + bytes, to: file)
  }

  @Test func `of two, it says what diff says`() throws {
    let (a, b) = (fixture("inspect/a.safetensors"), fixture("inspect/b.safetensors"))
    let page = try ReportPage(a.string, b.string, in: scratch)
    #expect(page.faults.isEmpty)
    expectSelfContained(page)
    let summary = try #require(output("diff", a.string, b.string).last)
    #expect(page.text.contains("Compared by the names in the files. \(summary)."))
    let same = try ReportPage(a.string, a.string, in: scratch)
    #expect(same.text.contains("29 tensors identical."))
    #expect(same.text.contains("All 29 tensors are the same, bit for bit."))
  }

  /// The first tensors of BERT, one of them with a NaN in it, and one further away than the others.
  private func changedBERT() throws -> FilePath {
    let source = readFile(fixture("bert/base").appending("model.safetensors"))
    let length = Int(source[0]) + Int(source[1]) << 8
    let header = try #require(
      JSONSerialization.jsonObject(with: Data(source[8..<8 + length])) as? [String: Any])
    var bytes = source
    for (name, element, value) in [
      ("encoder.layer.1.attention.self.query.weight", 7, Float.nan),
      ("encoder.layer.1.output.dense.bias", 2, 1e6),
    ] {
      let entry = try #require(header[name] as? [String: Any])
      let start = try #require((entry["data_offsets"] as? [Int])?.first)
      let place = 8 + length + start + 4 * element
      bytes.replaceSubrange(place..<place + 4, with: littleEndian(value.bitPattern))
    }
    let folder = scratch.makeFolder("changed")
    writeFile(bytes, to: folder.appending("model.safetensors"))
    let config = readFile(fixture("bert/base").appending("config.json"))
    writeFile(config, to: folder.appending("config.json"))
    return folder
  }

  @Test func `of two, both are checked, and the page begins with the difference`() throws {
    let page = try ReportPage(fixture("bert/base").string, changedBERT().string, in: scratch)
    #expect(page.faults.isEmpty, "\(page.faults)")
    expectSelfContained(page)
    let sections = page.tags.filter { $0.name == "section" }.compactMap { $0["id"] }
    #expect(
      sections == [
        "overview", "differences", "where", "rank", "changes", "picture", "map", "patterns",
        "layers", "histograms", "spectra", "tensors",
      ])
    #expect(
      page.text.contains("<p class=\"headline\">2 of 39 weights changed, all in layer 1.</p>"))
    #expect(page.text.contains("1 element is finite in one of the two only"))
    #expect(page.text.contains("<li class=\"good\"><b>none</b> <span>faults in A</span></li>"))
    #expect(page.text.contains("<li class=\"bad\"><b>1</b> <span>faults in B</span></li>"))
    #expect(page.text.contains("1 NaN of 576, the first at [0, 7]"))
    // What is about the first one alone says so.
    for title in ["Model", "Parameters", "Layers", "Histograms", "Spectra", "Tensors"] {
      #expect(page.text.contains(">\(title) of A</h2>"), "\(title)")
    }
    // Infinity is the largest of numbers, and can be sorted by.
    let row = try #require(page.rows["c0"])
    #expect(row[0] == "encoder.blocks.1.attention.query.weight" && row[4] == "not finite")
    #expect(row[9].contains("1 finite on one side only, the first at [0, 7]"))
    #expect(page.tags.contains { $0.name == "td" && $0["data-v"] == "Infinity" })
    // Layer 0 and all that is the same in layer 1 are in the map.
    #expect(page.text.contains("<td class=\"same\">=</td>"))
    #expect(page.text.contains("<td class=\"lost\">inf</td>"))
  }

  @Test func `of two, numbers of changes are those of diff`() throws {
    let (a, b) = (fixture("inspect/a.safetensors"), fixture("inspect/b.safetensors"))
    let page = try ReportPage(a.string, b.string, in: scratch)
    let json = try JSONSerialization.jsonObject(
      with: Data(output("diff", a.string, b.string, "--json").joined(separator: "\n").utf8))
    let changes = try #require((json as? [String: Any])?["changes"] as? [[String: Any]])
    #expect(changes.count == page.rows.keys.count { $0.hasPrefix("c") })
    for (index, change) in changes.enumerated() {
      let row = try #require(page.rows["c\(index)"])
      guard let relative = change["relative_norm"] as? Double, relative > 0 else { continue }
      let shown = try #require(Double(row[4]), "\(row)")
      #expect(abs(shown - relative) <= 0.006 * relative, "\(row)")
    }
  }

  /// Names, tensors, metadata and faults that a page cannot hold all of.
  @Test(.timeLimit(.minutes(10))) func `a page does not grow with what is in a file`() throws {
    var (header, position): ([String: Any], Int) = ([:], 0)
    header["__metadata__"] = ["text": String(repeating: "<&>", count: 1 << 18)]
    for index in 0..<7000 {
      let name =
        "stack\(index % 40).\(index / 40).\(String(repeating: "<name>.", count: 40))w"
      header[name] = ["dtype": "F32", "shape": [2, 2], "data_offsets": [position, position + 16]]
      position += 16
    }
    var text = Array(try JSONSerialization.data(withJSONObject: header))
    text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    let bytes = littleEndian(UInt64(text.count)) + text
    let numbers = { (first: Float) in
      (0..<position / 4).flatMap { littleEndian((first + Float($0)).bitPattern) }
    }
    let a = scratch.write(bytes + numbers(1), to: "many.safetensors")
    let b = scratch.write(bytes + numbers(2), to: "more.safetensors")
    let page = try ReportPage(a.string, b.string, in: scratch)
    #expect(page.faults.isEmpty && page.text.utf8.count < 10 << 20, "\(page.text.utf8.count)")
    expectSelfContained(page)
  }

  @Test func `without the script nothing is hidden but what needs it`() throws {
    let page = try ReportPage(
      fixture("inspect/a.safetensors").string, fixture("inspect/b.safetensors").string, in: scratch)
    let hidden = page.tags.filter { $0["hidden"] != nil }
    #expect(hidden.allSatisfy { $0["id"] == "theme" || $0["class"] == "filter" })
    #expect(page.tags.allSatisfy { $0["tabindex"] != "-1" })
  }
}
