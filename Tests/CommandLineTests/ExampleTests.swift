import Foundation
import SystemPackage
import TestSupport
import Testing

/// The examples in `--help`: each is a line that can be pasted from a terminal of 80 columns, and runs.
@Suite struct ExampleTests {
  private static let helps = Transcript.all.filter { $0.name.hasPrefix("help-") }

  /// The lines under "Examples:" in a help.
  private static func examples(_ help: Transcript) -> [String] {
    let lines = help.recorded.stdout.split(separator: "\n", omittingEmptySubsequences: false)
    guard let start = lines.firstIndex(of: "Examples:") else { return [] }
    return lines[(start + 1)...].prefix { !$0.isEmpty }.map(String.init)
  }

  @Test(arguments: helps)
  func `a help keeps to 80 columns, and has examples of a line each`(_ help: Transcript) {
    #expect(help.recorded.stdout.split(separator: "\n").allSatisfy { $0.count <= 80 })
    let examples = Self.examples(help)
    #expect(examples.count >= 3)
    #expect(examples.allSatisfy { $0.hasPrefix("  tf") })
  }

  /// What the examples are about, in their names.
  private static let setUp = """
    set -e
    cp -r "$FIXTURES/bert/eleven_layers" bert-base
    for word in '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' hello world , ! first second text .
    do echo "$word"; done > bert-base/vocab.txt
    cp -r "$FIXTURES/bert/masked_lm" bert-mlm
    cp bert-base/vocab.txt bert-mlm/
    cp -r "$FIXTURES/sentences/mean" minilm
    cp -r "$FIXTURES/dinov2/classification" vit
    cp -r "$FIXTURES/clip/base" clip
    for model in vit clip
    do echo '{"size": 6, "crop_size": 6, "default_to_square": true}' > $model/preprocessor_config.json; done
    echo '{"model":{"type":"WordLevel","unk_token":"a","vocab":{"a":0,"cat":1,"dog":2}}}' > clip/tokenizer.json
    cp -r "$FIXTURES/llava/read" llava
    cp "$FIXTURES/pictures/444.jpg" cat.jpg
    cp -r "$FIXTURES/wav2vec2/ctc" wav2vec2-base-960h
    echo '{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}' > wav2vec2-base-960h/preprocessor_config.json
    cp "$FIXTURES/sounds/flac16.flac" hello.flac
    cp bert-base/* .
    mv bert-base/golden.npz .
    cp golden.npz inputs.npz
    tfconvert bert-base model.npz -q
    tfconvert bert-base pytorch_model.bin -q
    cp -r "$FIXTURES/llama/lm" llama
    tfconvert llama llama.gguf --dialect gguf -q
    for name in old a b; do cp model.safetensors $name.safetensors; done
    cp model.npz new.npz
    cp model.npz bert-base.npz
    cp -r bert-base bert-finetuned
    cp -r bert-base a
    cp -r bert-base b
    cp -r "$FIXTURES/gpt2/openai/huggingface" gpt2
    cp "$FIXTURES/tokenizers/gpt2/tokenizer.json" gpt2/
    tfconvert bert-base bert-bf16 --dtype bf16 --allow-lossy -q
    tfinspect hash bert-base > bert-base.sha256
    cp -r "$FIXTURES/adapters/llama_rank_stabilised/base" base
    cp -r "$FIXTURES/adapters/llama_rank_stabilised/adapter" lora
    tfconvert base merged --merge lora -q
    tfconvert bert-base scrambled --rename '*=x.*' -q
    tfconvert model.safetensors mine.safetensors --rename 'encoder.layer.*=blocks.*' -q
    tfconvert plan bert-base/ planned/ --max-shard-size 20KB -o plan.json -q
    tfconvert part plan.json --part 1/1 -q
    tfverify plan bert-base/ model.npz -o compare.json -q
    tfverify part compare.json --part 1/1 -q
    """
  private static let target = """
    tfconvert bert-base bert.npz -q

    """
  private static let certificate = """
    tfconvert bert-base bert.npz --certificate bert.intoto.json -q

    """

  @Test(.timeLimit(.minutes(10)), arguments: helps)
  func `the examples run`(_ help: Transcript) throws {
    for example in Self.examples(help) {
      // The models that are timed and continued here are too short for what is asked.
      if ["tfverify bench ", "--generate", "bench model.safetensors --level"].contains(
        where: example.contains)
      {
        continue
      }
      // What the example makes must not be there yet.
      let made =
        example.contains("tfconvert")
        ? "" : example.contains("--certificate") ? Self.target : Self.certificate
      let rules =
        example.contains("--rules")
        ? "tfinspect map scrambled --like bert-base -o rules.json -q\n" : ""
      // Somebody who looks, and leaves.
      let isWatched = example.contains("tfinspect browse")
      let run =
        isWatched ? "echo q | TERM=xterm script -qec '\(example)' /dev/null" : example
      let script = Self.setUp + "\n" + made + rules + "set +e\n" + run
      let (status, message) = try Self.run(script)
      #expect(status == 0, "\(example): \(message)")
    }
  }

  /// The hub of the examples.
  private static let hub = {
    let files = TestServer.files(of: "bert/base")
    return TestServer { request, _ in TestServer.hub(files, request) }
  }()

  private static func run(_ script: String) throws -> (Int32, String) {
    let scratch = ScratchFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script]
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.makeFolder("work").string)
    process.environment = [
      "PATH": commandFolder.string + ":/usr/bin:/bin", "FIXTURES": fixture().string,
      "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no", "HF_ENDPOINT": hub.address,
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: scratch.write([], to: "stderr").string)
    try process.run()
    process.waitUntilExit()
    let message = String(decoding: readFile(scratch.path.appending("stderr")), as: UTF8.self)
    return (process.terminationStatus, message)
  }
}

/// What stands on a narrow terminal.
@Suite struct NarrowTests {
  @Test(arguments: Transcript.all.filter { $0.name.hasPrefix("narrow-40-") })
  func `lines keep to 40 columns, but a name is never cut`(_ transcript: Transcript) {
    let lines = transcript.recorded.stdout.split(separator: "\n")
    #expect(lines.count > 5)
    for line in lines where line.count > 40 {
      // Behind the letter of a change, or indented.
      let isName = !line.dropFirst(2).contains(" ") || !line.drop { $0 == " " }.contains(" ")
      #expect(isName, "\(line)")
    }
  }
}
