import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What `--json` prints is as the schemas in docs/schemas say.
@Suite struct SchemaTests {
  private static let folder = fixture().removingLastComponent().appending("docs/schemas")

  /// The schemas, by what objects say under `schema`.
  private static let schemas: [String: JSONSchema] = {
    let values = fileNames(in: folder).compactMap { name in
      try? JSONValue(parsing: readFile(folder.appending(name)), grammar: .strict)
    }
    return Dictionary(
      uniqueKeysWithValues: values.map {
        ($0["properties"]?["schema"]?["const"]?.string ?? "", JSONSchema($0))
      })
  }()

  /// The objects among what a command has printed; not those of which a part was cut off.
  private static func objects(in text: String) -> [JSONValue] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var objects: [JSONValue] = []
    var start: Int?
    for (number, line) in lines.enumerated() {
      if line == "{" { start = number }
      guard line == "}", let first = start else { continue }
      let bytes = Array(lines[first...number].joined(separator: "\n").utf8)
      if let value = try? JSONValue(parsing: bytes, grammar: .strict), value["schema"] != nil {
        objects.append(value)
      }
      start = nil
    }
    return objects
  }

  private static func faults(of object: JSONValue) -> [String] {
    let name = object["schema"]?.string ?? ""
    guard let schema = schemas[name] else { return ["no schema \(name)"] }
    return schema.faults(in: object)
  }

  @Test func `each schema is in the file that its name says`() {
    let names = fileNames(in: Self.folder)
    #expect(names.count == Self.schemas.count)
    #expect(
      names
        == Self.schemas.keys.map { $0.replacing("/", with: "-") + ".schema.json" }.sorted())
  }

  @Test func `every schema of the commands has a file`() throws {
    var found: Set<String> = []
    for folder in [
      "CommandSupport", "TransformerKit/Parts", "TransformerKit/Converting/Parts",
      "TransformerKit/Comparing/Parts",
      "tfconvert",
      "tfinspect", "tfverify",
    ] {
      let sources = fixture().removingLastComponent().appending("Sources").pushing(FilePath(folder))
      for name in fileNames(in: sources) where name.hasSuffix(".swift") {
        let text = String(decoding: readFile(sources.appending(name)), as: UTF8.self)
        for match in text.matches(of: /"(tf(?:kit|convert|inspect|verify)\.[a-z-]+\/\d+)"/) {
          found.insert(String(match.1))
        }
      }
    }
    #expect(found == Set(Self.schemas.keys))
  }

  @Test func `what the transcripts show is as the schemas say`() {
    let objects = Transcript.all.flatMap { transcript in
      Self.objects(in: transcript.recorded.stdout).map { (transcript.name, $0) }
    }
    #expect(objects.count >= 25)
    for (name, object) in objects {
      let faults = Self.faults(of: object)
      #expect(faults == [], "\(name)")
    }
  }

  /// A command for what no transcript shows whole.
  static let commands: [(schema: String, command: String)] = [
    ("tfinspect.ls/1", "tfinspect ls $FIXTURES/bert/base"),
    ("tfinspect.hash/1", "tfinspect hash $FIXTURES/bert/base"),
    ("tfinspect.id/1", "tfinspect id $FIXTURES/bert/base"),
    ("tfinspect.tree/1", "tfinspect tree $FIXTURES/bert/base"),
    (
      "tfinspect.tree/1",
      "tfinspect tree $FIXTURES/containers/safetensors/good/empty_metadata.safetensors"
    ),
    ("tfinspect.info/1", "tfinspect info $FIXTURES/mixtral/base"),
    ("tfinspect.info/1", "tfinspect info $FIXTURES/sentences/mean"),
    ("tfinspect.diff/1", "tfinspect diff $FIXTURES/bert/base $FIXTURES/bert/masked_lm"),
    ("tfinspect.check/1", "tfinspect check $FIXTURES/bert/base/golden.npz"),
    ("tfinspect.stats/1", "tfinspect stats $FIXTURES/bert/base --top 2 --histogram"),
    ("tfinspect.report/1", "tfinspect report $FIXTURES/bert/base -o page.html"),
    (
      "tfinspect.show/1",
      "tfinspect show $FIXTURES/bert/base embeddings.LayerNorm.weight -o x.npy"
    ),
    ("tfconvert.bench/1", "tfconvert bench $FIXTURES/bert/base"),
    ("tfconvert.convert/1", "tfconvert $FIXTURES/codecs/fp8 plain/ --dequantize"),
    (
      "tfconvert.convert/1",
      "tfconvert $FIXTURES/bert/base half/ --dtype bf16 --allow-lossy --verify"
    ),
    (
      "tfconvert.convert/1",
      "tfconvert $FIXTURES/adapters/llama/base m/ --merge $FIXTURES/adapters/llama/adapter"
    ),
    ("tfconvert.plan/1", "tfconvert plan $FIXTURES/bert/base x/ -o plan.json"),
    (
      "tfconvert.part/1",
      "tfconvert plan $FIXTURES/bert/base x/ -o p -q > id; tfconvert part p --part 1/1"
    ),
    (
      "tfconvert.commit/1",
      """
      tfconvert plan $FIXTURES/bert/base x/ -o p --dtype bf16 --allow-lossy -q > id
      tfconvert part p --part 1/1 -q; tfconvert commit p
      """
    ),
    (
      "tfconvert.receipt/1",
      """
      tfconvert plan $FIXTURES/bert/base x/ -o p -q > id
      tfconvert part p --part 1/1 -q; cat x.parts-*/receipts/*; true
      """
    ),
    ("tfverify.pair/1", "tfverify $FIXTURES/bert/base $FIXTURES/bert/base"),
    ("tfverify.plan/1", "tfverify plan $FIXTURES/bert/base $FIXTURES/bert/base -o p"),
    (
      "tfverify.part/1",
      "tfverify plan $FIXTURES/bert/base $FIXTURES/bert/base -o p -q > id; tfverify part p --part 1/1"
    ),
    (
      "tfverify.receipt/1",
      """
      tfverify plan $FIXTURES/bert/base $FIXTURES/bert/base -o p --block-size 1GB -q > id
      tfverify part p --part 1/1 -q; cat p.receipts/*; true
      """
    ),
    (
      "tfinspect.tokenizer-diff/1",
      "tfinspect diff $FIXTURES/tokenizers/bert/tokenizer.json $FIXTURES/tokenizers/vocab-txt/vocab.txt"
    ),
    (
      "tfverify.receipt/1",
      """
      F=$FIXTURES/containers/gguf/quantised
      cp $F/Q4_0.gguf B.gguf; printf xyz | dd of=B.gguf bs=1 seek=17736 conv=notrunc 2> dd
      tfverify plan $F/source B.gguf -o p -q > id
      tfverify part p --part 1/1 -q; cat p.receipts/*; true
      """
    ),
    (
      "tfverify.receipt/1",
      """
      cp -r $FIXTURES/codecs/gptq/symmetric B
      tfconvert B A/ --dequantize --dtype bf16 --allow-lossy -q > id
      sed -i 's/"checkpoint_format": "gptq"/"checkpoint_format": "gptq_v2"/' B/config.json
      tfverify plan A B -o p -q > id
      tfverify part p --part 1/1 -q; cat p.receipts/*; true
      """
    ),
    (
      "tfverify.pair/1",
      """
      tfverify plan $FIXTURES/bert/base $FIXTURES/bert/base -o p -q > id
      tfverify part p --part 1/1 -q; tfverify commit p
      """
    ),
    ("tfverify.pair/1", "tfverify $FIXTURES/codecs/fp8 $FIXTURES/codecs/fp8/dequantized"),
    ("tfverify.golden/1", "tfverify golden $FIXTURES/bert/base $FIXTURES/bert/base/golden.npz"),
    ("tfverify.run/1", "tfverify run $FIXTURES/bert/base --inputs $FIXTURES/bert/base/golden.npz"),
    (
      "tfverify.run/1",
      """
      cp -r $FIXTURES/wav2vec2/ctc m
      echo '{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}' > m/preprocessor_config.json
      tfverify run m --audio $FIXTURES/sounds/pcm16.wav
      """
    ),
    ("tfverify.bench/1", "tfverify bench $FIXTURES/bert/base --length 4 --repeat 1"),
    ("tfkit.error/1", "tfinspect ls missing"),
    ("tfkit.error/1", "tfinspect ls --nonsense"),
    (
      "tfkit.error/1",
      "tfinspect ls $FIXTURES/containers/safetensors/bad/dtype_lower_case.safetensors"
    ),
    ("tfkit.error/1", "tfinspect id $FIXTURES/bert/base/golden.npz"),
    ("tfkit.error/1", "tfconvert $FIXTURES/bert/base half/ --dtype bf16"),
    ("tfkit.error/1", "tfkit verify missing missing"),
  ]

  @Test(arguments: commands)
  func `what a command prints is as its schema says`(
    _ schema: String, _ command: String
  ) async throws {
    let outcome = try await Transcript.run(command + " --json")
    let objects = Self.objects(in: outcome.stdout)
    #expect(objects.count == 1, "\(outcome.stderr)")
    let object = try #require(objects.first)
    #expect(object["schema"]?.string == schema)
    #expect(Self.faults(of: object) == [])
    #expect(object.members?.first?.key == "schema")
    if schema == "tfkit.error/1" {
      #expect(object["exit"]?.int == Int(outcome.exit))
      let message = object["message"]?.string ?? "-"
      #expect(outcome.stderr.split(separator: "\n").first?.hasSuffix(message) == true)
    }
  }

  @Test func `an object that is not as its schema says is noticed`() throws {
    let text = try JSONValue(
      parsing: Array(#"{"schema":"tfinspect.id/1","id":"x","head":1,"lines":[2],"more":0}"#.utf8),
      grammar: .strict)
    let faults = Self.faults(of: text)
    #expect(
      faults.sorted() == [
        "/head is no \"string\"", "/lines/0 is no \"string\"", "/more must not be there",
      ])
    #expect(Self.faults(of: ["schema": "tfinspect.id/1"]).count == 3)
  }
}
